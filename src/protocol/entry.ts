/**
 * @packageDocumentation
 * Ring entries in and out. `canonicalise` turns a private copy of an entry, of either layout, into the canonical
 * record (record.ts); it runs once per request, allocates nothing, reads every word once and copies no padding.
 * `encodeEntry` is the way back, for front ends and tests; `decodeCanonical` makes a readable object, for tools.
 *
 *   entry (x86_64 | x86_32) ── canonicalise ──► record ── decodeCanonical ──► BlkifRequest ── encodeEntry ──► entry
 *
 * Of an INDIRECT entry the descriptors are not here: whoever has copied them completes the record (indirect.ts).
 * What must never happen: that an entry, whatever stands in it, throws here or makes a record longer than 28 words.
 */
import type { AbiLayout } from './abi.js'
import {
  BLKIF_MAX_SEGMENTS_PER_REQUEST, BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_INDIRECT, opName,
} from './blkif.js'
import { encodeDescriptorGrefs } from './indirect.js'
import {
  RECORD_DESCRIPTORS,
  RECORD_DESCRIPTOR_PAGES,
  RECORD_INDIRECT,
  RECORD_MIN_WORDS,
  RECORD_SEGMENT,
  RECORD_TAKEN,
  isIndirect,
  opHasSegments,
  recordFlag,
  recordNrSegments,
  recordOp,
  recordSlot,
  recordedSegments,
  segmentsAt,
} from './record.js'

/** One segment: sectors firstSect to lastSect, inclusive, of the page that `gref` grants. */
export interface BlkifSegment {
  readonly gref: number
  readonly firstSect: number
  readonly lastSect: number
}

/** A request, field by field. 64-bit numbers are two u32 words. What is left out is zero. */
export interface BlkifRequest {
  readonly op: number
  readonly idLow: number
  readonly idHigh?: number
  readonly handle?: number
  readonly sectorLow?: number
  readonly sectorHigh?: number
  /** As it shall stand on the wire; absent = the number of `segments`. A hostile front end lies here. */
  readonly nrSegments?: number
  /** Of an INDIRECT they stand in pages of their own, and only their number in the entry. */
  readonly segments?: readonly BlkifSegment[]
  /** Of an INDIRECT: READ or WRITE, and the references of the pages with its descriptors. */
  readonly indirectOp?: number
  readonly descriptorGrefs?: readonly number[]
  /** Of a DISCARD. */
  readonly flag?: number
  readonly nrSectorsLow?: number
  readonly nrSectorsHigh?: number
  /** Of an operation that has neither segments nor nr_sectors: the two words behind sector_number. */
  readonly raw?: readonly [number, number]
}

/** What a tool shows of a record. */
export interface CanonicalRequest extends Required<Omit<BlkifRequest, 'raw' | 'indirectOp' | 'descriptorGrefs'>> {
  readonly slot: number
  readonly opName: string
  readonly raw?: readonly [number, number]
  readonly indirectOp?: number
  readonly descriptorGrefs?: readonly number[]
}

/**
 * Writes the canonical record of the entry at `entries[at]` to `out[outAt]`.
 * @returns the record's length in words, 8 to 28; `out` must have room for 28.
 */
export function canonicalise(
  entries: Int32Array, at: number, abi: AbiLayout, out: Int32Array, outAt: number, slot: number,
): number {
  const head = entries[at]
  const op = head & 0xff
  const count = (head >>> 8) & 0xff
  out[outAt + 1] = (slot & 0xffff) | (head & 0xffff0000)
  const id = at + abi.idWord
  out[outAt + 2] = entries[id]!
  out[outAt + 3] = entries[id + 1]!
  const sector = at + abi.sectorWord
  out[outAt + 4] = entries[sector]!
  out[outAt + 5] = entries[sector + 1]!
  let from = at + abi.segmentWord
  if (op > BLKIF_OP_FLUSH_DISKCACHE) {
    if (op === BLKIF_OP_INDIRECT) return canonicaliseIndirect(head, entries[from], out, outAt)
    out[outAt] = RECORD_TAKEN | (op << 8) | (count << (op === BLKIF_OP_DISCARD ? 24 : 16))
    out[outAt + 6] = entries[from]!
    out[outAt + 7] = entries[from + 1]!
    return RECORD_MIN_WORDS
  }
  out[outAt] = RECORD_TAKEN | (op << 8) | (count << 16)
  if (count === 0) {
    out[outAt + 6] = 0
    out[outAt + 7] = 0
    return RECORD_MIN_WORDS
  }
  const present = count > BLKIF_MAX_SEGMENTS_PER_REQUEST ? BLKIF_MAX_SEGMENTS_PER_REQUEST : count
  const end = outAt + RECORD_SEGMENT + 2 * present
  for (let to = outAt + RECORD_SEGMENT; to < end; to += 2, from += 2) {
    out[to] = entries[from]!
    out[to + 1] = entries[from + 1] & 0xffff
  }
  return end - outAt
}

