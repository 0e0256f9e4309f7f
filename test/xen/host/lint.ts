/**
 * @packageDocumentation
 * Judges the guests' own front ends (Linux's blkfront, GRUB's) by what was recorded of them in the rig. They are the
 * reference: whatever the linter holds against one of them is a fault of the linter's, or has an explanation here.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { packageRoot } from '../../../src/io/native/load.js'
import type { Finding } from '../../../src/lint/findings.js'
import type { LintReport } from '../../../src/lint/lint.js'

export interface LintResult {
  /** `2 front ends, 11208 requests; notes: state-restarted` */
  readonly summary: string
  readonly error: string | undefined
}

/** What is known and right, by scenario. */
const EXPLAINED: readonly { readonly scenario: RegExp; readonly rule: string; readonly why: string }[] = [
  {
    scenario: /disc|CD-ROM|shrinks/,
    rule: 'range-beyond-end',
    why: 'a kernel reads on for a moment where the disk or disc before had sectors',
  },
]

const isExplained = (scenario: string, { rule }: Finding) =>
  EXPLAINED.some((one) => one.rule === rule && one.scenario.test(scenario))

/** Judges all journals in a directory. Undefined when there is none. */
export async function lintDirectory(directory: string, scenario: string): Promise<LintResult | undefined> {
  const main = join(packageRoot(), 'dist/src/cli/main.js')
  const child = spawn(process.execPath, [main, 'lint', '--json', directory], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk) => (output += String(chunk)))
  child.stderr.on('data', (chunk) => (errors += String(chunk)))
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  // A pool that no device ever wrote into.
  if (output === '' && errors.includes('holds no journal')) return undefined
  if (output === '') return { summary: '', error: `lint ended with ${status}: ${errors.trim()}` }
  return resultOf(JSON.parse(output) as LintReport, scenario)
}

/** Notes and what is explained are told; errors and warnings fail, and so does what could not be read. */
export function resultOf({ devices, findings, problems }: LintReport, scenario: string): LintResult {
  const requests = devices.reduce((sum, device) => sum + device.requests, 0)
  const serious = findings.filter((one) => one.severity !== 'note' && !isExplained(scenario, one))
  const rest = findings.filter((one) => !serious.includes(one)).map(({ rule, count }) => `${rule} ×${count}`)
  const told = serious.map(({ rule, device, what, count, evidence }) => {
    const [first] = evidence
    return `${rule}: ${device} ${what}, ${count} times; first in batch ${first.batch} of ${first.journal}: ${first.text}`
  })
  const wrong = [...told, ...problems]
  const notes = rest.length === 0 ? '' : `; ${rest.join(', ')}`
  return {
    summary: `${devices.length} front ends, ${requests} requests${notes}`,
    error: wrong.length === 0 ? undefined : wrong.join('\n'),
  }
}
