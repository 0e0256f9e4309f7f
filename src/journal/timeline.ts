/**
 * @packageDocumentation
 * A recording as a stream of happenings with times, in order: what exports draw. Requests are spans with an identity of
 * their own; states, I/Os and answers refer to them. It is made by folding, so it says what the charts say.
 *
 *   batch ─► Recording.forward ─► steps ─► taken · state · issued · ended      then one `batch` that sums it up
 *
 * Times are those of batches, on the recording's clock: what happened within one batch has one time. Nothing here knows
 * the name of a state; only what a request is made of (slot, I/O, answer) is known.
 */
import type { QueueCore } from '../core/queue-core.js'
import { RECORD_CHECKPOINT, RECORD_COMPLETED, RECORD_INTAKE, recordWords } from '../core/records.js'
import { queueStateNames } from '../machines/generated/queue.js'
import { RequestEvent, requestEventNames, requestStateNames } from '../machines/generated/request.js'
import { REQUEST_KINDS } from '../machines/request.machine.js'
import type { RequestKind } from '../machines/request.machine.js'
import { BLKIF_RSP_ERROR, BLKIF_RSP_OKAY, opName } from '../protocol/blkif.js'
import { u64ToString } from '../protocol/u64.js'
import { REASONS } from '../protocol/validate.js'
import type { JournalChain } from './chain.js'
import { Recording } from './recording.js'
import type { RecordedBatch } from './recording.js'

/** One request's life in its slot. */
export interface RequestSpan {
  readonly journal: string
  /** Counted over the whole recording, from 1. */
  readonly number: number
  readonly slot: number
  readonly id: string
  /** Absent when it was refused. */
  readonly kind?: RequestKind
  /** `read`, …, or the operation's name. */
  readonly what: string
  readonly sector: number
  readonly bytes: number
  readonly refused?: string
  readonly takenNs: number
}

/** Something that happened. `timeNs` is the recording's clock. */
export type Happened =
  | { readonly type: 'taken'; readonly timeNs: number; readonly span: RequestSpan }
  | { readonly type: 'state'; readonly timeNs: number; readonly span: RequestSpan; readonly state: string
      readonly event: string }
  /** An I/O of the request goes to the medium. */
  | { readonly type: 'issued'; readonly timeNs: number; readonly span: RequestSpan }
  /** Answered with a status, or abandoned without one. */
  | { readonly type: 'ended'; readonly timeNs: number; readonly span: RequestSpan; readonly status: number | undefined }
  | { readonly type: 'queue'; readonly timeNs: number; readonly journal: string; readonly state: string }
  | { readonly type: 'batch'; readonly timeNs: number; readonly journal: string; readonly number: number
      readonly inFlight: number; readonly waiting: number; readonly completed: number
      readonly taken: readonly RequestSpan[]; readonly ended: readonly RequestSpan[]; readonly notified: boolean }
  | { readonly type: 'actor'; readonly timeNs: number; readonly journal: string; readonly actor: string
      readonly event: string; readonly state: string; readonly moved: boolean }

/** Everything that happened, in order. `problem` hears of what was damaged or missing. */
export function* timeline(
  chains: readonly JournalChain[], problem: (sentence: string) => void = () => undefined,
): Generator<Happened, void> {
  const queues = new Map(chains.map((chain) => [chain, new QueueWatch(chain)]))
  let numbered = 0
  const recording = new Recording(chains, (chain) => (chart, slot, event, _from, to) => {
    const watch = queues.get(chain)
    if (watch === undefined) return
    if (chart === 'queue') watch.queueStepped(to)
    else watch.stepped(slot, event, to, () => ++numbered)
  })
  for (const cursor of recording.cursors) {
    const watch = queues.get(cursor.chain)
    if (watch) watch.coreOf = () => cursor.queue?.core
  }
  for (let next = recording.peek(); next !== undefined; next = recording.peek()) {
    const watch = queues.get(next.cursor.chain)
    if (watch) watch.timeNs = next.timeNs
    recording.forward()
    if (next.cursor.actors) yield* actorsIn(next)
    else if (watch) yield* watch.drain(next)
  }
  for (const { problems } of recording.cursors) problems.forEach(problem)
}

