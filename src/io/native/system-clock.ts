/**
 * @packageDocumentation
 * The one implementation of the Clock port on a real machine, for the composition roots of every process: daemon,
 * Workers, pocket host. All else gets a Clock handed in, so that the simulated world can hand in its own. It is the
 * only file outside of cli/ and main files that may look at the wall clock or set a timer; a test sees to that.
 */
import type { Clock } from '../../ports/clock.js'
import { nowNs } from './clock.js'

/** CLOCK_MONOTONIC, the wall clock, Node timers (which keep the process alive until they fire or are cancelled). */
export const systemClock: Clock = {
  nowNs,
  wallMs: () => Date.now(),
  after(milliseconds, fire) {
    const timer = setTimeout(fire, milliseconds)
    return () => clearTimeout(timer)
  },
}
