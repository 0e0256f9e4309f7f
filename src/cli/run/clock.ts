/**
 * @packageDocumentation
 * The machine's clock, for the daemon: the only place where real time and real timers enter.
 */
import { nowNs } from '../../io/native/clock.js'
import type { Clock } from '../../ports/clock.js'

export const systemClock: Clock = {
  nowNs,
  wallMs: () => Date.now(),
  after: (milliseconds, fire) => {
    const timer = setTimeout(fire, milliseconds)
    return () => clearTimeout(timer)
  },
}
