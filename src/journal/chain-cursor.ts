/**
 * @packageDocumentation
 * A place in one recorded journal, and what its actors are at that place. It goes forward batch by batch, and back by
 * folding again from the segment before: each segment of a queue begins with a checkpoint, and of actors the lives at
 * the beginning of each segment are kept. One segment is in memory at a time.
 *
 *   [ segment 7 ][ segment 8  ▪▪▪▪|▪▪▪ ][ segment 9 ]      `last`: the batch before the bar, `next`: the one behind it
 *
 * Damage and gaps are passed over and noted; what a queue is behind them is unknown until its next checkpoint.
 *
 * Of a journal that is still being written a later look is followed: the cursor goes on where it stands.
 */
import { ActorFold } from './actor-fold.js'
import type { Life } from './actor-fold.js'
import type { JournalChain } from './chain.js'
import { GrowingSegment } from './growing-segment.js'
import { QueueTrack } from './queue-track.js'
import type { OnStep } from './queue-track.js'
import { readCoreSettings } from './replay-settings.js'
import { readBatches } from './segment-reader.js'
import type { Batch } from './segment-reader.js'
import { unknownCharts } from './upcast.js'

type Lives = ReadonlyMap<string, Life>

/** The segment in which the next batch stands, by its place in the chain. */
interface Loaded {
  readonly index: number
  readonly segment: GrowingSegment
}

/** How a cursor is kept for long, by a reader of many journals. */
export interface CursorOptions {
  /** Hears of each batch of actors, with who lived before it; it has been applied. */
  readonly onBatch?: (batch: Batch, before: Lives, actors: ActorFold) => void
  /** Whoever keeps segments that were read; default: they are read when they are wanted. */
  readonly read?: (chain: JournalChain, index: number) => GrowingSegment
  /** How many segments before the one that is wanted are folded, so that it is known since when requests stand. */
  readonly runUps?: readonly number[]
}

const RUN_UPS = [1, 8, 64]

export class ChainCursor {
  /** Of a queue whose header could be believed. */
  readonly queue: QueueTrack | undefined
  /** Of actors. */
  readonly actors: ActorFold | undefined
  /** What was damaged, missing or not to be folded on the way here; the first hundred. */
  readonly problems: string[] = []
  last: Batch | undefined
  private current: JournalChain
  private readonly options: CursorOptions
  private loaded: Loaded
  private at = 0
  /** By sequence of the segment: who lived when it began. */
  private readonly livesAt = new Map<number, Lives>()

  constructor(chain: JournalChain, onStep?: OnStep, options: CursorOptions = {}) {
    this.current = chain
    this.options = options
    const { identity, upcast } = chain
    if (identity.kind === 'queue') {
      const settings = readCoreSettings(identity.settings)
      if (upcast === undefined) this.problem(unknownCharts(identity))
      else if (settings.ok) this.queue = new QueueTrack(settings.settings, upcast, onStep)
      else this.problem(settings.sentence)
    } else this.actors = new ActorFold(({ sentence }) => this.problem(sentence))
    this.loaded = this.load(0)
    this.begin(this.loaded, undefined)
  }

  get chain(): JournalChain {
    return this.current
  }

  /** Index of the segment in which the next batch is looked for. */
  get segment(): number {
    return this.loaded.index
  }

  /** Goes on with a later look at the same run. Where its place is there no more it stands before the first batch. */
  follow(chain: JournalChain): void {
    const { sequence } = this.loaded.segment.view.header
    this.current = chain
    const oldest = chain.segments[0].header.sequence
    for (const known of this.livesAt.keys()) if (known < oldest) this.livesAt.delete(known)
    const index = chain.segments.findIndex(({ header }) => header.sequence === sequence)
    if (index >= 0) this.loaded = this.load(index)
    else this.restart(0)
  }

  /** The batch that comes next; undefined at the end. */
  get next(): Batch | undefined {
    while (this.at >= this.loaded.segment.batches.length) {
      const index = this.loaded.index + 1
      if (index >= this.chain.segments.length) return undefined
      const { end } = this.loaded.segment
      this.loaded = this.load(index)
      this.begin(this.loaded, end)
      this.at = 0
    }
    return this.loaded.segment.batches[this.at]
  }

