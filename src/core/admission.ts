/**
 * @packageDocumentation
 * Who may go to the disk, and when. Requests that may not yet stand in one line, first come first served: some for
 * order (a barrier before them, or they are the barrier: Held), some for want of buffers, or because their device has a
 * rate limit (Waiting).
 *
 *   a barrier goes when nothing taken before it is still at work; nothing taken after it goes before it has completed
 *   a request with data goes when an extent is free; nobody overtakes one that waits
 *   under a rate limit everyone goes through the line, and only those at its head that the limit has let go (ALLOWED)
 *
 * Only the head of the line is ever looked at, so admission costs nothing per round, and whoever waits longest is next.
 */
import { RequestEvent, RequestState } from '../machines/generated/request.js'
import { PAGE_BYTES } from '../protocol/blkif.js'
import { assert } from '../protocol/errors.js'
import { chunksForRequest } from './extent-pool.js'
import type { QueueCore } from './queue-core.js'
import { KIND } from './request-columns.js'
import { takePages } from './request-pages.js'
import { SlotQueue } from './slot-queue.js'

export const LIMITED_BY_OPERATIONS = 1
export const LIMITED_BY_BYTES = 2

export class AdmissionGate {
  /** Under a rate limit: which kinds of it are set (bits LIMITED_BY_*), 0 = none. */
  limited = 0
  /** Under a rate limit: so many at the head of the line are within it. */
  allowed = 0
  /** Requests admitted whose I/O has not ended. */
  active = 0
  /** The slot of the barrier at work, or -1. */
  private barrier = -1
  /** Barriers in the line. */
  private barriersWaiting = 0
  private readonly core: QueueCore
  private readonly line: SlotQueue

  constructor(core: QueueCore, slots: number) {
    this.core = core
    this.line = new SlotQueue(slots)
  }

  get length(): number {
    return this.line.length
  }

  /** Whether the head of the line is there for want of buffers. */
  get starved(): boolean {
    return this.headWaits && this.mayGo
  }

  /** Whether the head of the line is there because the rate limit has not let it go. */
  get throttled(): boolean {
    return this.headWaits && !this.mayGo
  }

  /** Requests in the line that the rate limit has not let go; 0 without one. */
  get tokensWanted(): number {
    return this.limited === 0 ? 0 : this.line.length - this.allowed
  }

  /** Bytes that count for the rate limit, of the `index`-th of those; a discard moves none. */
  bytesWanted(index: number): number {
    const slot = this.line.at(this.allowed + index)
    return this.core.kind[slot] === KIND.discard ? 0 : this.core.bytes[slot]
  }

  /** One kind of rate limit is set, or is no more. */
  limit(kind: number, isSet: boolean): void {
    this.limited = isSet ? this.limited | kind : this.limited & ~kind
    if (this.limited === 0) this.allowed = 0
  }

  /** So many more of the line are within the rate limit. */
  allow(count: number): void {
    assert(count <= this.tokensWanted, 'more requests were let go than wait')
    this.allowed += count
  }

  /** The oldest request in the line, or -1. */
  oldest(): number {
    return this.line.length > 0 ? this.line.first() : -1
  }

  /** A request was taken and found valid. */
  arrive(slot: number): void {
    if (this.isHopeless(slot)) this.refuse(slot)
    else if (this.line.length > 0) this.queue(slot, this.ordered || this.isBarrier(slot))
    else if (this.mustHold(slot)) this.queue(slot, true)
    else if (this.limited !== 0 || !this.findBuffers(slot)) this.queue(slot, false)
    else this.start(slot)
  }

  /** Admits from the head of the line what can go now. */
  admitWaiting(): void {
    const { core, line } = this
    while (line.length > 0) {
      const slot = line.first()
      if (this.mustHold(slot)) return
      const hopeless = this.isHopeless(slot)
      if (!hopeless && !(this.mayGo && this.findBuffers(slot))) {
        if (core.state[slot] === RequestState.Held) core.fire(slot, RequestEvent.waited)
        return
      }
      line.shift()
      if (this.allowed > 0) this.allowed--
      if (this.isBarrier(slot)) this.barriersWaiting--
      if (hopeless) this.refuse(slot)
      else this.start(slot)
    }
  }

  /** The request's I/O has ended, one way or another. */
  leave(slot: number): void {
    this.core.active[slot] = 0
    this.active--
    if (this.barrier === slot) this.barrier = -1
    assert(this.active >= 0, 'more requests ended than were admitted')
  }

  /** Everyone in the line was abandoned. */
  clear(): void {
    this.line.clear()
    this.barriersWaiting = 0
    this.allowed = 0
  }

  /** Nobody is at work and nobody waits: whoever is there will arrive again. */
  reset(): void {
    this.clear()
    this.active = 0
    this.barrier = -1
  }

  /** The line's slots, oldest first; for checkpoints. */
  slotsInLine(): number[] {
    return Array.from({ length: this.line.length }, (_, index) => this.line.at(index))
  }

  /** Puts a slot of a checkpoint back: into the line, or among those at work. */
  restore(slot: number, inLine: boolean): void {
    if (inLine) {
      this.line.push(slot)
      if (this.isBarrier(slot)) this.barriersWaiting++
      return
    }
    this.active++
    if (this.isBarrier(slot)) this.barrier = slot
  }

  private get headWaits(): boolean {
    return this.line.length > 0 && this.core.state[this.line.first()] === RequestState.Waiting
  }

  private get mayGo(): boolean {
    return this.limited === 0 || this.allowed > 0
  }

  private get ordered(): boolean {
    return this.barrier >= 0 || this.barriersWaiting > 0
  }

  private isBarrier(slot: number): boolean {
    const kind = this.core.kind[slot]
    return kind === KIND.barrier || kind === KIND.barrierWrite
  }

  /** It promises durability, and a sync was lost: it can only fail. */
  private isHopeless(slot: number): boolean {
    const kind = this.core.kind[slot]
    return this.core.syncLost && kind !== KIND.read && kind !== KIND.write && kind !== KIND.discard
  }

  private mustHold(slot: number): boolean {
    return this.barrier >= 0 || (this.active > 0 && this.isBarrier(slot))
  }

  private queue(slot: number, forOrder: boolean): void {
    this.core.fire(slot, forOrder ? RequestEvent.held : RequestEvent.waited)
    this.line.push(slot)
    if (this.isBarrier(slot)) this.barriersWaiting++
  }

  /** Pages for the request's data; none are needed without data. */
  private findBuffers(slot: number): boolean {
    const { core } = this
    if (core.segmentCount[slot] === 0 || core.pages[slot] !== 0) return true
    const pages = Math.ceil(core.bytes[slot] / PAGE_BYTES)
    if (takePages(core, core.extents, slot, pages)) return true
    core.wantedChunks = chunksForRequest(pages)
    return false
  }

  private refuse(slot: number): void {
    this.core.failed[slot] = 1
    this.core.fire(slot, RequestEvent.rejected)
  }

  private start(slot: number): void {
    this.active++
    this.core.active[slot] = 1
    if (this.isBarrier(slot)) this.barrier = slot
    this.core.fire(slot, RequestEvent.admitted)
  }
}
