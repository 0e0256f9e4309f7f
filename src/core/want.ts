/**
 * @packageDocumentation
 * What keeps a queue from taking more: one want at a time, the one that lasts longest, and since when. The charts have
 * two states for it, Shortage (slots, buffers, space on the medium) and Throttled (tokens of the rate limit); the
 * counters have the time spent in each.
 *
 *   space  >  tokens  >  slots  >  buffers          the first that holds is told
 */
import { LEVEL_SHORTAGE, LEVEL_THROTTLED } from '../ports/queues.js'
import type { QueueCore } from './queue-core.js'
import { SHORT_OF_BUFFERS, SHORT_OF_NOTHING, SHORT_OF_SLOTS, SHORT_OF_SPACE, SHORT_OF_TOKENS } from './records.js'
import { COUNTER } from './statistics.js'

/** SHORT_OF_*, as things stand. */
export function wantOf(core: QueueCore): number {
  const lasting = lastingWantOf(core)
  if (lasting !== SHORT_OF_NOTHING) return lasting
  if (core.freeCount === 0 && core.reqProdSeen !== core.reqCons) return SHORT_OF_SLOTS
  return core.gate.starved ? SHORT_OF_BUFFERS : SHORT_OF_NOTHING
}

/** Of a queue that takes nothing already: whether there is news. Slots and buffers come and go with every answer. */
export function wantChanged(core: QueueCore): boolean {
  const known = core.shortOf === SHORT_OF_SPACE || core.shortOf === SHORT_OF_TOKENS ? core.shortOf : SHORT_OF_NOTHING
  return lastingWantOf(core) !== known
}

function lastingWantOf(core: QueueCore): number {
  if (core.spaceWanted > 0) return SHORT_OF_SPACE
  return core.gate.throttled ? SHORT_OF_TOKENS : SHORT_OF_NOTHING
}

/** Nothing more is taken from now on. */
export function beginWant(core: QueueCore, level: number): void {
  endWant(core)
  core.levels |= level
  core.statistics[level === LEVEL_THROTTLED ? COUNTER.throttles : COUNTER.shortages]++
  core.shortSinceNs = core.nowNs
}

/** The time of a want ends, if there was one. */
export function endWant(core: QueueCore): void {
  const { levels, statistics } = core
  const wantedNs = core.nowNs - core.shortSinceNs
  if (levels & LEVEL_SHORTAGE) statistics[COUNTER.shortageNs] += wantedNs
  if (levels & LEVEL_THROTTLED) statistics[COUNTER.throttledNs] += wantedNs
  core.levels = levels & ~(LEVEL_SHORTAGE | LEVEL_THROTTLED)
}
