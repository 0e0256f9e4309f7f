/**
 * @packageDocumentation
 * The machine's monotonic clock as one double, and CRC-32 of a part of a typed array: two things that the journal
 * asks for once per batch and that must cost no object.
 */
import { loadAddon } from './load.js'

interface ClockAddon {
  nowNs(): number
  crc32(view: NodeJS.TypedArray, byteOffset: number, length: number, seed: number): number
}

const addon = loadAddon<ClockAddon>()

/** CLOCK_MONOTONIC in nanoseconds since an arbitrary origin; the same for all processes of the machine. */
export const nowNs: () => number = addon.nowNs

/**
 * CRC-32 (as zlib.crc32) of `length` bytes from `byteOffset` of `view`, continued from `seed` (0 to begin).
 * Throws EINVAL when the range does not lie within the view.
 */
export const crc32: (view: NodeJS.TypedArray, byteOffset: number, length: number, seed: number) => number = addon.crc32

/** CRC-32 of `count` words from words[at], continued from `seed`, as a signed word: for a journal's writer. */
export function crcOfWords(words: Int32Array, at: number, count: number, seed: number): number {
  return addon.crc32(words, at * 4, count * 4, seed) | 0
}
