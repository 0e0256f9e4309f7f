/**
 * @packageDocumentation
 * The way that actors have come: the latest steps of each, so that a picture of a chart can show not only where one
 * stands but how one got there. Steps are heard while a journal is folded; who folds from elsewhere begins them anew.
 *
 *   request chart   a ring of the latest steps, by number: nothing is allocated per step
 *   actors' charts  told event by event, compared before and after
 */
import type { ActorFold } from '../../journal/actor-fold.js'
import type { ChainCursor, CursorOptions } from '../../journal/chain-cursor.js'
import type { OnStep } from '../../journal/queue-track.js'
import { queueEventNames, queueStateNames } from '../../machines/generated/queue.js'
import { requestEventNames, requestStateNames } from '../../machines/generated/request.js'
import type { TrailStep } from './types.js'

/** Steps of requests that are remembered for one queue; a power of two. */
const REMEMBERED = 4096
const QUEUE_STEPS = 16
const ACTOR_STEPS = 24
const FIELDS = 4

interface HeardStep extends TrailStep {
  readonly batch: number
}

/** What a queue and its requests did last. */
export class QueueTrail {
  /** Time of the batch that is being folded; whoever folds keeps it. */
  nowNs: () => number = () => 0
  private readonly steps = new Int32Array(REMEMBERED * FIELDS)
  private readonly times = new Float64Array(REMEMBERED)
  private heardNs = -Infinity
  private count = 0
  private own: TrailStep[] = []

  /** For {@link ChainCursor}: hears every step. */
  readonly hear: OnStep = (chart, slot, event, from, to) => {
    if (to < 0 || (from === to && chart === 'queue')) return
    this.beginAnewWhenTakenBack()
    if (chart === 'queue') {
      const step = { event: queueEventNames[event], from: queueStateNames[from], to: queueStateNames[to] }
      this.own = [...this.own.slice(1 - QUEUE_STEPS), { timeNs: this.nowNs(), ...step }]
      return
    }
    const place = this.count++ & (REMEMBERED - 1)
    this.steps.set([slot, event, from, to], place * FIELDS)
    this.times[place] = this.nowNs()
  }

  /** Time that goes back: somebody folds from an earlier checkpoint. */
  private beginAnewWhenTakenBack(): void {
    const now = this.nowNs()
    if (now >= this.heardNs) return void (this.heardNs = now)
    this.heardNs = now
    this.count = 0
    this.own = []
  }

  /** Forgets what is later than the moment that is looked at, which may be an earlier one by now. */
  forgetAfter(timeNs: number): void {
    while (this.count > 0 && this.times[(this.count - 1) & (REMEMBERED - 1)] > timeNs) this.count--
    this.own = this.own.filter((step) => step.timeNs <= timeNs)
  }

  /** The latest steps of requests, oldest first: all of those in `slots`, and of others up to `max`. */
  requestSteps(slots: ReadonlySet<number>, max: number): TrailStep[] {
    const found: TrailStep[] = []
    let others = 0
    const oldest = Math.max(0, this.count - REMEMBERED)
    for (let number = this.count - 1; number >= oldest && found.length < REMEMBERED / 4; number--) {
      const place = number & (REMEMBERED - 1)
      const [slot, event, from, to] = this.steps.subarray(place * FIELDS, (place + 1) * FIELDS)
      if (!slots.has(slot) && others++ >= max) continue
      const names = { event: requestEventNames[event], from: requestStateNames[from], to: requestStateNames[to] }
      found.push({ timeNs: this.times[place], slot, ...names })
    }
    return found.reverse()
  }

  get queueSteps(): readonly TrailStep[] {
    return this.own
  }
}

/** What the actors of one journal were told last, heard while they are folded. */
export class ActorTrail {
  private readonly steps = new Map<string, HeardStep[]>()
  private heard = -1

  /** For {@link ChainCursor}: hears of every batch. */
  readonly hear: NonNullable<CursorOptions['onBatch']> = (batch, before, actors) => {
    // Somebody folds from elsewhere.
    if (batch.number !== this.heard + 1) this.steps.clear()
    this.heard = batch.number
    for (const { actor, step } of changes(before, actors, batch.timeNs)) {
      const steps = [...(this.steps.get(actor) ?? []), { ...step, batch: batch.number }]
      this.steps.set(actor, steps.slice(-ACTOR_STEPS))
    }
  }

  /** By actor, oldest first: what stands in the segment of the cursor's last batch and in the one before it. */
  stepsBefore({ chain: { segments }, last }: ChainCursor, offsetNs: number): ReadonlyMap<string, readonly TrailStep[]> {
    if (last === undefined) return new Map()
    const current = segments.findLastIndex(({ header }) => header.firstBatch <= last.number)
    const from = segments[Math.max(0, current - 1)].header.firstBatch
    return new Map([...this.steps].map(([actor, steps]) => {
      const recent = steps.filter(({ batch }) => batch >= from)
      return [actor, recent.map(({ batch: _, ...step }) => ({ ...step, timeNs: step.timeNs + offsetNs }))]
    }))
  }
}

function changes(before: ActorFold['lives'], actors: ActorFold, timeNs: number) {
  const found: { readonly actor: string; readonly step: TrailStep }[] = []
  for (const [actor, life] of actors.lives) {
    const was = before.get(actor)
    if (life === was || life.toldNs !== timeNs || (was?.toldNs === timeNs && was.lastEvent === life.lastEvent)) continue
    const from = life.lastEvent === '@started' ? '' : (was?.state ?? '')
    found.push({ actor, step: { timeNs, event: life.lastEvent, from, to: life.state } })
  }
  return found
}
