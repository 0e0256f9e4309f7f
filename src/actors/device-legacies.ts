/**
 * @packageDocumentation
 * What is known of whoever served a device before, over all of its queues. How many there were stands in XenStore,
 * which is read later; so all names that can be are looked up, and the one that forbids most decides about the device.
 */
import type { QueueLegacy, QueuePool } from '../ports/queues.js'
import { QUEUES_LIMIT } from '../protocol/keys.js'

/** A queue that must not be gone on with counts before one that can, and that before one that rests. */
const ORDER: readonly QueueLegacy['kind'][] = ['hopeless', 'refused', 'recoverable', 'unknown', 'rested']

export interface DeviceLegacies {
  /** What decides. */
  readonly legacy: QueueLegacy
  /** By queue; left out where only the first has anything to tell. */
  readonly legacies?: readonly QueueLegacy[]
}

/** `device`: `vbd/5/51712`. */
export function legaciesOf(pool: Pick<QueuePool, 'legacy'>, device: string): DeviceLegacies {
  const all = Array.from({ length: QUEUES_LIMIT }, (_, queue) => pool.legacy(`${device}/q${queue}`))
  const known = all.findLastIndex(({ kind }) => kind !== 'unknown')
  const legacies = all.slice(0, Math.max(1, known + 1))
  const [legacy] = legacies.toSorted((one, other) => ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind))
  return legacies.length === 1 ? { legacy } : { legacy, legacies }
}
