/**
 * @packageDocumentation
 * One queue as its Worker knows it: the plane and what goes with it, and what was told of it, or is still to be told.
 * What must never happen: an end that is told twice, or before its I/O has come back; the marks here see to that.
 */
import type { MediumPlan } from '../ports/medium.js'
import type { QueueName } from '../ports/queues.js'
import { UNBOUNDED, type BatchBound } from './crowd-pace.js'
import type { OpenPlane } from './open-plane.js'
import type { QueueTimers } from './queue-timers.js'

export interface ServedQueue extends OpenPlane {
  readonly name: QueueName
  medium: MediumPlan
  drainedTold: boolean
  levelsTold: number
  /** The plane threw; only its I/O is awaited. */
  crash: string | undefined
  /** It went on from a journal, and lives on when it has published so many answers. */
  owed: number | undefined
  /** It went on from a journal, and has not sealed a batch yet. */
  resuming: boolean
  /** When it stopped taking, nanoseconds: another process goes on, and only its I/O is awaited. */
  yieldedNs: number | undefined
  readonly timers: QueueTimers
  readonly bound: BatchBound
  /** Its first batch is done: it stands where its attach, or the journal that it goes on from, put it. */
  begun: boolean
  /** It closes, and is drained when everything that stood in the ring then has been taken. */
  closing: boolean
  /** Where that ends, once it is known. */
  takeTo: number | undefined
}

/** A queue of which nothing has been told. */
export function servedQueue(name: QueueName, opened: OpenPlane, medium: MediumPlan, timers: QueueTimers): ServedQueue {
  const { takeover, plane } = opened
  return {
    ...opened, name, medium, timers, owed: takeover && plane.core.reqCons, resuming: takeover !== undefined,
    drainedTold: false, levelsTold: 0, crash: undefined, begun: false, closing: false, takeTo: undefined,
    yieldedNs: undefined, bound: { most: UNBOUNDED },
  }
}
