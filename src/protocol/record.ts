/**
 * @packageDocumentation
 * The canonical request record: one layout for all ABIs, in which a request stands in the journal and from which the
 * core reads. 32-bit words, little endian:
 *
 *   w0     kind (= 1) · op << 8 · nrSegments << 16 · flag << 24      nrSegments as the guest wrote it, 0..255;
 *   w1     slot · handle << 16                                       flag only of a DISCARD, which has no nrSegments
 *   w2,w3  id low, high                w4,w5  sector_number low, high
 *   w6,w7  first segment: gref, first_sect | last_sect << 8          zero when there is none
 *          of a DISCARD: nr_sectors low, high; of any other operation that has no segments: as they lie in the entry
 *   …      two words per further segment, 11 segments at most
 *
 * The record is private and immutable: whatever is checked here stays true (B5, B6, B7). It may hold any nonsense that
 * a guest can write; its length follows from w0 alone, and every function below bears every value.
 */
import {
  BLKIF_MAX_SEGMENTS_PER_REQUEST,
  BLKIF_OP_DISCARD,
  BLKIF_OP_FLUSH_DISKCACHE,
  SECTOR_BYTES,
} from './blkif.js'
import { u64ToDouble } from './u64.js'

/** The kind byte of a request taken. */
export const RECORD_TAKEN = 1
/** Words of the shortest record: 32 bytes. */
export const RECORD_MIN_WORDS = 8
/** Words of the longest: 11 segments. */
export const RECORD_MAX_WORDS = RECORD_MIN_WORDS + 2 * (BLKIF_MAX_SEGMENTS_PER_REQUEST - 1)

/** Where things stand, in words from the record's beginning. */
export const RECORD_SLOT = 1
export const RECORD_ID = 2
export const RECORD_SECTOR = 4
export const RECORD_SEGMENT = 6
export const RECORD_NR_SECTORS = 6

/** Whether entries of this operation carry segments (READ, WRITE, WRITE_BARRIER, FLUSH_DISKCACHE). */
export function opHasSegments(op: number): boolean {
  return op <= BLKIF_OP_FLUSH_DISKCACHE
}

/** The operation, 0..255. */
export function recordOp(words: Int32Array, at: number): number {
  return (words[at] >>> 8) & 0xff
}

/** nr_segments as the guest wrote it, 0..255; for bounds use {@link recordedSegments}. */
export function recordNrSegments(words: Int32Array, at: number): number {
  return (words[at] >>> 16) & 0xff
}

/** A discard's flag byte; 0 for every other operation. */
export function recordFlag(words: Int32Array, at: number): number {
  return words[at] >>> 24
}

/** The slot of the request pool. */
export function recordSlot(words: Int32Array, at: number): number {
  return words[at + RECORD_SLOT] & 0xffff
}

/** How many segments stand in the record: never more than 11, none where the operation has none. */
export function recordedSegments(words: Int32Array, at: number): number {
  if (!opHasSegments(recordOp(words, at))) return 0
  const count = recordNrSegments(words, at)
  return count > BLKIF_MAX_SEGMENTS_PER_REQUEST ? BLKIF_MAX_SEGMENTS_PER_REQUEST : count
}

/** Words of the record, 8 to 28. */
export function recordWords(words: Int32Array, at: number): number {
  const count = recordedSegments(words, at)
  return count > 1 ? RECORD_SEGMENT + 2 * count : RECORD_MIN_WORDS
}

/** sector_number; meaningful only when the record was found valid. */
export function recordSector(words: Int32Array, at: number): number {
  return u64ToDouble(words[at + RECORD_SECTOR], words[at + RECORD_SECTOR + 1])
}

/** The grant reference of segment `index`, a u32. */
export function segmentGref(words: Int32Array, at: number, index: number): number {
  return words[at + RECORD_SEGMENT + 2 * index] >>> 0
}

/** Byte offset of segment `index` in its page. */
export function segmentOffset(words: Int32Array, at: number, index: number): number {
  return (words[at + RECORD_SEGMENT + 2 * index + 1] & 0xff) * SECTOR_BYTES
}

/** Bytes of segment `index`; positive and at most 4096 once the record was found valid. */
export function segmentBytes(words: Int32Array, at: number, index: number): number {
  const range = words[at + RECORD_SEGMENT + 2 * index + 1]
  return (((range >>> 8) & 0xff) - (range & 0xff) + 1) * SECTOR_BYTES
}

/** Sectors that the request covers: the sum of its segments, or a discard's nr_sectors. Trust it once validated. */
export function requestSectors(words: Int32Array, at: number): number {
  if (recordOp(words, at) === BLKIF_OP_DISCARD)
    return u64ToDouble(words[at + RECORD_NR_SECTORS], words[at + RECORD_NR_SECTORS + 1])
  const count = recordedSegments(words, at)
  let sectors = 0
  for (let index = 0; index < count; index += 1) {
    const range = words[at + RECORD_SEGMENT + 2 * index + 1]
    sectors += ((range >>> 8) & 0xff) - (range & 0xff) + 1
  }
  return sectors
}
