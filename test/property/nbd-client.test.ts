/** The NBD client's codec against servers that are honest, in pieces, and against those that are not. */
import fc from 'fast-check'
import { parseNbdAddress } from '../../src/io/media/nbd/address.js'
import { Handshake, type HandshakeEnd } from '../../src/io/media/nbd/handshake.js'
import { PartTable } from '../../src/io/media/nbd/parts.js'
import { ReplyReader, type ReplySink } from '../../src/io/media/nbd/reply-reader.js'
import { WriteLog } from '../../src/io/media/nbd/write-log.js'
import { parseTarget } from '../../src/io/media/parse-target.js'
import * as nbd from '../../src/protocol/nbd.js'

/** `bytes` in pieces that end where `cuts` say. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end))
}

const words = (...values: number[]) => {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => bytes.writeUInt32BE(value >>> 0, index * 4))
  return bytes
}

describe('addresses', () => {
  test('as the NBD project writes them', () => {
    expect(parseNbdAddress('nbd+unix:///a%20b?socket=/run/x.nbd')).toMatchObject({ exportName: 'a b', at: { path: '/run/x.nbd' } })
    expect(parseNbdAddress('nbd://server/disk')).toMatchObject({ exportName: 'disk', at: { host: 'server', port: 10809 } })
    expect(parseNbdAddress('nbd://[::1]:99')).toMatchObject({ exportName: '', at: { host: '::1', port: 99 } })
    expect(parseTarget('nbd://h/x')).toMatchObject({ kind: 'nbd' })
  })

  test.each([
    ['nbd:host:10809', 'no address'], ['nbd://', 'no host'], ['nbd://h:0/x', 'port'], ['nbd://h/x?socket=/y', 'does not take'],
    ['nbd+unix:///x', 'where the socket is'], ['nbd+unix:///x?socket=y', 'absolute'], ['nbds://h/x', 'TLS'],
    ['nbd+vsock://1/x', 'not known'], ['nbd://h/%zz', 'encoded'], [`nbd+unix:///?socket=/${'x'.repeat(200)}`, 'shorter'],
    [`nbd://h/${'x'.repeat(5000)}`, 'shorter'],
  ])('%s is refused with a sentence', (uri, word) => {
    expect(parseTarget(uri)).toMatchObject({ kind: 'error', error: { sentence: expect.stringContaining(word) as string } })
  })

  test('whatever is written, there is an answer', () => {
    fc.assert(fc.property(fc.string(), (text) => {
      expect(['string', 'object']).toContain(typeof parseNbdAddress(`nbd://${text}`))
    }))
  })
})

/** An honest server's half of the handshake, up to the end of GO. */
function honest(sizeBytes: number, structured: boolean, go: boolean): Buffer {
  const size = Buffer.alloc(12)
  size.writeBigUInt64BE(BigInt(sizeBytes), 2)
  size.writeUInt16BE(nbd.HAS_FLAGS | nbd.SEND_FLUSH, 10)
  const blocks = Buffer.concat([Buffer.from([0, nbd.INFO_BLOCK_SIZE]), words(512, 4096, 1 << 20)])
  const answers = go
    ? [nbd.encodeOptionReply(nbd.OPT_GO, nbd.REP_INFO, size), nbd.encodeOptionReply(nbd.OPT_GO, nbd.REP_INFO, blocks),
      nbd.encodeOptionReply(nbd.OPT_GO, nbd.REP_ACK)]
    : [nbd.encodeOptionReply(nbd.OPT_GO, nbd.REP_ERR_UNSUP), size.subarray(2)]
  const reply = structured ? nbd.REP_ACK : nbd.REP_ERR_UNSUP
  return Buffer.concat([nbd.encodeGreeting(), nbd.encodeOptionReply(nbd.OPT_STRUCTURED_REPLY, reply), ...answers])
}

