/**
 * @packageDocumentation
 * What the front end keeps per request in flight, in columns, and the pages that carry its data. Slot s owns eleven
 * pages for good, so that a request needs no allocation: its grefs are known, its data lies in a row.
 *
 *   id on the wire   low word: slot · high word: generation, new with every use
 *   page k of slot s data[(11·s + k) · 4096 …], granted by firstGref + 11·s + k
 *
 * Grants either stand while the device is connected ('standing', fast) or are made per request and ended after its
 * answer ('revoking', what Linux does without persistent grants): the second finds back ends that hold a page too long.
 * The generation makes an answer for an earlier use of the slot recognisable as a lie.
 */
import { BLKIF_MAX_SEGMENTS_PER_REQUEST, PAGE_BYTES } from '../../protocol/blkif.js'
import type { Guest, PageRun } from '../guest/guest.js'

export type GrantMode = 'standing' | 'revoking'

export const SEGMENTS = BLKIF_MAX_SEGMENTS_PER_REQUEST
/** Bytes that one request can carry. */
export const REQUEST_BYTES = SEGMENTS * PAGE_BYTES

export class RequestSlots {
  readonly count: number
  /** Operation of the request that is in flight in a slot, or -1. */
  readonly op: Int8Array
  readonly generation: Uint32Array
  readonly pages: Uint8Array
  readonly #free: Int32Array
  #freeCount: number
  readonly #guest: Guest
  readonly #run: PageRun
  readonly #firstGref: number
  readonly #domid: number
  readonly #mode: GrantMode
  /** Pages that were still mapped when their request had been answered: each is a back end's mistake. */
  heldTooLong = 0

  constructor(guest: Guest, domid: number, count: number, mode: GrantMode) {
    this.count = count
    this.#guest = guest
    this.#domid = domid
    this.#mode = mode
    this.op = new Int8Array(count).fill(-1)
    this.generation = new Uint32Array(count)
    this.pages = new Uint8Array(count)
    this.#free = Int32Array.from({ length: count }, (_, index) => count - 1 - index)
    this.#freeCount = count
    this.#run = guest.memory.allocate(count * SEGMENTS)
    try {
      this.#firstGref = guest.grants.claim(count * SEGMENTS)
    } catch (error) {
      guest.memory.release(this.#run)
      throw error
    }
    if (mode === 'standing') guest.grants.grantRun(this.#firstGref, domid, this.#run)
  }

  get free(): number {
    return this.#freeCount
  }

  /** Takes a free slot for `op` with `pages` pages of data. Only while {@link RequestSlots.free} is not zero. */
  take(op: number, pages: number): number {
    const slot = this.#free[--this.#freeCount]
    this.op[slot] = op
    this.pages[slot] = pages
    this.generation[slot] = (this.generation[slot] + 1) >>> 0
    if (this.#mode === 'revoking')
      for (let page = 0; page < pages; page++) {
        const index = slot * SEGMENTS + page
        this.#guest.grants.table.grant(this.#firstGref + index, this.#domid, this.#run.frame + index, op !== 0)
      }
    return slot
  }

  /** Whether (idLow, idHigh) names a request in flight. */
  pending(idLow: number, idHigh: number): boolean {
    return idLow >>> 0 < this.count && this.op[idLow] >= 0 && this.generation[idLow] === idHigh >>> 0
  }

  gref(slot: number, page: number): number {
    return this.#firstGref + slot * SEGMENTS + page
  }

  /** The slot's data, {@link REQUEST_BYTES} bytes in a row. */
  data(slot: number): Uint8Array {
    return this.#run.bytes.subarray(slot * REQUEST_BYTES, (slot + 1) * REQUEST_BYTES)
  }

  /** Offset of the slot's data in {@link RequestSlots.bytes}. */
  offset(slot: number): number {
    return slot * REQUEST_BYTES
  }

  /** All slots' data. */
  get bytes(): Uint8Array {
    return this.#run.bytes
  }

  /** The request in `slot` is over. */
  release(slot: number): void {
    if (this.#mode === 'revoking')
      for (let page = 0; page < this.pages[slot]; page++)
        if (!this.#guest.grants.table.revoke(this.gref(slot, page))) this.heldTooLong++
    this.op[slot] = -1
    this.#free[this.#freeCount++] = slot
  }

  /** Ends all grants; pages that are still mapped are leaked, and counted in {@link RequestSlots.heldTooLong}. */
  close(): void {
    const mapped = this.#guest.grants.end(this.#firstGref, this.count * SEGMENTS)
    this.heldTooLong += mapped
    if (mapped === 0) this.#guest.memory.release(this.#run)
  }
}
