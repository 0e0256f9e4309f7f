/**
 * @packageDocumentation
 * One queue under its device's rate limit: how many of the requests in its line may go now, and when it is worth to
 * look again. The queue's core knows nothing of rates or time: it is told `ALLOWED so many`, an input in its journal.
 *
 *   line of the core  [ r r r r r r r ]
 *                       └──┬──┘         a place in the bucket for these, due at dueNs ── due ──► allowed
 *
 * A place is for as many as are due within a millisecond, at least one: so a high limit costs no batch per request, and
 * a timer's grain no part of a low one. A queue that comes to rest waits for nobody: its last requests go at once, and
 * the bucket is made to remember.
 */
import type { AdmissionGate } from '../core/admission.js'
import type { QueueCore } from '../core/queue-core.js'
import { RECORD_ALLOWED } from '../core/records.js'
import { QueueState } from '../machines/generated/queue.js'
import type { SharedRateLimit } from '../ports/queues.js'
import { RateBucket } from './rate-bucket.js'

/** Whatever is due so soon is waited for together. */
const TOGETHER_NS = 1e6
/** Waking up so late after a place was due costs nothing of the rate; later than that it was no wake-up. */
const LATE_NS = 20e6

/** In all other states nobody is admitted any more. */
const ADMITTING: ReadonlySet<number> = new Set([
  QueueState.Running, QueueState.Shortage, QueueState.Throttled, QueueState.Draining,
])

export class RateGate {
  private readonly bucket: RateBucket
  /** Requests that have a place, due at `dueNs`. */
  private placed = 0
  private placedBytes = 0
  private dueNs = -Infinity
  /** The device closes. */
  private hurried = false
  /** Bytes of those whom the last look lets go. */
  private bytes = 0

  constructor(shared: SharedRateLimit) {
    this.bucket = new RateBucket(shared)
  }

  /** When there will be something to let go; undefined while nobody waits. */
  get wakeNs(): number | undefined {
    return this.placed > 0 ? this.dueNs : undefined
  }

  /** Whether somebody waits whose time has come. */
  isDue(nowNs: number): boolean {
    return this.placed > 0 && nowNs >= this.dueNs
  }

  /** From now on everything goes at once, and counts. */
  hurry(): void {
    this.hurried = true
  }

  /** Tells the core, by a record at the end of the open batch, whom it may let go. @returns how many. */
  round(core: QueueCore, sink: { words: Int32Array; at: number }, nowNs: number): number {
    const { gate, queueState } = core
    if (gate.tokensWanted === 0 || !ADMITTING.has(queueState)) return 0
    const atOnce = this.hurried || queueState === QueueState.Draining
    const count = atOnce ? this.allowAll(gate, nowNs) : this.allowDue(gate, nowNs)
    if (count === 0) return 0
    const { words, at } = sink
    words[at] = RECORD_ALLOWED | (count << 16)
    words[at + 1] = this.bytes
    sink.at = at + 2
    core.apply(words, at, sink.at)
    return count
  }

  private allowDue(gate: AdmissionGate, nowNs: number): number {
    this.bytes = 0
    let allowed = 0
    for (let left = gate.tokensWanted; left > 0; left = gate.tokensWanted - allowed) {
      if (this.placed === 0) this.place(gate, allowed, nowNs)
      if (nowNs < this.dueNs) break
      // The line may have been cleared while it waited.
      allowed += Math.min(this.placed, left)
      this.bytes += this.placedBytes
      this.placed = this.placedBytes = 0
    }
    return allowed
  }

  /** Everybody may go now; what that is too much is made up for afterwards. */
  private allowAll(gate: AdmissionGate, nowNs: number): number {
    const all = gate.tokensWanted
    this.bytes = 0
    for (let index = 0; index < all; index++) this.bytes += gate.bytesWanted(index)
    const [operations, bytes] = [all - this.placed, this.bytes - this.placedBytes]
    if (operations > 0) this.bucket.take(operations, Math.max(0, bytes), nowNs, 0)
    this.placed = this.placedBytes = 0
    return all
  }

  private place(gate: AdmissionGate, from: number, nowNs: number): void {
    const late = nowNs - this.dueNs
    const lateNs = late < LATE_NS ? late : 0
    const { bucket } = this
    const soonNs = nowNs + TOGETHER_NS
    const most = Math.min(gate.tokensWanted - from, bucket.operations(nowNs, soonNs, lateNs))
    const mostBytes = bucket.bytes(nowNs, soonNs, lateNs)
    let count = 1
    let bytes = gate.bytesWanted(from)
    for (; count + 1 <= most; count++) {
      const more = gate.bytesWanted(from + count)
      if (bytes + more > mostBytes) break
      bytes += more
    }
    this.placed = count
    this.placedBytes = bytes
    this.dueNs = bucket.take(count, bytes, nowNs, lateNs)
  }
}
