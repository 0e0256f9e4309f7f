/**
 * @packageDocumentation
 * The journals of a folder as a page asks of them: which devices there are, from when to when, and any journal at any
 * moment. Nothing holds more than a bounded number of segments, however long the journals are: an index is the time of
 * each segment's first batch, found when it is needed; the checkpoint at its beginning is where a fold begins.
 *
 *   journal ─ runs ─ segments ─ first batch's time     at(journal, t): the run that had begun by then, folded to t
 *
 * Times are those of one clock, of the first chain. A library is a look at the files as they were when it was opened;
 * of a daemon that runs, a later look is followed: every batch is read once, and what was folded goes on from there.
 */
import { ChainCursor } from '../../journal/chain-cursor.js'
import type { CursorOptions } from '../../journal/chain-cursor.js'
import type { JournalChain, SegmentView } from '../../journal/chain.js'
import { GrowingSegment } from '../../journal/growing-segment.js'
import type { JournalFiles } from '../../journal/journal-files.js'
import { clockOffsetNs } from '../../journal/recording.js'
import type { Batch } from '../../journal/segment-reader.js'
import type { OnStep } from '../../journal/queue-track.js'
import type { Span } from './types.js'

/** Segments are kept at hand up to so many words of theirs: 16 MiB. */
const WORDS_KEPT = 1 << 22
/** A queue's cursor goes forward by so many segments at most, rather than beginning anew at a checkpoint. */
const FORWARD_SEGMENTS = 1

/** A segment at hand, and the look at which it was read last. */
interface Kept {
  readonly segment: GrowingSegment
  look: number
  /** Its writer had gone on to another one by then. */
  isComplete: boolean
}

/** Who hears what is folded of a chain. */
export interface Ears {
  readonly onStep?: OnStep
  readonly onBatch?: CursorOptions['onBatch']
}

export type EarsOf = (chain: JournalChain) => Ears

export class Library {
  chains: readonly JournalChain[] = []
  problems: readonly string[] = []
  /** Names of all journals that tell of a device, sorted: `vbd/1/51712`. */
  devices: readonly string[] = []
  /** All segments of this look. */
  standing: ReadonlySet<SegmentView> = new Set()
  private runs: ReadonlyMap<string, readonly JournalChain[]> = new Map()
  /** Times of the chain's own clock. */
  private readonly firsts = new WeakMap<SegmentView, number>()
  private lasts = new Map<JournalChain, number | undefined>()
  private measured: Span | undefined
  private readonly kept = new Map<SegmentView, Kept>()
  private wordsKept = 0
  private look = 0
  /** By journal and run. */
  private readonly cursors = new Map<string, ChainCursor>()
  private readonly earsOf: EarsOf
  private readonly runUps: readonly number[] | undefined

  /** `runUps`: of cursors (chain-cursor.ts), if not the usual ones. */
  constructor(files: JournalFiles, earsOf: EarsOf = () => ({}), runUps?: readonly number[]) {
    this.earsOf = earsOf
    this.runUps = runUps
    this.follow(files)
  }

  /** A later look at the same files. */
  follow({ chains, problems }: JournalFiles): void {
    this.look++
    this.chains = chains
    this.problems = problems.slice(0, 20).map(({ file, sentence }) => `${file}: ${sentence}`)
    const runs = new Map<string, JournalChain[]>()
    for (const chain of chains) runs.set(chain.journal, [...(runs.get(chain.journal) ?? []), chain])
    this.runs = runs
    this.devices = [...new Set(chains.map(({ journal }) => journal.replace(/\/q\d+$/, '')))].sort(byNumbers)
    this.lasts = new Map()
    this.measured = undefined
    this.standing = new Set(chains.flatMap(({ segments }) => segments))
    for (const [view, { segment }] of this.kept) if (!this.standing.has(view)) this.letGo(view, segment)
    const standingRuns = new Set(chains.map(runKey))
    for (const key of this.cursors.keys()) if (!standingRuns.has(key)) this.cursors.delete(key)
  }

  /** Milliseconds since 1970 at that time. */
  epochMs(timeNs: number): number {
    const identity = this.chains.at(0)?.identity
    return identity === undefined ? 0 : identity.wallMs + (timeNs - identity.monotonicNs) / 1e6
  }

  /** The journals of one device, its own before those of its queues; of all devices without a name. */
  journals(device?: string): string[] {
    const names = [...this.runs.keys()]
    return names.filter((name) => device === undefined || name === device || name.startsWith(`${device}/`))
  }

  runsOf(journal: string): readonly JournalChain[] {
    return this.runs.get(journal) ?? []
  }

  /** This library's time minus the chain's own. */
  offsetNs(chain: JournalChain): number {
    return clockOffsetNs(chain, this.chains[0])
  }

  /** When the segment's first batch was sealed, by this library's clock; undefined when it has none. */
  firstNs(chain: JournalChain, index: number): number | undefined {
    const segment = chain.segments[index]
    let own = this.firsts.get(segment)
    if (own === undefined) {
      own = firstOf(segment)?.timeNs
      if (own !== undefined) this.firsts.set(segment, own)
    }
    return own === undefined ? undefined : own + this.offsetNs(chain)
  }

