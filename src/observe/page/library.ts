/**
 * @packageDocumentation
 * The journals of a folder as a page asks of them: which devices there are, from when to when, and any journal at any
 * moment. Nothing holds more than a bounded number of segments, however long the journals are: an index is the time of
 * each segment's first batch, found when it is needed; the checkpoint at its beginning is where a fold begins.
 *
 *   journal ─ runs ─ segments ─ first batch's time     at(journal, t): the run that had begun by then, folded to t
 *
 * Times are those of one clock, of the first chain. A library is a look at the files as they were when it was opened;
 * of a daemon that runs, a new one is opened for the next look.
 */
import { ChainCursor } from '../../journal/chain-cursor.js'
import type { JournalChain, SegmentView } from '../../journal/chain.js'
import type { JournalFiles } from '../../journal/journal-files.js'
import { clockOffsetNs } from '../../journal/recording.js'
import { readBatches } from '../../journal/segment-reader.js'
import type { Batch } from '../../journal/segment-reader.js'
import type { OnStep } from '../../journal/queue-track.js'
import type { Span } from './types.js'

/** Segments whose batches are kept at hand. */
const SEGMENTS_KEPT = 24
/** A cursor goes forward by this many batches rather than beginning anew. */
const FORWARD_MAX = 2000

/** Times that are handed on to the next look; segments are recycled, their names are not. */
const INDEX_MAX = 65536

/** Everything of one segment. */
export interface SegmentBatches {
  readonly batches: readonly Batch[]
}

/** Hears the steps of a queue while it is folded. */
export type StepsOf = (chain: JournalChain) => OnStep

export class Library {
  readonly chains: readonly JournalChain[]
  readonly problems: readonly string[]
  /** Names of all journals that tell of a device, sorted: `vbd/1/51712`. */
  readonly devices: readonly string[]
  private readonly runs = new Map<string, JournalChain[]>()
  /** By journal, run and number of the segment: times of the chain's own clock. */
  private readonly firsts: Map<string, number>
  private readonly lasts = new Map<JournalChain, number | undefined>()
  private measured: Span | undefined
  private readonly kept = new Map<SegmentView, SegmentBatches>()
  private readonly cursors = new Map<JournalChain, ChainCursor>()
  private readonly stepsOf: StepsOf | undefined

  /** `before`: an earlier look at the same files, whose index still holds. */
  constructor({ chains, problems }: JournalFiles, stepsOf?: StepsOf, before?: Library) {
    this.chains = chains
    this.stepsOf = stepsOf
    this.problems = problems.slice(0, 20).map(({ file, sentence }) => `${file}: ${sentence}`)
    for (const chain of chains) this.runs.set(chain.journal, [...(this.runs.get(chain.journal) ?? []), chain])
    this.devices = [...new Set(chains.map(({ journal }) => journal.replace(/\/q\d+$/, '')))].sort(byNumbers)
    this.firsts = new Map(before === undefined || before.firsts.size > INDEX_MAX ? [] : before.firsts)
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
    const key = `${chain.journal} ${chain.run} ${segment.header.sequence}`
    let own = this.firsts.get(key)
    if (own === undefined) {
      const first = readBatches(segment.words(), segment.header).next()
      own = first.done === true ? undefined : first.value.timeNs
      if (own !== undefined) this.firsts.set(key, own)
    }
    return own === undefined ? undefined : own + this.offsetNs(chain)
  }

  /** When its last batch was sealed. */
  lastNs(chain: JournalChain): number | undefined {
    if (!this.lasts.has(chain)) {
      let last: Batch | undefined
      for (let index = chain.segments.length - 1; index >= 0 && last === undefined; index--)
        last = this.batchesOf(chain, index).batches.at(-1)
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
    let cursor = this.cursors.get(chain)
    if (cursor === undefined) {
      cursor = new ChainCursor(chain, this.stepsOf?.(chain))
      this.cursors.set(chain, cursor)
    }
    move(cursor, atNs - this.offsetNs(chain))
    return cursor
  }

  /** The cursor that {@link cursorAt} keeps for the run, when there is one already. */
  heldCursor(chain: JournalChain): ChainCursor | undefined {
    return this.cursors.get(chain)
  }

  /** Every batch of a segment, as today's charts read it. */
  batchesOf(chain: JournalChain, index: number): SegmentBatches {
    const segment = chain.segments[index]
    const known = this.kept.get(segment)
    if (known !== undefined) {
      this.kept.delete(segment)
      this.kept.set(segment, known)
      return known
    }
    const batches = [...readBatches(segment.words(), segment.header)].map((one) => chain.upcast?.lift(one) ?? one)
    const loaded = { batches }
    this.kept.set(segment, loaded)
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= SEGMENTS_KEPT) break
      this.kept.delete(oldest)
    }
    return loaded
  }

  private begunNs(chain: JournalChain): number {
    return chain.identity.monotonicNs + this.offsetNs(chain)
  }
}

/** `vbd/2/51712` before `vbd/10/51712`. */
function byNumbers(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

/** To behind everything that was sealed by then; forward where that is near. */
function move(cursor: ChainCursor, atNs: number): void {
  if (cursor.last !== undefined && cursor.last.timeNs <= atNs) {
    for (let walked = 0; walked < FORWARD_MAX; walked++) {
      const { next } = cursor
      if (next === undefined || next.timeNs > atNs) return
      cursor.forward()
    }
  }
  cursor.seekTime(atNs)
}
