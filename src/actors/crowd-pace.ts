/**
 * @packageDocumentation
 * How much one batch may hold when several queues are at work. A batch is bounded in requests, not in time: 64 of a
 * front end that asks for much take a millisecond, and a neighbour of small ones waits for that at each turn, with all
 * it has in flight. So where a Worker's queues work side by side, each one's batches are cut to what takes about 25 µs,
 * by how long its last one took; a queue alone is not cut.
 *
 *   took 500 µs with 64 ─► 32 the next time ─► 250 µs ─► 16 … 3 ─► 25 µs ─► 3      alone for 5 ms ─► unbounded
 *
 * It halves and doubles at most: a batch in which this thread was not running says nothing about its front end.
 * What must never happen: that a queue may take nothing.
 */
const BATCH_NS = 25_000
/** So long after another queue worked it still counts as a neighbour: its front end may be thinking. */
const NEIGHBOUR_NS = 5_000_000
/** More than any batch. */
export const UNBOUNDED = 1 << 16

/** Of one queue: entries, and results, that its next batch may take. */
export interface BatchBound {
  most: number
}

export class CrowdPace {
  #last: BatchBound | undefined
  /** When another queue worked than before. */
  #changedNs = -Infinity

  /** The queue had a batch of so many entries or results, whichever were more, from `beganNs` to `endedNs`. */
  worked(bound: BatchBound, size: number, beganNs: number, endedNs: number): void {
    if (this.#last !== bound) this.#changedNs = endedNs
    this.#last = bound
    if (endedNs - this.#changedNs >= NEIGHBOUR_NS) bound.most = UNBOUNDED
    else if (size > 0) {
      const wanted = Math.round((size * BATCH_NS) / Math.max(1, endedNs - beganNs))
      bound.most = Math.max(1, size >>> 1, Math.min(2 * size, wanted))
    }
  }
}
