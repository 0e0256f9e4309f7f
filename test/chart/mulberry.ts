/**
 * @packageDocumentation
 * Seeded numbers for tests (mulberry32): the same walk in every run, so that a failure can be had again.
 */

/** @returns a function that gives whole numbers from 0 to `below` - 1. */
export function mulberry(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
