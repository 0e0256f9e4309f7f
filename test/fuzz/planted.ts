/**
 * @packageDocumentation
 * A door of three locks, for the fuzzer's own test: 2^24 keys, each byte a branch that coverage sees.
 */
export function planted(bytes: Uint8Array): void {
  if (bytes[0] !== 0x58) return
  if (bytes[1] !== 0x42) return
  if (bytes[2] === 0x44) throw new Error('the planted fault was reached')
}
