/**
 * @packageDocumentation
 * Puts the layers of a plan around a port, the first of the list outermost: what the operator wrote first sees a
 * request first. Below a layer that emulates sectors everything knows whole ones only.
 */
import type { Clock } from '../../ports/clock.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { MediumGeometry, MediumLayer } from '../../ports/medium.js'
import { DelayPort } from './delay.js'
import { CorruptPort, ErrorPort, ShortPort } from './faults.js'
import { WholeSectorPort } from './whole-sectors.js'

/** What layers need besides the port that they surround. */
export interface LayerSurroundings {
  readonly geometry: MediumGeometry
  readonly arena: BufferArena
  readonly clock: Clock
}

/** @returns `port` with `layers` around it; `port` itself when there are none. */
export function withLayers(port: MediumPort, layers: readonly MediumLayer[], around: LayerSurroundings): MediumPort {
  return layers.reduceRight((inner, layer, index) => {
    const geometry = geometryBelow(layers.slice(0, index), around.geometry)
    return withLayer(inner, layer, { ...around, geometry })
  }, port)
}

/** What stands below `layers`, seen from there; `geometry` is what the guest sees. */
export function geometryBelow(layers: readonly MediumLayer[], geometry: MediumGeometry): MediumGeometry {
  const emulation = layers.find((layer) => layer.kind === 'whole-sectors')
  return emulation === undefined ? geometry : { ...geometry, sectorSize: emulation.bytes }
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
    case 'whole-sectors':
      return new WholeSectorPort(inner, layer.bytes, around.geometry, around.arena)
  }
}
