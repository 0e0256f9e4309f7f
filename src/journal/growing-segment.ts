/**
 * @packageDocumentation
 * The batches of a segment that somebody may still be writing, read once each: a later look reads on where the one
 * before ended. What was read stays as it was, so batches that were handed out hold as long as the segment does.
 *
 *   [ header ][ batch ][ batch ][ batch ]|0 …            look      pieces are read until one ends with no batch
 *                                        [ batch ]|0 …   later     the same words, further on
 *
 * A commit word is stored last, so behind one that is there the batch is whole; behind one that is zero nothing is
 * believed, and all of that is read anew by the next look.
 */
import type { SegmentView } from './chain.js'
import { BATCH_FRAME_WORDS } from './format.js'
import { firstPlace, readBatches } from './segment-reader.js'
import type { Batch, BatchPlace, Damage } from './segment-reader.js'
import type { Upcast } from './upcast.js'

/** Words that are read at first, for there may be nothing new; each further piece is twice as long, to the largest. */
const FIRST_PIECE = 1 << 9
const LARGEST_PIECE = 1 << 14

export class GrowingSegment {
  readonly view: SegmentView
  /** As today's charts read them; only ever grows. */
  readonly batches: Batch[] = []
  /** What ended the reading. */
  damage: Damage | undefined
  private readonly upcast: Upcast | undefined
  private words = new Int32Array(0)
  private place: BatchPlace

  constructor(view: SegmentView, upcast: Upcast | undefined) {
    this.view = view
    this.upcast = upcast
    this.place = firstPlace(view.header)
  }

  /** Number that the next batch would have, and the checksum it would continue; undefined behind damage. */
  get end(): { readonly number: number; readonly crc: number } | undefined {
    return this.damage === undefined ? { number: this.place.number, crc: this.place.chain } : undefined
  }

  /** Words that have been read so far. */
  get size(): number {
    return this.place.at
  }

  /** Reads what has been written since, or `enough` batches. Damage is looked at again: a writer may be at it. */
  grow(enough = Infinity): void {
    this.damage = undefined
    const { header: { capacity }, fill } = this.view
    if (fill === undefined) return this.read(this.view.words(), true, enough)
    let piece = FIRST_PIECE
    let to = this.place.at
    for (;;) {
      const wanted = Math.min(capacity, to + piece)
      if (this.words.length < wanted) this.enlarge(enough === Infinity ? capacity : wanted)
      to = fill(this.words, to, wanted)
      const isAll = to < wanted || to === capacity
      this.read(this.words.subarray(0, to), isAll, enough)
      // One more batch may begin where nothing has been read yet, or goes on there.
      const { at } = this.place
      if (isAll || this.damage !== undefined || this.batches.length >= enough) return
      if (at + BATCH_FRAME_WORDS <= to && at + this.words[at] <= to) return
      piece = Math.min(LARGEST_PIECE, piece * 2)
    }
  }

  private enlarge(length: number): void {
    const before = this.words
    this.words = new Int32Array(length)
    this.words.set(before)
  }

  /** Batches of these words; up to one that does not end within them, unless they are all that there are. */
  private read(words: Int32Array, isAll: boolean, enough: number): void {
    let { at, number, chain } = this.place
    const reading = readBatches(words, this.view.header, this.place)
    while (this.batches.length < enough) {
      if (!isAll && at + BATCH_FRAME_WORDS <= words.length && words[at] > words.length - at) break
      const step = reading.next()
      if (step.done === true) {
        this.damage = step.value.damage
        break
      }
      const batch = step.value
      this.batches.push(this.upcast?.lift(batch) ?? batch)
      at += words[at]
      number++
      chain = words[at - 1]
    }
    this.place = { at, number, chain }
  }
}
