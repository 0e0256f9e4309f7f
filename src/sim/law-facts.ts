/**
 * @packageDocumentation
 * What the laws know of a request: what its ring entry said, read at the border where it was taken, and what has been
 * seen of it since. Made anew from the entry by the laws themselves, so that a fault in the core's columns is not
 * believed here.
 */
import { BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER } from '../protocol/blkif.js'
import {
  recordOp, recordSector, recordedSegments, requestSectors, segmentBytes, segmentGref, segmentOffset,
} from '../protocol/record.js'

export interface Segment {
  readonly gref: number
  readonly offset: number
  readonly length: number
  /** Where its data stands in the request's buffer. */
  readonly at: number
}

export interface Taken {
  readonly order: number
  /** The id, as `low:high`. */
  readonly key: string
  readonly op: number
  readonly sector: number
  readonly sectors: number
  readonly segments: readonly Segment[]
  /** Writes that were answered when this was taken. */
  readonly answeredWrites: number
  /** Its I/O tokens that were submitted and have not come back. */
  readonly tokens: Set<number>
  submitted: boolean
  completed: boolean
  /** Its last result came when no sync had been lost. */
  clean: boolean
  /** Where in the arena its own, whole read put its data; -1 when that has not happened, or is no longer so. */
  readAt: number
}

/** The facts of the canonical record at words[0]. */
export function takenFrom(words: Int32Array, order: number, answeredWrites: number): Taken {
  let at = 0
  const segments = Array.from({ length: recordedSegments(words, 0) }, (_, index): Segment => {
    const length = segmentBytes(words, 0, index)
    at += length
    return { gref: segmentGref(words, 0, index), offset: segmentOffset(words, 0, index), length, at: at - length }
  })
  return {
    order,
    key: `${words[2] >>> 0}:${words[3] >>> 0}`,
    op: recordOp(words, 0),
    sector: recordSector(words, 0),
    sectors: requestSectors(words, 0),
    segments,
    answeredWrites,
    tokens: new Set(),
    submitted: false,
    completed: false,
    clean: false,
    readAt: -1,
  }
}

/** Whether a success of the request promises that something is durable. */
export function promises({ op }: Taken): boolean {
  return op === BLKIF_OP_FLUSH_DISKCACHE || op === BLKIF_OP_WRITE_BARRIER
}

/** Whether the request's first I/O is a sync: a flush, or a barrier without data. */
export function wantsSync({ op, sectors }: Taken): boolean {
  return op === BLKIF_OP_FLUSH_DISKCACHE || (op === BLKIF_OP_WRITE_BARRIER && sectors === 0)
}
