/**
 * @packageDocumentation
 * The rate limit of one device, shared by its queues, each of which lives in some Worker: two words in shared memory,
 * and no lock, so that nobody's death can leave it taken. A word is the moment up to which the limit is spoken for; who
 * takes something moves it on by what that takes at the limit's rate, and may go when that moment has come.
 *
 *   ──── burst ────┤ now                      spoken for, not longer ago than a burst: at rest all of it is to be had
 *          ●───────┼──────────►  next         at work the word runs ahead of time: whoever asks gets a place behind it
 *
 * So the rate is exact however late anyone wakes up, and queues take turns: a place is had by asking, and nobody who
 * is awake more often gets another's. What is asked for is never more than one queue's line. Time comes from outside.
 */
import type { SharedRateLimit } from '../ports/queues.js'
import { DEFAULT_BURST_SECONDS, type RateLimit } from '../protocol/rate-limit.js'

/** All of its burst is to be had. */
export function shareRateLimit(limit: RateLimit): SharedRateLimit {
  return { limit, spoken: new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT) }
}

/** One of the two kinds: what one unit takes, and what may be taken at once, both as nanoseconds of the rate. */
interface Rate {
  readonly unitNs: number
  readonly burstNs: number
}

function rateOf(perSecond: number | undefined, burst: number | undefined): Rate | undefined {
  if (perSecond === undefined) return undefined
  const units = burst ?? Math.max(1, perSecond * DEFAULT_BURST_SECONDS)
  return { unitNs: 1e9 / perSecond, burstNs: (units * 1e9) / perSecond }
}

const OPERATIONS = 0
const BYTES = 1

export class RateBucket {
  private readonly rates: readonly (Rate | undefined)[]
  private readonly spoken: BigInt64Array

  constructor({ limit, spoken }: SharedRateLimit) {
    this.rates = [rateOf(limit.iops, limit.iopsBurst), rateOf(limit.bps, limit.bpsBurst)]
    this.spoken = new BigInt64Array(spoken)
  }

  /** Operations that will be within the limit at `byNs`, as things stand; `lateNs` as with `take`. */
  operations(nowNs: number, byNs: number, lateNs: number): number {
    return this.room(OPERATIONS, nowNs, byNs, lateNs)
  }

  /** As above, bytes. */
  bytes(nowNs: number, byNs: number, lateNs: number): number {
    return this.room(BYTES, nowNs, byNs, lateNs)
  }

  /**
   * Takes so much. `lateNs`: who waited for an earlier place and woke up so much later than that, has lost nothing by
   * it. @returns the moment from which it is within the limit, nanoseconds; not after `nowNs` where it is already.
   */
  take(operations: number, bytes: number, nowNs: number, lateNs: number): number {
    const ends = [this.advance(OPERATIONS, operations, nowNs, lateNs), this.advance(BYTES, bytes, nowNs, lateNs)]
    return Math.max(...ends)
  }

  private room(kind: number, nowNs: number, byNs: number, lateNs: number): number {
    const rate = this.rates[kind]
    if (rate === undefined) return Infinity
    return (byNs - beginOf(rate, Number(Atomics.load(this.spoken, kind)), nowNs, lateNs)) / rate.unitNs
  }

  private advance(kind: number, units: number, nowNs: number, lateNs: number): number {
    const rate = this.rates[kind]
    if (rate === undefined || units === 0) return -Infinity
    for (;;) {
      const was = Atomics.load(this.spoken, kind)
      const end = Math.ceil(beginOf(rate, Number(was), nowNs, lateNs) + units * rate.unitNs)
      // Another queue may have taken something meanwhile; there are few, and each loses a race only to one that won.
      if (Atomics.compareExchange(this.spoken, kind, was, BigInt(end)) === was) return end
    }
  }
}

function beginOf({ burstNs }: Rate, spokenNs: number, nowNs: number, lateNs: number): number {
  return Math.max(spokenNs, nowNs - Math.max(burstNs, lateNs))
}
