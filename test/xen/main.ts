/**
 * @packageDocumentation
 * `npm run test:xen`: the proof under a real hypervisor, from a built tree to one line.
 *
 *   build the rig ─► package, bundle ─► boot, run scenarios in dom0 ─► … next boot ─► replay and lint every journal here ─► sum
 *
 * Scenarios are grouped by boot, all in one when it must be short. One that takes too long has failed; one that takes dom0 with it costs the rest of its
 * boot, which counts as failed too, since it did not run. Results stay below test/tmp/xen until the next run.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import { boot, bootCommand, buildRig, Interrupted } from './host/boot.js'
import { chosenBoots, scenarioFiles, type BootPlan } from './host/catalogue.js'
import { readOptions, USAGE, type TestOptions } from './host/options.js'
import { lintDirectory } from './host/lint.js'
import { replayDirectory } from './host/replay.js'
import { Report } from './host/report.js'
import type { Told } from './protocol.js'
import { cleanShare, INSTALL, makeShare, prepareArchives, RUN_PLAN, type Prepared } from './host/stage.js'

const RESULTS = join(packageRoot(), 'test/tmp/xen')
/** After a scenario's own bound: taking away what it made, and saving it. */
const CLEANUP_SILENCE_S = 150
/** Between two tests of a suite. */
const SUITE_SILENCE_S = 150

async function runBoot(plan: BootPlan, prepared: Prepared, options: TestOptions, report: Report): Promise<void> {
  const share = join(RESULTS, plan.boot)
  const missing = new Map(plan.scenarios.map((scenario) => [scenario.name, scenario]))
  const unheard = new Set(plan.suites)
  const names = [...missing.keys()]
  const { short } = options
  makeShare(share, prepared, { short, scenarioFiles: scenarioFiles(), scenarios: names, suites: plan.suites })
  report.heading(`\nboot ${plan.boot}`)
  let log: string[] = []
  const directories = new Map<string, string>()
  const { failure } = await boot<Told>(
    {
      share,
      command: RUN_PLAN,
      machine: plan.machine,
      verbose: options.verbose,
      // What a scenario says on the way takes nothing from the time that it has.
      silenceOf: (told) =>
        'name' in told && missing.has(told.name)
          ? (missing.get(told.name)?.timeout ?? 0) + CLEANUP_SILENCE_S
          : SUITE_SILENCE_S,
    },
    (told) => {
      if (told.event === 'begin') {
        log = []
        unheard.delete(told.name)
        directories.set(told.name, told.directory)
      } else if (told.event === 'log') {
        log.push(told.text)
        report.log(told.text)
      } else if (told.event === 'end') {
        missing.delete(told.name)
        report.add({ boot: plan.boot, name: told.name, ms: told.ms, error: told.error, log })
      }
    },
  ).finally(() => cleanShare(share))
  const why = failure ?? 'its boot was given up before'
  for (const name of [...unheard, ...missing.keys()])
    report.add({ boot: plan.boot, name, ms: 0, error: `it was not run to its end: ${why}`, log: [] })
  if (failure !== undefined && unheard.size + missing.size === 0)
    report.add({ boot: plan.boot, name: 'the boot ends in good order', ms: 0, error: failure, log: [] })
  for (const [name, directory] of directories) await replay(plan.boot, name, join(share, directory, 'journal'), report)
  for (const [name, directory] of directories) await judge(plan.boot, name, join(share, directory, 'journal'), report)
}

/** What the guests' front ends did, by the linter's rules. */
async function judge(bootName: string, scenario: string, directory: string, report: Report): Promise<void> {
  if (!existsSync(directory) || readdirSync(directory).length === 0) return
  const began = performance.now()
  const judged = await lintDirectory(directory, scenario)
  if (judged === undefined) return
  const name = `lint of "${scenario}": ${judged.summary}`
  report.add({ boot: bootName, name, ms: performance.now() - began, error: judged.error, log: [] })
}

async function replay(bootName: string, scenario: string, directory: string, report: Report): Promise<void> {
  if (!existsSync(directory) || readdirSync(directory).length === 0) return
  const began = performance.now()
  for (const { journal, summary, error } of await replayDirectory(directory)) {
    const name = `replay of ${journal} of "${scenario}"${summary ? `: ${summary}` : ''}`
    report.add({ boot: bootName, name, ms: performance.now() - began, error, log: [] })
  }
}

function list(plans: readonly BootPlan[]): void {
  for (const plan of plans) {
    process.stdout.write(`${plan.boot}\n`)
    for (const suite of plan.suites) process.stdout.write(`  ${suite}\n`)
    for (const { name, short, timeout } of plan.scenarios)
      process.stdout.write(`  ${name}  (${short ? 'short, ' : ''}${timeout} s at most)\n`)
  }
}

async function run(options: TestOptions): Promise<number> {
  if (options.help) process.stdout.write(USAGE)
  if (options.help) return 0
  const plans = await chosenBoots(options)
  if (options.list) list(plans)
  if (options.list) return 0
  if (plans.length === 0 && options.command === undefined) throw new Error('nothing of that name: see --list')
  const report = new Report((text) => process.stdout.write(text))
  await buildRig()
  rmSync(RESULTS, { recursive: true, force: true })
  mkdirSync(RESULTS, { recursive: true })
  const prepared = await prepareArchives(join(RESULTS, 'archives'))
  try {
    if (options.command !== undefined) {
      const share = join(RESULTS, 'command')
      makeShare(share, prepared, { short: false, scenarioFiles: [], scenarios: [], suites: [] })
      return await bootCommand(share, `${INSTALL}\n${options.command}`, options.verbose)
    }
    for (const plan of plans) await runBoot(plan, prepared, options, report)
    report.finish(options.json)
    return report.failed === 0 && report.results.length > 0 ? 0 : 1
  } finally {
    rmSync(prepared.directory, { recursive: true, force: true })
  }
}

try {
  process.exitCode = await run(readOptions(process.argv.slice(2)))
} catch (error) {
  process.stderr.write(`xbbd: ${error instanceof Error ? error.message : String(error)}\n`)
  process.stdout.write('0 passed, 1 failed\n')
  process.exitCode = error instanceof Interrupted ? error.exitCode : 1
}
