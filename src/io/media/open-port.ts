/**
 * @packageDocumentation
 * From a plan to a port, inside a queue's Worker: the kind of medium, then the layers around it. The embedder gives
 * the clock (layers that delay need one); everything else is in the plan.
 *
 * A memory disk is seen through this thread's one view of its mapping. Several ports may share it, and the last one
 * to close gives it back: until then the owner cannot unmap.
 */
import { giveBack, view } from '../native/owners.js'
import type { Clock } from '../../ports/clock.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { MediumPlan, OpenMediumPort } from '../../ports/medium.js'
import { FilePort } from './file-port.js'
import { geometryBelow, withLayers } from './layers.js'
import { createMemoryPort } from './memory-port.js'
import { NbdPort } from './nbd/nbd-port.js'
import { createNullPort } from './null-port.js'

/** @returns what opens every kind of medium that {@link MediumPlan} knows. */
export function createOpenMediumPort(clock: Clock): OpenMediumPort {
  return (plan, arena) => {
    const { geometry, layers } = plan
    const bare = openBare({ ...plan, geometry: geometryBelow(layers, geometry) }, arena, clock)
    return withLayers(bare, layers, { geometry, arena, clock })
  }
}

function openBare(plan: MediumPlan, arena: BufferArena, clock: Clock): MediumPort {
  switch (plan.kind) {
    case 'file':
      return new FilePort(plan, arena)
    case 'memory':
      return openMemory(plan, arena)
    case 'nbd':
      return new NbdPort(plan, arena, clock)
    case 'null':
      return createNullPort(plan.geometry, arena)
  }
}

/** How many open ports of this thread look at a mapping. */
const viewers = new Map<number, number>()

function openMemory(plan: Extract<MediumPlan, { kind: 'memory' }>, arena: BufferArena): MediumPort {
  const port = createMemoryPort(new Uint8Array(view(plan.handle)), plan.geometry, arena)
  viewers.set(plan.handle, (viewers.get(plan.handle) ?? 0) + 1)
  const closePort = port.close.bind(port)
  port.close = () => {
    closePort()
    const left = (viewers.get(plan.handle) ?? 1) - 1
    if (left > 0) {
      viewers.set(plan.handle, left)
      return
    }
    viewers.delete(plan.handle)
    giveBack(plan.handle)
  }
  return port
}
