/**
 * @packageDocumentation
 * The slots of a queue as a pool: who is free, who leaves, who waits, and what the request chart orders. Its orders
 * append to lists and change columns; none of them takes a step, so a batch has no recursion.
 *
 *   freeSlots [ … 9 4 2 ]  a stack: what was used last is used next   leaving [ 7 3 ]  freed when the next batch begins
 */
import { RequestState } from '../machines/generated/request.js'
import type { AdmissionGate } from './admission.js'
import { EffectLists } from './effect-lists.js'
import { ExtentPool } from './extent-pool.js'
import { mostSegments, segmentsBeyond, type SegmentLimits } from '../protocol/validate.js'
import { claimPages, releasePages } from './request-pages.js'
import { RequestGuards } from './request-guards.js'
import { COUNTER } from './statistics.js'

export abstract class RequestPool extends RequestGuards {
  readonly statistics: Float64Array
  readonly extents: ExtentPool
  readonly effects: EffectLists
  abstract readonly gate: AdmissionGate
  protected readonly freeSlots: Uint16Array
  freeCount: number
  /** Slots in Answered or Abandoned. */
  protected readonly leaving: Uint16Array
  protected leavingCount = 0
  /** Requests that found the medium full and are not at their end: stalled, or on their way to try again. */
  spaceWanted = 0

  constructor(
    slots: number, limits: SegmentLimits, arenaChunks: number,
    statistics: Float64Array,
  ) {
    super(slots, limits.maxSegments, segmentsBeyond(limits))
    this.statistics = statistics
    this.extents = new ExtentPool(arenaChunks)
    this.effects = new EffectLists(slots, mostSegments(limits), arenaChunks)
    this.freeSlots = new Uint16Array(slots)
    for (let index = 0; index < slots; index++) this.freeSlots[index] = slots - 1 - index
    this.freeCount = slots
    this.leaving = new Uint16Array(slots)
  }

  get inFlight(): number {
    return this.slots - this.freeCount
  }

  /** The slot that the `index`-th entry taken in this batch goes to. */
  slotForTake(index: number): number {
    return this.freeSlots[this.freeCount - 1 - index]
  }

  /** The ordered lists of a checkpoint. */
  lists(): { chunks: Uint16Array; free: Uint16Array; leaving: Uint16Array; line: number[] } {
    return {
      chunks: this.extents.chunks.subarray(0, this.extents.count),
      free: this.freeSlots.subarray(0, this.freeCount),
      leaving: this.leaving.subarray(0, this.leavingCount),
      line: this.gate.slotsInLine(),
    }
  }

  /** After the columns were restored: the order of the free slots, and who holds which pages. */
  restoreLists(chunks: Int32Array, free: Int32Array, leaving: Int32Array, line: Int32Array): void {
    for (const chunk of chunks) this.extents.lend(chunk)
    this.freeSlots.set(free)
    this.freeCount = free.length
    this.leaving.set(leaving)
    this.leavingCount = leaving.length
    for (let slot = 0; slot < this.slots; slot++)
      if (this.state[slot] !== RequestState.Free && this.pages[slot] !== 0)
        claimPages(this, this.extents, slot)
    for (let slot = 0; slot < this.slots; slot++) this.spaceWanted += this.wantsSpace[slot]
    for (const slot of line) this.gate.restore(slot, true)
    for (let slot = 0; slot < this.slots; slot++) if (this.active[slot] !== 0) this.gate.restore(slot, false)
  }

  begin(slot: number): void {
    this.outstanding[slot] = 0
    this.failed[slot] = 0
    this.full[slot] = 0
    if (this.wantsSpace[slot] !== 0) this.wantsNoSpace(slot)
  }

  queueIo(slot: number): void {
    this.outstanding[slot] = this.parts[slot]
    if (this.parts[slot] > 1) this.moved[slot] = 0
    this.effects.addIo(this, slot)
  }

  queueSync(slot: number): void {
    this.outstanding[slot] = 1
    this.effects.addSync(this, slot)
  }

  countDown(slot: number): void {
    this.outstanding[slot]--
  }

  markFailed(slot: number): void {
    this.failed[slot] = 1
  }

  markFull(slot: number): void {
    this.full[slot] = 1
  }

  forgetFull(slot: number): void {
    this.full[slot] = 0
  }

  queueCopyFromGuest(slot: number): void {
    this.effects.addCopies(this, slot, 0)
  }

  queueCopyToGuest(slot: number): void {
    this.effects.addCopies(this, slot, 1)
  }

  queueAnswer(slot: number): void {
    if (this.active[slot] !== 0) this.gate.leave(slot)
    if (this.wantsSpace[slot] !== 0) this.wantsNoSpace(slot)
    this.effects.answerSlots[this.effects.answerCount++] = slot
  }

  countAbandoned(slot: number): void {
    if (this.active[slot] !== 0) this.gate.leave(slot)
    if (this.wantsSpace[slot] !== 0) this.wantsNoSpace(slot)
    this.statistics[COUNTER.abandoned]++
    this.leaving[this.leavingCount++] = slot
  }

  /** It found the medium full and will be tried again. */
  wantSpace(slot: number): void {
    if (this.wantsSpace[slot] === 0) this.spaceWanted++
    this.wantsSpace[slot] = 1
    this.statistics[COUNTER.stalls]++
  }

  private wantsNoSpace(slot: number): void {
    this.wantsSpace[slot] = 0
    this.spaceWanted--
  }

  release(slot: number): void {
    if (this.pages[slot] !== 0) releasePages(this, this.extents, slot)
    this.pages[slot] = 0
    this.active[slot] = 0
    this.freeSlots[this.freeCount++] = slot
  }
}
