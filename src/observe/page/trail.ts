/**
 * @packageDocumentation
 * The way that actors have come: the latest steps of each, so that a picture of a chart can show not only where someone
 * stands but how he got there. Steps of a queue are heard while it is folded; those of a device are read from its
 * journal, by folding its last two segments.
 *
 *   request chart   a ring of the latest steps, by number: nothing is allocated per step
 *   actors' charts  told event by event, compared before and after
 */
import type { ActorFold } from '../../journal/actor-fold.js'
import type { ChainCursor } from '../../journal/chain-cursor.js'
import type { OnStep } from '../../journal/queue-track.js'
import { queueEventNames, queueStateNames } from '../../machines/generated/queue.js'
import { requestEventNames, requestStateNames } from '../../machines/generated/request.js'
import type { TrailStep } from './types.js'

/** Steps of requests that are remembered for one queue; a power of two. */
const REMEMBERED = 4096
const QUEUE_STEPS = 16
const ACTOR_STEPS = 24
const FIELDS = 4

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

/** The latest events of this journal's actors, by actor, oldest first. The cursor comes back to its place. */
export function actorTrails(cursor: ChainCursor, offsetNs: number): ReadonlyMap<string, readonly TrailStep[]> {
  const { actors, last } = cursor
  const trails = new Map<string, TrailStep[]>()
  if (actors === undefined || last === undefined) return trails
  const segments = cursor.chain.segments
  const current = segments.findLastIndex(({ header }) => header.firstBatch <= last.number)
  const from = segments[Math.max(0, current - 1)].header.firstBatch
  cursor.seek(from - 1)
  let before: ActorFold['lives'] = actors.lives
  while (cursor.next !== undefined && cursor.next.number <= last.number) {
    const batch = cursor.forward()
    if (batch === undefined) break
    for (const { actor, step } of changes(before, actors, batch.timeNs)) {
      const placed = { ...step, timeNs: step.timeNs + offsetNs }
      trails.set(actor, [...(trails.get(actor) ?? []), placed].slice(-ACTOR_STEPS))
    }
    before = actors.lives
  }
  return trails
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
