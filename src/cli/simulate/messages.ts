/**
 * @packageDocumentation
 * What crosses between `xbbd simulate` and its threads: seeds go down, sums and failures come up. A thread is given a
 * handful of seeds at a time, so that all end together, and nothing is sent for a seed in which all is well.
 */
import type { Outcome } from '../../sim/family.js'

/** Seeds from `from` on, in one family: those that `every` divides. */
export interface SeedsMessage {
  readonly family: string
  readonly from: number
  readonly count: number
  readonly every: number
}

export interface SumMessage {
  readonly family: string
  readonly runs: number
  /** Processor time, near enough: milliseconds. */
  readonly elapsedMs: number
  readonly counts: Readonly<Record<string, number>>
  /** The sum of the runs' digests, 64 bits: the same whatever the order. */
  readonly digest: bigint
  readonly failures: readonly Outcome[]
}
