/**
 * @packageDocumentation
 * The journal's memory: files in the run-time directory (tmpfs: it survives the process, not the machine), each one
 * segment, allocated and touched at start, so that nothing can fail or fault for want of memory later. The supervisor's
 * thread makes the pool; every thread sees the segments through mappings by handle and takes its next one through the
 * segment table.
 *
 *   DIR/segment-0000.xbj …   a quarter of the size in small segments (64 KiB), the rest in large ones (256 KiB)
 *
 * Files that an earlier process left are history: they stay as they are until their turn comes to be recycled. Those
 * from which a queue will be gone on with (found-legacies.ts) are kept until that has happened. A process that is to
 * take over from one that lives maps the files while that one still writes them, and changes nothing in them
 * (`mapStandingPool`); it makes them its own (`adopt`) when the other has let go.
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { XbbdError, codeOf } from '../../protocol/errors.js'
import { giveBack, unmap, view } from '../native/owners.js'
import { mapFile } from '../native/shm.js'
import type { SegmentSource } from '../../journal/batch-writer.js'
import { readHeader, readSequence } from '../../journal/segment-reader.js'
import { SegmentTable } from '../../journal/segment-table.js'

export const SMALL_SEGMENT_BYTES = 64 * 1024
export const LARGE_SEGMENT_BYTES = 256 * 1024

/** Plain data: all that a Worker needs to write journals of its own. */
export interface PoolPlan {
  readonly segments: readonly { readonly handle: number; readonly bytes: number }[]
  readonly table: SharedArrayBuffer
}

/** The pool as one thread sees it. */
export class SegmentPool {
  readonly table: SegmentTable
  readonly plan: PoolPlan
  private readonly views = new Map<number, Int32Array>()

  constructor(plan: PoolPlan) {
    this.plan = plan
    this.table = new SegmentTable(plan.segments.map(({ bytes }) => ({ words: bytes / 4 })), plan.table)
  }

  /** Where the writer with this number takes its segments from. */
  source(journal: number): SegmentSource {
    return {
      next: (_, atLeastWords) => {
        const given = this.table.next(journal, atLeastWords)
        return given && { words: this.words(given.segment), sequence: given.sequence }
      },
    }
  }

  /** This thread's view of a segment. */
  words(segment: number): Int32Array {
    let words = this.views.get(segment)
    if (words === undefined) {
      const { handle, bytes } = this.plan.segments[segment]
      words = new Int32Array(view(handle), 0, bytes / 4)
      this.views.set(segment, words)
    }
    return words
  }

  /** The newest whole segment that `journal` of this process wrote for `name`: its index, and a copy of its words. */
  newestOf(journal: number, name: string): { readonly index: number; readonly words: Int32Array } | undefined {
    for (const index of this.table.segmentsOf(journal)) {
      const read = readHeader(this.words(index))
      if (read.ok && read.header.identity.journal === name) return { index, words: this.words(index).slice() }
    }
    return undefined
  }

  /** For people and their tools. */
  use(): { readonly poolBytes: number; readonly heldBytes: number; readonly segmentsBegun: number } {
    const { words, begun } = this.table.use()
    const poolBytes = this.plan.segments.reduce((sum, { bytes }) => sum + bytes, 0)
    return { poolBytes, heldBytes: words * 4, segmentsBegun: begun }
  }

  /** What others wrote is history from now on, but for the segments in `keep`: they are held. */
  adopt(keep: readonly KeptSegment[]): void {
    this.plan.segments.forEach((_, index) => {
      const sequence = readSequence(this.words(index))
      if (sequence !== undefined) this.table.adopt(index, sequence)
    })
    for (const { index } of keep) this.table.hold(index)
  }

  /** Gives this thread's views back. */
  letGo(): void {
    for (const segment of this.views.keys()) giveBack(this.plan.segments[segment].handle)
    this.views.clear()
  }
}

/** The pool of this thread; `destroy` unmaps it once every Worker has let go. */
export interface OpenPool {
  readonly pool: SegmentPool
  readonly destroy: () => void
}

/** Makes or reopens the pool in `directory`, `bytes` in all; to be adopted. Throws XbbdError when there is no room. */
export function openSegmentPool(directory: string, bytes: number, keep: readonly KeptSegment[] = []): OpenPool {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const sizes = segmentSizes(bytes)
  // A segment from which somebody will go on stays as long as it is, whatever journal.size says now.
  for (const { index, bytes: kept } of keep) {
    while (sizes.length <= index) sizes.push(SMALL_SEGMENT_BYTES)
    sizes[index] = kept
  }
  return mapPool(directory, sizes, bytes)
}

/** The pool that another process made and may be at work in, not adopted; undefined when it has not `bytes` in all. */
export function mapStandingPool(directory: string, bytes: number): OpenPool | undefined {
  const indices = segmentsIn(directory)
  const sizes = indices.map((index) => fileSize(segmentPath(directory, index)))
  const whole = indices.every((index, place) => index === place)
  if (!whole || segmentSizes(bytes).some((size, index) => size !== sizes[index])) return undefined
  return mapPool(directory, sizes, bytes)
}

function mapPool(directory: string, sizes: readonly number[], bytes: number): OpenPool {
  const segments = sizes.map((size, index) => {
    return { handle: mapSegment(segmentPath(directory, index), size, bytes), bytes: size }
  })
  const table = new SegmentTable(sizes.map((size) => ({ words: size / 4 })))
  const pool = new SegmentPool({ segments, table: table.shared })
  const destroy = () => {
    pool.letGo()
    for (const { handle } of segments) unmap(handle)
  }
  return { pool, destroy }
}

/** Numbers of the segments in a pool's directory, in order; none when there is no such directory. */
export function segmentsIn(directory: string): number[] {
  try {
    const found = readdirSync(directory).flatMap((name) => segmentIndex(name) ?? [])
    return found.sort((one, other) => one - other)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Which segment of a pool a file is; undefined when it is none. */
export function segmentIndex(file: string): number | undefined {
  const number = /(?:^|\/)segment-(\d{4,6})\.xbj$/.exec(file)
  return number ? Number(number[1]) : undefined
}

export function segmentPath(directory: string, index: number): string {
  return join(directory, `segment-${String(index).padStart(4, '0')}.xbj`)
}

/** A segment that is not to be recycled yet. */
export interface KeptSegment {
  readonly index: number
  readonly bytes: number
}

/** A quarter small, the rest large; at least four small ones. */
function segmentSizes(bytes: number): number[] {
  const small = Math.max(4, Math.floor(bytes / 4 / SMALL_SEGMENT_BYTES))
  const large = Math.max(0, Math.floor((bytes - small * SMALL_SEGMENT_BYTES) / LARGE_SEGMENT_BYTES))
  const sizes = new Array<number>(small).fill(SMALL_SEGMENT_BYTES)
  return sizes.concat(new Array<number>(large).fill(LARGE_SEGMENT_BYTES))
}

function mapSegment(path: string, bytes: number, poolBytes: number): number {
  try {
    return mapFile(path, bytes)
  } catch (error) {
    if (codeOf(error) !== 'ENOSPC') throw error
    const sentence = `no room for ${poolBytes} bytes of journal at ${path}: free some or lower journal.size`
    throw new XbbdError('XBBD_JOURNAL_NO_ROOM', sentence, { cause: error, exitCode: 73 })
  }
}

function fileSize(path: string): number {
  return statSync(path).size
}