function shake(fed: readonly Buffer[]): { end: HandshakeEnd | undefined; rest: Buffer } {
  const handshake = new Handshake('disk', 'serve', () => undefined)
  const rest: Buffer[] = []
  let end: HandshakeEnd | undefined
  for (const piece of fed) {
    if (end !== undefined) rest.push(piece)
    else if ((end = handshake.feed(piece)) !== undefined) rest.push(Buffer.from(handshake.rest))
  }
  return { end, rest: Buffer.concat(rest) }
}

describe('the handshake', () => {
  test('comes out the same in whatever pieces, and leaves what is not its own', () => {
    const property = fc.property(fc.array(fc.nat()), fc.boolean(), fc.boolean(), fc.integer({ min: 0, max: 2 ** 52 }),
      (cuts, structured, go, sizeBytes) => {
        const { end, rest } = shake(pieces(Buffer.concat([honest(sizeBytes, structured, go), Buffer.from('rest')]), cuts))
        expect(end).toMatchObject({ ok: true, structured, export: { sizeBytes, minimumBlock: go ? 512 : 1 } })
        expect(rest.toString()).toBe('rest')
      })
    fc.assert(property)
  })

  test('nonsense ends in a sentence or in waiting, never in an exception', () => {
    const spoilt = fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 40 }))
    fc.assert(fc.property(spoilt, fc.array(fc.nat()), ([at, noise], cuts) => {
      const bytes = honest(1 << 20, true, true)
      bytes.set(noise.subarray(0, bytes.length - (at % bytes.length)), at % bytes.length)
      const { end } = shake(pieces(bytes, cuts))
      if (end !== undefined && !end.ok) expect(end.sentence.length).toBeGreaterThan(10)
    }), { numRuns: 500 })
  })

  test('what a server claims is not allocated: an answer of 4 GiB, an answer without end', () => {
    const start = honest(1 << 20, true, true).subarray(0, 18 + 20)
    const huge = nbd.encodeOptionReply(nbd.OPT_GO, nbd.REP_INFO)
    huge.writeUInt32BE(0xffffffff, 16)
    expect(shake([start, huge]).end).toMatchObject({ ok: false, sentence: expect.stringContaining('4294967295') as string })
    const again = nbd.encodeOptionReply(nbd.OPT_GO, nbd.REP_INFO, Buffer.from([0, 9]))
    expect(shake([start, ...Array<Buffer>(100).fill(again)]).end).toMatchObject({ ok: false })
  })
})

/** One read of 4096 bytes at 8192 is waited for, in place 3 with serial 1. */
function waiting(structured: boolean) {
  const parts = new PartTable(4)
  const place = parts.take(0, 0, nbd.CMD_READ, 8192, 4096)
  const filled = Buffer.alloc(4096, 0xee)
  const ends: [number, number][] = []
  let target = 0
  const data = (at: number, serial: number, offset: number, length: number) => {
    if (!parts.isWaiting(at, serial) || !parts.cover(at, offset, length)) return false
    target = offset - 8192
    return true
  }
  const sink: ReplySink = {
    answer: (at, serial, error) => (!parts.isWaiting(at, serial) ? -1 : error ? 0 : data(at, serial, 8192, 4096) ? 4096 : -1),
    data,
    hole: (at, serial, offset, length) => data(at, serial, offset, length) && (filled.fill(0, target, target + length), true),
    error: (at, serial, error) => parts.isWaiting(at, serial) && ((parts.error[at] = error), true),
    done: (at, serial) => {
      if (!parts.isWaiting(at, serial) || (parts.error[at] === 0 && !parts.isCovered(at))) return false
      ends.push([at, parts.error[at]])
      parts.release(at)
      return true
    },
    bytes: (piece) => void (filled.set(piece, target), (target += piece.length)),
  }
  return { reader: new ReplyReader(sink, structured), place, filled, ends }
}

