/**
 * @packageDocumentation
 * What a medium's result means for the request: good only when every byte was moved (defect B16: a short transfer is a
 * failure), and of a request that promises durability only when no sync was lost before it.
 */
import { RequestState } from '../machines/generated/request.js'
import { LEVEL_MEDIUM_GONE } from '../ports/queues.js'
import type { QueueCore } from './queue-core.js'
import { KIND } from './request-columns.js'
import { COUNTER } from './statistics.js'

/** Results that mean that the medium itself is gone: -ENXIO, -ENODEV, -ENOMEDIUM. */
const GONE_ERRNOS: readonly number[] = [-6, -19, -123]

/** Judges, and counts what went wrong. @returns whether the I/O did what it was asked for. */
export function judgeResult(core: QueueCore, slot: number, result: number): boolean {
  const state = core.state[slot]
  const kind = core.kind[slot]
  const syncing = state === RequestState.Syncing
  // Nobody reads what an orphan moved; that its sync was lost, or its medium, concerns those who come after it.
  const uncounted = syncing || state === RequestState.Orphaned || kind === KIND.discard
  const whole = result >= 0 && (uncounted || result === core.bytes[slot])
  const promises = kind !== KIND.read && kind !== KIND.write && kind !== KIND.discard
  if (whole && !(promises && core.syncLost)) return true
  if (result < 0) core.statistics[COUNTER.mediumErrors]++
  else if (!whole) core.statistics[COUNTER.shortTransfers]++
  if (GONE_ERRNOS.includes(result)) core.levels |= LEVEL_MEDIUM_GONE
  if (promises && core.settings.buffered) core.syncLost = true
  return false
}
