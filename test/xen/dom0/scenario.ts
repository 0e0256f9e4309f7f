/**
 * @packageDocumentation
 * How a scenario is declared: a name, the boot in which it runs, a bound, and a body that gets a toolbox. A file below
 * scenarios/ calls `scenario` when it is imported and does nothing else then: the host imports it to know what there
 * is, dom0 imports it to run it.
 *
 *   scenario('a disk that is not in use is detached', { boot: 'disks', short: true, timeout: 60 }, async (t) => { … })
 *
 * Scenarios of one boot run one after the other in the order of their files' names. What hangs or kills dom0 costs the
 * rest of its boot, so what is risky gets a boot of its own.
 */
import type { Toolbox } from './toolbox.js'

/** The boots that there are, each with what the machine needs beyond the rig's usual 2 processors and 4 GiB. */
export const BOOTS = {
  /** The rig itself: guests, agent, packages. */
  rig: [],
  /** The contract suites over the real adapters. */
  contract: [],
  /** One or two guests and their disks. */
  disks: [],
  /** Whole lives: boot loaders, crashes, destruction. */
  lives: [],
  /** Media that fail, fill up and come back. */
  media: [],
  /** Stops, kills and starts of the daemon. */
  restarts: [],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type Boot = keyof typeof BOOTS

export interface ScenarioOptions {
  readonly boot: Boot
  /** Part of `test:xen -- --short`, which has five minutes for everything. */
  readonly short?: boolean
  /** Seconds after which it has failed. Emulated processors are some ten times slower than this machine. */
  readonly timeout: number
}

export interface Scenario extends ScenarioOptions {
  readonly name: string
  readonly body: (t: Toolbox) => Promise<void>
}

const registered: Scenario[] = []

/** Declares a scenario. Names are unique: the report and `--only` know it by that. */
export function scenario(name: string, options: ScenarioOptions, body: Scenario['body']): void {
  if (registered.some((other) => other.name === name)) throw new Error(`two scenarios are called "${name}"`)
  registered.push({ name, ...options, body })
}

/** All that were declared so far. */
export function scenarios(): readonly Scenario[] {
  return registered
}
