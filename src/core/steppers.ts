/**
 * @packageDocumentation
 * How the core takes a step. Normally the generated functions; for inspection and replay something slower that obeys
 * the same charts. A stepper returns the new state, or -1 when the chart has no edge there.
 */
import { stepQueue } from '../machines/generated/queue.js'
import type { QueueHost } from '../machines/generated/queue.js'
import { stepRequest } from '../machines/generated/request.js'
import type { RequestHost } from '../machines/generated/request.js'

export type RequestStepper = (host: RequestHost, slot: number, event: number) => number
export type QueueStepper = (host: QueueHost, slot: number, event: number) => number

export interface Steppers {
  readonly request: RequestStepper
  readonly queue: QueueStepper
}

/** The compiled charts. */
export const compiledSteppers: Steppers = { request: stepRequest, queue: stepQueue }
