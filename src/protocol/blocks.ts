/**
 * @packageDocumentation
 * The extension of 2010: a request of more than eleven segments takes several entries of the ring. It is served only
 * where the operator wants it and the front end asks for it (`max-request-segments` above 11); no front end that is
 * alive today does, but the driver that this back end re-creates spoke it.
 *
 *   entry n      header: an ordinary request, nr_segments up to 255, its first eleven segments
 *   entry n + 1  block:  fourteen segments and nothing else        entry n + 2  block: …
 *
 *   entries = (nr_segments - 11 + 13) / 14 + 1, divided towards zero    0…11: 1    12…25: 2    26…39: 3    255: 19
 *
 * Both indices of the ring move by that number: an answer takes as many places as its request had, and stands in the
 * first of them.
 *
 * An entry of the x86_32 layout has 108 bytes, and fourteen segments have 112: the last of them reaches into the next
 * entry, which the front end writes as well. So there a block is good for thirteen, and a request, whose next block
 * would begin behind its fourteenth, for 24 in all; a front end that wants more is refused when it connects.
 * What must never happen: a block that is read as a request, or a request as a block.
 */
import type { AbiLayout } from './abi.js'
import { BLKIF_MAX_SEGMENTS_PER_REQUEST } from './blkif.js'
import { RECORD_LONG, RECORD_MIN_WORDS, opHasSegments } from './record.js'

/** BLKIF_MAX_SEGMENTS_PER_SEGMENT_BLOCK */
export const SEGMENTS_PER_BLOCK = 14
/** nr_segments has eight bits. */
export const BLOCK_SEGMENTS_LIMIT = 255

/** Most segments of one request that the layout can carry whole. */
export function blockSegmentsLimit({ name }: Pick<AbiLayout, 'name'>): number {
  return name === 'x86_32' ? BLKIF_MAX_SEGMENTS_PER_REQUEST + SEGMENTS_PER_BLOCK - 1 : BLOCK_SEGMENTS_LIMIT
}

/** BLKIF_SEGS_TO_BLOCKS: entries of a request with so many segments. */
export function entriesFor(segments: number): number {
  return Math.max(0, Math.ceil((segments - BLKIF_MAX_SEGMENTS_PER_REQUEST) / SEGMENTS_PER_BLOCK)) + 1
}

/** Entries of the request whose header is the one at `entries[at]`. */
export function entriesOf(entries: Int32Array, at: number): number {
  const head = entries[at]
  return opHasSegments(head & 0xff) ? entriesFor((head >>> 8) & 0xff) : 1
}

/**
 * Completes the record that `canonicalise` has written at `out[outAt]` from a header whose blocks stand behind it at
 * `entries[at]`. More segments than `most` are counted and not copied: the validator refuses them.
 * @returns the record's length in words.
 */
export function addBlocks(
  entries: Int32Array, at: number, abi: AbiLayout, out: Int32Array, outAt: number, most: number,
): number {
  const count = (entries[at] >>> 8) & 0xff
  const present = count > most ? 0 : count
  out[outAt] = (out[outAt] & ~0xff) | RECORD_LONG
  out[outAt + 6] = present
  out[outAt + 7] = 0
  let to = outAt + RECORD_MIN_WORDS
  for (let segment = 0; segment < present; segment++) {
    const from = at + wordOf(segment, abi)
    out[to] = entries[from]
    // The two bytes behind last_sect are padding, and whatever the guest left there.
    out[to + 1] = entries[from + 1] & 0xffff
    to += 2
  }
  return to - outAt
}

/** Where segment `index` stands, in words from the header. */
export function wordOf(index: number, abi: AbiLayout): number {
  const beyond = index - BLKIF_MAX_SEGMENTS_PER_REQUEST
  if (beyond < 0) return abi.segmentWord + 2 * index
  const block = 1 + Math.floor(beyond / SEGMENTS_PER_BLOCK)
  return block * abi.entryWords + 2 * (beyond % SEGMENTS_PER_BLOCK)
}