function* actorsIn({ cursor, batch, timeNs }: RecordedBatch): Generator<Happened, void> {
  for (const [actor, life] of cursor.actors?.lives ?? []) {
    if (life.toldNs !== batch.timeNs) continue
    const { lastEvent: event, state, sinceNs } = life
    const moved = sinceNs === batch.timeNs
    yield { type: 'actor', timeNs, journal: cursor.chain.journal, actor, event, state, moved }
  }
}

/** What one queue does in the batch that is being folded. */
class QueueWatch {
  timeNs = 0
  coreOf: () => QueueCore | undefined = () => undefined
  private readonly journal: string
  private readonly spans = new Map<number, RequestSpan>()
  private happened: Happened[] = []
  private taken: RequestSpan[] = []
  private ended: RequestSpan[] = []
  private submits = 0

  constructor({ journal }: JournalChain) {
    this.journal = journal
  }

  queueStepped(to: number): void {
    this.happened.push({ type: 'queue', timeNs: this.timeNs, journal: this.journal, state: queueStateNames[to] })
  }

  stepped(slot: number, event: number, to: number, number: () => number): void {
    const core = this.coreOf()
    if (core === undefined) return
    const { timeNs } = this
    if (event === RequestEvent.taken) {
      const span = spanOf(core, slot, this.journal, number(), timeNs)
      this.spans.set(slot, span)
      this.taken.push(span)
      this.happened.push({ type: 'taken', timeNs, span })
    }
    const span = this.spans.get(slot)
    // Of a request that was in flight before the recording begins.
    if (span === undefined) return
    if (core.effects.submitCount > this.submits) this.happened.push({ type: 'issued', timeNs, span })
    this.submits = core.effects.submitCount
    if (to === 0) return this.freed(slot, span)
    this.happened.push({ type: 'state', timeNs, span, state: requestStateNames[to], event: requestEventNames[event] })
    if (event === RequestEvent.answered) this.end(slot, span, statusOf(core, slot))
  }

  /** Everything since the last batch, and the batch itself. A checkpoint is no happening. */
  *drain({ batch, timeNs }: RecordedBatch): Generator<Happened, void> {
    yield* this.happened
    const core = this.coreOf()
    const { completed, notified, records } = countsOf(batch)
    if (records > 0 && core !== undefined) {
      const inFlight = core.inFlight - this.ended.length
      const waiting = (core.reqProdSeen - core.reqCons) >>> 0
      const { journal, taken, ended } = this
      const counts = { inFlight, waiting, completed, notified, taken, ended }
      yield { type: 'batch', timeNs, journal, number: batch.number, ...counts }
    }
    this.happened = []
    this.taken = []
    this.ended = []
    this.submits = 0
  }

  private end(slot: number, span: RequestSpan, status: number | undefined): void {
    this.spans.delete(slot)
    this.ended.push(span)
    this.happened.push({ type: 'ended', timeNs: this.timeNs, span, status })
  }

  /** The slot is free although nobody answered: it was abandoned. */
  private freed(slot: number, span: RequestSpan): void {
    this.end(slot, span, undefined)
  }
}

function statusOf(core: QueueCore, slot: number): number {
  const verdict = core.verdict[slot]
  if (verdict !== 0) return REASONS[verdict].status
  return core.failed[slot] === 0 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR
}

function spanOf(core: QueueCore, slot: number, journal: string, number: number, takenNs: number): RequestSpan {
  const verdict = core.verdict[slot]
  const id = u64ToString(core.idLow[slot], core.idHigh[slot])
  const base = { journal, number, slot, id, takenNs }
  const refused = REASONS[verdict]?.name
  if (verdict !== 0) return { ...base, what: opName(core.op[slot]), sector: 0, bytes: 0, refused }
  const kind = REQUEST_KINDS[core.kind[slot]]
  return { ...base, kind, what: kind, sector: core.sector[slot], bytes: core.bytes[slot] }
}

function countsOf({ words, from, to }: RecordedBatch['batch']) {
  let [completed, records, notified] = [0, 0, false]
  for (let at = from; at < to; ) {
    const size = recordWords(words, at, to - at)
    if (size === 0) break
    const kind = words[at] & 0xff
    if (kind === RECORD_COMPLETED) completed++
    if (kind === RECORD_INTAKE) notified = true
    if (kind !== RECORD_CHECKPOINT) records++
    at += size
  }
  return { completed, records, notified }
}
