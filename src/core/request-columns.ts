/**
 * @packageDocumentation
 * The private state of every request of a queue, as columns: one typed array per property, one index per slot. All of
 * it is allocated when the queue is made; nothing is allocated per request.
 *
 *   slot s:  state[s] kind[s] … id[2s], id[2s+1] · sector[s] · page[s] … segments[(s * maxSegments + i) * 2 ..+1]
 *
 * Who writes what: `state` only the generated step function; `outstanding`, `failed` and `full` only the actions of
 * the chart; everything else the intake, before the slot's first event.
 */
import { REQUEST_KINDS } from '../machines/request.machine.js'

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
  /** Why it was refused (index into REASONS), 0 if it was not. */
  readonly verdict: Uint8Array
  readonly segmentCount: Uint8Array
  /** Pages of the arena it holds, from `page` on; 0 when it holds none. */
  readonly pages: Uint8Array
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

  constructor(slots: number, maxSegments: number) {
    this.slots = slots
    this.maxSegments = maxSegments
    this.state = new Uint8Array(slots)
    this.kind = new Uint8Array(slots)
    this.op = new Uint8Array(slots)
    this.parts = new Uint8Array(slots)
    this.outstanding = new Uint8Array(slots)
    this.failed = new Uint8Array(slots)
    this.full = new Uint8Array(slots)
    this.wantsSpace = new Uint8Array(slots)
    this.active = new Uint8Array(slots)
    this.verdict = new Uint8Array(slots)
    this.segmentCount = new Uint8Array(slots)
    this.pages = new Uint8Array(slots)
    this.generation = new Uint16Array(slots)
    this.page = new Int32Array(slots)
    this.idLow = new Int32Array(slots)
    this.idHigh = new Int32Array(slots)
    this.bytes = new Float64Array(slots)
    this.sector = new Float64Array(slots)
    this.takenNs = new Float64Array(slots)
    this.segments = new Int32Array(slots * maxSegments * 2)
  }
}

/** What the medium hands back with a completion: the slot and its life. */
export function tokenOf(slot: number, generation: number): number {
  return slot | ((generation & 0x7fff) << 16)
}

export function slotOfToken(token: number): number {
  return token & 0xffff
}
