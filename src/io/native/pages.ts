/**
 * @packageDocumentation
 * Pages of a guest's memory mapped side by side, as one gntdev map of several references gives them on Xen: a ring of
 * several pages must be virtually contiguous, because its entries straddle page boundaries.
 */
import { loadAddon } from './load.js'

const addon = loadAddon<{ mapPages(memory: number, frames: Int32Array): number }>()

/**
 * Maps the 4096-byte pages `frames` of the sealed memfd `memory` in this order, shared and writable.
 * @returns the mapping's handle. Throws EPERM for memory that may shrink, EINVAL for a frame beyond its end.
 */
export const mapPages = (memory: number, frames: readonly number[]): number =>
  addon.mapPages(memory, Int32Array.from(frames))
