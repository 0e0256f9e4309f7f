/**
 * @packageDocumentation
 * Makes an input from others: bits, bytes and words changed, pieces cut out, doubled, moved, taken from another input, and
 * words of the target's own language put in. A few changes at a time, so that most of what an input reached stays reached.
 */
import type { Random } from '../../src/sim/random.js'

/** Numbers at whose edges code goes wrong. */
const EDGES = [0, 1, -1, 2, 7, 8, 11, 12, 127, 128, 255, 256, 4095, 4096, 32767, 65535, 0x7fffffff, -0x80000000]
const CHANGES_MAX = 6

export interface Mutator {
  readonly random: Random
  /** Longest input. */
  readonly most: number
  readonly words: readonly string[]
}

/** A new input out of `from`, with pieces of `other`. */
export function mutate({ random, most, words }: Mutator, from: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes: Buffer<ArrayBufferLike> = Buffer.from(from)
  for (let change = 1 + random.below(CHANGES_MAX); change > 0; change--) bytes = changed(bytes, Buffer.from(other), random, words)
  return bytes.subarray(0, most)
}

function changed(
  bytes: Buffer<ArrayBufferLike>, other: Buffer, random: Random, words: readonly string[],
): Buffer<ArrayBufferLike> {
  const at = random.below(bytes.length + 1)
  const length = 1 + random.below(Math.min(32, bytes.length + 1))
  const splice = (piece: Uint8Array, cut: number) => Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + cut)])
  switch (random.below(words.length > 0 ? 10 : 9)) {
    case 0:
      if (at < bytes.length) bytes[at] ^= 1 << random.below(8)
      return bytes
    case 1:
      if (at < bytes.length) bytes[at] = random.below(256)
      return bytes
    case 2:
      if (at + 4 <= bytes.length) bytes.writeInt32LE(random.pick(EDGES), at & ~3)
      return bytes
    case 3:
      if (at + 4 <= bytes.length) bytes.writeInt32LE((bytes.readInt32LE(at & ~3) + random.below(9) - 4) | 0, at & ~3)
      return bytes
    case 4: return splice(new Uint8Array(0), length)
    case 5: return splice(bytes.subarray(at, at + length), 0)
    case 6: return splice(Uint8Array.from({ length }, () => random.below(256)), 0)
    case 7: {
      const from = random.below(other.length + 1)
      return splice(other.subarray(from, from + 4 * length), random.below(2) * length)
    }
    case 8: return splice(Buffer.from(String(random.chance(0.5) ? random.pick(EDGES) : random.next())), random.below(2) * length)
    default: return splice(Buffer.from(random.pick(words)), random.below(2) * length)
  }
}
