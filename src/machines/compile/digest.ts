/**
 * @packageDocumentation
 * The digest of transitions: 32 bits into which every transition taken is mixed, in order. A batch of the journal
 * closes with it, and a replay that took another path, through another slot, or in another order ends with another.
 *
 *   word    slot << 16 | event << 8 | new state
 *   digest  rotate left 13 of (digest xor word) × 0x9E3779B1, plus 0x6D2B79F5
 *
 * The product spreads a change upwards, the rotation brings it back down, the constant keeps zero from standing
 * still. It detects accidents, not adversaries. Generated code has these lines inlined; a test holds both together.
 */
export const DIGEST_FACTOR = 0x9e3779b1
export const DIGEST_ROTATION = 13
export const DIGEST_CONSTANT = 0x6d2b79f5

/** @returns the digest after one more transition (a signed 32-bit number). */
export function mixDigest(digest: number, slot: number, event: number, newState: number): number {
  const mixed = Math.imul(digest ^ ((slot << 16) | (event << 8) | newState), DIGEST_FACTOR)
  return (((mixed << DIGEST_ROTATION) | (mixed >>> (32 - DIGEST_ROTATION))) + DIGEST_CONSTANT) | 0
}
