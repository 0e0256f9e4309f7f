/**
 * @packageDocumentation
 * What the laws know of a request: what its ring entry said, read at the border where it was taken, and what has been
 * seen of it since. Made anew from the entry by the laws themselves, so that a fault in the core's columns is not
 * believed here.
 */
import type { AbiLayout } from '../protocol/abi.js'
import { BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER, SECTOR_BYTES } from '../protocol/blkif.js'
import {
  isIndirect, recordOp, recordSector, recordedSegments, requestSectors, segmentBytes, segmentGref, segmentOffset,
} from '../protocol/record.js'

export interface Segment {
  readonly gref: number
  readonly offset: number
  readonly length: number
  /** Where its data stands in the request's buffer. */
  readonly at: number
}

/** Bytes of a request's data that its own, whole read put into the arena. */
export interface Filled {
  /** Where in the request's data they begin, and where in the arena. */
  readonly at: number
  readonly arenaAt: number
  readonly length: number
}

/** A page of descriptors, as the entry names it: `gref` is to be read from its beginning, once. */
export interface DescriptorPage {
  readonly gref: number
  readonly length: number
  /** It is being read, or was. */
  asked: boolean
  /** What was read of it; undefined before. */
  words: Int32Array | undefined
}

export interface Taken {
  readonly order: number
  /** The id, as `low:high`. */
  readonly key: string
  /** Of an INDIRECT the inner one. */
  readonly op: number
  readonly sector: number
  sectors: number
  /** Of an INDIRECT none before its descriptors were read. */
  segments: readonly Segment[]
  readonly descriptors: readonly DescriptorPage[]
  /** Writes that were answered when this was taken. */
  readonly answeredWrites: number
  /** Its I/O tokens that were submitted and have not come back. */
  readonly tokens: Set<number>
  submitted: boolean
  completed: boolean
  /** Its last result came when no sync had been lost. */
  clean: boolean
  /** Where in the arena its own, whole read put its data; empty when that has not happened, or is no longer so. */
  filled: Filled[]
}

/** The facts of the entry at `entries[at]`, whose canonical record stands at words[0]. */
export function takenFrom(
  words: Int32Array, entries: Int32Array, at: number, layout: AbiLayout, order: number, answeredWrites: number,
): Taken {
  return {
    order,
    key: `${words[2] >>> 0}:${words[3] >>> 0}`,
    op: recordOp(words, 0),
    sector: recordSector(words, 0),
    sectors: requestSectors(words, 0),
    segments: segmentsOf(words),
    descriptors: isIndirect(words, 0) ? descriptorsOf(entries, at, layout) : [],
    answeredWrites,
    tokens: new Set(),
    submitted: false,
    completed: false,
    clean: false,
    filled: [],
  }
}

function segmentsOf(words: Int32Array): Segment[] {
  let at = 0
  return Array.from({ length: recordedSegments(words, 0) }, (_, index): Segment => {
    const length = segmentBytes(words, 0, index)
    at += length
    return { gref: segmentGref(words, 0, index), offset: segmentOffset(words, 0, index), length, at: at - length }
  })
}

/** Eight bytes for each segment that the entry counts, 512 of them to a page, eight pages at most. */
function descriptorsOf(entries: Int32Array, at: number, { segmentWord }: AbiLayout): DescriptorPage[] {
  const count = Math.min(entries[at] >>> 16, 8 * 512)
  return Array.from({ length: Math.ceil(count / 512) }, (_, page) => ({
    gref: entries[at + segmentWord + 1 + page] >>> 0,
    length: Math.min(count - page * 512, 512) * 8,
    asked: false,
    words: undefined,
  }))
}

/** Once every page was read: what the request is about. */
export function learnDescriptors(taken: Taken): void {
  if (taken.descriptors.some(({ words }) => words === undefined)) return
  const words = taken.descriptors.flatMap((page) => [...(page.words ?? [])])
  let at = 0
  taken.segments = Array.from({ length: words.length / 2 }, (_, index): Segment => {
    const [gref, range] = [words[2 * index], words[2 * index + 1]]
    const first = range & 0xff
    const length = (((range >>> 8) & 0xff) - first + 1) * SECTOR_BYTES
    at += length
    return { gref: gref >>> 0, offset: first * SECTOR_BYTES, length, at: at - length }
  })
  taken.sectors = at / SECTOR_BYTES
}

/** Whether a success of the request promises that something is durable. */
export function promises({ op }: Taken): boolean {
  return op === BLKIF_OP_FLUSH_DISKCACHE || op === BLKIF_OP_WRITE_BARRIER
}

/** Whether the request's first I/O is a sync: a flush, or a barrier without data. */
export function wantsSync({ op, sectors }: Taken): boolean {
  return op === BLKIF_OP_FLUSH_DISKCACHE || (op === BLKIF_OP_WRITE_BARRIER && sectors === 0)
}

/** I/Os in flight for one request: several when its data lies in pieces. A result does not say whose it is. */
export interface Flight {
  readonly taken: Taken | undefined
  readonly op: number
  readonly parts: Filled[]
  left: number
  moved: number
  /** The worst result. */
  worst: number
}

/** Whether the request is about this sector. */
export const names = ({ sector: first, sectors }: Taken, sector: number) => sector >= first && sector < first + sectors

/** Whether a result says that there is no space. */
export const isFull = (result: number) => result === -28 || result === -122
