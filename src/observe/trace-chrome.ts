/**
 * @packageDocumentation
 * A timeline in Chrome's trace format (JSON object format, as chrome://tracing and the Perfetto UI read it).
 *
 *   process   one per journal                     thread 0 of a queue: its batches; thread 1 + slot: a slot
 *   b, e      a request (async, id = its number), its states nested in it; a state of an actor
 *   s, f      a flow from the batch that took a request (the notification) to the one that answered it
 *   C         depth: requests in flight, entries waiting in the ring           i   what an actor was told
 *
 * Requests overlap, so they are async events: `B`/`E` and `X` of one thread must nest. Times are microseconds with
 * three decimals, from the recording's first happening on, so that doubles keep every nanosecond.
 */
import type { Happened, RequestSpan } from '../journal/timeline.js'

type TraceEvent = Readonly<Record<string, unknown>>

const BATCH_THREAD = 0

/** The file in pieces. */
export function* chromeTrace(events: Iterable<Happened>): Generator<string, void> {
  const writer = new ChromeWriter()
  let first = true
  yield '{"displayTimeUnit":"ns","traceEvents":[\n'
  for (const event of events) {
    for (const one of writer.eventsOf(event)) {
      yield `${first ? '' : ',\n'}${JSON.stringify(one)}`
      first = false
    }
  }
  yield '\n]}\n'
}

class ChromeWriter {
  private readonly pids = new Map<string, number>()
  private readonly threads = new Set<string>()
  /** States that have begun and not ended, by what is in them. */
  private readonly states = new Map<string, string>()
  private readonly actors = new Map<string, number>()
  private originNs: number | undefined

  private actorThread(actor: string): number {
    const known = this.actors.get(actor) ?? this.actors.size + 1
    this.actors.set(actor, known)
    return known
  }

  *eventsOf(event: Happened): Generator<TraceEvent, void> {
    this.originNs ??= event.timeNs
    const ts = Math.round(event.timeNs - this.originNs) / 1000
    const journal = 'span' in event ? event.span.journal : event.journal
    const pid = yield* this.process(journal)
    switch (event.type) {
      case 'taken':
        yield* this.thread(pid, 1 + event.span.slot, `slot ${event.span.slot}`)
        return void (yield { ph: 'b', ...requestOf(event.span, pid, ts), args: argsOf(event.span) })
      case 'state':
        return yield* this.stateChange(pid, 1 + event.span.slot, 'request', idOf(event.span), event.state, ts)
      case 'issued':
        return void (yield { ph: 'n', ...requestOf(event.span, pid, ts), name: 'issued' })
      case 'ended': {
        yield* this.stateEnd(pid, 1 + event.span.slot, 'request', idOf(event.span), ts)
        const args = event.status === undefined ? { abandoned: true } : { status: event.status }
        return void (yield { ph: 'e', ...requestOf(event.span, pid, ts), args })
      }
      case 'queue':
        return yield* this.stateChange(pid, BATCH_THREAD, 'queue', journal, event.state, ts)
      case 'batch':
        return yield* this.batch(event, pid, ts)
      case 'actor':
        yield* this.thread(pid, this.actorThread(event.actor), event.actor)
        yield { ph: 'i', s: 't', pid, tid: this.actorThread(event.actor), ts, name: event.event, cat: 'actor' }
        if (event.moved)
          yield* this.stateChange(pid, this.actorThread(event.actor), 'actor', event.actor, event.state, ts)
    }
  }

  private *batch(event: Extract<Happened, { type: 'batch' }>, pid: number, ts: number): Generator<TraceEvent, void> {
    yield* this.thread(pid, BATCH_THREAD, 'batches')
    const place = { pid, tid: BATCH_THREAD, ts }
    const { number, taken, ended, completed, inFlight, waiting } = event
    const args = { taken: taken.length, completed, answered: ended.length }
    yield { ph: 'X', dur: 0, ...place, name: `batch ${number}`, cat: 'batch', args }
    for (const span of taken) yield { ph: 's', ...place, id: span.number, name: 'answer', cat: 'flow' }
    for (const span of ended) yield { ph: 'f', bp: 'e', ...place, id: span.number, name: 'answer', cat: 'flow' }
    yield { ph: 'C', ...place, name: 'depth', args: { inFlight, waiting } }
  }

  private *stateChange(
    pid: number, tid: number, cat: string, id: string, state: string, ts: number,
  ): Generator<TraceEvent, void> {
    yield* this.stateEnd(pid, tid, cat, id, ts)
    this.states.set(`${cat} ${id}`, state)
    yield { ph: 'b', pid, tid, ts, cat, id, name: state }
  }

  private *stateEnd(pid: number, tid: number, cat: string, id: string, ts: number): Generator<TraceEvent, void> {
    const name = this.states.get(`${cat} ${id}`)
    this.states.delete(`${cat} ${id}`)
    if (name !== undefined) yield { ph: 'e', pid, tid, ts, cat, id, name }
  }

  private *process(journal: string): Generator<TraceEvent, number> {
    const known = this.pids.get(journal)
    if (known !== undefined) return known
    const pid = this.pids.size + 1
    this.pids.set(journal, pid)
    yield { ph: 'M', pid, tid: 0, name: 'process_name', args: { name: journal } }
    return pid
  }

  private *thread(pid: number, tid: number, name: string): Generator<TraceEvent, void> {
    if (this.threads.has(`${pid} ${tid}`)) return
    this.threads.add(`${pid} ${tid}`)
    yield { ph: 'M', pid, tid, name: 'thread_name', args: { name } }
  }
}

const idOf = (span: RequestSpan) => `r${span.number}`

function requestOf(span: RequestSpan, pid: number, ts: number) {
  return { pid, tid: 1 + span.slot, ts, cat: 'request', id: idOf(span), name: span.what }
}

function argsOf({ slot, id, sector, bytes, refused }: RequestSpan) {
  return { slot, id, sector, bytes, ...(refused === undefined ? {} : { refused }) }
}
