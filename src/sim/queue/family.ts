/**
 * @packageDocumentation
 * The families of one queue between a guest and a disk: `queue`, whose guest keeps the rules, each in its own manner,
 * and `hostile`, whose guest keeps none. In both the disk has its weather and the back end dies at any effect.
 */
import type { Family } from '../family.js'
import { drawHonest, drawHostile } from './plan.js'
import type { QueuePlan } from './plan.js'
import { QueueRun } from './player.js'
import { simplerQueue } from './simpler.js'

export const queueFamily: Family<QueuePlan> = {
  name: 'queue',
  description: 'one queue, a guest that keeps the rules, a disk that may not, a back end that is killed at any effect',
  draw: drawHonest,
  play: (plan, options) => new QueueRun(plan, options).run('queue'),
  simpler: simplerQueue,
}

export const hostileFamily: Family<QueuePlan> = {
  name: 'hostile',
  description: 'one queue, a guest that lies about everything, a disk with its weather, a back end that is killed',
  draw: drawHostile,
  play: (plan, options) => new QueueRun(plan, options).run('hostile'),
  simpler: simplerQueue,
}
