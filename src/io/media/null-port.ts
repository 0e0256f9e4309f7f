/**
 * @packageDocumentation
 * A disk that forgets: writes vanish, reads are zeroes. It is what remains of a data path when the disk is taken
 * away, so the benchmarks measure the plane with it.
 *
 * Reads *do* fill their buffer. A null disk that left it alone would be faster and would hand the guest what another
 * guest's request left there: nothing from a buffer may reach a guest unless this request's read filled it.
 */
import { IO_READ, IO_WRITE } from '../../ports/data-path.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { MediumGeometry } from '../../ports/medium.js'
import { InstantPort } from './instant-port.js'
import { memoryGeometry } from './memory-port.js'

/** The geometry of a null disk: as of a memory disk. */
export function nullGeometry(sectorCount: number, readOnly = false): MediumGeometry {
  return memoryGeometry(sectorCount, readOnly)
}

/** A port that keeps nothing. */
export function createNullPort(geometry: MediumGeometry, arena: BufferArena): MediumPort {
  const buffers = arena.bytes
  return new InstantPort(geometry, arena, (requests, base) => {
    const op = requests[base]
    if (op !== IO_READ && op !== IO_WRITE) return 0
    const at = requests[base + 2] >>> 0
    const length = requests[base + 3] >>> 0
    if (op === IO_READ) buffers.fill(0, at, at + length)
    return length
  })
}
