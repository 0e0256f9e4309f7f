/**
 * @packageDocumentation
 * A device's own journal, read for what its front end did: states and keys in their order; and for what its queues'
 * journals do not know: what a discard can give back, and what the front end said last. Small, since it is rare events.
 */
import { walkChain } from '../journal/chain.js'
import type { JournalChain } from '../journal/chain.js'
import { decodeRecord } from '../journal/describe-record.js'
import { RECORD_EVENT, recordWords } from '../core/records.js'
import { DEFAULT_RING_LIMITS } from '../protocol/negotiation.js'
import type { FrontendKeys, RingLimits } from '../protocol/negotiation.js'
import { XENBUS_STATES } from '../protocol/xenbus-state.js'
import type { XenbusState } from '../protocol/xenbus-state.js'
import type { DeviceWatch, Place } from './rule.js'

/** Of one device, what its queues' rules ask: by the clock of the boot in which it was written. */
export class DeviceTimeline {
  private readonly states: { readonly boot: string; readonly timeNs: number; readonly state: XenbusState }[] = []
  private readonly media: { readonly boot: string; readonly timeNs: number; readonly discard: DiscardShape }[] = []

  noteState(boot: string, timeNs: number, state: XenbusState): void {
    this.states.push({ boot, timeNs, state })
  }

  noteMedium(boot: string, timeNs: number, discard: DiscardShape): void {
    this.media.push({ boot, timeNs, discard })
  }

  /** What it said last while it was watched; `Unknown` when the back end found it so. */
  stateAt(boot: string, timeNs: number): XenbusState | undefined {
    return this.states.findLast((one) => one.boot === boot && one.timeNs <= timeNs)?.state
  }

  discardAt(boot: string, timeNs: number): DiscardShape | undefined {
    return this.media.findLast((one) => one.boot === boot && one.timeNs <= timeNs)?.discard
  }
}

/** Bytes. */
export interface DiscardShape {
  readonly granularity: number
  readonly alignment: number
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})

/** Most events that a timeline keeps of one device's journals; a storm of more is told of by its first ones. */
const EVENTS_MAX = 100_000

export interface DeviceReader {
  readonly watches: readonly DeviceWatch[]
  readonly timeline: DeviceTimeline
  /** Called before each event. */
  at(place: Place): void
  problem(sentence: string): void
}

/** Reads one run of a device's journal. */
export function readDevice(chain: JournalChain, reader: DeviceReader): void {
  const { journal, run } = chain
  const state = new DeviceState(chain, reader)
  let events = 0
  for (const step of walkChain(chain)) {
    if (step.kind === 'damage' || step.kind === 'gap') reader.problem(`${journal}: ${step.sentence}`)
    if (step.kind !== 'batch') continue
    const { batch, segment } = step
    const { words, to, timeNs } = batch
    let record = 0
    for (let at = batch.from; at < to; record++) {
      const size = recordWords(words, at, to - at)
      if (size === 0) break
      if ((words[at] & 0xff) === RECORD_EVENT && events++ < EVENTS_MAX) {
        reader.at({ journal, run, segment: segment.header.sequence, batch: batch.number, record, timeNs })
        state.event(fieldsOf(decodeRecord(words, at).value), timeNs)
      }
      at += size
    }
  }
}

/** What is known of the device, event by event. */
class DeviceState {
  private readonly chain: JournalChain
  private readonly reader: DeviceReader
  private front: XenbusState | undefined
  private limits: RingLimits = DEFAULT_RING_LIMITS

  constructor(chain: JournalChain, reader: DeviceReader) {
    this.chain = chain
    this.reader = reader
  }

  /** One EVENT record: `{ actor, chart, event }`. */
  event(value: Fields, timeNs: number): void {
    const event = fieldsOf(value.event)
    const type = String(event.type)
    if (value.chart === 'medium') return
    if (type === '@started') this.started(fieldsOf(event.input))
    else if (type === 'medium.opened') this.medium(fieldsOf(event.plan), timeNs)
    else if (type === 'xenstore.nodesRead') this.state(String(event.frontendState), timeNs, false)
    else if (type === 'xenstore.frontendRead') this.keys(fieldsOf(event.nodes))
    else if (type.startsWith('frontend.')) this.state(type.slice('frontend.'.length), timeNs)
  }

  private started(input: Fields): void {
    const { ring } = fieldsOf(input.settings)
    if (typeof ring === 'object' && ring !== null) this.limits = { ...DEFAULT_RING_LIMITS, ...ring }
    this.front = undefined
  }

  private medium(plan: Fields, timeNs: number): void {
    const { discardGranularity, discardAlignment, sectorSize } = fieldsOf(plan.geometry)
    if (typeof discardGranularity !== 'number' || typeof discardAlignment !== 'number') return
    const granularity = Math.max(discardGranularity, Number(sectorSize) || 1, 1)
    this.reader.timeline.noteMedium(this.chain.identity.boot, timeNs, { granularity, alignment: discardAlignment })
  }

  /** `watched` false: it was found so when the back end came, and what led there was seen by nobody. */
  private state(name: string, timeNs: number, watched = true): void {
    const state = XENBUS_STATES.find((known) => known === name)
    if (state === undefined) return
    for (const watch of this.reader.watches) watch.state?.(state, this.front)
    this.front = state
    this.reader.timeline.noteState(this.chain.identity.boot, timeNs, watched ? state : 'Unknown')
  }

  private keys(nodes: Fields): void {
    const texts = Object.entries(nodes).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    const keys: FrontendKeys = Object.fromEntries(texts)
    for (const watch of this.reader.watches) watch.keys?.(keys, this.limits)
  }
}
