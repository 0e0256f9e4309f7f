/**
 * @packageDocumentation
 * Runs a world from its first step to its end, and says what came of it: the short way for tests that look at one
 * queue. Campaigns with weather and deaths go another way (queue/player.ts).
 */
import type { QueuePlane } from '../actors/queue-plane.js'
import type { QueueCore } from '../core/queue-core.js'
import type { Violation } from './laws.js'
import { World } from './world.js'
import type { Ending } from './world.js'
import type { WorldOptions } from './world-options.js'

export interface WorldReport {
  readonly complaints: readonly string[]
  readonly violations: readonly Violation[]
  readonly answered: number
  readonly core: QueueCore
  readonly plane: QueuePlane
  /** The journal's segments, oldest first. */
  readonly segments: readonly Int32Array[]
  readonly drained: boolean
}

/** Runs one world to its end. */
export function runWorld(options: WorldOptions, ending: Ending = 'drain'): WorldReport {
  const world = new World(options)
  for (let step = 0; step < options.steps; step++) world.step(true)
  world.end(ending)
  return report(world, world.finish())
}

/** What a world can say of itself. */
export function report(world: World, drained: boolean): WorldReport {
  return {
    complaints: world.front.complaints,
    violations: world.laws.violations,
    answered: world.front.answered,
    core: world.core,
    plane: world.plane,
    segments: world.segments,
    drained,
  }
}
