/**
 * @packageDocumentation
 * The private state of every request of a queue, as columns: one typed array per property, one index per slot. All of
 * it is allocated when the queue is made; nothing is allocated per request.
 *
 *   slot s:  state[s] kind[s] … id[2s], id[2s+1] · sector[s] · page[s] … segments[segmentsAt[s] + 2i ..+1]
 *   segments: eleven of every slot side by side, what most requests have; behind them room for the many of every slot
 *             that only INDIRECT requests and those in several entries touch
 *   a request of more than a chunk of pages lies in pieces of a chunk each: pieces[s * piecesMax + i], in their order
 *
 * Who writes what: `state` only the generated step function; `outstanding`, `failed` and `full` only the actions of
 * the chart; pages, pieces and parts the gate, before it admits; everything else the intake, before the slot's first
 * event.
 */
import { REQUEST_KINDS } from '../machines/request.machine.js'
import { PAGES_PER_CHUNK } from './extent-pool.js'

/** Codes of the `kind` column are indices into REQUEST_KINDS. */
export const KIND = Object.fromEntries(REQUEST_KINDS.map((kind, code) => [kind, code])) as {
  readonly [Kind in (typeof REQUEST_KINDS)[number]]: number
}

export class RequestColumns {
  readonly slots: number
  readonly maxSegments: number
  readonly state: Uint8Array
  readonly kind: Uint8Array
  readonly op: Uint8Array
  readonly parts: Uint8Array
  readonly outstanding: Uint8Array
  readonly failed: Uint8Array
  readonly full: Uint8Array
  /** 1 from the first time that it found the medium full to the end of its I/O. */
  readonly wantsSpace: Uint8Array
  /** 1 from admission to the end of its I/O: what a barrier waits for. */
  readonly active: Uint8Array
  /** Entries of the ring that it was taken from, and that its answer takes. */
  readonly entries: Uint8Array
  /** 1 of a discard after which nobody may find what stood there. */
  readonly secure: Uint8Array
  /** Why it was refused (index into REASONS), 0 if it was not. */
  readonly verdict: Uint8Array
  readonly segmentCount: Uint16Array
  /** Where its segments begin in `segments`. */
  readonly segmentsAt: Int32Array
  /** Pages of the arena it holds, from `page` on or in `pieces`; 0 when it holds none. */
  readonly pages: Uint16Array
  /** Counts the lives of a slot, so that a completion of an earlier life is told from one of this. */
  readonly generation: Uint16Array
  readonly page: Int32Array
  readonly idLow: Int32Array
  readonly idHigh: Int32Array
  /** Bytes of data; of a discard the bytes discarded (may exceed 2^32). */
  readonly bytes: Float64Array
  /** First sector, in units of 512 bytes. */
  readonly sector: Float64Array
  /** Time of the batch that took it, monotonic nanoseconds. */
  readonly takenNs: Float64Array
  /** gref and first_sect | last_sect << 8, as in the canonical record. */
  readonly segments: Int32Array
  readonly pieces: Int32Array
  /** Bytes that the I/Os of a request in pieces have moved. */
  readonly moved: Float64Array
  readonly piecesMax: number
  private readonly maxBeyond: number

  /** `maxSegments` of a request whose segments stand in its entry, `maxBeyond` of one that has more. */
  constructor(slots: number, maxSegments: number, maxBeyond = 0) {
    this.slots = slots
    this.maxSegments = maxSegments
    this.maxBeyond = maxBeyond
    this.state = new Uint8Array(slots)
    this.kind = new Uint8Array(slots)
    this.op = new Uint8Array(slots)
    this.parts = new Uint8Array(slots)
    this.outstanding = new Uint8Array(slots)
    this.failed = new Uint8Array(slots)
    this.full = new Uint8Array(slots)
    this.wantsSpace = new Uint8Array(slots)
    this.active = new Uint8Array(slots)
    this.entries = new Uint8Array(slots)
    this.secure = new Uint8Array(slots)
    this.verdict = new Uint8Array(slots)
    this.segmentCount = new Uint16Array(slots)
    this.segmentsAt = new Int32Array(slots)
    this.pages = new Uint16Array(slots)
    this.generation = new Uint16Array(slots)
    this.page = new Int32Array(slots)
    this.idLow = new Int32Array(slots)
    this.idHigh = new Int32Array(slots)
    this.bytes = new Float64Array(slots)
    this.sector = new Float64Array(slots)
    this.takenNs = new Float64Array(slots)
    this.segments = new Int32Array(slots * (maxSegments + maxBeyond) * 2)
    this.piecesMax = Math.ceil(maxBeyond / PAGES_PER_CHUNK)
    this.pieces = new Int32Array(this.piecesMax > 1 ? slots * this.piecesMax : 0)
    this.moved = new Float64Array(this.piecesMax > 1 ? slots : 0)
  }

  /** Whether a request may have so many segments. */
  holdsSegments(count: number): boolean {
    return count <= Math.max(this.maxSegments, this.maxBeyond)
  }

  /** Makes room for `count` segments of the request in `slot`. @returns where they begin. */
  placeSegments(slot: number, count: number): number {
    const { slots, maxSegments, maxBeyond } = this
    const at = count <= maxSegments ? slot * maxSegments : slots * maxSegments + slot * maxBeyond
    this.segmentCount[slot] = count
    return (this.segmentsAt[slot] = 2 * at)
  }

  /** The page at which piece `index` of the request's data begins. */
  pieceAt(slot: number, index: number): number {
    return index === 0 ? this.page[slot] : this.pieces[slot * this.piecesMax + index]
  }
}

/** What the medium hands back with a completion: the slot and its life. */
export function tokenOf(slot: number, generation: number): number {
  return slot | ((generation & 0x7fff) << 16)
}

export function slotOfToken(token: number): number {
  return token & 0xffff
}
