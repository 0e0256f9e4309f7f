/**
 * @packageDocumentation
 * The descriptors of an INDIRECT request: segments that stand in pages of the guest's own, because an entry holds only
 * eleven (xen/include/public/io/blkif.h, struct blkif_request_indirect).
 *
 *   entry: op 6 · indirect_op · nr_segments · … · references of pages ──► page: 512 × (gref · first_sect · last_sect)
 *
 * The pages stay the guest's to write for as long as the request lives. So they are copied once, into memory of our own
 * and from there into the request's record, and nobody looks at them again (XSA-155). What decides whether there is
 * anything worth copying is here, pure; who copies is actors/descriptor-reader.ts; who judges the copy is validate.ts.
 * What must never happen: more read than was offered, whatever nr_segments says.
 */
import type { AbiLayout } from './abi.js'
import {
  BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST, BLKIF_OP_INDIRECT, BLKIF_OP_READ, BLKIF_OP_WRITE, SEGMENTS_PER_INDIRECT_FRAME,
} from './blkif.js'
import type { BlkifSegment } from './entry.js'
import {
  RECORD_DESCRIPTORS, RECORD_DESCRIPTOR_PAGES, RECORD_DESCRIPTOR_STATUS, recordWords, segmentsAt,
} from './record.js'

/** Bytes of one descriptor: struct blkif_request_segment. */
export const DESCRIPTOR_BYTES = 8
export const DESCRIPTOR_WORDS = 2
/** The most that can be offered: beyond it a request is larger than what anyone asks of a disk at once (4 MiB). */
export const INDIRECT_SEGMENTS_LIMIT = 1024

/** Pages that hold `segments` descriptors. */
export function pagesOfDescriptors(segments: number): number {
  return Math.ceil(segments / SEGMENTS_PER_INDIRECT_FRAME)
}

/**
 * How many segments of the entry at `entries[at]` are described in pages that are worth reading: 0 for every other
 * operation, for an inner one that is neither READ nor WRITE, and for a number that was not offered.
 */
export function indirectSegments(entries: Int32Array, at: number, offered: number): number {
  const head = entries[at]
  if ((head & 0xff) !== BLKIF_OP_INDIRECT) return 0
  const inner = (head >>> 8) & 0xff
  if (inner !== BLKIF_OP_READ && inner !== BLKIF_OP_WRITE) return 0
  const count = head >>> 16
  return count > offered ? 0 : count
}

/** The reference of page `page` of the entry's descriptors. */
export function descriptorGref(entries: Int32Array, at: number, abi: AbiLayout, page: number): number {
  return entries[at + abi.segmentWord + 1 + page]
}

/** What was read of a request's descriptors. */
export interface DescriptorsRead {
  /** How many segments there are to be. */
  readonly count: number
  /** References of the pages. */
  readonly grefs: ArrayLike<number>
  /** 0, or the status with which a page could not be copied (< 0): then there are no descriptors. */
  readonly status: number
  /** Where the descriptors were copied to. */
  readonly from: Int32Array
  readonly fromAt: number
}

/** Completes the record that `canonicalise` has written at `out[at]`. @returns its length in words. */
export function addDescriptors(out: Int32Array, at: number, read: DescriptorsRead): number {
  const { count, grefs, status, from, fromAt } = read
  const pages = pagesOfDescriptors(count)
  const present = status === 0 ? count : 0
  out[at + RECORD_DESCRIPTORS] = present | (pages << 16)
  out[at + RECORD_DESCRIPTOR_STATUS] = status
  const segments = at + segmentsAt(out, at)
  out[segments - 1] = 0
  for (let page = 0; page < pages; page++) out[at + RECORD_DESCRIPTOR_PAGES + page] = grefs[page]
  for (let word = 0; word < present * DESCRIPTOR_WORDS; word += DESCRIPTOR_WORDS) {
    out[segments + word] = from[fromAt + word]
    // The two bytes behind last_sect are padding, and whatever the guest left there.
    out[segments + word + 1] = from[fromAt + word + 1] & 0xffff
  }
  return recordWords(out, at)
}

/** Writes descriptors as a front end does, into its own pages: `words` are those pages in a row. */
export function encodeDescriptors(segments: readonly BlkifSegment[], words: Int32Array, at = 0): void {
  segments.forEach(({ gref, firstSect, lastSect }, index) => {
    words[at + index * DESCRIPTOR_WORDS] = gref
    words[at + index * DESCRIPTOR_WORDS + 1] = (firstSect & 0xff) | ((lastSect & 0xff) << 8)
  })
}

/** The references that an entry can name. */
export function encodeDescriptorGrefs(grefs: readonly number[], out: Int32Array, at: number): void {
  grefs.slice(0, BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST).forEach((gref, page) => (out[at + page] = gref))
}
