/**
 * @packageDocumentation
 * The actors of one device, folded record by record through XState's own transition function: who lives, in which
 * state, since when, told what last. What is wrong with a record comes back as a sentence; nothing throws.
 *
 *   EVENT { actor, chart, event } ─► '@started': a new life · else one step of its chart
 *   STATE { actor, state } ────────► where the chart must stand after the actor's last event, if it moved
 *
 * Lives are values: a copy of the map is a moment to which a reader may return.
 */
import type { AnyStateMachine } from 'xstate'
import { RECORD_EVENT, RECORD_STATE, recordWords } from '../core/records.js'
import { begin, fold } from '../machines/fold.js'
import { charts } from '../machines/index.js'
import { sentenceOf } from '../protocol/errors.js'
import { decodeRecord } from './describe-record.js'
import type { Batch } from './segment-reader.js'

/** Actors that one journal may name; a device has three. */
const ACTORS_MAX = 4096

type Snapshot = Parameters<typeof fold>[1]

/** One life of one actor; never changed, always replaced. */
export interface Life {
  readonly chart: string
  readonly machine: AnyStateMachine
  readonly snapshot: Snapshot
  readonly state: string
  readonly sinceNs: number
  readonly lastEvent: string
  readonly toldNs: number
  /** Effects of the last event. */
  readonly effects: readonly { readonly type: string }[]
  /** The state that the next record of this actor must tell, when its last event moved it. */
  readonly due: string | undefined
  /** Its chart threw; a living actor has crashed there and tells nothing more. */
  readonly ended: boolean
}

export interface ActorTrouble {
  readonly kind: 'input' | 'effect'
  readonly sentence: string
}

export class ActorFold {
  events = 0
  /** Records of actors whose start is no longer there. */
  unfounded = 0
  lives: ReadonlyMap<string, Life> = new Map()
  private readonly trouble: (trouble: ActorTrouble) => void
  private nowNs = 0

  constructor(trouble: (trouble: ActorTrouble) => void = () => undefined) {
    this.trouble = trouble
  }

  /** Something is missing: nobody is known any more. */
  forget(): void {
    this.lives = new Map()
  }

  batch({ words, from, to, timeNs }: Batch): void {
    this.nowNs = timeNs
    for (let at = from; at < to; ) {
      const size = recordWords(words, at, to - at)
      const kind = words[at] & 0xff
      if (size === 0 || (kind !== RECORD_EVENT && kind !== RECORD_STATE))
        return this.trouble({ kind: 'input', sentence: `a record of kind ${kind} stands where none may stand` })
      this.record(kind, decodeRecord(words, at).value)
      at += size
    }
  }

  /** Who was told something in this batch, which was applied last. */
  toldIn({ timeNs }: Batch): readonly Life[] {
    return timeNs === this.nowNs ? [...this.lives.values()].filter(({ toldNs }) => toldNs === timeNs) : []
  }

  private record(kind: number, value: unknown): void {
    const fields = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
    const { actor, chart, event, state } = fields
    if (typeof actor !== 'string') return this.refuse('a record that names no actor')
    if (kind === RECORD_STATE) return this.compareState(actor, String(state))
    this.events++
    if (typeof event !== 'object' || event === null || !('type' in event) || typeof event.type !== 'string')
      return this.refuse(`${actor} was told something that is no event`)
    if (event.type === '@started') return this.start(actor, String(chart), 'input' in event ? event.input : undefined)
    this.step(actor, event as { readonly type: string })
  }

  private start(actor: string, chart: string, input: unknown): void {
    const entry = charts.find(({ name, compiled }) => name === chart && !compiled)
    if (entry === undefined) return this.refuse(`${actor} obeys the chart ${chart}, which is not known`)
    if (this.lives.size >= ACTORS_MAX && !this.lives.has(actor)) return this.refuse('too many actors')
    const machine: AnyStateMachine = entry.chart
    try {
      const { snapshot, state, ...done } = begin(machine, input as never)
      const effects = done.effects as Life['effects']
      const born = { chart, machine, snapshot, state, effects, due: state, ended: false }
      this.put(actor, { ...born, sinceNs: this.nowNs, lastEvent: '@started', toldNs: this.nowNs })
    } catch (error) {
      this.put(actor, undefined)
      this.refuse(`${actor} cannot start from what was recorded: ${sentenceOf(error)}`)
    }
  }

  private step(actor: string, event: { readonly type: string }): void {
    const life = this.lives.get(actor)
    if (life === undefined) return void this.unfounded++
    if (life.due !== undefined)
      this.trouble({ kind: 'effect', sentence: `${actor} went on, but its state ${life.due} is missing` })
    const told = { ...life, due: undefined, lastEvent: event.type, toldNs: this.nowNs, effects: [] }
    if (life.ended || (life.snapshot as { readonly status: string }).status !== 'active') return this.put(actor, told)
    try {
      const { snapshot, state, ...done } = fold(life.machine, life.snapshot, event)
      const effects = done.effects as Life['effects']
      const moved = state === life.state ? {} : { state, sinceNs: this.nowNs, due: state }
      this.put(actor, { ...told, snapshot, effects, ...moved })
    } catch {
      this.put(actor, { ...told, ended: true })
    }
  }

  private compareState(actor: string, recorded: string): void {
    const life = this.lives.get(actor)
    if (life === undefined) return void this.unfounded++
    const derived = life.due ?? life.state
    const known = life.due !== undefined
    this.put(actor, { ...life, due: undefined })
    if (known && recorded === derived) return
    const here = known ? `the chart comes to ${derived}` : `the chart stays in ${derived}`
    this.trouble({ kind: 'effect', sentence: `${actor} came to ${recorded} in the recording, ${here}` })
  }

  private put(actor: string, life: Life | undefined): void {
    const lives = new Map(this.lives)
    if (life === undefined) lives.delete(actor)
    else lives.set(actor, life)
    this.lives = lives
  }

  private refuse(sentence: string): void {
    this.trouble({ kind: 'input', sentence })
  }
}
