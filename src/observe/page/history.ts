/**
 * @packageDocumentation
 * A span of time in bins: rates, latency percentiles, a heat map, and what rare things happened. It is made of the
 * summaries of segments, which are made when somebody asks and kept; each answer spends a bounded time on new ones and
 * says how much of the span it knows, so that a picture of a huge journal is there at once and becomes finer.
 *
 *   segments, every 64th first, then every 32nd … ─► summaries (kept) ─► bins
 *
 * Where the span is a small part of a segment, its segments are summed up anew, as finely as the bins are.
 */
import { bucketFloorNs, LATENCY_BUCKETS, percentileNs } from '../../core/statistics.js'
import type { JournalChain, SegmentView } from '../../journal/chain.js'
import type { Library } from './library.js'
import { summarise } from './slices.js'
import type { Slice, Summary } from './slices.js'
import type { Bin, History, Mark, Span } from './types.js'

/** Summaries that are kept; each has some kilobytes. */
const SUMMARIES_MAX = 16384
const SLICES = 16
const FINE_SLICES = 96
/** Spans of no more segments than this are summed up finely. */
const FINE_SEGMENTS = 8
const MARKS_MAX = 400
/** Rows of the heat map: two to the octave, from 2 µs to 137 s. */
const FIRST_BUCKET = 8
const PER_ROW = 2
const ROWS = 52

const rowsNs = Array.from({ length: ROWS }, (_, row) => bucketFloorNs(FIRST_BUCKET + (row + 1) * PER_ROW))
const rowOf = (bucket: number) => Math.min(ROWS - 1, Math.max(0, Math.floor((bucket - FIRST_BUCKET) / PER_ROW)))

/** A segment in the span. */
interface Place {
  readonly chain: JournalChain
  readonly index: number
  readonly fromNs: number
  readonly toNs: number
}

export interface HistoryWish extends Span {
  readonly device?: string
  readonly bins: number
  /** Time to spend on what is not known yet. */
  readonly budgetNs: number
}

export class Histories {
  /** Of one that may still grow, up to when it was read. */
  private readonly summaries = new Map<SegmentView, { readonly toNs: number; readonly summary: Summary }>()
  private readonly nowNs: () => number

  constructor(nowNs: () => number) {
    this.nowNs = nowNs
  }

  /** The span in bins. */
  history(library: Library, wish: HistoryWish): History {
    const span = { fromNs: wish.fromNs, toNs: Math.max(wish.toNs, wish.fromNs + 1) }
    const places = placesIn(library, span, wish.device)
    const fine = places.filter(({ chain }) => chain.identity.kind === 'queue').length <= FINE_SEGMENTS
    const until = this.nowNs() + wish.budgetNs
    const table = new BinTable(span, wish.bins)
    const marks: Mark[] = []
    let [known, made] = [0, 0]
    const may = () => made++ === 0 || this.nowNs() < until
    for (const place of coarseToFine(places)) {
      const summary = this.summaryOf(library, place, fine, may)
      table.has(place, summary !== undefined)
      if (summary === undefined) continue
      known++
      for (const slice of summary.slices) table.add(slice)
      marks.push(...summary.marks.filter(({ timeNs }) => timeNs >= span.fromNs && timeNs <= span.toNs))
    }
    const done = places.length === 0 ? 1 : known / places.length
    return { span, bins: table.bins(), rowsNs, marks: thinned(marks), done }
  }

  private summaryOf(library: Library, place: Place, fine: boolean, may: () => boolean): Summary | undefined {
    const { chain, index } = place
    const segment = chain.segments[index]
    const isFine = fine && chain.identity.kind === 'queue'
    if (isFine) return summarise(library, chain, index, FINE_SLICES)
    const known = this.summaries.get(segment)
    if (known !== undefined && known.toNs >= place.toNs) return known.summary
    if (!may()) return known?.summary
    const summary = summarise(library, chain, index, SLICES)
    const toNs = index < chain.segments.length - 1 ? Infinity : place.toNs
    this.summaries.set(segment, { toNs, summary })
    this.forget(library)
    return summary
  }

  /** What stands no more; and the oldest, when there are too many. */
  private forget({ standing }: Library): void {
    if (this.summaries.size > standing.size)
      for (const segment of this.summaries.keys()) if (!standing.has(segment)) this.summaries.delete(segment)
    for (const oldest of this.summaries.keys()) {
      if (this.summaries.size <= SUMMARIES_MAX) break
      this.summaries.delete(oldest)
    }
  }
}

function placesIn(library: Library, span: Span, device: string | undefined): Place[] {
  return library.journals(device).flatMap((journal) =>
    library.runsOf(journal).flatMap((chain) => {
      const places: Place[] = []
      for (let index = library.segmentAt(chain, span.fromNs); index < chain.segments.length; index++) {
        const fromNs = library.firstNs(chain, index)
        if (fromNs === undefined) continue
        if (fromNs > span.toNs) break
        const next = index + 1 < chain.segments.length ? library.firstNs(chain, index + 1) : undefined
        places.push({ chain, index, fromNs, toNs: Math.max(fromNs, next ?? library.lastNs(chain) ?? fromNs) })
      }
      return places
    }),
  )
}

