/**
 * @packageDocumentation
 * How long to measure. Quick is for looking whether all works; figures are taken at the full pace.
 */
export interface Pace {
  readonly quick: boolean
  readonly warmUpMs: number
  readonly measureMs: number
  /** Alternating runs of which the median counts. */
  readonly rounds: number
  /** How long an idle daemon is watched. */
  readonly idleMs: number
}

export const FULL: Pace = { quick: false, warmUpMs: 1000, measureMs: 2000, rounds: 3, idleMs: 60_000 }
export const QUICK: Pace = { quick: true, warmUpMs: 300, measureMs: 500, rounds: 1, idleMs: 10_000 }
