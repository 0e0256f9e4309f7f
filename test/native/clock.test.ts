import { crc32 as zlibCrc32 } from 'node:zlib'
import { crc32, nowNs } from '../../src/io/native/clock.js'

const failing = (code: string) => expect.objectContaining({ code }) as Error

test('the clock is the monotonic one, in nanoseconds', () => {
  const before = process.hrtime.bigint()
  const now = nowNs()
  const after = process.hrtime.bigint()
  expect(now).toBeGreaterThanOrEqual(Number(before))
  expect(now).toBeLessThanOrEqual(Number(after))
})

test('the check value of the polynomial', () => {
  expect(crc32(Buffer.from('123456789'), 0, 9, 0)).toBe(0xcbf43926)
})

test('every length and alignment up to three folds agrees with zlib', () => {
  const bytes = new Uint8Array(400)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 31 + (i >> 3)) & 0xff
  for (let length = 0; length <= 300; length++) {
    const offset = length % 17
    const seed = (length * 2654435761) >>> 0
    expect([length, crc32(bytes, offset, length, seed)]).toEqual([
      length, zlibCrc32(bytes.subarray(offset, offset + length), seed),
    ])
  }
})

test('a large buffer, through any view, whole or in parts', () => {
  const words = Int32Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 0x9e3779b1))
  const bytes = new Uint8Array(words.buffer)
  const whole = zlibCrc32(bytes)
  expect(crc32(words, 0, words.byteLength, 0)).toBe(whole)
  expect(crc32(new Float64Array(words.buffer), 0, words.byteLength, 0)).toBe(whole)
  expect(crc32(words, 99_999, words.byteLength - 99_999, crc32(words, 0, 99_999, 0))).toBe(whole)
  expect(crc32(words.subarray(1000), 0, 4000, 0)).toBe(zlibCrc32(bytes.subarray(4000, 8000)))
})

test('one flipped bit anywhere changes it', () => {
  const bytes = new Uint8Array(160)
  const clean = crc32(bytes, 0, 160, 0)
  for (let bit = 0; bit < 160 * 8; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7)
    expect(crc32(bytes, 0, 160, 0)).not.toBe(clean)
    bytes[bit >> 3] ^= 1 << (bit & 7)
  }
})

test('a range outside the view is refused', () => {
  const bytes = new Uint8Array(10)
  for (const [offset, length] of [[0, 11], [11, 0], [5, 6], [-1, 2], [0, -1], [0.5, 1], [2 ** 60, 2 ** 60], [NaN, 1]])
    expect(() => crc32(bytes, offset, length, 0)).toThrow(failing('EINVAL'))
  expect(() => crc32([1] as unknown as Uint8Array, 0, 1, 0)).toThrow(failing('EINVAL'))
  expect(crc32(bytes, 10, 0, 7)).toBe(7)
})
