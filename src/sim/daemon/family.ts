/**
 * @packageDocumentation
 * The family `daemon`: the whole daemon between a toolstack, guests and disks, killed at any of its effects and gone on
 * with by a successor (daemon-world.ts). A plan is simpler with fewer guests, fewer deaths, less time.
 */
import type { Family } from '../family.js'
import { DaemonWorld } from './daemon-world.js'
import { drawPlan, simplerPlans, type DaemonPlan } from './plan.js'

export const daemonFamily: Family<DaemonPlan> = {
  name: 'daemon',
  description: 'the whole daemon: guests come and go, processes die at any effect, and nothing is lost or kept',
  every: 4,
  draw: drawPlan,
  play: (plan, options = {}) => new DaemonWorld({ plan, ...options }).run(),
  simpler: simplerPlans,
}
