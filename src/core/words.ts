/**
 * @packageDocumentation
 * Doubles in arrays of 32-bit words: two words, low first, as they lie in memory on the machines that Xen runs on.
 */
const scratch = new Float64Array(1)
const scratchWords = new Int32Array(scratch.buffer)

export function putDouble(words: Int32Array, at: number, value: number): void {
  scratch[0] = value
  words[at] = scratchWords[0]
  words[at + 1] = scratchWords[1]
}

export function getDouble(words: Int32Array, at: number): number {
  scratchWords[0] = words[at]
  scratchWords[1] = words[at + 1]
  return scratch[0]
}
