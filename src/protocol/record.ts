/**
 * @packageDocumentation
 * The canonical request record: one layout for all ABIs, in which a request stands in the journal and from which the
 * core reads. 32-bit words, little endian. A request whose segments stand in its entry is a TAKEN record:
 *
 *   w0     kind (= 1) · op << 8 · nrSegments << 16 · flag << 24      nrSegments as the guest wrote it, 0..255;
 *   w1     slot · handle << 16                                       flag only of a DISCARD, which has no nrSegments
 *   w2,w3  id low, high                w4,w5  sector_number low, high
 *   w6,w7  first segment: gref, first_sect | last_sect << 8          zero when there is none
 *          of a DISCARD: nr_sectors low, high; of any other operation that has no segments: as they lie in the entry
 *   …      two words per further segment, 11 segments at most
 *
 * An INDIRECT request is a record of its own kind, with its descriptors as they were copied, once:
 *
 *   w0     kind (= 8) · indirect_op << 8 · nrSegments << 16          nrSegments as the guest wrote it, 0..65535
 *   w1…w5  as above
 *   w6     descriptors that follow · descriptor pages that were to be read << 16    both 0 when none was worth reading
 *   w7     0, or the status with which reading them failed (< 0)
 *   …      the reference of each of these pages, made even; then two words per descriptor
 *
 * A request in several entries of the ring (blocks.ts) is a LONG record:
 *
 *   w0     kind (= 9) · op << 8 · nrSegments << 16                   nrSegments as the guest wrote it, 12..255
 *   w1…w5  as above      w6  segments that follow, 0 when there are more than were negotiated      w7  0
 *   …      two words per segment
 *
 * The record is private and immutable: whatever is checked here stays true (B5, B6, B7). It may hold any nonsense that
 * a guest can write; its length follows from its first eight words alone, and every function below bears every value.
 */
import {
  BLKIF_MAX_SEGMENTS_PER_REQUEST,
  BLKIF_OP_DISCARD,
  BLKIF_OP_FLUSH_DISKCACHE,
  SECTOR_BYTES,
  SEGMENTS_PER_INDIRECT_FRAME,
} from './blkif.js'
import { u64ToDouble } from './u64.js'

/** The kind byte of a request taken. */
export const RECORD_TAKEN = 1
/** The kind byte of an INDIRECT request taken. */
export const RECORD_INDIRECT = 8
/** The kind byte of a request taken from several entries. */
export const RECORD_LONG = 9
/** Words of the shortest record: 32 bytes. */
export const RECORD_MIN_WORDS = 8
/** Words of the longest without descriptors: 11 segments. */
export const RECORD_MAX_WORDS = RECORD_MIN_WORDS + 2 * (BLKIF_MAX_SEGMENTS_PER_REQUEST - 1)

/** Where things stand, in words from the record's beginning. */
export const RECORD_SLOT = 1
export const RECORD_ID = 2
export const RECORD_SECTOR = 4
export const RECORD_SEGMENT = 6
export const RECORD_NR_SECTORS = 6
export const RECORD_DESCRIPTORS = 6
export const RECORD_DESCRIPTOR_STATUS = 7
export const RECORD_DESCRIPTOR_PAGES = 8

/** Whether entries of this operation carry segments (READ, WRITE, WRITE_BARRIER, FLUSH_DISKCACHE). */
export function opHasSegments(op: number): boolean {
  return op <= BLKIF_OP_FLUSH_DISKCACHE
}

/** Whether the record is of an INDIRECT request. */
export function isIndirect(words: Int32Array, at: number): boolean {
  return (words[at] & 0xff) === RECORD_INDIRECT
}

/** Whether the record is of a request in several entries. */
export function isLong(words: Int32Array, at: number): boolean {
  return (words[at] & 0xff) === RECORD_LONG
}

/** Whether it says itself how many segments follow. */
function countsSegments(words: Int32Array, at: number): boolean {
  return isIndirect(words, at) || isLong(words, at)
}

/** Whether the record is of a request taken, of any kind. */
export function isTaken(words: Int32Array, at: number): boolean {
  return (words[at] & 0xff) === RECORD_TAKEN || isIndirect(words, at) || isLong(words, at)
}

