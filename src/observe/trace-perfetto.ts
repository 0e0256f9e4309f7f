/**
 * @packageDocumentation
 * A timeline as a Perfetto trace (protobuf, "synthetic track events"): what ui.perfetto.dev and trace_processor read.
 *
 *   Trace { packet* }   TracePacket { timestamp, sequence, TrackDescriptor | TrackEvent }
 *   track   one per journal; below it one per slot, one for batches, one counter each for depth and waiting
 *   slice   a request on its slot's track (a slot carries one at a time, so they nest), its states within it
 *   flow    from the batch that took a request through its slice to the batch that answered it
 *
 * Field numbers are those of perfetto's protos/perfetto/trace/{trace_packet,track_event}.proto.
 */
import type { Happened, RequestSpan } from '../journal/timeline.js'
import { MessageWriter } from './protobuf-writer.js'

const PACKET = 1
const P_TIMESTAMP = 8
const P_SEQUENCE_ID = 10
const P_TRACK_EVENT = 11
const P_SEQUENCE_FLAGS = 13
const P_TRACK_DESCRIPTOR = 60
const D_UUID = 1
const D_NAME = 2
const D_PARENT = 5
const D_COUNTER = 8
const E_ANNOTATION = 4
const E_TYPE = 9
const E_TRACK = 11
const E_CATEGORY = 22
const E_NAME = 23
const E_COUNTER_VALUE = 30
const E_FLOW = 47
const E_TERMINATING_FLOW = 48
const A_UINT = 3
const A_STRING = 6
const A_NAME = 10
const BEGIN = 1
const END = 2
const INSTANT = 3
const COUNTER = 4
/** SEQ_INCREMENTAL_STATE_CLEARED: this sequence depends on nothing before it. */
const CLEARED = 1
const SEQUENCE = 1

/** The file in pieces: one packet each. */
export function* perfettoTrace(events: Iterable<Happened>): Generator<Uint8Array, void> {
  const writer = new PerfettoWriter()
  for (const event of events) {
    for (const packet of writer.packetsOf(event)) yield new MessageWriter().message(PACKET, packet).finish()
  }
}

class PerfettoWriter {
  private readonly tracks = new Map<string, number>()
  private readonly inState = new Set<number>()
  private first = true

  private packet(): MessageWriter {
    const packet = new MessageWriter().varint(P_SEQUENCE_ID, SEQUENCE)
    if (this.first) packet.varint(P_SEQUENCE_FLAGS, CLEARED)
    this.first = false
    return packet
  }

  *packetsOf(event: Happened): Generator<MessageWriter, void> {
    const { timeNs } = event
    const journal = 'span' in event ? event.span.journal : event.journal
    const top = yield* this.track(journal, journal)
    switch (event.type) {
      case 'taken': {
        const slot = yield* this.slot(event.span, top)
        return void (yield this.event(timeNs, requestBegins(event.span, slot)))
      }
      case 'state':
        return yield* this.stateOf(this.slot(event.span, top), event.state, timeNs)
      case 'issued': {
        const slot = yield* this.slot(event.span, top)
        return void (yield this.event(timeNs, trackEvent(INSTANT, slot).string(E_NAME, 'issued')))
      }
      case 'ended': {
        const slot = yield* this.slot(event.span, top)
        if (this.inState.delete(slot)) yield this.event(timeNs, trackEvent(END, slot))
        return void (yield this.event(timeNs, trackEvent(END, slot)))
      }
      case 'queue':
        return yield* this.stateOf(this.track(`${journal} state`, 'queue', top), event.state, timeNs)
      case 'batch':
        return yield* this.batch(event, top)
      case 'actor': {
        const actor = yield* this.track(event.actor === journal ? `${journal} device` : event.actor, event.actor, top)
        yield this.event(timeNs, trackEvent(INSTANT, actor).string(E_NAME, event.event))
        if (event.moved) yield* this.state(actor, event.state, timeNs)
      }
    }
  }

  private *batch(event: Extract<Happened, { type: 'batch' }>, top: number): Generator<MessageWriter, void> {
    const { timeNs, journal, number, taken, ended, inFlight, waiting } = event
    const batches = yield* this.track(`${journal} batches`, 'batches', top)
    const begin = trackEvent(BEGIN, batches).string(E_CATEGORY, 'batch').string(E_NAME, `batch ${number}`)
    for (const span of taken) begin.fixed64(E_FLOW, span.number)
    for (const span of ended) begin.fixed64(E_TERMINATING_FLOW, span.number)
    yield this.event(timeNs, begin)
    yield this.event(timeNs, trackEvent(END, batches))
    for (const [name, value] of [['in flight', inFlight], ['waiting in the ring', waiting]] as const) {
      const counter = yield* this.track(`${journal} ${name}`, name, top, true)
      yield this.event(timeNs, trackEvent(COUNTER, counter).varint(E_COUNTER_VALUE, value))
    }
  }

  private *stateOf(
    track: Generator<MessageWriter, number>, state: string, timeNs: number,
  ): Generator<MessageWriter, void> {
    yield* this.state(yield* track, state, timeNs)
  }

  private *state(track: number, state: string, timeNs: number): Generator<MessageWriter, void> {
    if (this.inState.has(track)) yield this.event(timeNs, trackEvent(END, track))
    this.inState.add(track)
    yield this.event(timeNs, trackEvent(BEGIN, track).string(E_CATEGORY, 'state').string(E_NAME, state))
  }

  private slot({ journal, slot }: RequestSpan, top: number): Generator<MessageWriter, number> {
    return this.track(`${journal} slot ${slot}`, `slot ${slot}`, top)
  }

  private *track(key: string, name: string, parent?: number, counter = false): Generator<MessageWriter, number> {
    const known = this.tracks.get(key)
    if (known !== undefined) return known
    const uuid = this.tracks.size + 1
    this.tracks.set(key, uuid)
    const descriptor = new MessageWriter().varint(D_UUID, uuid).string(D_NAME, name)
    if (parent !== undefined) descriptor.varint(D_PARENT, parent)
    if (counter) descriptor.message(D_COUNTER, new MessageWriter())
    yield this.packet().message(P_TRACK_DESCRIPTOR, descriptor)
    return uuid
  }

  private event(timeNs: number, event: MessageWriter): MessageWriter {
    return this.packet().varint(P_TIMESTAMP, Math.max(0, Math.round(timeNs))).message(P_TRACK_EVENT, event)
  }
}

function trackEvent(type: number, track: number): MessageWriter {
  return new MessageWriter().varint(E_TYPE, type).varint(E_TRACK, track)
}

function requestBegins({ number, what, id, sector, bytes, refused }: RequestSpan, slot: number): MessageWriter {
  const event = trackEvent(BEGIN, slot).string(E_CATEGORY, 'request').string(E_NAME, what).fixed64(E_FLOW, number)
  const text = (name: string, value: string) =>
    event.message(E_ANNOTATION, new MessageWriter().string(A_NAME, name).string(A_STRING, value))
  text('id', id)
  for (const [name, value] of [['sector', sector], ['bytes', bytes]] as const)
    event.message(E_ANNOTATION, new MessageWriter().string(A_NAME, name).varint(A_UINT, value))
  if (refused !== undefined) text('refused', refused)
  return event
}
