/**
 * @packageDocumentation
 * Puts the layers of a plan around a port, the first of the list outermost: what the operator wrote first sees a
 * request first.
 */
import type { Clock } from '../../ports/clock.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { MediumGeometry, MediumLayer } from '../../ports/medium.js'
import { DelayPort } from './delay.js'
import { CorruptPort, ErrorPort, ShortPort } from './faults.js'

/** What layers need besides the port that they surround. */
export interface LayerSurroundings {
  readonly geometry: MediumGeometry
  readonly arena: BufferArena
  readonly clock: Clock
}

/** @returns `port` with `layers` around it; `port` itself when there are none. */
export function withLayers(port: MediumPort, layers: readonly MediumLayer[], around: LayerSurroundings): MediumPort {
  return layers.reduceRight((inner, layer) => withLayer(inner, layer, around), port)
}

function withLayer(inner: MediumPort, layer: MediumLayer, around: LayerSurroundings): MediumPort {
  switch (layer.kind) {
    case 'delay':
      return new DelayPort(inner, layer, around.clock)
    case 'error':
      return new ErrorPort(inner, layer)
    case 'short':
      return new ShortPort(inner, layer, around.geometry, around.arena)
    case 'corrupt':
      return new CorruptPort(inner, layer, around.arena)
  }
}
