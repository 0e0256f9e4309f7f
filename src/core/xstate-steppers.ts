/**
 * @packageDocumentation
 * The setting `requests = xstate`: every request slot and the queue are real XState actors whose guards and actions
 * call the core. Same journal, same answers, a thousand times the cost; for looking, not for serving. In a module of
 * its own, because a Worker that runs the compiled charts need not load XState at all.
 */
import { boundAtFirstCall, pooledActors } from '../machines/compile/index.js'
import { queueEventNames, queueStateNames } from '../machines/generated/queue.js'
import type { QueueHost } from '../machines/generated/queue.js'
import { requestEventNames, requestStateNames } from '../machines/generated/request.js'
import type { RequestHost } from '../machines/generated/request.js'
import { queueMachine } from '../machines/queue.machine.js'
import { requestMachine } from '../machines/request.machine.js'
import type { Steppers } from './steppers.js'

/** Fresh actors for one queue. */
export function xstateSteppers(): Steppers {
  const requests = { states: requestStateNames, events: requestEventNames }
  const queues = { states: queueStateNames, events: queueEventNames }
  return {
    request: boundAtFirstCall<RequestHost>((host) => pooledActors(requestMachine, requests, host)),
    queue: boundAtFirstCall<QueueHost>((host) => pooledActors(queueMachine, queues, host)),
  }
}
