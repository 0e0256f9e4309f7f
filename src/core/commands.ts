/**
 * @packageDocumentation
 * What COMMAND records make of a queue: the device's wishes, what the shell found out about ring and medium, and the
 * clock's word that what waits for space on a full medium may be tried again.
 */
import { LIMITED_BY_BYTES, LIMITED_BY_OPERATIONS } from './admission.js'
import { QueueEvent } from '../machines/generated/queue.js'
import { RequestEvent, RequestState } from '../machines/generated/request.js'
import { LEVEL_MEDIUM_GONE } from '../ports/queues.js'
import { assert } from '../protocol/errors.js'
import { u64ToDouble } from '../protocol/u64.js'
import type { QueueCore } from './queue-core.js'
import {
  COMMAND_ABANDON, COMMAND_ATTACH, COMMAND_DETACH, COMMAND_DRAIN, COMMAND_LIMIT_KIBIBYTES, COMMAND_LIMIT_OPERATIONS,
  COMMAND_MEDIUM_OPENED, COMMAND_MEDIUM_RESIZED, COMMAND_MEDIUM_SECTOR_SIZE, COMMAND_MEDIUM_SIZE_HIGH,
  COMMAND_RECOVERED, COMMAND_RETRY, COMMAND_RING_BROKEN, COMMAND_YIELD, DRAIN_WITHOUT_SPACE,
} from './records.js'
import { redoAll } from './recovery.js'

/** One command; codes and arguments as in records.ts. */
export function obey(core: QueueCore, code: number, argument: number): void {
  switch (code) {
    case COMMAND_ATTACH:
      core.reqCons = core.rspProd = core.reqProdSeen = argument
      return core.turn(QueueEvent.attached)
    case COMMAND_DRAIN:
      core.turn(QueueEvent.drainAsked)
      return argument === DRAIN_WITHOUT_SPACE ? giveUpSpace(core) : undefined
    case COMMAND_RETRY:
      return fireStalled(core, RequestEvent.retried)
    case COMMAND_ABANDON:
      return core.turn(QueueEvent.frontEndGone)
    case COMMAND_DETACH:
      return core.turn(QueueEvent.detached)
    case COMMAND_RING_BROKEN:
      core.reqProdSeen = argument
      return core.turn(QueueEvent.ringBroken)
    case COMMAND_RECOVERED:
      return redoAll(core)
    case COMMAND_YIELD:
      return core.turn(QueueEvent.yielded)
    case COMMAND_MEDIUM_SIZE_HIGH:
      core.sizeHigh = argument
      return
    case COMMAND_MEDIUM_SECTOR_SIZE:
      core.disk = { ...core.disk, sectorSize: argument }
      return
    case COMMAND_MEDIUM_OPENED:
      core.syncLost = false
      core.levels &= ~LEVEL_MEDIUM_GONE
      return sizeChanged(core, argument)
    case COMMAND_MEDIUM_RESIZED:
      return sizeChanged(core, argument)
    case COMMAND_LIMIT_OPERATIONS:
      return core.gate.limit(LIMITED_BY_OPERATIONS, argument !== 0)
    case COMMAND_LIMIT_KIBIBYTES:
      return core.gate.limit(LIMITED_BY_BYTES, argument !== 0)
    default:
      assert(false, `command ${code}`)
  }
}

/** Requests judged from now on are held against the new size; there may be space now. */
function sizeChanged(core: QueueCore, sizeLow: number): void {
  core.disk = { ...core.disk, sectorCount: u64ToDouble(sizeLow, core.sizeHigh) }
  core.sizeHigh = 0
  fireStalled(core, RequestEvent.retried)
}

/** Nobody will wait any more: neither those who do, nor those who find no space from now on. */
function giveUpSpace(core: QueueCore): void {
  core.waitsForSpace = false
  fireStalled(core, RequestEvent.gaveUp)
}

function fireStalled(core: QueueCore, event: number): void {
  if (core.spaceWanted === 0) return
  for (let slot = 0; slot < core.slots; slot++)
    if (core.state[slot] === RequestState.Stalled) core.fire(slot, event)
}