/** Words of the longest record where up to `maxIndirectSegments` are offered, or as many in blocks. */
export function recordWordsMax(maxIndirectSegments: number): number {
  const pages = Math.ceil(maxIndirectSegments / SEGMENTS_PER_INDIRECT_FRAME)
  return Math.max(RECORD_MAX_WORDS, RECORD_MIN_WORDS + even(pages) + 2 * maxIndirectSegments)
}

/** The operation, 0..255; of an INDIRECT request the inner one, which is also the one that is answered. */
export function recordOp(words: Int32Array, at: number): number {
  return (words[at] >>> 8) & 0xff
}

/** nr_segments as the guest wrote it; for bounds use {@link recordedSegments}. */
export function recordNrSegments(words: Int32Array, at: number): number {
  return isIndirect(words, at) ? words[at] >>> 16 : (words[at] >>> 16) & 0xff
}

/** A discard's flag byte; 0 for every other operation. */
export function recordFlag(words: Int32Array, at: number): number {
  return countsSegments(words, at) ? 0 : words[at] >>> 24
}

/** The slot of the request pool. */
export function recordSlot(words: Int32Array, at: number): number {
  return words[at + RECORD_SLOT] & 0xffff
}

/** How many segments stand in the record: never more than 11 in a TAKEN one, none where the operation has none. */
export function recordedSegments(words: Int32Array, at: number): number {
  if (countsSegments(words, at)) return words[at + RECORD_DESCRIPTORS] & 0xffff
  if (!opHasSegments(recordOp(words, at))) return 0
  const count = recordNrSegments(words, at)
  return count > BLKIF_MAX_SEGMENTS_PER_REQUEST ? BLKIF_MAX_SEGMENTS_PER_REQUEST : count
}

/** Where the first segment stands, in words from the record's beginning. */
export function segmentsAt(words: Int32Array, at: number): number {
  if (!countsSegments(words, at)) return RECORD_SEGMENT
  return RECORD_DESCRIPTOR_PAGES + even(words[at + RECORD_DESCRIPTORS] >>> 16)
}

/** Words of the record: 8 to 28, and of an INDIRECT or LONG one as many as it says. */
export function recordWords(words: Int32Array, at: number): number {
  const count = recordedSegments(words, at)
  if (countsSegments(words, at)) return segmentsAt(words, at) + 2 * count
  return count > 1 ? RECORD_SEGMENT + 2 * count : RECORD_MIN_WORDS
}

function even(count: number): number {
  return count + (count & 1)
}

/** sector_number; meaningful only when the record was found valid. */
export function recordSector(words: Int32Array, at: number): number {
  return u64ToDouble(words[at + RECORD_SECTOR], words[at + RECORD_SECTOR + 1])
}

/** The grant reference of segment `index`, a u32. */
export function segmentGref(words: Int32Array, at: number, index: number): number {
  return words[at + segmentsAt(words, at) + 2 * index] >>> 0
}

/** Byte offset of segment `index` in its page. */
export function segmentOffset(words: Int32Array, at: number, index: number): number {
  return (words[at + segmentsAt(words, at) + 2 * index + 1] & 0xff) * SECTOR_BYTES
}

/** Bytes of segment `index`; positive and at most 4096 once the record was found valid. */
export function segmentBytes(words: Int32Array, at: number, index: number): number {
  const range = words[at + segmentsAt(words, at) + 2 * index + 1]
  return (((range >>> 8) & 0xff) - (range & 0xff) + 1) * SECTOR_BYTES
}

/** Sectors that the request covers: the sum of its segments, or a discard's nr_sectors. Trust it once validated. */
export function requestSectors(words: Int32Array, at: number): number {
  if (!countsSegments(words, at) && recordOp(words, at) === BLKIF_OP_DISCARD)
    return u64ToDouble(words[at + RECORD_NR_SECTORS], words[at + RECORD_NR_SECTORS + 1])
  const count = recordedSegments(words, at)
  const from = at + segmentsAt(words, at)
  let sectors = 0
  for (let index = 0; index < count; index += 1) {
    const range = words[from + 2 * index + 1]
    sectors += ((range >>> 8) & 0xff) - (range & 0xff) + 1
  }
  return sectors
}
