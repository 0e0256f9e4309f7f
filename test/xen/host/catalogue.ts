/**
 * @packageDocumentation
 * What there is to run, and what of it was asked for: scenarios, which tell about themselves when their files are
 * imported, and contract suites, of which only the file is known before they run in dom0.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { BOOTS, scenarios, type Boot, type Scenario } from '../dom0/scenario.js'
import type { TestOptions } from './options.js'

/** Compiled files of test/xen. */
const compiled = join(import.meta.dirname, '..')
const SCENARIOS = join(compiled, 'dom0/scenarios')
const CONTRACTS = join(compiled, 'contract')

/** One boot of the machine and what runs in it. */
export interface BootPlan {
  /** Names it in the report and among the results. */
  readonly boot: string
  /** Options of rig/run. */
  readonly machine: readonly string[]
  readonly suites: readonly string[]
  readonly scenarios: readonly Scenario[]
}

/** What of the suites `--short` runs: what crash recovery rests on. The others take minutes. */
const SHORT_SUITES: readonly string[] = ['host.suite']

const modulesIn = (directory: string) =>
  (existsSync(directory) ? readdirSync(directory) : [])
    .filter((name) => name.endsWith('.js'))
    .map((name) => name.slice(0, -'.js'.length))
    .sort()

/** Files that declare scenarios, by the names that they have in the bundle. */
export const scenarioFiles = (): string[] => modulesIn(SCENARIOS)

/** Names in the bundle, without .js, and the files of dist/ behind them. What suites start as processes is among them. */
export function bundleEntries(): Record<string, string> {
  return Object.fromEntries([
    ['main', 'test/xen/dom0/main.js'],
    ...modulesIn(SCENARIOS).map((name) => [name, `test/xen/dom0/scenarios/${name}.js`]),
    ...modulesIn(CONTRACTS).map((name) => [name, `test/xen/contract/${name}.js`]),
  ]) as Record<string, string>
}

/** What was asked for, grouped by boot, in the order of the table of boots; all in one boot when it is to be short. */
export async function chosenBoots({ short, only }: TestOptions): Promise<BootPlan[]> {
  for (const name of scenarioFiles()) await import(join(SCENARIOS, `${name}.js`))
  const wanted = (name: string, boot: Boot) =>
    only.length === 0 || only.some((pattern) => pattern.test(name) || pattern.test(boot))
  const suites = modulesIn(CONTRACTS).filter(
    (name) => name.endsWith('.suite') && (!short || SHORT_SUITES.includes(name)) && wanted(name, 'contract'),
  )
  const chosen = scenarios().filter((one) => (one.short || !short) && wanted(one.name, one.boot))
  const plans = short
    ? [{ boot: 'short', machine: [], suites, scenarios: chosen }]
    : (Object.keys(BOOTS) as Boot[]).map((boot) => ({
        boot,
        machine: BOOTS[boot],
        suites: boot === 'contract' ? suites : [],
        scenarios: chosen.filter((one) => one.boot === boot),
      }))
  return plans.filter((plan) => plan.suites.length + plan.scenarios.length > 0)
}
