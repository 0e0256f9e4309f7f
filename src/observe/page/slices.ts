/**
 * @packageDocumentation
 * What one segment of a queue's journal says of its time, summed up: a few slices with rates and a histogram of
 * latencies each. A segment folds by itself, from the checkpoint at its beginning, so segments are summed up in any
 * order and never twice; what is kept of one is some kilobytes, however much happened in it.
 *
 *   segment ─ fold ─► statistics before and after each slice ─► difference
 *
 * Of actors only their changes of state are noted: they stand in the journal as text.
 */
import { COUNTER, LATENCY_BUCKETS, OTHER_LATENCY_AT, READ_LATENCY_AT, WRITE_LATENCY_AT } from '../../core/statistics.js'
import { RECORD_ENTERED, RECORD_STATE, recordWords } from '../../core/records.js'
import type { JournalChain } from '../../journal/chain.js'
import { decodeRecord } from '../../journal/describe-record.js'
import type { Batch } from '../../journal/segment-reader.js'
import { charts } from '../../machines/index.js'
import { trackOf } from './glance.js'
import type { Library } from './library.js'
import { isFailure } from './screen.js'
import type { Mark } from './types.js'

/** A piece of time of one queue. Counts are of what was answered in it. */
export interface Slice {
  readonly fromNs: number
  readonly toNs: number
  readonly reads: number
  readonly writes: number
  readonly readBytes: number
  readonly writtenBytes: number
  readonly errors: number
  readonly inFlightMax: number
  readonly shortNs: number
  /** Pairs: bucket of the latency histogram, requests. */
  readonly latencies: Uint32Array
}

export interface Summary {
  readonly slices: readonly Slice[]
  readonly marks: readonly Mark[]
}

const HISTOGRAMS = [READ_LATENCY_AT, WRITE_LATENCY_AT, OTHER_LATENCY_AT]
const MARKS_OF_A_SEGMENT = 64

/** Sums up a segment in `count` slices. Times are those of the library. */
export function summarise(library: Library, chain: JournalChain, index: number, count: number): Summary {
  const batches = library.batchesOf(chain, index)
  const offsetNs = library.offsetNs(chain)
  const [first, last] = [batches.at(0), batches.at(-1)]
  if (first === undefined || last === undefined) return { slices: [], marks: [] }
  const marks = batches.flatMap((batch) => marksIn(chain, batch, offsetNs)).slice(0, MARKS_OF_A_SEGMENT)
  const queue = chain.identity.kind === 'queue' ? trackOf(chain) : 'no queue'
  if (typeof queue === 'string') return { slices: [], marks }
  const slices: Slice[] = []
  const width = Math.max(1, (last.timeNs - first.timeNs) / count)
  let before = queue.statistics.slice()
  let [fromNs, toNs, inFlightMax] = [first.timeNs, first.timeNs, 0]
  const close = () => {
    const slice = sliceOf(before, queue.statistics, fromNs + offsetNs, toNs + offsetNs, inFlightMax)
    if (slice !== undefined) slices.push(slice)
    before = queue.statistics.slice()
    inFlightMax = queue.core?.inFlight ?? 0
  }
  for (const batch of batches) {
    // A pause belongs to no slice: nothing was answered in it.
    if (batch.timeNs - fromNs > width) {
      close()
      fromNs = toNs = batch.timeNs
    }
    queue.apply(batch)
    toNs = batch.timeNs
    inFlightMax = Math.max(inFlightMax, queue.core?.inFlight ?? 0)
  }
  close()
  return { slices, marks }
}

/** Undefined when nothing was answered and nothing in flight. */
function sliceOf(
  before: Float64Array, after: Float64Array, fromNs: number, toNs: number, inFlightMax: number,
): Slice | undefined {
  const difference = (name: keyof typeof COUNTER) => after[COUNTER[name]] - before[COUNTER[name]]
  const pairs: number[] = []
  for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
    let count = 0
    for (const at of HISTOGRAMS) count += after[at + bucket] - before[at + bucket]
    if (count > 0) pairs.push(bucket, count)
  }
  const shortNs = difference('shortageNs')
  if (pairs.length === 0 && inFlightMax === 0 && shortNs === 0) return undefined
  return {
    fromNs, toNs, inFlightMax, shortNs,
    reads: difference('reads'), writes: difference('writes'),
    readBytes: difference('readBytes'), writtenBytes: difference('writtenBytes'),
    errors: difference('answeredError') + difference('answeredUnsupported') + difference('abandoned'),
    latencies: Uint32Array.from(pairs),
  }
}

function marksIn({ journal }: JournalChain, { words, from, to, timeNs }: Batch, offsetNs: number): Mark[] {
  const found: Mark[] = []
  for (let at = from; at < to; ) {
    const size = recordWords(words, at, to - at)
    if (size === 0) break
    const kind = words[at] & 0xff
    if (kind === RECORD_ENTERED || kind === RECORD_STATE) {
      const record = decodeRecord(words, at)
      const mark = kind === RECORD_ENTERED ? enteredMark(journal, record) : stateMark(record.value)
      if (mark !== undefined) found.push({ timeNs: timeNs + offsetNs, ...mark })
    }
    at += size
  }
  return found
}

function enteredMark(journal: string, { to, shortOf }: Readonly<Record<string, unknown>>): Omit<Mark, 'timeNs'> {
  const short = typeof shortOf === 'string' ? `, short of ${shortOf}` : ''
  return { journal, text: `${journal}: ${String(to)}${short}`, isFailure: isFailure('queue', String(to)) }
}

const ACTOR_CHARTS = charts.filter(({ compiled }) => !compiled).map(({ name }) => name)

function stateMark(value: unknown): Omit<Mark, 'timeNs'> | undefined {
  if (typeof value !== 'object' || value === null || !('actor' in value) || !('state' in value)) return undefined
  const [actor, state] = [String(value.actor), String(value.state)]
  const chart = ACTOR_CHARTS.find((name) => actor.endsWith(`/${name}`)) ?? 'device'
  return { journal: actor, text: `${actor}: ${state}`, isFailure: isFailure(chart, state) }
}
