/**
 * @packageDocumentation
 * 64-bit numbers of the wire as two u32 words. An id stays two words for ever (it is opaque); a sector number becomes
 * a double once it is known to be below 2^44. No bigint: it costs an allocation, and JSON does not take it. Words come
 * out of Int32Arrays and may therefore be negative: every function here takes them either way.
 */

/** low + high · 2^32; exact below 2^53, rounded above. */
export function u64ToDouble(low: number, high: number): number {
  return (high >>> 0) * 4294967296 + (low >>> 0)
}

/** The low word of a whole number from 0 to 2^53, as a signed 32-bit word. */
export function u64Low(value: number): number {
  return (value % 4294967296) | 0
}

/** The high word of a whole number from 0 to 2^53, as a signed 32-bit word. */
export function u64High(value: number): number {
  return Math.floor(value / 4294967296) | 0
}

/** All 64 bits in decimal digits, for tools and people. */
export function u64ToString(low: number, high: number): string {
  return ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString()
}
