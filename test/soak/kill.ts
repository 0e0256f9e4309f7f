/**
 * @packageDocumentation
 * `npm run soak:kill [-- --rounds N --seed N]`: the daemon dies N times (500) under a front end that verifies what it
 * wrote, at random moments and at every named kill point; and then a fifth as often under a deep queue of 1 MiB writes
 * on a disk that takes 40 ms more for each, so that most deaths find writes in flight. Those are O_DIRECT where the file
 * system of the temporary directory has it, and each goes as several requests, which land and die apart.
 *
 * It prints where the deaths were and how long a successor took to its first answer: from its restart, and from the
 * program's own start, which is its first line in the log (Node has begun and loaded it, the configuration is read).
 * What is started is the bundle, as installed, and its run.dir lies on a tmpfs, as /run does; the first life is long
 * enough to leave its compiled code there. Ends with 1 when anything
 * was lost, wrong, late, or answered twice or never.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../../src/io/native/load.js'
import { killAgainAndAgain, type KillOptions, type KillReport } from '../support/kill-rig.js'

const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } } })
const rounds = Number(values.rounds ?? 500)
const seed = Number(values.seed ?? 1)
const print = (line: string) => void process.stdout.write(`${line}\n`)

function isSound({ result, status }: KillReport): boolean {
  const quiet = Array.isArray(result['events']) && result['events'].length === 0
  const whole = result['answers'] === result['requests'] && result['finding'] === undefined
  return status === 0 && quiet && whole && result['errors'] === 0 && result['violations'] === 0
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((one, other) => one - other)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.toFixed(0) ?? '-'
  return `${at(0)} / ${at(0.5)} / ${at(0.9)} / ${at(1)} ms (least, median, nine tenths, most)`
}

async function series(title: string, options: KillOptions): Promise<boolean> {
  const say = (round: number, how: string) => process.stderr.write(`soak: ${title}: death ${round + 1}, ${how}\n`)
  const runDir = mkdtempSync('/dev/shm/xbbd-soak-')
  const report = await killAgainAndAgain({ ...options, runDir, program: join(folder, 'cli/main.js'), say })
  rmSync(runDir, { recursive: true })
  const restart = spread(report.firstAnswers.map(({ fromRestart }) => fromRestart))
  const program = spread(report.firstAnswers.map(({ fromProgram }) => fromProgram))
  const sound = isSound(report)
  print(`${title}: ${report.rounds} deaths, ${sound ? 'nothing was lost' : 'NOT SOUND'}`)
  print(`  where: ${Object.entries(report.deaths).map(([place, count]) => `${place} ${count}`).join(', ')}`)
  print(`  from the restart to the first answer, in ${report.firstAnswers.length} rounds: ${restart}`)
  print(`  of which from the program's start:  ${program}`)
  print(`  the front end: ${JSON.stringify(report.result)}`)
  return sound
}

const folder = mkdtempSync(join(tmpdir(), 'xbbd-soak-'))
const scripts = (await import(join(packageRoot(), 'scripts/bundle.mjs'))) as { bundleProgram(to: string): Promise<void> }
await scripts.bundleProgram(folder)
const mixed = await series('mixed sizes, depth 64, flushes and barriers', { rounds, seed })
const deep = await series('1 MiB calls, writes in flight', {
  rounds: Math.ceil(rounds / 5), seed, maxBytes: 1 << 20, imageBytes: 64 << 20, plant: 'delay=40',
})
rmSync(folder, { recursive: true })
process.exit(mixed && deep ? 0 : 1)
