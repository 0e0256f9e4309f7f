/**
 * @packageDocumentation
 * The front end's side of a shared ring (xen/include/public/io/ring.h), over a view of guest memory. Entries are
 * written in place behind the published producer, then published together: one store, one look at req_event, at most
 * one notification per batch.
 *
 *   bytes 0 req_prod · 4 req_event · 8 rsp_prod · 12 rsp_event · 64 entries of 112 (or 108) bytes
 *
 * `Atomics` are the barriers: a store is seen after everything written before it, a load before everything read after
 * it. The back end is trusted as little as a guest: each answer is copied once, a producer that lies is reported.
 */
import type { AbiLayout } from '../../protocol/abi.js'
import { RING_HEADER_BYTES } from '../../protocol/blkif.js'
import { ringAdd, ringDistance, ringNotify, ringSlot } from '../../protocol/ring-index.js'

const REQ_PROD = 0
const REQ_EVENT = 1
const RSP_PROD = 2
const RSP_EVENT = 3
const HEADER_WORDS = RING_HEADER_BYTES / 4

/** Words per answer as {@link FrontRing.take} hands them out: idLow · idHigh · operation · status. */
export const TAKEN_WORDS = 4

export class FrontRing {
  /** Entries of the ring. */
  readonly size: number
  readonly words: Int32Array
  readonly #layout: AbiLayout
  /** Entries written, published or not. */
  #reqProdPrivate = 0
  #published = 0
  #rspCons = 0

  /** Initialises the header: both producers 0, both events 1. */
  constructor(words: Int32Array, size: number, layout: AbiLayout) {
    this.words = words
    this.size = size
    this.#layout = layout
    words.fill(0, 0, HEADER_WORDS)
    words[REQ_EVENT] = 1
    words[RSP_EVENT] = 1
  }

  /** Room for new entries: what is neither written nor waiting for its answer. */
  get free(): number {
    return this.size - ringDistance(this.#reqProdPrivate, this.#rspCons)
  }

  /** Entries whose answer has not been taken, unpublished ones included. */
  get outstanding(): number {
    return ringDistance(this.#reqProdPrivate, this.#rspCons)
  }

  /** Where the next entry's words begin; the caller writes all of it and calls {@link FrontRing.wrote}. */
  nextEntry(): number {
    return HEADER_WORDS + ringSlot(this.#reqProdPrivate, this.size) * this.#layout.entryWords
  }

  wrote(): void {
    this.#reqProdPrivate = ringAdd(this.#reqProdPrivate, 1)
  }

  /** Makes all written entries visible. @returns whether the back end asked to be notified. */
  publish(): boolean {
    const old = this.#published
    if (old === this.#reqProdPrivate) return false
    this.#published = this.#reqProdPrivate
    Atomics.store(this.words, REQ_PROD, this.#published | 0)
    return ringNotify(this.#published, old, Atomics.load(this.words, REQ_EVENT) >>> 0)
  }

  /**
   * Copies up to `max` answers into `out` ({@link TAKEN_WORDS} each).
   * @returns how many, or -1 when rsp_prod is ahead of what was asked: the back end lies.
   */
  take(out: Int32Array, max: number): number {
    const waiting = ringDistance(Atomics.load(this.words, RSP_PROD) >>> 0, this.#rspCons)
    if (waiting > ringDistance(this.#published, this.#rspCons)) return -1
    const count = Math.min(waiting, max)
    for (let index = 0; index < count; index++) {
      const at = HEADER_WORDS + ringSlot(ringAdd(this.#rspCons, index), this.size) * this.#layout.entryWords
      out[index * TAKEN_WORDS] = this.words[at]
      out[index * TAKEN_WORDS + 1] = this.words[at + 1]
      const tail = this.words[at + 2]
      out[index * TAKEN_WORDS + 2] = tail & 0xff
      out[index * TAKEN_WORDS + 3] = tail >> 16
    }
    this.#rspCons = ringAdd(this.#rspCons, count)
    return count
  }

  /** Asks to be notified of the next answer, then looks again. @returns whether answers wait already. */
  arm(): boolean {
    Atomics.store(this.words, RSP_EVENT, ringAdd(this.#rspCons, 1) | 0)
    return Atomics.load(this.words, RSP_PROD) >>> 0 !== this.#rspCons
  }
}
