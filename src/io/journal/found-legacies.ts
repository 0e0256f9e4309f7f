/**
 * @packageDocumentation
 * Finds what queues of dead processes left in the pool's directory, before the pool is opened anew: of each queue the
 * newest segment that counts. Headers are read first and little of them, because a pool has hundreds of files and a
 * guest is waiting.
 *
 *   segment-*.xbj ─ 4 KiB each ─► queue's? newest of its queue? ─► read whole ─► { queue, index, words }
 *
 * A pool that can stay as it is is mapped first and looked at in memory: two system calls a file are saved.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { readHeader } from '../../journal/segment-reader.js'
import { segmentPath, segmentsIn, type SegmentPool } from './segment-pool.js'

export interface FoundSegment {
  readonly queue: string
  /** In the pool. */
  readonly index: number
  readonly bytes: number
  readonly words: Int32Array
}

/** More than any header takes. */
const HEADER_BYTES = 4096
const SEGMENT_BYTES_MAX = 1 << 28

/** The newest segment of every queue; nothing when there is no such directory. */
export function findLegacies(directory: string): FoundSegment[] {
  const headers = segmentsIn(directory).map((index) => ({
    index, words: readWords(segmentPath(directory, index), HEADER_BYTES),
  }))
  return newestOfEach(headers, (index) => readWords(segmentPath(directory, index), SEGMENT_BYTES_MAX))
}

/** The same of a pool that is mapped; what is found is a copy. */
export function legaciesIn(pool: SegmentPool): FoundSegment[] {
  const all = pool.plan.segments.map((_, index) => ({ index, words: pool.words(index) }))
  return newestOfEach(all, (index) => pool.words(index).slice())
}

function newestOfEach(
  segments: readonly { readonly index: number; readonly words: Int32Array }[], whole: (index: number) => Int32Array,
): FoundSegment[] {
  const newest = new Map<string, { index: number; sequence: number }>()
  for (const { index, words } of segments) {
    const read = readHeader(words)
    if (!read.ok || read.header.identity.kind !== 'queue') continue
    const { sequence, identity: { journal } } = read.header
    if (sequence > (newest.get(journal)?.sequence ?? -1)) newest.set(journal, { index, sequence })
  }
  return [...newest].map(([queue, { index }]) => {
    const words = whole(index)
    return { queue, index, bytes: words.length * 4, words }
  })
}

/** At most so many bytes from the file's beginning. */
function readWords(path: string, most: number): Int32Array {
  const descriptor = openSync(path, 'r')
  try {
    const bytes = Math.min(most, fstatSync(descriptor).size) & ~3
    const words = new Int32Array(bytes / 4)
    const have = bytes === 0 ? 0 : readSync(descriptor, words, 0, bytes, 0)
    return words.subarray(0, have >>> 2)
  } finally {
    closeSync(descriptor)
  }
}