  /** Applies the next batch. @returns it; undefined at the end. */
  forward(): Batch | undefined {
    const batch = this.next
    if (batch === undefined) return undefined
    this.at++
    this.last = batch
    if (this.queue) {
      const known = this.queue.trouble
      this.queue.apply(batch)
      if (this.queue.trouble !== undefined && this.queue.trouble !== known) this.problem(this.queue.trouble)
    }
    if (this.actors) {
      const before = this.actors.lives
      this.actors.batch(batch)
      this.options.onBatch?.(batch, before, this.actors)
    }
    return batch
  }

  /** Takes the last batch back. @returns the one that was taken back; undefined at the beginning. */
  back(): Batch | undefined {
    const undone = this.last
    if (undone !== undefined) this.seek(undone.number - 1)
    return undone
  }

  /** Goes to behind the batch with this number, or the last before it. */
  seek(number: number): void {
    const target = this.segmentOf((index) => this.chain.segments[index].header.firstBatch <= number)
    this.walkTo(target, (batch) => batch.number <= number)
  }

  /** Goes to behind the last batch that was sealed at this time or before: in `segment`, where that is known. */
  seekTime(timeNs: number, segment?: number): void {
    const target = segment ?? this.segmentOf((index) => {
      const first = this.firstOf(index)
      return first === undefined || first.timeNs <= timeNs
    })
    this.walkTo(target, (batch) => batch.timeNs <= timeNs)
  }

  /** From a run-up before `segment` on as long as `wanted` holds; a longer one, when a request is older than that. */
  private walkTo(segment: number, wanted: (batch: Batch) => boolean): void {
    for (const runUp of this.options.runUps ?? RUN_UPS) {
      const from = Math.max(0, segment - runUp)
      this.restart(from)
      while (this.next !== undefined && wanted(this.next)) this.forward()
      if (from === 0 || this.queue === undefined || !this.queue.hasUnknownTimes) return
    }
  }

  private firstOf(index: number): Batch | undefined {
    const { header, words } = this.chain.segments[index]
    const first = readBatches(words(), header).next()
    return first.done === true ? undefined : first.value
  }

  /** The last segment for which `before` holds; it holds for the first ones. 0 when it holds for none. */
  private segmentOf(before: (index: number) => boolean): number {
    let [low, high] = [0, this.chain.segments.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (before(middle)) low = middle
      else high = middle - 1
    }
    return low
  }

  /** To the beginning of a segment; of actors to the nearest one before it where they are known. */
  private restart(segment: number): void {
    let from = segment
    const livesAt = (index: number) => this.livesAt.get(this.chain.segments[index].header.sequence)
    if (this.actors) while (from > 0 && livesAt(from) === undefined) from--
    this.last = undefined
    this.at = 0
    this.queue?.forget()
    if (this.actors) this.actors.lives = livesAt(from) ?? new Map<string, Life>()
    this.loaded = this.load(from)
  }

  private load(index: number): Loaded {
    const segment = this.options.read?.(this.chain, index) ?? this.readSegment(index)
    if (segment.damage) this.problem(`${segment.view.file}: ${segment.damage.sentence}`)
    return { index, segment }
  }

  private readSegment(index: number): GrowingSegment {
    const segment = new GrowingSegment(this.chain.segments[index], this.chain.upcast)
    segment.grow()
    return segment
  }

  /** A segment is entered from the one before it, whose end was `before`. */
  private begin({ index }: Loaded, before: GrowingSegment['end']): void {
    const { header, file } = this.chain.segments[index]
    const follows = before?.number === header.firstBatch && before.crc === header.chain
    if (index > 0 && !follows) {
      this.problem(`${file}: batches before ${header.firstBatch} are missing`)
      this.queue?.forget()
      this.actors?.forget()
    }
    if (this.actors) this.livesAt.set(header.sequence, this.actors.lives)
  }

  private problem(sentence: string): void {
    if (this.problems.length < 100 && !this.problems.includes(sentence)) this.problems.push(sentence)
  }
}
