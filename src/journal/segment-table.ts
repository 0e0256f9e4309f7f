/**
 * @packageDocumentation
 * Who writes which segment of the pool: one small table in shared memory, so that a Worker takes its next segment by
 * itself, in a microsecond, without asking the main thread. Segments come in two sizes; rare writers and quiet queues
 * have small ones, busy queues large ones.
 *
 *   words  0 lock · 1 next sequence · then per segment: owner (0 none) · sequence (0 never written)
 *          · per journal (from 1): 1 while its writer lives
 *
 * Rules: every journal keeps its newest two; what is older is recycled oldest first, whichever device it belongs to, so
 * a busy disk has the longest memory. A journal whose writer has gone keeps its last segments until they are needed.
 */
import { assert } from '../protocol/errors.js'

const LOCK = 0
const NEXT_SEQUENCE = 1
const SEGMENTS_AT = 2
const SEGMENT_WORDS = 2
const KEPT = 2

export const JOURNALS_MAX = 4096

export interface SegmentShape {
  readonly words: number
}

export class SegmentTable {
  readonly shared: SharedArrayBuffer
  private readonly table: Int32Array
  private readonly shapes: readonly SegmentShape[]

  constructor(shapes: readonly SegmentShape[], shared?: SharedArrayBuffer) {
    this.shapes = shapes
    const words = SEGMENTS_AT + shapes.length * SEGMENT_WORDS + JOURNALS_MAX
    this.shared = shared ?? new SharedArrayBuffer(words * 4)
    this.table = new Int32Array(this.shared)
    if (!shared) this.table[NEXT_SEQUENCE] = 1
  }

  /** A segment that an earlier process left: history, recycled when its turn comes. */
  adopt(segment: number, sequence: number): void {
    this.table[this.at(segment) + 1] = sequence
    if (sequence >= this.table[NEXT_SEQUENCE]) this.table[NEXT_SEQUENCE] = sequence + 1
  }

  /** Enters a new writer. @returns its number, or 0 when the pool cannot keep two segments for it. */
  register(): number {
    return this.locked(() => {
      let living = 0
      let free = 0
      for (let journal = JOURNALS_MAX - 1; journal >= 1; journal--) {
        if (this.table[this.journalAt(journal)] !== 0) living++
        else free = journal
      }
      if (free === 0 || (living + 1) * KEPT > this.shapes.length) return 0
      this.table[this.journalAt(free)] = 1
      return free
    })
  }

  /** The writer is gone; what it wrote stays until it is needed. */
  release(journal: number): void {
    this.locked(() => {
      this.table[this.journalAt(journal)] = 0
      for (let segment = 0; segment < this.shapes.length; segment++)
        if (this.table[this.at(segment)] === journal) this.table[this.at(segment)] = 0
    })
  }

  /**
   * The next segment for `journal`, of at least so many words: small for its first one if that suffices, large
   * afterwards if one can be had. @returns its index and sequence, or undefined.
   */
  next(journal: number, atLeastWords: number): { segment: number; sequence: number } | undefined {
    return this.locked(() => {
      const first = !this.owns(journal)
      const fitting = this.shapes.map((_, index) => index).filter((index) => this.shapes[index].words >= atLeastWords)
      const sizes = [...new Set(fitting.map((index) => this.shapes[index].words))]
      for (const size of sizes.sort((a, b) => (first ? a - b : b - a))) {
        const ofSize = fitting.filter((index) => this.shapes[index].words === size)
        const segment = this.oldestSpare(ofSize, journal)
        if (segment !== undefined) return this.give(segment, journal)
      }
      return undefined
    })
  }

  private give(segment: number, journal: number): { segment: number; sequence: number } {
    const sequence = this.table[NEXT_SEQUENCE]++
    this.table[this.at(segment)] = journal
    this.table[this.at(segment) + 1] = sequence
    return { segment, sequence }
  }

  /** Among `candidates`: one never written, else the oldest that nobody must keep. */
  private oldestSpare(candidates: readonly number[], asker: number): number | undefined {
    let best: number | undefined
    for (const segment of candidates) {
      if (!this.isSpare(segment, asker)) continue
      if (best === undefined || this.sequence(segment) < this.sequence(best)) best = segment
    }
    return best
  }

  /** The asker's new segment will be its newest, so it must keep only one besides. */
  private isSpare(segment: number, asker: number): boolean {
    const owner = this.table[this.at(segment)]
    if (owner === 0) return true
    let newer = 0
    for (let other = 0; other < this.shapes.length; other++)
      if (this.table[this.at(other)] === owner && this.sequence(other) > this.sequence(segment)) newer++
    return newer >= (owner === asker ? KEPT - 1 : KEPT)
  }

  private owns(journal: number): boolean {
    return this.shapes.some((_, segment) => this.table[this.at(segment)] === journal)
  }

  private sequence(segment: number): number {
    return this.table[this.at(segment) + 1]
  }

  private at(segment: number): number {
    return SEGMENTS_AT + segment * SEGMENT_WORDS
  }

  private journalAt(journal: number): number {
    return SEGMENTS_AT + this.shapes.length * SEGMENT_WORDS + journal
  }

  /** Held for microseconds; a thread that dies in it would be our own broken invariant, so the wait is bounded. */
  private locked<T>(body: () => T): T {
    for (let tries = 0; Atomics.compareExchange(this.table, LOCK, 0, 1) !== 0; tries++) {
      assert(tries < 1000, 'the lock of the segment table is never released')
      Atomics.wait(this.table, LOCK, 1, 1)
    }
    try {
      return body()
    } finally {
      Atomics.store(this.table, LOCK, 0)
      Atomics.notify(this.table, LOCK)
    }
  }
}
