/**
 * @packageDocumentation
 * A guest's share of XenStore's time, as xenstored on a Xen host limits how often a domain may write: what its requests
 * took is a debt, which time pays off at a fifth of its own pace. While it owes more than a moment's work its
 * connections are not read from, and wait in their sockets; others and domain 0 are served meanwhile.
 *
 *   debt ▲   ╱╲    ╱  50 ms ─ ─ ─ not read from until 25 ms are left
 *        │ ╱    ╲╱
 */
import type { Clock } from '../../ports/clock.js'

const SHARE = 0.2
const MOST_OWED_NS = 50e6
const GOES_ON_NS = 25e6

export class FairShare {
  readonly #clock: Clock
  #owedNs = 0
  #seenNs: number
  #waiting: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
    this.#seenNs = clock.nowNs()
  }

  /** Does `work` on the guest's account. @returns whether it must wait now; `resume` is called when it may go on. */
  spend(work: () => void, resume: () => void): boolean {
    const began = this.#clock.nowNs()
    work()
    const ended = this.#clock.nowNs()
    this.#owedNs = Math.max(0, this.#owedNs - (began - this.#seenNs) * SHARE) + (ended - began)
    this.#seenNs = ended
    if (this.#waiting.length === 0 && this.#owedNs <= MOST_OWED_NS) return false
    if (this.#waiting.push(resume) === 1)
      this.#clock.after((this.#owedNs - GOES_ON_NS) / SHARE / 1e6, () => {
        for (const waiter of this.#waiting.splice(0)) waiter()
      })
    return true
  }
}