/** Its nr_segments has 16 bits, where other entries have their handle, and its handle stands further behind. */
function canonicaliseIndirect(head: number, handle: number, out: Int32Array, outAt: number): number {
  out[outAt] = RECORD_INDIRECT | (head & 0xffffff00)
  out[outAt + 1] = (out[outAt + 1] & 0xffff) | (handle << 16)
  out[outAt + 6] = 0
  out[outAt + 7] = 0
  return RECORD_MIN_WORDS
}

/** Writes the whole entry, padding zeroed, to `out[at]`; segments beyond the eleventh have no place and are dropped. */
export function encodeEntry(request: BlkifRequest, abi: AbiLayout, out: Int32Array, at: number): void {
  out.fill(0, at, at + abi.entryWords)
  const { op, segments = [] } = request
  const count = request.nrSegments ?? segments.length
  const indirect = request.descriptorGrefs !== undefined
  const second = op === BLKIF_OP_DISCARD ? (request.flag ?? 0) : indirect ? (request.indirectOp ?? 0) : count
  out[at] = (op & 0xff) | ((second & 0xff) << 8) | ((indirect ? count : (request.handle ?? 0)) << 16)
  out[at + abi.idWord] = request.idLow
  out[at + abi.idWord + 1] = request.idHigh ?? 0
  out[at + abi.sectorWord] = request.sectorLow ?? 0
  out[at + abi.sectorWord + 1] = request.sectorHigh ?? 0
  const first = at + abi.segmentWord
  if (op === BLKIF_OP_DISCARD) {
    out[first] = request.nrSectorsLow ?? 0
    out[first + 1] = request.nrSectorsHigh ?? 0
  } else if (request.descriptorGrefs) {
    out[first] = (request.handle ?? 0) & 0xffff
    encodeDescriptorGrefs(request.descriptorGrefs, out, first + 1)
  } else if (request.raw) {
    out[first] = request.raw[0]
    out[first + 1] = request.raw[1]
  } else {
    segments.slice(0, BLKIF_MAX_SEGMENTS_PER_REQUEST).forEach(({ gref, firstSect, lastSect }, index) => {
      out[first + 2 * index] = gref
      out[first + 2 * index + 1] = (firstSect & 0xff) | ((lastSect & 0xff) << 8)
    })
  }
}

/** The record at `words[at]` as a readable object; all words unsigned. Allocates: for tools and tests. */
export function decodeCanonical(words: Int32Array, at: number): CanonicalRequest {
  const indirect = isIndirect(words, at)
  const op = indirect ? BLKIF_OP_INDIRECT : recordOp(words, at)
  const word = (index: number) => words[at + index] >>> 0
  const discard = op === BLKIF_OP_DISCARD
  const first = segmentsAt(words, at)
  const segments = Array.from({ length: recordedSegments(words, at) }, (_, index) => {
    const range = word(first + 2 * index + 1)
    return { gref: word(first + 2 * index), firstSect: range & 0xff, lastSect: (range >>> 8) & 0xff }
  })
  return {
    slot: recordSlot(words, at),
    op,
    opName: opName(op),
    handle: word(1) >>> 16,
    idLow: word(2),
    idHigh: word(3),
    sectorLow: word(4),
    sectorHigh: word(5),
    nrSegments: recordNrSegments(words, at),
    segments,
    flag: recordFlag(words, at),
    nrSectorsLow: discard ? word(6) : 0,
    nrSectorsHigh: discard ? word(7) : 0,
    ...(indirect && { indirectOp: recordOp(words, at), descriptorGrefs: pageGrefs(words, at) }),
    ...(discard || indirect || opHasSegments(op) ? {} : { raw: [word(6), word(7)] as const }),
  }
}

function pageGrefs(words: Int32Array, at: number): number[] {
  const from = at + RECORD_DESCRIPTOR_PAGES
  return Array.from(words.subarray(from, from + (words[at + RECORD_DESCRIPTORS] >>> 16)), (gref) => gref >>> 0)
}
