/**
 * @packageDocumentation
 * How often a node is read that a guest may write. It may write it as often as XenStore lets it, and each read costs
 * XenStore and this process a message and its answer. A connection has a dozen changes of state in a second or two;
 * who makes more is looked at 20 times a second and misses nothing by it, since what counts is the state as it stands.
 *
 *   tokens  ██████████ 64   one for each read, 20 more a second; none left: the next read waits for one
 */
import type { Clock } from '../../ports/clock.js'

/** Reads that may follow each other at once; more than six hand-overs of a boot loader take. */
const BURST = 64
const PER_SECOND = 20

export class ReadPace {
  readonly #clock: Pick<Clock, 'nowNs' | 'after'>
  #tokens = BURST
  #seenNs: number

  constructor(clock: Pick<Clock, 'nowNs' | 'after'>) {
    this.#clock = clock
    this.#seenNs = clock.nowNs()
  }

  /** Calls `read` now or as soon as there is a token. @returns what cancels it. */
  take(read: () => void): () => void {
    const nowNs = this.#clock.nowNs()
    this.#tokens = Math.min(BURST, this.#tokens + ((nowNs - this.#seenNs) * PER_SECOND) / 1e9) - 1
    this.#seenNs = nowNs
    if (this.#tokens < 0) return this.#clock.after((-this.#tokens * 1000) / PER_SECOND, read)
    read()
    return () => undefined
  }
}
