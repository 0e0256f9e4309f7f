/**
 * @packageDocumentation
 * What a rule of the linter is: a name, how bad it is, which words of Xen's headers it rests on, what to do, and one or
 * two watchers that see a front end's doings pass and blame what breaks it.
 *
 *   device's journal ─ states, keys ─────────────► DeviceWatch ┐
 *   queue's journal  ─ requests, answers, commands ► QueueWatch ┴─ blame(rule, place, text) ─► Findings
 *
 * A watcher sees each thing once, in order, and keeps no more than what is outstanding on a ring. It never throws: a
 * journal may hold any nonsense that a guest can write.
 */
import type { QueueCore } from '../core/queue-core.js'
import type { FrontendKeys, RingLimits } from '../protocol/negotiation.js'
import type { XenbusState } from '../protocol/xenbus-state.js'

/**
 * `error`: it breaks the protocol, and was refused or made the device close · `warning`: it went well by luck or by
 * tolerance · `note`: allowed, and worth knowing.
 */
export const SEVERITIES = ['error', 'warning', 'note'] as const
export type Severity = (typeof SEVERITIES)[number]

export interface Rule {
  readonly name: string
  readonly severity: Severity
  /** Where it is written, in Xen's xen/include/public/. */
  readonly section: string
  /** What such a front end does: a clause with the front end as its subject. */
  readonly what: string
  /** What to do about it. */
  readonly cure: string
  /** Why no journal can tell. */
  readonly unjudged?: string
  /** Rules whose findings are only its consequences. */
  readonly explains?: readonly string[]
}

/** Where something stands in a journal. */
export interface Place {
  readonly journal: string
  readonly run: string
  /** Number of the segment in its pool, of the batch in its journal, of the record in its batch. */
  readonly segment: number
  readonly batch: number
  readonly record: number
  readonly timeNs: number
}

/** Blames what stands at the reader's place, or at another one that was noted; the text is made only if it is kept. */
export interface Blame {
  (rule: Rule, text: () => string, place?: Place): void
  /** Where the reader is. */
  here(): Place
}

/** What is known beside a queue's own journal. */
export interface QueueScene {
  /** The queue as it stands behind the batch. */
  core(): QueueCore
  /** Bytes; undefined where no device's journal says so. */
  readonly discard: { readonly granularity: number; readonly alignment: number } | undefined
  /** What the front end said last; undefined where no device's journal says so. */
  frontState(timeNs: number): XenbusState | undefined
}

/** Sees a queue's records, in order. `words[at]` is a canonical record (protocol/record.ts). */
export interface QueueWatch {
  taken?(words: Int32Array, at: number, slot: number, verdict: number): void
  /** One of its grants could not be copied. */
  copyFailed?(slot: number): void
  /** Everything that a batch was to copy could be copied. */
  copied?(): void
  answered?(slot: number): void
  command?(code: number, argument: number): void
  /** The journal is over. */
  end?(): void
}

/** Sees what a front end says in XenStore, in order. */
export interface DeviceWatch {
  state?(state: XenbusState, before: XenbusState | undefined): void
  /** It was connected by these keys. */
  keys?(keys: FrontendKeys, limits: RingLimits): void
}

/** Rules that are judged together. */
export interface RuleGroup {
  readonly rules: readonly Rule[]
  readonly queue?: (blame: Blame, scene: QueueScene) => QueueWatch
  readonly device?: (blame: Blame) => DeviceWatch
}
