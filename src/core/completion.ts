/**
 * @packageDocumentation
 * What a medium's result means for the request: good only when every byte was moved (defect B16: a short transfer is a
 * failure; of a request in several I/Os the sum is looked at when the last has come back), and of a request that
 * promises durability only when no sync was lost before it. A write that finds the medium full is no failure when the
 * operator wants it to wait for space.
 */
import { RequestEvent, RequestState } from '../machines/generated/request.js'
import { LEVEL_MEDIUM_GONE } from '../ports/queues.js'
import type { QueueCore } from './queue-core.js'
import { KIND } from './request-columns.js'
import { COUNTER } from './statistics.js'

/** Results that mean that the medium itself is gone: -ENXIO, -ENODEV, -ENOMEDIUM. */
const GONE_ERRNOS: readonly number[] = [-6, -19, -123]

/** Results that mean that there is no space for more, though there may be later: -ENOSPC, -EDQUOT. */
const FULL_ERRNOS: readonly number[] = [-28, -122]

/** Judges, and counts what went wrong. @returns the event that it is for the request: completed, failed or full. */
export function judgeResult(core: QueueCore, slot: number, result: number): number {
  const state = core.state[slot]
  const kind = core.kind[slot]
  const syncing = state === RequestState.Syncing
  // Nobody reads what an orphan moved; that its sync was lost, or its medium, concerns those who come after it.
  const uncounted = syncing || state === RequestState.Orphaned || kind === KIND.discard
  const whole = result >= 0 && (uncounted || movedAll(core, slot, result))
  const promises = kind !== KIND.read && kind !== KIND.write && kind !== KIND.discard
  if (whole && !(promises && core.syncLost)) return RequestEvent.completed
  if (waitsForSpace(core, slot, result)) {
    core.wantSpace(slot)
    return RequestEvent.full
  }
  if (result < 0) core.statistics[COUNTER.mediumErrors]++
  else if (!whole) core.statistics[COUNTER.shortTransfers]++
  if (GONE_ERRNOS.includes(result)) core.levels |= LEVEL_MEDIUM_GONE
  if (promises && core.settings.buffered) core.syncLost = true
  return RequestEvent.failed
}

/** Of several I/Os: whether there is nothing to complain of yet; what went wrong with another has been told already. */
function movedAll(core: QueueCore, slot: number, result: number): boolean {
  if (core.parts[slot] === 1) return result === core.bytes[slot]
  core.moved[slot] += result
  if (core.outstanding[slot] > 1 || core.failed[slot] !== 0 || core.full[slot] !== 0) return true
  return core.moved[slot] === core.bytes[slot]
}

/**
 * Only data waits: a sync that finds no space has lost what it was for, and an orphan has nobody to wait for. A medium
 * that fills up within one write says so by moving a part of it; tried again, it says it in words, or has the space.
 */
function waitsForSpace(core: QueueCore, slot: number, result: number): boolean {
  if (!core.waitsForSpace || core.state[slot] !== RequestState.Submitted) return false
  const full = result < 0 ? FULL_ERRNOS.includes(result) : result < core.bytes[slot]
  const kind = core.kind[slot]
  return full && (kind === KIND.write || kind === KIND.flushWrite || kind === KIND.barrierWrite)
}
