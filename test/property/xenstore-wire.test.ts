/** The codec: whatever is sent comes out again, however it is cut; hostile bytes end it with a value. */
import * as fc from 'fast-check'
import {
  formatPermission,
  nulTerminated,
  parsePermission,
  parseU32,
  splitStrings,
} from '../../src/io/xenstore/payload.js'
import { isNodePath, normalisePath } from '../../src/io/xenstore/path.js'
import { encodeMessage, WireDecoder, type WireMessage, XENSTORE_PAYLOAD_MAX } from '../../src/io/xenstore/wire.js'

const u32 = fc.nat({ max: 0xffffffff })
const message: fc.Arbitrary<WireMessage> = fc.record({
  type: u32,
  reqId: u32,
  txId: u32,
  payload: fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
})

/** Cuts bytes into chunks of the given sizes, repeated. */
function* chunks(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]
    yield bytes.subarray(offset, offset + size)
    offset += size
  }
}

function encoded(messages: readonly WireMessage[]): Buffer {
  return Buffer.concat(messages.map(({ type, reqId, txId, payload }) => encodeMessage(type, reqId, txId, payload)))
}

test('messages come out as they went in, cut anywhere', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), sizes, (messages, cuts) => {
      const decoder = new WireDecoder()
      const decoded = [...chunks(encoded(messages), cuts)].map((chunk) => decoder.push(chunk))
      expect(decoded.flatMap((part) => part.messages)).toEqual(messages)
      expect(decoded.every((part) => part.broken === undefined)).toBe(true)
      expect(decoder.midMessage).toBe(false)
    }),
    { seed: 1 },
  )
})

test('the largest payload passes, one byte more ends the stream', () => {
  const largest = encodeMessage(1, 2, 3, Buffer.alloc(XENSTORE_PAYLOAD_MAX, 7))
  const decoder = new WireDecoder()
  expect(decoder.push(largest).messages[0].payload.length).toBe(XENSTORE_PAYLOAD_MAX)
  const hostile = decoder.push(encodeMessage(1, 2, 3, Buffer.alloc(XENSTORE_PAYLOAD_MAX + 1)))
  expect(hostile.messages).toEqual([])
  expect(hostile.broken).toMatch('4097 bytes')
})

test('after a hostile length the messages before it count, and nothing after it', () => {
  const length = fc.integer({ min: XENSTORE_PAYLOAD_MAX + 1, max: 0xffffffff })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 3 }), length, fc.uint8Array(), (before, claimed, rest) => {
      const header = encodeMessage(1, 1, 0, Buffer.alloc(0))
      header.writeUInt32LE(claimed, 12)
      const decoder = new WireDecoder()
      const decoded = decoder.push(Buffer.concat([encoded(before), header, rest]))
      expect(decoded.messages).toEqual(before)
      expect(decoded.broken).toMatch(String(claimed))
      expect(decoder.push(encoded(before)).messages).toEqual([])
    }),
    { seed: 2 },
  )
})

test('no bytes whatever make the decoder throw, and it never gives more than it was given', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (parts) => {
      const decoder = new WireDecoder()
      const given = parts.reduce((sum, part) => sum + part.length, 0)
      const got = parts.flatMap((part) => decoder.push(part).messages)
      expect(got.reduce((sum, { payload }) => sum + payload.length + 16, 0)).toBeLessThanOrEqual(given)
    }),
    { seed: 3 },
  )
})

test('a message keeps its bytes when the chunk that brought it is used again', () => {
  const chunk = encodeMessage(1, 1, 0, Buffer.from('keep'))
  const [first] = new WireDecoder().push(chunk).messages
  chunk.fill(0)
  expect(first.payload.toString()).toBe('keep')
})

test('strings, numbers and permissions survive the way to the wire and back', () => {
  const text = fc.string().filter((value) => !value.includes('\0'))
  const strings = fc.property(fc.array(text), (texts) => expect(splitStrings(nulTerminated(texts))).toEqual(texts))
  fc.assert(strings, { seed: 4 })
  fc.assert(fc.property(u32, (value) => expect(parseU32(String(value))).toBe(value)), { seed: 5 })
  const permission = fc.record({
    access: fc.constantFrom<'n' | 'r' | 'w' | 'b'>('n', 'r', 'w', 'b'),
    domid: fc.nat({ max: 0xffff }),
  })
  const entries = fc.property(permission, (entry) => expect(parsePermission(formatPermission(entry))).toEqual(entry))
  fc.assert(entries, { seed: 6 })
})

test.each(['', '-1', '+1', ' 1', '01', '1e3', '0x1', '4294967296', '1.0', '1\0'])('%j is no number', (text) => {
  expect(parseU32(text)).toBeUndefined()
})

test('what is normalised is a path that servers accept, and normalising it again changes nothing', () => {
  const piece = fc.constantFrom('/', '//', 'a', 'backend', '@', '-', '_', '.', ' ', '\0', 'ä')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const normal = normalisePath(pieces.join(''))
      if (normal === undefined) return
      expect(normalisePath(normal)).toBe(normal)
      expect(isNodePath(normal.startsWith('/') ? normal : `/local/domain/0/${normal}`)).toBe(true)
    }),
    { seed: 7, numRuns: 1000 },
  )
})
