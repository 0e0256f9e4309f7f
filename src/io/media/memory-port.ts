/**
 * @packageDocumentation
 * A disk of memory: for the demo, for tests, and as the simulated world's medium. The store is a plain array here, a
 * mapping of the table of owners in the daemon; nothing else differs.
 *
 * It is the reference by which the other media are judged: discarded ranges read as zeroes, a sync has nothing to do
 * (what a process wrote to shared memory is as durable as it ever gets), a refused request touches nothing.
 */
import { IO_DISCARD, IO_READ, IO_SECURE_DISCARD, IO_WRITE, IO_WRITE_ZEROES } from '../../ports/data-path.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { MediumGeometry } from '../../ports/medium.js'
import { assert } from '../../protocol/errors.js'
import { InstantPort } from './instant-port.js'
import { lengthOf, offsetOf } from './requests.js'

/** The geometry of a memory disk of `sectorCount` sectors of 512 bytes. */
export function memoryGeometry(sectorCount: number, readOnly = false): MediumGeometry {
  return {
    sectorCount,
    sectorSize: 512,
    physicalSectorSize: 4096,
    readOnly,
    canFlush: true,
    canDiscard: true,
    canSecureDiscard: true,
    discardGranularity: 512,
    discardAlignment: 0,
    buffered: false,
  }
}

/**
 * A port onto `store`, which must be at least as long as the geometry says.
 * @remarks A read and a write each cost one short-lived view: `set` is the only bulk copy between two arrays.
 */
export function createMemoryPort(store: Uint8Array, geometry: MediumGeometry, arena: BufferArena): MediumPort {
  assert(store.length >= geometry.sectorCount * 512, 'a memory medium is shorter than its geometry')
  const buffers = arena.bytes
  return new InstantPort(geometry, arena, (requests, base) => {
    const at = requests[base + 2] >>> 0
    const length = lengthOf(requests, base)
    const offset = offsetOf(requests, base)
    switch (requests[base]) {
      case IO_READ:
        buffers.set(store.subarray(offset, offset + length), at)
        return length
      case IO_WRITE:
        store.set(buffers.subarray(at, at + length), offset)
        return length
      case IO_DISCARD:
      case IO_SECURE_DISCARD:
      case IO_WRITE_ZEROES:
        store.fill(0, offset, offset + length)
        return 0
      default:
        return 0
    }
  })
}
