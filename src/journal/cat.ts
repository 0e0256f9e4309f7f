/**
 * @packageDocumentation
 * A journal as a stream of records that people and programs can read: one object per record, with the batch it stands
 * in and the date at which that was sealed. Everything is produced one batch at a time, so that a journal of any
 * size can be piped through `grep`.
 *
 *   vbd/1/51712/q0  812  2026-03-01T10:00:00.123456789Z  completed slot 5 (life 9): 4096
 *
 * Damage and gaps appear in their place as entries of the kinds `damage` and `gap`, so that nobody overlooks them.
 */
import { recordWords } from '../core/records.js'
import { walkChain } from './chain.js'
import type { JournalChain } from './chain.js'
import { decodeRecord, NO_NAMES, recordLine } from './describe-record.js'
import type { DecodedRecord } from './describe-record.js'
import type { JournalIdentity } from './format.js'
import { clockOffsetNs } from './recording.js'

/** One record with its place. */
export interface CatEntry {
  readonly journal: string
  readonly run: string
  readonly batch: number
  /** Monotonic nanoseconds of the writer; absent for damage and gaps. */
  readonly timeNs?: number
  /** The same as a date (ISO 8601, nanoseconds), by the clocks that the header notes side by side. */
  readonly date?: string
  readonly record: DecodedRecord
}

/** Which batches: numbers, both inclusive. */
export interface CatRange {
  readonly from?: number
  readonly to?: number
}

/** Every record of a chain within the range, in order. */
export function* catChain(chain: JournalChain, range: CatRange = {}): Generator<CatEntry, void> {
  const { journal, run, identity } = chain
  const names = chain.upcast === undefined ? NO_NAMES : undefined
  const { from = 0, to = Infinity } = range
  for (const step of walkChain(chain)) {
    if (step.kind === 'damage' || step.kind === 'gap') {
      const { kind, batch, sentence } = step
      if (batch >= from && batch <= to) yield { journal, run, batch, record: { kind, sentence } }
      continue
    }
    if (step.kind !== 'batch') continue
    const { batch } = step
    if (batch.number > to) return
    if (batch.number < from) continue
    const place = { journal, run, batch: batch.number, timeNs: batch.timeNs, date: dateOf(identity, batch.timeNs) }
    for (let at = batch.from; at < batch.to; ) {
      const size = recordWords(batch.words, at, batch.to - at)
      if (size === 0) {
        yield { ...place, record: { kind: 'damage', sentence: `batch ${batch.number}: a record cannot be read` } }
        break
      }
      yield { ...place, record: decodeRecord(batch.words, at, names) }
      at += size
    }
  }
}

/**
 * All chains in the order in which things happened: by time, and at the same time a device before its queues
 * (recording.ts says why that is the order of cause and effect). Dates are those of each journal's own clocks.
 */
export function* catMerged(chains: readonly JournalChain[]): Generator<CatEntry, void> {
  const streams = chains.map((chain) => {
    const entries = catChain(chain)
    return { entries, offsetNs: clockOffsetNs(chain, chains[0]), next: entries.next(), timeNs: -Infinity }
  })
  for (;;) {
    let first: (typeof streams)[number] | undefined
    for (const stream of streams) {
      if (stream.next.done === true) continue
      // Damage has no time: it comes where it stands, behind what was read before it.
      const { timeNs } = stream.next.value
      if (timeNs !== undefined) stream.timeNs = timeNs + stream.offsetNs
      if (first === undefined || stream.timeNs < first.timeNs) first = stream
    }
    if (first === undefined || first.next.done === true) return
    yield first.next.value
    first.next = first.entries.next()
  }
}

/** The line for people; columns are two blanks apart. */
export function catLine({ journal, batch, date, record }: CatEntry): string {
  const text = typeof record.sentence === 'string' ? `${record.kind}: ${record.sentence}` : recordLine(record)
  return `${journal}  ${batch}  ${date ?? '-'}  ${text}`
}

const MS_PER_SECOND = 1000
const NS_PER_SECOND = 1_000_000_000

/** Wall clock at the writer's start plus what has passed since; '-' when the header's numbers give no date. */
export function dateOf({ wallMs, monotonicNs }: JournalIdentity, timeNs: number): string {
  const passed = timeNs - monotonicNs
  const seconds = Math.floor(wallMs / MS_PER_SECOND)
  const nanoseconds = (wallMs - seconds * MS_PER_SECOND) * 1_000_000 + passed
  const carried = seconds + Math.floor(nanoseconds / NS_PER_SECOND)
  const rest = Math.round(nanoseconds - Math.floor(nanoseconds / NS_PER_SECOND) * NS_PER_SECOND)
  const date = new Date(carried * MS_PER_SECOND)
  if (Number.isNaN(date.getTime())) return '-'
  return `${date.toISOString().slice(0, 19)}.${String(Math.min(rest, NS_PER_SECOND - 1)).padStart(9, '0')}Z`
}