  /** When its last batch was sealed. */
  lastNs(chain: JournalChain): number | undefined {
    if (!this.lasts.has(chain)) {
      let last: Batch | undefined
      for (let index = chain.segments.length - 1; index >= 0 && last === undefined; index--)
        last = this.batchesOf(chain, index).at(-1)
      this.lasts.set(chain, last && last.timeNs + this.offsetNs(chain))
    }
    return this.lasts.get(chain)
  }

  /** When the first batch of all was sealed; 0 when there is none. */
  get fromNs(): number {
    const firsts = this.chains.flatMap((chain) => this.firstNs(chain, 0) ?? [])
    return firsts.length === 0 ? 0 : Math.min(...firsts)
  }

  /** From the first batch to the last. */
  get span(): Span {
    if (this.measured === undefined) {
      const { fromNs } = this
      const toNs = this.chains.reduce((latest, chain) => Math.max(latest, this.lastNs(chain) ?? latest), fromNs)
      this.measured = { fromNs, toNs }
    }
    return this.measured
  }

  /** The run that wrote the journal at that time: the latest that had begun. */
  runAt(journal: string, atNs: number): JournalChain | undefined {
    let found: JournalChain | undefined
    for (const chain of this.runsOf(journal)) {
      const first = this.firstNs(chain, 0)
      if (first === undefined || first > atNs) continue
      if (found === undefined || this.begunNs(chain) > this.begunNs(found)) found = chain
    }
    return found
  }

  /** The last segment that had begun at that time; 0 when none had. */
  segmentAt(chain: JournalChain, atNs: number): number {
    let [low, high] = [0, chain.segments.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      const first = this.firstNs(chain, middle)
      if (first !== undefined && first <= atNs) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The journal as it stood at that time, with its past; undefined when it had not begun. */
  cursorAt(journal: string, atNs: number): ChainCursor | undefined {
    const chain = this.runAt(journal, atNs)
    if (chain === undefined) return undefined
    let cursor = this.cursors.get(runKey(chain))
    if (cursor === undefined) {
      const { onStep, onBatch } = this.earsOf(chain)
      const read = (of: JournalChain, index: number) => this.segmentOf(of, index)
      const options = { read, ...(onBatch && { onBatch }), ...(this.runUps && { runUps: this.runUps }) }
      cursor = new ChainCursor(chain, onStep, options)
      this.cursors.set(runKey(chain), cursor)
    } else if (cursor.chain !== chain) cursor.follow(chain)
    move(cursor, atNs - this.offsetNs(chain), this.segmentAt(chain, atNs))
    return cursor
  }

  /** The cursor that {@link cursorAt} keeps for the run, when there is one already. */
  heldCursor(chain: JournalChain): ChainCursor | undefined {
    return this.cursors.get(runKey(chain))
  }

  /** Every batch of a segment, as today's charts read it. */
  batchesOf(chain: JournalChain, index: number): readonly Batch[] {
    return this.segmentOf(chain, index).batches
  }

  /** A segment with all that had been written by this look. */
  private segmentOf(chain: JournalChain, index: number): GrowingSegment {
    const view = chain.segments[index]
    const known = this.kept.get(view) ?? { segment: new GrowingSegment(view, chain.upcast), look: 0, isComplete: false }
    this.kept.delete(view)
    this.kept.set(view, known)
    const { segment } = known
    if (known.look === this.look || known.isComplete) return segment
    this.wordsKept -= known.look === 0 ? 0 : segment.size
    segment.grow()
    this.wordsKept += segment.size
    known.look = this.look
    known.isComplete = index < chain.segments.length - 1
    for (const [oldest, { segment: one }] of this.kept) {
      if (this.wordsKept <= WORDS_KEPT || one === segment) break
      this.letGo(oldest, one)
    }
    return segment
  }

  private letGo(view: SegmentView, { size }: GrowingSegment): void {
    this.kept.delete(view)
    this.wordsKept -= size
  }

  private begunNs(chain: JournalChain): number {
    return chain.identity.monotonicNs + this.offsetNs(chain)
  }
}

/** `vbd/2/51712` before `vbd/10/51712`. */
const byNumbers = new Intl.Collator('en', { numeric: true }).compare

const runKey = ({ journal, run }: JournalChain) => `${journal} ${run}`

/** As few words as it takes, where they can be had. */
function firstOf(view: SegmentView): Batch | undefined {
  const first = new GrowingSegment(view, undefined)
  first.grow(1)
  return first.batches.at(0)
}

/** To behind everything that was sealed by then, which is in `segment`; forward where that is near. */
function move(cursor: ChainCursor, atNs: number, segment: number): void {
  const isNear = cursor.actors !== undefined || segment - cursor.segment <= FORWARD_SEGMENTS
  if (cursor.last !== undefined && cursor.last.timeNs <= atNs && isNear) {
    while (cursor.next !== undefined && cursor.next.timeNs <= atNs) cursor.forward()
  } else cursor.seekTime(atNs, segment)
}
