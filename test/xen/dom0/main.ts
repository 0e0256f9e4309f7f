/**
 * @packageDocumentation
 * The harness's end in dom0: runs what plan.json names, one after the other, and tells the host on standard output, one
 * JSON object per line (protocol.ts). It begins by installing nothing: the package was unpacked before, as root.
 *
 * A scenario that takes too long has failed, and what it made is taken away like any other's; when even that fails, or
 * something is left over, the rest of the boot could not be believed and is not run.
 */
import { mkdirSync, readFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plan, Told } from '../protocol.js'
import { applyUdevRules, makeUser } from './privileges.js'
import { scenarios, type Scenario } from './scenario.js'
import { installGlobals, runSuite } from './suites.js'
import { Toolbox } from './toolbox.js'

const CLEANUP_TIMEOUT_MS = 90_000
const SUITE_TEST_TIMEOUT_MS = 60_000

const here = dirname(fileURLToPath(import.meta.url))
const plan = JSON.parse(readFileSync('/project/plan.json', 'utf8')) as Plan

function tell(told: Told): void {
  writeSync(1, `${JSON.stringify(told)}\n`)
}

const messageOf = (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error))

/** Rejects when `work` takes longer; what it does after that is nobody's business any more. */
async function within<T>(what: string, timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${timeoutMs / 1000} s`)), timeoutMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** @returns whether the boot can be believed afterwards. */
async function runScenario({ name, timeout, body }: Scenario, index: number): Promise<boolean> {
  const directory = `/project/out/${String(index).padStart(2, '0')}`
  mkdirSync(directory, { recursive: true })
  tell({ event: 'begin', name, directory: directory.replace('/project/', '') })
  const began = performance.now()
  const t = await Toolbox.open(plan.short, (text) => tell({ event: 'log', name, text }))
  const errors: string[] = []
  try {
    await within('the scenario', timeout * 1000, body(t))
  } catch (error) {
    errors.push(messageOf(error))
  }
  const ms = performance.now() - began
  let clean = true
  try {
    const { wrong, leftOver } = await within('cleaning up', CLEANUP_TIMEOUT_MS, t.close(directory))
    errors.push(...wrong)
    clean = !leftOver
  } catch (error) {
    errors.push(messageOf(error))
    clean = false
  }
  tell({ event: 'end', name, ms, error: errors.length > 0 ? errors.join('\n') : undefined })
  return clean
}

async function runContractSuite(file: string): Promise<void> {
  tell({ event: 'begin', name: file, directory: 'out' })
  await runSuite(
    () => import(join(here, `${file}.js`)),
    SUITE_TEST_TIMEOUT_MS,
    ({ title, ms, error }) => tell({ event: 'end', name: title, ms, error }),
  )
}

// A body that was given up may still reject later; that must not end the harness.
process.on('unhandledRejection', (error) => tell({ event: 'log', name: '', text: `left over: ${messageOf(error)}` }))

installGlobals()
makeUser()
applyUdevRules()
for (const file of plan.scenarioFiles) await import(join(here, `${file}.js`))
for (const file of plan.suites) await runContractSuite(file)
const chosen = scenarios().filter(({ name }) => plan.scenarios.includes(name))
for (const [index, scenario] of chosen.entries()) {
  if (await runScenario(scenario, index)) continue
  tell({ event: 'log', name: scenario.name, text: 'something is left over: the rest of this boot is not run' })
  break
}
tell({ event: 'done' })
process.exit(0)
