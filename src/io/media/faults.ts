/**
 * @packageDocumentation
 * Disks that fail, each as a layer in front of a good one:
 *
 *   error     the request ends with -errno and never reaches the medium
 *   short     a read or write moves only part of its bytes: half, in whole sectors, or none when it has one sector
 *   corrupt   a read succeeds and one bit of what it filled is flipped: a disk that lies
 *
 * None of them touches a byte outside the request's own buffer.
 */
import { IO_READ } from '../../ports/data-path.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { MediumGeometry, MediumLayer } from '../../ports/medium.js'
import { LayerPort } from './layer-port.js'
import type { LayerVerdict } from './layer-port.js'
import { movesBytes, refusalOf } from './requests.js'

/** Ends what is in scope with an error. */
export class ErrorPort extends LayerPort {
  private readonly errno: number

  constructor(inner: MediumPort, layer: Extract<MediumLayer, { kind: 'error' }>) {
    super(inner, layer)
    this.errno = layer.errno
  }

  protected override keep(request: Int32Array): LayerVerdict {
    if (!this.scope.takes(request, 0)) return 'pass'
    this.own.push(request[1], -this.errno)
    return 'kept'
  }
}

/** Lets reads and writes in scope move only a part. */
export class ShortPort extends LayerPort {
  private readonly geometry: MediumGeometry
  private readonly arenaBytes: number

  constructor(
    inner: MediumPort,
    layer: Extract<MediumLayer, { kind: 'short' }>,
    geometry: MediumGeometry,
    arena: BufferArena,
  ) {
    super(inner, layer)
    this.geometry = geometry
    this.arenaBytes = arena.bytes.length
  }

  protected override keep(request: Int32Array): LayerVerdict {
    // What the medium would refuse must still be refused, not half of it accepted.
    if (!movesBytes(request[0]) || refusalOf(request, 0, this.geometry, this.arenaBytes) !== 0) return 'pass'
    if (!this.scope.takes(request, 0)) return 'pass'
    const sectorSize = this.geometry.sectorSize
    const half = Math.floor((request[3] >>> 0) / 2 / sectorSize) * sectorSize
    if (half === 0) {
      this.own.push(request[1], 0)
      return 'kept'
    }
    request[3] = half
    return 'pass'
  }
}

/** Flips one bit in the middle of what a read in scope filled. */
export class CorruptPort extends LayerPort {
  private readonly buffers: Uint8Array
  /** Token of a read to corrupt → the byte to flip a bit of, while it is in flight. */
  private readonly targets = new Map<number, number>()

  constructor(inner: MediumPort, layer: Extract<MediumLayer, { kind: 'corrupt' }>, arena: BufferArena) {
    super(inner, layer)
    this.buffers = arena.bytes
  }

  protected override keep(request: Int32Array): LayerVerdict {
    if (request[0] === IO_READ && this.scope.takes(request, 0)) {
      this.targets.set(request[1], (request[2] >>> 0) + ((request[3] >>> 0) >>> 1))
    }
    return 'pass'
  }

  protected override untaken(request: Int32Array): void {
    super.untaken(request)
    this.targets.delete(request[1])
  }

  protected override passed(results: Int32Array, base: number): void {
    const target = this.targets.get(results[base])
    if (target === undefined) return
    this.targets.delete(results[base])
    if (results[base + 1] > 0) this.buffers[target] ^= 1
  }
}
