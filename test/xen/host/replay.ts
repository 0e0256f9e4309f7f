/**
 * @packageDocumentation
 * Replays what was recorded in the rig, on this machine, which has no Xen: every journal must agree with the charts to the
 * last transition. This is the proof that a recording is all one needs.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { ReplayReport } from '../../../src/journal/replay.js'
import { packageRoot } from '../../../src/io/native/load.js'

export interface ReplayResult {
  readonly journal: string
  readonly summary: string
  readonly error: string | undefined
}

/** Replays all journals in a directory. A directory without any journal has no results. */
export async function replayDirectory(directory: string): Promise<ReplayResult[]> {
  const main = join(packageRoot(), 'dist/src/cli/main.js')
  const child = spawn(process.execPath, [main, 'replay', '--json', directory], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (errors += String(chunk)))
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  // A pool that no device ever wrote into.
  if (output === '' && errors.includes('holds no journal')) return []
  if (output === '') return [{ journal: 'all', summary: '', error: `replay ended with ${status}: ${errors.trim()}` }]
  const { journals, problems } = JSON.parse(output) as ReplayReport
  const results = journals.map(({ journal, run, batches, steps, agrees, otherCharts, divergences, damage }) => {
    const wrong = [...damage, ...divergences.map(({ sentence }) => sentence)]
    if (otherCharts) wrong.push('it was recorded with other charts than these')
    if (!agrees && wrong.length === 0) wrong.push('it differs')
    return {
      journal: `${journal} (run ${run})`,
      summary: `${batches} batches, ${steps} steps`,
      error: wrong.length > 0 ? wrong.join('\n') : undefined,
    }
  })
  const unread = problems.map((sentence) => ({ journal: 'a file', summary: '', error: sentence }))
  return [...results, ...unread]
}