function chunk(kind: number, flags: number, place: number, payload: Buffer, serial = 1): Buffer {
  const head = Buffer.alloc(20)
  head.writeUInt32BE(nbd.CHUNK_MAGIC, 0)
  head.writeUInt16BE(flags, 4)
  head.writeUInt16BE(kind, 6)
  head.writeUInt32BE(serial, 8)
  head.writeUInt32BE(place, 12)
  head.writeUInt32BE(payload.length, 16)
  return Buffer.concat([head, payload])
}
const data = (place: number, offset: number, bytes: Buffer) =>
  chunk(nbd.CHUNK_OFFSET_DATA, 0, place, Buffer.concat([words(0, offset), bytes]))
const none = (place: number, serial = 1) => chunk(nbd.CHUNK_NONE, nbd.CHUNK_FLAG_DONE, place, Buffer.alloc(0), serial)

describe('answers', () => {
  test('a read in chunks, in any order and in any pieces, is filled from end to end', () => {
    fc.assert(fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }), fc.array(fc.nat()), (order, cuts) => {
      const { reader, place, filled, ends } = waiting(true)
      const sent = order.map((part) => part % 3 === 2
        ? chunk(nbd.CHUNK_OFFSET_HOLE, 0, place, words(0, 8192 + part * 512, 512))
        : data(place, 8192 + part * 512, Buffer.alloc(512, part + 1)))
      for (const piece of pieces(Buffer.concat([...sent, none(place)]), cuts)) expect(reader.feed(piece)).toBeUndefined()
      expect(ends).toEqual([[place, 0]])
      for (let part = 0; part < 8; part++)
        expect(new Set(filled.subarray(part * 512, part * 512 + 512))).toEqual(new Set([part % 3 === 2 ? 0 : part + 1]))
    }))
  })

  const half = Buffer.alloc(2048)
  test.each<[string, (place: number) => Buffer[]]>([
    ['leaves out a part', (place) => [data(place, 8192, half), none(place)]],
    ['says one part twice', (place) => [data(place, 8192, half), data(place, 9216, half)]],
    ['says one part twice, apart', (place) => [data(place, 10240, half), data(place, 8192, Buffer.alloc(2049))]],
    ['goes beyond the end', (place) => [data(place, 8192, Buffer.alloc(4097))]],
    ['begins before the start', (place) => [data(place, 8191, half)]],
    ['is for nobody', (place) => [none(place, 2)]],
    ['is for a place that does not exist', () => [none(0xffffffff)]],
    ['has another magic number', () => [Buffer.alloc(16, 7)]],
    ['has a kind that is unknown', (place) => [chunk(7, 0, place, half)]],
    ['is an error of 4 GiB', (place) => [chunk(0x8001, 0, place, Buffer.alloc(9000))]],
  ])('one that %s ends the connection, and reaches nobody', (_what, sent) => {
    const { reader, place, ends } = waiting(true)
    expect(reader.feed(Buffer.concat(sent(place)))).toContain('breaks the protocol')
    expect(ends).toEqual([])
  })

  test('noise ends in a sentence, and writes nothing where nobody reads', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 20, maxLength: 200 }), fc.boolean(), (noise, structured) => {
      const { reader, filled } = waiting(structured)
      reader.feed(noise)
      expect(new Set(filled)).toEqual(new Set([0xee]))
    }))
  })
})

test('the write log keeps the newest in order, bounded, and forgets what a flush covered', () => {
  const step = fc.record({ length: fc.integer({ min: 0, max: 3000 }), forget: fc.boolean() })
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const log = new WriteLog(8192)
    const model: Buffer[] = []
    let fill = 0
    for (const { length, forget } of steps) {
      const used = model.reduce((sum, { length: bytes }) => sum + bytes, 0)
      expect(log.reserve(length)).toBe(used + length <= 8192)
      if (used + length <= 8192) {
        model.push(Buffer.alloc(length, ++fill))
        log.append(1, fill, length, model.at(-1) as Buffer)
      }
      if (forget) {
        log.forget(log.end)
        model.length = 0
      }
      const kept = Array.from({ length: log.end - log.first }, (_, index) => Buffer.concat(log.pieces(log.first + index)))
      expect(kept).toEqual(model)
    }
  }))
})
