/**
 * @packageDocumentation
 * What the page's server says to the page: plain data, shared by both sides as types. Times are nanoseconds of the
 * recording's clock (a daemon's: the machine's monotonic clock), durations nanoseconds, sizes bytes.
 *
 *   /api/view      one moment: every device in a row, one of them in full
 *   /api/history   a span of time in bins: rates, latencies, what happened in between
 *   /api/events    records around a moment, filtered
 *   /api/step      the moment of the next or the last thing that happened
 */
import type { QueueMoment, ActorMoment } from '../../journal/moment.js'
import type { Explanation } from '../explain.js'
import type { RingLook } from '../../ports/host.js'

/** How a device fares; beyond what `explain` says: `failed` when it is given up or its medium is gone. */
export type Verdict = Explanation['verdict'] | 'failed'

/** Of one device, per second. */
export interface RowRates {
  readonly reads: number
  readonly writes: number
  readonly readBytes: number
  readonly writtenBytes: number
  readonly p50Ns?: number
  readonly p99Ns?: number
}

export interface DeviceRow {
  readonly name: string
  /** As its guest names it: `xvda`; absent where only journals are known. */
  readonly vdev?: string
  readonly target?: string
  readonly sizeBytes?: number
  /** Where its chart stands, leaf by leaf. */
  readonly state: string
  readonly verdict: Verdict
  /** Why, in one sentence. */
  readonly headline: string
  readonly inFlight: number
  /** Entries of its rings; 0 without one. */
  readonly entries: number
  readonly oldestNs?: number
  readonly shortOf?: string
  readonly rates?: RowRates
}

/** One step of an actor through its chart. */
export interface TrailStep {
  readonly timeNs: number
  readonly event: string
  readonly from: string
  readonly to: string
  /** Of a request. */
  readonly slot?: number
}

export interface QueueView extends QueueMoment {
  /** The ring's page itself; of a daemon that runs. */
  readonly page?: RingLook
  /** Entries of the ring. */
  readonly entries: number
  /** How many requests stand in each state. */
  readonly counts: Readonly<Record<string, number>>
  /** The latest steps of its requests and its own, oldest first. */
  readonly requestTrail: readonly TrailStep[]
  readonly queueTrail: readonly TrailStep[]
}

export interface ActorView extends ActorMoment {
  readonly trail: readonly TrailStep[]
}

export interface DeviceView {
  readonly name: string
  readonly verdict: Verdict
  readonly sentences: readonly string[]
  readonly actors: readonly ActorView[]
  readonly queues: readonly QueueView[]
}

export interface Span {
  readonly fromNs: number
  readonly toNs: number
}

/** The screen at one moment. */
export interface View {
  readonly title: string
  readonly version: string
  /** Whether this is now, and goes on. */
  readonly live: boolean
  /** Whether there is a now at all: of a daemon that runs. */
  readonly canLive: boolean
  readonly atNs: number
  readonly span: Span
  /** Milliseconds since 1970 at `span.fromNs`. */
  readonly epochMs: number
  readonly devices: readonly DeviceRow[]
  readonly device?: DeviceView
  readonly problems: readonly string[]
}

/** Something rare that happened: a state of an actor or a queue. */
export interface Mark {
  readonly timeNs: number
  readonly journal: string
  readonly text: string
  readonly isFailure: boolean
}

/** Rates are per second. */
export interface Bin {
  readonly answered: number
  readonly reads: number
  readonly writes: number
  readonly readBytes: number
  readonly writtenBytes: number
  readonly errors: number
  readonly inFlightMax: number
  /** Part of it in which a queue was short of something. */
  readonly shortage: number
  readonly p50Ns?: number
  readonly p99Ns?: number
  readonly p999Ns?: number
  /** Pairs: row of the heat map, requests. */
  readonly heat: readonly number[]
}

export interface History {
  readonly span: Span
  /** Null where nothing was looked at yet. */
  readonly bins: readonly (Bin | null)[]
  /** Upper ends of the heat map's rows, in nanoseconds, lowest first. */
  readonly rowsNs: readonly number[]
  readonly marks: readonly Mark[]
  /** Part of the span that has been looked at; ask again until it is 1. */
  readonly done: number
}

export const EVENT_KINDS = ['device', 'queue', 'request'] as const
export type EventKind = (typeof EVENT_KINDS)[number]

export interface EventRow {
  readonly timeNs: number
  readonly journal: string
  readonly batch: number
  readonly kind: EventKind
  readonly text: string
}

export interface Events {
  /** Oldest first; those after the moment are still to come. */
  readonly rows: readonly EventRow[]
  readonly atNs: number
  /** Whether older ones were not looked at. */
  readonly more: boolean
}

export interface Step {
  /** Absent at the end. */
  readonly atNs?: number
}
