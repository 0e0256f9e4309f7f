/**
 * @packageDocumentation
 * SHA-256 (FIPS 180-4) of a short text, in 32-bit arithmetic. Charts are hashed wherever they run, also where there
 * is no `node:crypto` (the simulated world, a browser page that shows a journal); a test compares it with Node's own.
 *
 *   text ─ UTF-8 ─► bytes · 0x80 · zeroes · bit length (big endian, 64 bits) ─► blocks of 16 words ─► 8 words
 *
 * The constants are computed from the primes they are defined by (fractional parts of cube and square roots), which
 * doubles give exactly enough: 32 bits of fraction below a value of 8 need 35 of 53 bits. Not for secrets.
 */
const ROUNDS = 64

function primes(count: number): number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n)
  return found
}

const fraction = (value: number) => ((value - Math.floor(value)) * 2 ** 32) | 0
const constants = Int32Array.from(primes(ROUNDS), (prime) => fraction(Math.cbrt(prime)))
const start = Int32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)))

const rotate = (word: number, by: number) => (word >>> by) | (word << (32 - by))

function pad(text: string): DataView {
  const bytes = new TextEncoder().encode(text)
  const padded = new Uint8Array(((bytes.length + 8) >> 6 << 6) + 64)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29))
  view.setUint32(padded.length - 4, bytes.length << 3)
  return view
}

function schedule(view: DataView, at: number): Int32Array {
  const words = new Int32Array(ROUNDS)
  for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + i * 4)
  for (let i = 16; i < ROUNDS; i++) {
    const a = words[i - 15]
    const b = words[i - 2]
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3)
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10)
    words[i] = words[i - 16] + s0 + words[i - 7] + s1
  }
  return words
}

function compress(hash: Int32Array, words: Int32Array): void {
  let [a, b, c, d, e, f, g, h] = hash
  for (let i = 0; i < ROUNDS; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + constants[i] + words[i]) | 0
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  const next = [a, b, c, d, e, f, g, h]
  for (let i = 0; i < 8; i++) hash[i] += next[i]
}

/** @returns 64 lower-case hexadecimal digits. */
export function sha256(text: string): string {
  const hash = Int32Array.from(start)
  const view = pad(text)
  for (let at = 0; at < view.byteLength; at += 64) compress(hash, schedule(view, at))
  return Array.from(hash, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}
