/**
 * @packageDocumentation
 * Both sides of a shared ring, over a mapping of the table of owners. Native code reads and writes the shared page
 * (xen/include/public/io/ring.h); what is seen here is a private copy of the entries, read once. Indices are u32:
 * they are given and taken as numbers modulo 2^32.
 *
 *   back end    NativeBackRing: take → entries · answer · arm        front end    NativeFrontRing: put · take · arm
 *
 * What must never happen: TypeScript looking at the shared page. Hence no view of it is made here. Opening borrows the
 * mapping, `close` gives it back and detaches `entries`.
 */
import { markAsUntransferable } from 'node:worker_threads'
import type { BackRing } from '../../ports/data-path.js'
import type { BlkifAbiName } from '../../ports/host.js'
import { loadAddon } from './load.js'

interface OpenedRing {
  readonly id: number
  readonly size: number
  readonly entries: ArrayBuffer
  readonly control: ArrayBuffer
}

interface RingAddon {
  ringOpen(mapping: number, pages: number, stride: number): OpenedRing
  ringClose(id: number): void
  ringInit(id: number): void
  ringTake(id: number, reqCons: number, rspProd: number, max: number, whole: boolean): number
  ringPeek(id: number, reqCons: number): number
  ringAnswer(id: number, answers: Int32Array, count: number, rspProd: number): boolean
  ringWrite(id: number, answers: Int32Array, count: number, rspProd: number): void
  ringArm(id: number, reqCons: number): boolean
  ringPublished(id: number): number
  frontPut(id: number, entries: Int32Array, count: number, reqProdPvt: number): boolean
  frontTake(id: number, rspCons: number, answers: Int32Array, max: number): number
  frontArm(id: number, rspCons: number): boolean
}

const addon = loadAddon<RingAddon>()

/** Bytes of one entry: the natural layout, and the one of 32-bit x86 (blkif.h, struct blkif_request). */
export const entryBytes = (abi: BlkifAbiName): number => (abi === 'x86_64' ? 112 : 108)

/** The back end's side; see {@link BackRing}. Throws EINVAL when an argument exceeds the ring, EBADF once closed. */
export class NativeBackRing implements BackRing {
  readonly size: number
  readonly entries: Int32Array
  readonly entryWords: number
  reqProd = 0
  #id: number
  readonly #control: Int32Array

  /** `mapping` must be writable and of exactly `pages` (a power of two up to 32) pages of 4096 bytes. */
  constructor(mapping: number, pages: number, abi: BlkifAbiName) {
    const opened = addon.ringOpen(mapping, pages, entryBytes(abi))
    this.#id = opened.id
    this.size = opened.size
    this.entryWords = entryBytes(abi) / 4
    this.entries = new Int32Array(opened.entries)
    this.#control = new Int32Array(opened.control)
    markAsUntransferable(opened.entries)
  }

  take(reqCons: number, rspProd: number, max: number, whole = false): number {
    const count = addon.ringTake(this.#id, reqCons, rspProd, max, whole)
    this.reqProd = this.#control[0] >>> 0
    return count
  }

  peek(reqCons: number): number {
    const waiting = addon.ringPeek(this.#id, reqCons)
    this.reqProd = this.#control[0] >>> 0
    return waiting
  }

  answer(answers: Int32Array, count: number, rspProd: number): boolean {
    return addon.ringAnswer(this.#id, answers, count, rspProd)
  }

  write(answers: Int32Array, count: number, rspProd: number): void {
    addon.ringWrite(this.#id, answers, count, rspProd)
  }

  arm(reqCons: number): boolean {
    return addon.ringArm(this.#id, reqCons)
  }

  published(): number {
    return addon.ringPublished(this.#id)
  }

  /** Gives the mapping back and detaches `entries`. Safe twice. */
  close(): void {
    if (this.#id === 0) return
    const id = this.#id
    this.#id = 0
    addon.ringClose(id)
  }
}

/** The front end's side of a ring, for our own blkfront. Entries and answers as in ports/data-path.ts. */
export class NativeFrontRing {
  readonly size: number
  readonly entryWords: number
  #id: number

  /** `mapping` must be writable and of exactly `pages` (a power of two up to 32) pages of 4096 bytes. */
  constructor(mapping: number, pages: number, abi: BlkifAbiName) {
    const opened = addon.ringOpen(mapping, pages, entryBytes(abi))
    this.#id = opened.id
    this.size = opened.size
    this.entryWords = entryBytes(abi) / 4
  }

  /** Makes the ring empty: producers 0, events 1, everything else zero. Before the back end sees it. */
  init(): void {
    addon.ringInit(this.#id)
  }

  /** Writes `count` entries from `reqProdPvt` on and publishes them. @returns whether to notify the back end. */
  put(entries: Int32Array, count: number, reqProdPvt: number): boolean {
    return addon.frontPut(this.#id, entries, count, reqProdPvt)
  }

  /** Copies up to `max` answers from `rspCons` on. @returns how many, or -1 when the back end lies about rsp_prod. */
  take(rspCons: number, answers: Int32Array, max: number): number {
    return addon.frontTake(this.#id, rspCons, answers, max)
  }

  /** Asks to be notified of the next answer. @returns whether answers wait after all. */
  arm(rspCons: number): boolean {
    return addon.frontArm(this.#id, rspCons)
  }

  /** Gives the mapping back. Safe twice. */
  close(): void {
    if (this.#id === 0) return
    const id = this.#id
    this.#id = 0
    addon.ringClose(id)
  }
}
