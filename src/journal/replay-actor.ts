/**
 * @packageDocumentation
 * Replay of the control plane's journals: the recorded inputs go through XState's own transition function, actor by
 * actor, and every recorded state is compared with the one that the chart comes to.
 *
 *   EVENT { actor, chart, event } ─► '@started': a new life of that actor · else one step of its chart
 *   STATE { actor, state } ────────► where the chart must stand after the actor's last event, if it moved
 *
 * An actor whose start stood in a segment that was recycled cannot be folded; its records are counted as unfounded, not
 * as divergences. An event may be the last thing that a process wrote, so a missing STATE is one only when the actor
 * went on. What must never happen: an exception for any bytes.
 */
import type { AnyStateMachine } from 'xstate'
import { RECORD_EVENT, RECORD_STATE, recordWords } from '../core/records.js'
import { chartHash } from '../machines/compile/index.js'
import { begin, fold } from '../machines/fold.js'
import { charts } from '../machines/index.js'
import { sentenceOf } from '../protocol/errors.js'
import { walkChain } from './chain.js'
import type { JournalChain } from './chain.js'
import { decodeRecord } from './describe-record.js'
import type { ReplayDivergence } from './replay-queue.js'
import type { Batch } from './segment-reader.js'

/** What a replay of actors found. */
export interface ActorReplay {
  readonly journal: string
  readonly run: string
  readonly otherCharts: boolean
  readonly segments: number
  readonly recycled: number
  readonly batches: number
  readonly events: number
  /** Records of actors whose start is no longer there. */
  readonly unfounded: number
  /** The first hundred. */
  readonly divergences: readonly ReplayDivergence[]
  readonly divergenceCount: number
  readonly damage: readonly string[]
  /** Where each actor stands at the end. */
  readonly final: { readonly [actor: string]: string }
}

const LIMIT = 100
const ACTORS_MAX = 4096

type Snapshot = Parameters<typeof fold>[1]

/** One life of one actor. */
interface Life {
  readonly machine: AnyStateMachine
  snapshot: Snapshot
  state: string
  /** The state that the next record of this actor must tell, when its last event moved it. */
  due: string | undefined
  /** Its chart threw; a living actor has crashed there and tells nothing more. */
  ended: boolean
}

/** Replays one run of one actor journal. Never throws for what the journal holds. */
export function replayActors(chain: JournalChain): ActorReplay {
  const replay = new Replay()
  const damage: string[] = []
  let batches = 0
  for (const step of walkChain(chain)) {
    if (step.kind === 'segment' && !step.follows) replay.forget()
    if ((step.kind === 'gap' || step.kind === 'damage') && damage.length < LIMIT)
      damage.push(`${step.segment.file}: ${step.sentence}`)
    if (step.kind !== 'batch') continue
    batches++
    replay.batch(step.batch)
  }
  const { journal, run, identity, segments } = chain
  const { events, unfounded, divergences, divergenceCount } = replay
  const otherCharts = charts.some(({ name, chart }) => {
    const hash = identity.charts[name]
    return hash !== undefined && hash !== chartHash(chart)
  })
  const recycled = segments[0].header.firstBatch
  const counts = { segments: segments.length, recycled, batches, events, unfounded }
  return { journal, run, otherCharts, ...counts, divergences, divergenceCount, damage, final: replay.final() }
}

class Replay {
  readonly divergences: ReplayDivergence[] = []
  divergenceCount = 0
  events = 0
  unfounded = 0
  private readonly lives = new Map<string, Life>()
  private now = { number: 0, timeNs: 0 }

  /** Something is missing: nobody is known any more. */
  forget(): void {
    this.lives.clear()
  }

  final(): { readonly [actor: string]: string } {
    return Object.fromEntries([...this.lives].map(([actor, { state }]) => [actor, state]))
  }

  batch(batch: Batch): void {
    this.now = batch
    const { words, from, to } = batch
    for (let at = from; at < to; ) {
      const size = recordWords(words, at, to - at)
      const kind = words[at] & 0xff
      if (size === 0 || (kind !== RECORD_EVENT && kind !== RECORD_STATE))
        return this.diverge('input', `a record of kind ${kind} stands where none may stand`)
      this.record(kind, decodeRecord(words, at).value)
      at += size
    }
  }

  private record(kind: number, value: unknown): void {
    const fields = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
    const { actor, chart, event, state } = fields
    if (typeof actor !== 'string') return this.diverge('input', 'a record that names no actor')
    if (kind === RECORD_STATE) return this.compareState(actor, String(state))
    this.events++
    if (typeof event !== 'object' || event === null || !('type' in event) || typeof event.type !== 'string')
      return this.diverge('input', `${actor} was told something that is no event`)
    if (event.type === '@started') return this.start(actor, String(chart), 'input' in event ? event.input : undefined)
    this.step(actor, event as { readonly type: string })
  }

  private start(actor: string, chart: string, input: unknown): void {
    const entry = charts.find(({ name, compiled }) => name === chart && !compiled)
    if (entry === undefined) return this.diverge('input', `${actor} obeys the chart ${chart}, which is not known`)
    if (this.lives.size >= ACTORS_MAX && !this.lives.has(actor)) return this.diverge('input', 'too many actors')
    const machine: AnyStateMachine = entry.chart
    try {
      const { snapshot, state } = begin(machine, input as never)
      this.lives.set(actor, { machine, snapshot, state, due: state, ended: false })
    } catch (error) {
      this.lives.delete(actor)
      this.diverge('input', `${actor} cannot start from what was recorded: ${sentenceOf(error)}`)
    }
  }

  private step(actor: string, event: { readonly type: string }): void {
    const life = this.lives.get(actor)
    if (life === undefined) return void this.unfounded++
    if (life.due !== undefined) this.diverge('effect', `${actor} went on, but its state ${life.due} is missing`)
    life.due = undefined
    if (life.ended || (life.snapshot as { readonly status: string }).status !== 'active') return
    try {
      const { snapshot, state } = fold(life.machine, life.snapshot, event)
      life.snapshot = snapshot
      if (state !== life.state) life.due = state
      life.state = state
    } catch {
      life.ended = true
    }
  }

  private compareState(actor: string, recorded: string): void {
    const life = this.lives.get(actor)
    if (life === undefined) return void this.unfounded++
    const derived = life.due ?? life.state
    const known = life.due !== undefined
    life.due = undefined
    if (known && recorded === derived) return
    const here = known ? `the chart comes to ${derived}` : `the chart stays in ${derived}`
    this.diverge('effect', `${actor} came to ${recorded} in the recording, ${here}`)
  }

  private diverge(kind: 'input' | 'effect', text: string): void {
    this.divergenceCount++
    if (this.divergences.length >= LIMIT) return
    const { number, timeNs } = this.now
    this.divergences.push({ kind, batch: number, timeNs, sentence: `batch ${number}: ${text}` })
  }
}
