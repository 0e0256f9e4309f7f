/**
 * @packageDocumentation
 * What the front end keeps per request in flight, in columns, and the pages that carry its data. Slot s owns a run of
 * n pages for good (eleven, or as many as the back end takes by indirect descriptors), so that a request needs no
 * allocation: its grefs are known, its data lies in a row. With more than eleven it owns pages for descriptors, too.
 *
 *   id on the wire   low word: slot · high word: generation, new with every use
 *   page k of slot s data[(n·s + k) · 4096 …], granted by firstGref + n·s + k
 *   descriptors      d pages of slot s behind all data, granted by firstGref + n·count + d·s + k
 *
 * Grants either stand while the device is connected ('standing', fast) or are made per request and ended after its
 * answer ('revoking', what Linux does without persistent grants): the second finds back ends that hold a page too long.
 * The generation makes an answer for an earlier use of the slot recognisable as a lie.
 */
import { BLKIF_MAX_SEGMENTS_PER_REQUEST, PAGE_BYTES } from '../../protocol/blkif.js'
import { pagesOfDescriptors } from '../../protocol/indirect.js'
import type { Guest, PageRun } from '../guest/guest.js'

export type GrantMode = 'standing' | 'revoking'

/** Bytes that a request can carry whose segments stand in its entry. */
export const DIRECT_BYTES = BLKIF_MAX_SEGMENTS_PER_REQUEST * PAGE_BYTES

/** Pages of data and of descriptors that a slot of so many segments owns. */
export function pagesOfSlot(segments: number): number {
  return segments + (segments > BLKIF_MAX_SEGMENTS_PER_REQUEST ? pagesOfDescriptors(segments) : 0)
}

export class RequestSlots {
  readonly count: number
  /** Operation of the request that is in flight in a slot, or -1. */
  readonly op: Int8Array
  readonly generation: Uint32Array
  readonly pages: Uint16Array
  /** Most segments of one request, and the bytes that they carry. */
  readonly segments: number
  readonly requestBytes: number
  /** Pages of descriptors of one slot. */
  readonly descriptorPages: number
  /** Whether the request in a slot is an INDIRECT one. */
  readonly #indirect: Uint8Array
  readonly #free: Int32Array
  #freeCount: number
  readonly #guest: Guest
  readonly #run: PageRun
  readonly #firstGref: number
  readonly #domid: number
  readonly #mode: GrantMode
  /** Pages that were still mapped when their request had been answered: each is a back end's mistake. */
  heldTooLong = 0

  constructor(guest: Guest, domid: number, count: number, mode: GrantMode, segments = BLKIF_MAX_SEGMENTS_PER_REQUEST) {
    this.count = count
    this.segments = segments
    this.requestBytes = segments * PAGE_BYTES
    this.descriptorPages = pagesOfSlot(segments) - segments
    this.#guest = guest
    this.#domid = domid
    this.#mode = mode
    this.op = new Int8Array(count).fill(-1)
    this.generation = new Uint32Array(count)
    this.pages = new Uint16Array(count)
    this.#indirect = new Uint8Array(count)
    this.#free = Int32Array.from({ length: count }, (_, index) => count - 1 - index)
    this.#freeCount = count
    this.#run = guest.memory.allocate(count * pagesOfSlot(segments))
    try {
      this.#firstGref = guest.grants.claim(count * pagesOfSlot(segments))
    } catch (error) {
      guest.memory.release(this.#run)
      throw error
    }
    if (mode === 'standing') guest.grants.grantRun(this.#firstGref, domid, this.#run)
  }

  get free(): number {
    return this.#freeCount
  }

  /**
   * Takes a free slot for `op` with `pages` pages of data. Only while {@link RequestSlots.free} is not zero.
   * `indirect`: its descriptors will stand in the slot's own pages.
   */
  take(op: number, pages: number, indirect = false): number {
    const slot = this.#free[--this.#freeCount]
    this.op[slot] = op
    this.pages[slot] = pages
    this.generation[slot] = (this.generation[slot] + 1) >>> 0
    this.#indirect[slot] = indirect ? 1 : 0
    if (this.#mode === 'revoking') {
      for (let page = 0; page < pages; page++) this.#grant(slot * this.segments + page, op !== 0)
      const descriptors = indirect ? this.descriptorPages : 0
      for (let page = 0; page < descriptors; page++) this.#grant(this.#descriptorIndex(slot, page), true)
    }
    return slot
  }

  #grant(index: number, readOnly: boolean): void {
    this.#guest.grants.table.grant(this.#firstGref + index, this.#domid, this.#run.frame + index, readOnly)
  }

  #descriptorIndex(slot: number, page: number): number {
    return this.count * this.segments + slot * this.descriptorPages + page
  }

  /** Whether (idLow, idHigh) names a request in flight. */
  pending(idLow: number, idHigh: number): boolean {
    return idLow >>> 0 < this.count && this.op[idLow] >= 0 && this.generation[idLow] === idHigh >>> 0
  }

  gref(slot: number, page: number): number {
    return this.#firstGref + slot * this.segments + page
  }

  descriptorGref(slot: number, page: number): number {
    return this.#firstGref + this.#descriptorIndex(slot, page)
  }

  /** Where the slot's descriptors begin in {@link RequestSlots.words}. */
  descriptorsAt(slot: number): number {
    return (this.#descriptorIndex(slot, 0) * PAGE_BYTES) / 4
  }

  /** All pages, as words. */
  get words(): Int32Array {
    return this.#run.words
  }

  /** The slot's data, {@link RequestSlots.requestBytes} bytes in a row. */
  data(slot: number): Uint8Array {
    return this.#run.bytes.subarray(slot * this.requestBytes, (slot + 1) * this.requestBytes)
  }

  /** Offset of the slot's data in {@link RequestSlots.bytes}. */
  offset(slot: number): number {
    return slot * this.requestBytes
  }

  /** All slots' data. */
  get bytes(): Uint8Array {
    return this.#run.bytes
  }

  /** The request in `slot` is over. */
  release(slot: number): void {
    if (this.#mode === 'revoking') {
      for (let page = 0; page < this.pages[slot]; page++) this.#revoke(this.gref(slot, page))
      const descriptors = this.#indirect[slot] * this.descriptorPages
      for (let page = 0; page < descriptors; page++) this.#revoke(this.descriptorGref(slot, page))
    }
    this.op[slot] = -1
    this.#free[this.#freeCount++] = slot
  }

  #revoke(gref: number): void {
    if (!this.#guest.grants.table.revoke(gref)) this.heldTooLong++
  }

  /** Ends all grants; pages that are still mapped are leaked, and counted in {@link RequestSlots.heldTooLong}. */
  close(): void {
    const mapped = this.#guest.grants.end(this.#firstGref, this.count * pagesOfSlot(this.segments))
    this.heldTooLong += mapped
    if (mapped === 0) this.#guest.memory.release(this.#run)
  }
}
