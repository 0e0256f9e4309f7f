/**
 * @packageDocumentation
 * Records around a moment, and the moments at which something happened: what the stream of events shows, and what a
 * step forward or back goes to. Journals are read backwards from the moment, newest first, segment by segment, and only
 * so far as is needed to fill a screen.
 *
 *   device   EVENT, STATE            queue    ENTERED, COMMAND, LENT …          request   TAKEN, COMPLETED, ANSWERED …
 */
import {
  RECORD_ANSWERED, RECORD_CHECKPOINT, RECORD_COMPLETED, RECORD_COPIED, RECORD_EVENT, RECORD_INDIRECT, RECORD_INTAKE,
  RECORD_STATE, RECORD_STEPPED, RECORD_TAKEN, recordWords,
} from '../../core/records.js'
import type { JournalChain } from '../../journal/chain.js'
import { decodeRecord, NO_NAMES, recordLine } from '../../journal/describe-record.js'
import type { DecodedRecord } from '../../journal/describe-record.js'
import type { Batch } from '../../journal/segment-reader.js'
import type { Library } from './library.js'
import type { EventKind, EventRow, Events, Step } from './types.js'

/** Segments that one question reads at most. */
const SEGMENTS_MAX = 96
/** Characters of one line. */
const TEXT_MAX = 400

export interface EventsWish {
  readonly device?: string
  readonly atNs: number
  readonly kinds: ReadonlySet<EventKind>
  /** Lower case; a line must hold it. */
  readonly text: string
  readonly before: number
  readonly after: number
}

/** Records before the moment, and some after it. */
export function eventsAround(library: Library, wish: EventsWish): Events {
  const streams = chainsOf(library, wish.device, wish.kinds)
  const budget = { segments: SEGMENTS_MAX }
  const back = merged(streams.map((chain) => walk(library, chain, wish, -1, budget)), wish.before, -1)
  budget.segments = SEGMENTS_MAX
  const forth = merged(streams.map((chain) => walk(library, chain, wish, 1, budget)), wish.after, 1)
  return { rows: [...back.rows.reverse(), ...forth.rows], atNs: wish.atNs, more: !back.ended }
}

/** The nearest time after (1) or before (-1) the moment at which one of these journals has a batch. */
export function stepFrom(
  library: Library, device: string | undefined, atNs: number, direction: 1 | -1, kinds: ReadonlySet<EventKind>,
): Step {
  const wish = { atNs: direction > 0 ? atNs : atNs - 0.5, kinds, text: '' }
  const budget = { segments: SEGMENTS_MAX * 4 }
  const found = chainsOf(library, device, kinds).flatMap((chain) => {
    const next = walk(library, chain, wish, direction, budget).next()
    return next.done === true ? [] : [next.value.timeNs]
  })
  if (found.length === 0) return {}
  return { atNs: direction > 0 ? Math.min(...found) : Math.max(...found) }
}

/** Journals that can hold such records. */
function chainsOf(library: Library, device: string | undefined, kinds: ReadonlySet<EventKind>): JournalChain[] {
  return library.journals(device).flatMap((journal) =>
    library.runsOf(journal).filter(({ identity }) =>
      identity.kind === 'actor' ? kinds.has('device') : kinds.has('queue') || kinds.has('request'),
    ),
  )
}

type Wish = Pick<EventsWish, 'atNs' | 'kinds' | 'text'>

/** Rows of one journal, away from the moment: at it and before (-1), or after it (1). */
function* walk(
  library: Library, chain: JournalChain, wish: Wish, direction: 1 | -1, budget: { segments: number },
): Generator<EventRow, void> {
  const offsetNs = library.offsetNs(chain)
  const own = wish.atNs - offsetNs
  for (let index = library.segmentAt(chain, wish.atNs); chain.segments[index] !== undefined; index += direction) {
    if (budget.segments-- <= 0) return
    const batches = library.batchesOf(chain, index)
    const wanted = batches.filter(({ timeNs }) => (direction > 0 ? timeNs > own : timeNs <= own))
    for (const batch of direction > 0 ? wanted : wanted.reverse()) {
      const rows = rowsOf(chain, batch, offsetNs, wish)
      yield* direction > 0 ? rows : rows.reverse()
    }
  }
}

/** The first `count` of all streams by time. */
function merged(streams: Generator<EventRow, void>[], count: number, direction: 1 | -1) {
  const heads = streams.map((stream) => ({ stream, next: stream.next() }))
  const rows: EventRow[] = []
  while (rows.length < count) {
    let best: (typeof heads)[number] | undefined
    for (const head of heads) {
      if (head.next.done === true) continue
      const time = head.next.value.timeNs * direction
      if (best === undefined || best.next.done === true || time < best.next.value.timeNs * direction) best = head
    }
    if (best === undefined || best.next.done === true) return { rows, ended: true }
    rows.push(best.next.value)
    best.next = best.stream.next()
  }
  return { rows, ended: false }
}

const REQUEST_RECORDS: ReadonlySet<number> = new Set([
  RECORD_TAKEN, RECORD_INDIRECT, RECORD_COMPLETED, RECORD_COPIED, RECORD_ANSWERED, RECORD_INTAKE,
])

function kindOf(words: Int32Array, at: number): EventKind | undefined {
  const kind = words[at] & 0xff
  if (kind === RECORD_CHECKPOINT) return undefined
  if (kind === RECORD_EVENT || kind === RECORD_STATE) return 'device'
  if (kind === RECORD_STEPPED) return ((words[at + 1] >>> 16) & 0xff) === 1 ? 'queue' : 'request'
  return REQUEST_RECORDS.has(kind) ? 'request' : 'queue'
}

function rowsOf({ journal, upcast }: JournalChain, batch: Batch, offsetNs: number, wish: Wish): EventRow[] {
  const rows: EventRow[] = []
  const { words, from, to, number, timeNs } = batch
  for (let at = from; at < to; ) {
    const size = recordWords(words, at, to - at)
    if (size === 0) break
    const kind = kindOf(words, at)
    if (kind !== undefined && wish.kinds.has(kind)) {
      const text = lineOf(decodeRecord(words, at, upcast === undefined ? NO_NAMES : undefined))
      if (wish.text === '' || `${journal} ${text}`.toLowerCase().includes(wish.text))
        rows.push({ timeNs: timeNs + offsetNs, journal, batch: number, kind, text: text.slice(0, TEXT_MAX) })
    }
    at += size
  }
  return rows
}

/** Records of actors hold a value that a person can read in words. */
function lineOf(record: DecodedRecord): string {
  const { value } = record
  if (typeof value !== 'object' || value === null) return recordLine(record)
  const { actor, event, state } = value as Readonly<Record<string, unknown>>
  if (record.kind === 'state') return `${String(actor)} is in ${String(state)}`
  if (typeof event !== 'object' || event === null) return recordLine(record)
  const { type, ...rest } = event as Readonly<Record<string, unknown>>
  const told = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`
  return `${String(actor)} was told ${String(type)}${told}`
}
