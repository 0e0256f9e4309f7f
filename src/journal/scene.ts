/**
 * @packageDocumentation
 * What conditions are asked of: all actors of a recording at one moment. Time passes between two batches, so a
 * recording is looked at twice around each: as it stood when the batch began, and as it stands after it.
 *
 *   ── batch 8 ──┤ what 8 made · asked ├── time passes ──┤ asked again ├── batch 9 ──
 */
import { queueEventNames, queueStateNames } from '../machines/generated/queue.js'
import { requestEventNames, requestStateNames } from '../machines/generated/request.js'
import { isIn } from '../machines/notes.js'
import { SHORTAGE_NAMES } from '../core/records.js'
import { COUNTER } from '../core/statistics.js'
import { NS_PER_MS } from './times.js'
import type { ChainCursor } from './chain-cursor.js'
import type { JournalChain } from './chain.js'
import type { Condition } from './condition.js'
import { Recording } from './recording.js'
import type { RecordedBatch } from './recording.js'

export class Scene {
  /** `request.failed`, `device.frontend.Closing`: what actors were told in the batch that was applied last. */
  readonly happened = new Set<string>()
  readonly recording: Recording
  /** The recording's clock. */
  nowNs = 0

  constructor(chains: readonly JournalChain[]) {
    this.recording = new Recording(chains, () => (chart, _slot, event) => {
      this.happened.add(`${chart}.${(chart === 'queue' ? queueEventNames : requestEventNames)[event]}`)
    })
  }

  /** One batch more. @returns it; undefined at the end. */
  forward(): RecordedBatch | undefined {
    this.happened.clear()
    const step = this.recording.forward()
    if (step === undefined) return undefined
    this.nowNs = step.timeNs
    const told = step.cursor.actors?.toldIn(step.batch) ?? []
    for (const { chart, lastEvent } of told) this.happened.add(`${chart}.${lastEvent}`)
    return step
  }

  inState(chart: string, state: string, longerNs: number): string | undefined {
    for (const cursor of this.recording.cursors) {
      const found =
        chart === 'request' ? this.requestIn(cursor, state, longerNs)
        : chart === 'queue' ? this.queueIn(cursor, state, longerNs)
        : this.actorIn(cursor, chart, state, longerNs)
      if (found !== undefined) return found
    }
    return undefined
  }

  requestOlderThan(ns: number): string | undefined {
    for (const cursor of this.recording.cursors) {
      const core = cursor.queue?.core
      for (let slot = 0; core !== undefined && slot < core.slots; slot++) {
        const ageNs = this.own(cursor) - core.takenNs[slot]
        if (core.state[slot] === 0 || ageNs <= ns) continue
        return `the request in slot ${slot} of ${cursor.chain.journal} is ${ms(ageNs)} old`
      }
    }
    return undefined
  }

  shortOf(reason: number): string | undefined {
    const cursor = this.recording.cursors.find(({ queue }) => queue?.core?.shortOf === reason)
    return cursor === undefined ? undefined : `${cursor.chain.journal} is short of ${SHORTAGE_NAMES[reason]}`
  }

  /** The sum over all queues; of a maximum, the largest. */
  counter(index: number): number {
    const values = this.recording.cursors.map(({ queue }) => queue?.statistics[index] ?? 0)
    const largest = index === COUNTER.inFlightMax || index === COUNTER.oldestWaitNs
    return largest ? Math.max(0, ...values) : values.reduce((sum, value) => sum + value, 0)
  }

  private own(cursor: ChainCursor): number {
    return this.nowNs - this.recording.timeOf(cursor, 0)
  }

  private requestIn(cursor: ChainCursor, name: string, longerNs: number): string | undefined {
    const { queue } = cursor
    const core = queue?.core
    if (core === undefined || queue === undefined) return undefined
    for (let slot = 0; slot < core.slots; slot++) {
      const state = requestStateNames[core.state[slot]]
      if (state !== name) continue
      const since = Number.isNaN(queue.sinceNs[slot]) ? core.takenNs[slot] : queue.sinceNs[slot]
      const forNs = this.own(cursor) - since
      if (forNs <= longerNs) continue
      return `the request in slot ${slot} of ${cursor.chain.journal} is in ${state} for ${ms(forNs)}`
    }
    return undefined
  }

  private queueIn(cursor: ChainCursor, name: string, longerNs: number): string | undefined {
    const { queue } = cursor
    const core = queue?.core
    if (core === undefined || queue === undefined || queueStateNames[core.queueState] !== name) return undefined
    const forNs = this.own(cursor) - queue.queueSinceNs
    if (longerNs >= 0 && !(forNs > longerNs)) return undefined
    return `${cursor.chain.journal} is in ${name}`
  }

  private actorIn(cursor: ChainCursor, chart: string, name: string, longerNs: number): string | undefined {
    for (const [actor, life] of cursor.actors?.lives ?? []) {
      if (life.chart !== chart || !isIn(life.state, name)) continue
      const forNs = this.own(cursor) - life.sinceNs
      if (forNs > longerNs) return `${actor} is in ${life.state} for ${ms(forNs)}`
    }
    return undefined
  }
}

/** The moment at which a condition holds. */
export interface Found {
  readonly sentence: string
  readonly timeNs: number
  /** The batch that was applied last. */
  readonly batch: RecordedBatch
}

/** Walks on until the condition holds; undefined when it never does. A condition that holds already is passed over. */
export function walkUntil(scene: Scene, { holds }: Condition): Found | undefined {
  let held = scene.recording.latest() !== undefined && holds(scene) !== undefined
  const look = (batch: RecordedBatch): Found | undefined => {
    const sentence = holds(scene)
    const fresh = sentence !== undefined && !held
    held = sentence !== undefined
    return fresh ? { sentence: sentence ?? '', timeNs: scene.nowNs, batch } : undefined
  }
  for (;;) {
    const latest = scene.recording.latest()
    const next = scene.recording.peek()
    if (next === undefined) return undefined
    // Time has passed since the last batch: what waited then may have waited long enough by now.
    scene.nowNs = next.timeNs
    scene.happened.clear()
    const before = latest === undefined ? undefined : look(latest)
    if (before) return before
    const step = scene.forward()
    const after = step === undefined ? undefined : look(step)
    if (after) return after
  }
}

function ms(ns: number): string {
  return `${(ns / NS_PER_MS).toFixed(3)} ms`
}