/** Every 64th first, then those between, so that any beginning of the list is spread over the whole. */
function coarseToFine(places: readonly Place[]): Place[] {
  const ordered: Place[] = []
  for (let stride = 64; stride >= 1; stride /= 2)
    for (let at = 0; at < places.length; at += stride)
      if (stride === 64 || at % (stride * 2) !== 0) ordered.push(places[at])
  return ordered
}

function thinned(marks: Mark[]): Mark[] {
  marks.sort((a, b) => a.timeNs - b.timeNs)
  const every = Math.ceil(marks.length / MARKS_MAX)
  return marks.filter(({ isFailure }, index) => index % every === 0 || (isFailure && marks.length < 8 * MARKS_MAX))
}

const NOTHING = { reads: 0, writes: 0, readBytes: 0, writtenBytes: 0, errors: 0, max: 0, shortNs: 0 }
type Sums = typeof NOTHING

/** Sums by bin. */
class BinTable {
  private readonly span: Span
  private readonly widthNs: number
  /** Time of segments in each bin, and of those that were looked at. */
  private readonly placed: Float64Array
  private readonly seen: Float64Array
  private readonly latencies: Float64Array[]
  private readonly sums: Sums[]

  constructor(span: Span, bins: number) {
    this.span = span
    this.widthNs = (span.toNs - span.fromNs) / bins
    this.placed = new Float64Array(bins)
    this.seen = new Float64Array(bins)
    this.latencies = Array.from({ length: bins }, () => new Float64Array(LATENCY_BUCKETS))
    this.sums = Array.from({ length: bins }, () => ({ ...NOTHING }))
  }

  /** There is a segment of this time, and it was looked at or not. */
  has({ fromNs, toNs }: Place, isKnown: boolean): void {
    if (toNs < this.span.fromNs) return
    const [first, last] = this.range(fromNs, toNs)
    for (let bin = first; bin <= last; bin++) {
      const share = Math.max(1e-6, this.partOf(bin, fromNs, toNs) * (toNs - fromNs))
      this.placed[bin] += share
      if (isKnown) this.seen[bin] += share
    }
  }

  /** A slice over several bins is spread over them evenly. */
  add({ fromNs, toNs, latencies, ...slice }: Slice): void {
    if (toNs < this.span.fromNs || fromNs > this.span.toNs) return
    const [first, last] = this.range(fromNs, toNs)
    for (let bin = first; bin <= last; bin++) {
      const part = this.partOf(bin, fromNs, toNs)
      const sum = this.sums[bin]
      sum.reads += slice.reads * part
      sum.writes += slice.writes * part
      sum.readBytes += slice.readBytes * part
      sum.writtenBytes += slice.writtenBytes * part
      sum.errors += slice.errors * part
      sum.shortNs += slice.shortNs * part
      sum.max = Math.max(sum.max, slice.inFlightMax)
      for (let at = 0; at < latencies.length; at += 2) this.latencies[bin][latencies[at]] += latencies[at + 1] * part
    }
  }

  /** Where a part was looked at, the rest is taken to be like it. */
  bins(): (Bin | null)[] {
    return this.sums.map((sum, at) => (this.placed[at] > 0 && this.seen[at] === 0 ? null : this.bin(sum, at)))
  }

  private bin(sum: Sums, at: number): Bin {
    const scale = this.seen[at] === 0 ? 1 : this.placed[at] / this.seen[at]
    const perSecond = (scale * 1e9) / this.widthNs
    const latencies = this.latencies[at]
    const answered = latencies.reduce((total, count) => total + count, 0)
    const heat = new Map<number, number>()
    latencies.forEach((count, bucket) => {
      if (count > 0) heat.set(rowOf(bucket), (heat.get(rowOf(bucket)) ?? 0) + count * scale)
    })
    const percentile = (share: number) => percentileNs(latencies.map(Math.ceil), share)
    const percentiles = answered < 0.01
      ? {} : { p50Ns: percentile(0.5), p99Ns: percentile(0.99), p999Ns: percentile(0.999) }
    return {
      answered: answered * perSecond, reads: sum.reads * perSecond, writes: sum.writes * perSecond,
      readBytes: sum.readBytes * perSecond, writtenBytes: sum.writtenBytes * perSecond,
      errors: sum.errors * scale, inFlightMax: sum.max,
      shortage: Math.min(1, (sum.shortNs * scale) / this.widthNs), ...percentiles, heat: [...heat].flat(),
    }
  }

  private range(fromNs: number, toNs: number): [number, number] {
    const place = (timeNs: number) => Math.floor((timeNs - this.span.fromNs) / this.widthNs)
    const within = (bin: number) => Math.min(this.sums.length - 1, Math.max(0, bin))
    return [within(place(fromNs)), within(place(toNs))]
  }

  private partOf(bin: number, fromNs: number, toNs: number): number {
    const left = this.span.fromNs + bin * this.widthNs
    const overlap = Math.min(toNs, left + this.widthNs) - Math.max(fromNs, left)
    return toNs <= fromNs ? 1 : Math.max(0, overlap) / (toNs - fromNs)
  }
}
