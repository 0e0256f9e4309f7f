/**
 * @packageDocumentation
 * Copies the descriptors of INDIRECT requests out of the guest's pages: once, all those of a batch in one call, into
 * memory behind the arena's data, and from there into the requests' records. From then on the record is what is judged,
 * carried out, replayed and recovered; the guest may write into its pages what it likes (XSA-155).
 *
 *   entries taken ─ read ─► one grant copy ─► arena.bytes[dataBytes..] ─ write ─► record: descriptors, or why not
 *
 * A batch is bounded so that all its descriptors have room (`batchFor`). A batch without INDIRECT requests costs a look
 * at the first word of each entry, and a queue to which they were not offered has no reader at all.
 */
import type { AbiLayout } from '../protocol/abi.js'
import { SEGMENTS_PER_INDIRECT_FRAME } from '../protocol/blkif.js'
import { assert } from '../protocol/errors.js'
import {
  DESCRIPTOR_BYTES, DESCRIPTOR_WORDS, addDescriptors, descriptorGref, indirectSegments, pagesOfDescriptors,
} from '../protocol/indirect.js'
import { COPY_FROM_GUEST, COPY_WORDS } from '../ports/data-path.js'
import type { BufferArena, GrantCopier } from '../ports/data-path.js'

/** Bytes behind an arena's data: the descriptors of one batch. */
export const DESCRIPTOR_AREA_BYTES = 32 * 1024

/** Most entries of one batch, so that their descriptors have room whatever they are. */
export function batchFor(batch: number, maxIndirectSegments: number): number {
  if (maxIndirectSegments === 0) return batch
  return Math.min(batch, Math.floor(DESCRIPTOR_AREA_BYTES / DESCRIPTOR_BYTES / maxIndirectSegments))
}

export class DescriptorReader {
  private readonly grants: GrantCopier
  private readonly layout: AbiLayout
  private readonly offered: number
  private readonly area: Int32Array
  private readonly areaAt: number
  private readonly copies: Int32Array
  private count = 0
  /** What `write` hands on; one object, filled anew for every request. */
  private readonly found: { count: number; grefs: Int32Array; status: number; from: Int32Array; fromAt: number }
  private nextCopy = 0
  private nextWord = 0

  /** `batch`: most entries that are read at a time. */
  constructor(grants: GrantCopier, layout: AbiLayout, arena: BufferArena, offered: number, batch: number) {
    const { bytes, dataBytes = bytes.length, bounceAt = bytes.length } = arena
    const room = bounceAt - dataBytes
    assert(batch * offered * DESCRIPTOR_BYTES <= room, 'a batch of descriptors has room behind the data')
    this.grants = grants
    this.layout = layout
    this.offered = offered
    this.areaAt = dataBytes
    this.area = new Int32Array(bytes.buffer, bytes.byteOffset + dataBytes, room >>> 2)
    const pages = pagesOfDescriptors(offered)
    this.copies = new Int32Array(batch * pages * COPY_WORDS)
    this.found = { count: 0, grefs: new Int32Array(pages), status: 0, from: this.area, fromAt: 0 }
  }

  /** Copies the descriptors of `count` entries. @returns whether there was anything to copy. */
  read(entries: Int32Array, entryWords: number, count: number): boolean {
    this.count = 0
    this.nextCopy = 0
    this.nextWord = 0
    let bytes = 0
    for (let at = 0; at < count * entryWords; at += entryWords) {
      const segments = indirectSegments(entries, at, this.offered)
      if (segments > 0) bytes = this.ask(entries, at, segments, bytes)
    }
    if (this.count === 0) return false
    this.grants.copy(this.copies, this.count)
    return true
  }

  private ask(entries: Int32Array, at: number, segments: number, bytes: number): number {
    for (let page = 0; page * SEGMENTS_PER_INDIRECT_FRAME < segments; page++) {
      const left = segments - page * SEGMENTS_PER_INDIRECT_FRAME
      const length = Math.min(left, SEGMENTS_PER_INDIRECT_FRAME) * DESCRIPTOR_BYTES
      const copy = this.count++ * COPY_WORDS
      this.copies[copy] = descriptorGref(entries, at, this.layout, page)
      this.copies[copy + 1] = length << 16
      this.copies[copy + 2] = this.areaAt + bytes
      this.copies[copy + 3] = COPY_FROM_GUEST
      bytes += length
    }
    return bytes
  }

  /**
   * Completes the record of the entry at `entries[at]`, which stands at `out[outAt]`; to be called for the entries in
   * the order in which they were read. @returns the record's length in words.
   */
  write(entries: Int32Array, at: number, out: Int32Array, outAt: number): number {
    const { found, copies } = this
    found.count = indirectSegments(entries, at, this.offered)
    found.status = 0
    found.fromAt = this.nextWord
    for (let page = 0; page < pagesOfDescriptors(found.count); page++) {
      const copy = this.nextCopy++ * COPY_WORDS
      found.grefs[page] = copies[copy]
      if (found.status === 0) found.status = copies[copy + 3]
    }
    this.nextWord += found.count * DESCRIPTOR_WORDS
    return addDescriptors(out, outAt, found)
  }
}
