/**
 * @packageDocumentation
 * A Worker's arena: one mapping of the main thread's, in three parts.
 *
 *   [ data of requests: arena.size │ descriptors of INDIRECT requests │ pages for media that emulate sectors ]
 */
import { DESCRIPTOR_AREA_BYTES } from '../../actors/descriptor-reader.js'
import { BOUNCE_AREA_BYTES } from '../../io/media/bounce-pool.js'
import type { BufferArena } from '../../ports/data-path.js'

/** Bytes of the mapping in which requests have `dataBytes`. */
export function arenaLength(dataBytes: number): number {
  return dataBytes + DESCRIPTOR_AREA_BYTES + BOUNCE_AREA_BYTES
}

/** The arena in a mapping of {@link arenaLength} bytes. */
export function arenaOver(mapping: ArrayBuffer, dataBytes: number, handle: number): BufferArena {
  return { bytes: new Uint8Array(mapping), dataBytes, bounceAt: dataBytes + DESCRIPTOR_AREA_BYTES, handle }
}
