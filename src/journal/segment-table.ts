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
/** Segments that every journal keeps, whatever the others need. */
const KEPT = 2
/** Owner of a segment from which somebody will go on: nobody's, and not to be recycled. */
const HELD = -1

export const JOURNALS_MAX = 4096

export interface SegmentShape {
  readonly words: number
}

export class SegmentTable {
  readonly shared: SharedArrayBuffer
  private readonly table: Int32Array
  private readonly shapes: readonly SegmentShape[]
  private readonly newest = new Int32Array(JOURNALS_MAX)
  private readonly second = new Int32Array(JOURNALS_MAX)

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

  /**
   * Keeps a segment that belongs to no writer until {@link SegmentTable.letGo}. It takes the place of one of the two
   * that the queue which goes on from it may have, so it needs none of its own.
   */
  hold(segment: number): void {
    this.locked(() => void (this.table[this.at(segment)] = HELD))
  }

  letGo(segment: number): void {
    this.locked(() => {
      if (this.table[this.at(segment)] === HELD) this.table[this.at(segment)] = 0
    })
  }

  /** How many words are kept for somebody, and how many segments were ever begun; read without the lock, for people. */
  use(): { readonly words: number; readonly begun: number } {
    const kept = this.shapes.filter((_, segment) => this.table[this.at(segment)] !== 0)
    return { words: kept.reduce((sum, { words }) => sum + words, 0), begun: this.table[NEXT_SEQUENCE] - 1 }
  }

  /** By segment, which one it is; 0 when it was never written. It may have begun that one without its header yet. */
  sequences(): Int32Array {
    return Int32Array.from(this.shapes, (_, segment) => this.sequence(segment))
  }

  /** The segments of `journal`, newest first. */
  segmentsOf(journal: number): number[] {
    const own = this.shapes.flatMap((_, segment) => (this.table[this.at(segment)] === journal ? [segment] : []))
    return own.sort((one, other) => this.sequence(other) - this.sequence(one))
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
      this.noteNewest()
      const smallFirst = this.newest[journal] === 0
      let best = -1
      for (let segment = 0; segment < this.shapes.length; segment++) {
        if (this.shapes[segment].words < atLeastWords || !this.isSpare(segment, journal)) continue
        if (best < 0 || this.isBetter(segment, best, smallFirst)) best = segment
      }
      return best < 0 ? undefined : this.give(best, journal)
    })
  }

  /** By journal, the sequences of its newest segment and of the one before; one pass over the table. */
  private noteNewest(): void {
    const { newest, second } = this
    newest.fill(0)
    second.fill(0)
    for (let segment = 0; segment < this.shapes.length; segment++) {
      const owner = this.table[this.at(segment)]
      if (owner === HELD) continue
      const sequence = this.sequence(segment)
      if (sequence > newest[owner]) {
        second[owner] = newest[owner]
        newest[owner] = sequence
      } else if (sequence > second[owner]) second[owner] = sequence
    }
  }

  /** The size that is wanted, then the oldest (one never written is older than all). */
  private isBetter(segment: number, than: number, smallFirst: boolean): boolean {
    const larger = this.shapes[segment].words - this.shapes[than].words
    if (larger !== 0) return larger < 0 === smallFirst
    return this.sequence(segment) < this.sequence(than)
  }

  private give(segment: number, journal: number): { segment: number; sequence: number } {
    const sequence = this.table[NEXT_SEQUENCE]++
    this.table[this.at(segment)] = journal
    this.table[this.at(segment) + 1] = sequence
    return { segment, sequence }
  }

  /** The newest two of every journal are kept; the asker's new segment will be its newest, so it keeps one besides. */
  private isSpare(segment: number, asker: number): boolean {
    const owner = this.table[this.at(segment)]
    if (owner === 0) return true
    if (owner === HELD) return false
    return this.sequence(segment) < (owner === asker ? this.newest[owner] : this.second[owner])
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
