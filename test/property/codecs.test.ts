/**
 * Codecs that have no file of their own here: what is written comes out again, whatever it is, and where a number has edges
 * a model in unbounded integers agrees.
 */
import fc from 'fast-check'
import { LineReader, decodeMessage, decodeRequest, encodeLine, encodeRequest } from '../../src/cli/control/protocol.js'
import { checkpointWordsMax, restoreCheckpoint, writeCheckpoint } from '../../src/core/checkpoint.js'
import { QueueCore } from '../../src/core/queue-core.js'
import { compiledSteppers } from '../../src/core/steppers.js'
import { getDouble, putDouble } from '../../src/core/words.js'
import { decodeMessage as decodeHost, encodeMessage as encodeHost } from '../../src/embedded/host/wire.js'
import { BatchWriter } from '../../src/journal/batch-writer.js'
import { queueIdentity } from '../../src/journal/queue-identity.js'
import { readBatches, readHeader } from '../../src/journal/segment-reader.js'
import { encodeDescriptors } from '../../src/protocol/indirect.js'
import { backendPath, deviceOfPath } from '../../src/protocol/keys.js'
import { ringAdd, ringDistance, ringNotify, ringSlot, producerOverflows } from '../../src/protocol/ring-index.js'
import { u64High, u64Low, u64ToDouble } from '../../src/protocol/u64.js'
import { parseVdev, vdevName } from '../../src/protocol/vdev.js'
import { XENBUS_STATES, parseXenbusState, xenbusStateValue } from '../../src/protocol/xenbus-state.js'
import { World } from '../../src/sim/world.js'

const u32 = fc.nat({ max: 0xffffffff })

/** `bytes` in pieces that end where `cuts` say. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end))
}

test('descriptors of indirect requests stand as blkif.h has them, beside nothing else', () => {
  const segment = fc.record({ gref: u32, firstSect: fc.nat(255), lastSect: fc.nat(255) })
  fc.assert(fc.property(fc.array(segment, { maxLength: 40 }), fc.nat(8), (segments, at) => {
    const words = new Int32Array(100).fill(-1)
    encodeDescriptors(segments, words, at)
    const bytes = new DataView(words.buffer)
    const read = segments.map((_, index) => {
      const from = (at + 2 * index) * 4
      return { gref: bytes.getUint32(from, true), firstSect: bytes.getUint8(from + 4), lastSect: bytes.getUint8(from + 5) }
    })
    expect(read).toEqual(segments)
    expect(words.subarray(at + 2 * segments.length).every((word) => word === -1)).toBe(true)
  }))
})

test('the name of a virtual device is its number again', () => {
  fc.assert(fc.property(fc.oneof(fc.nat(0xffff), fc.nat(0x1fffffff)), (vdev) => {
    const name = vdevName(vdev)
    if (name !== undefined) expect(parseVdev(name)).toEqual({ ok: true, value: vdev })
    expect(parseVdev(String(vdev)).ok).toBe(vdev < 2 ** 29)
  }))
})

test('the path of a device names it, and so does every path below', () => {
  fc.assert(fc.property(fc.nat(0x7fef), u32.filter((id) => id < 2 ** 29), fc.constantFrom('', '/state', '/queue-0/ring-ref'),
    (domid, devid, below) => {
      const root = '/local/domain/0/backend/vbd'
      expect(deviceOfPath(`${backendPath(0, 'vbd', domid, devid)}${below}`, root)).toEqual({ domid, devid })
    }))
})

test('a state is its number again', () => {
  for (const state of XENBUS_STATES) expect(parseXenbusState(xenbusStateValue(state))).toEqual({ ok: true, state })
})

test('numbers of 64 bits below 2^53, and doubles of every kind, cross two words whole', () => {
  const words = new Int32Array(4)
  fc.assert(fc.property(fc.maxSafeNat(), fc.double(), (whole, any) => {
    expect(u64ToDouble(u64Low(whole), u64High(whole))).toBe(whole)
    putDouble(words, 2, any)
    expect(getDouble(words, 2)).toBe(any)
  }))
})

test('B11: ring indices are what unbounded integers say, modulo 2^32', () => {
  const size = fc.nat(10).map((order) => 2 ** order)
  fc.assert(fc.property(u32, u32, u32, size, (a, b, event, entries) => {
    const modulo = (value: bigint) => Number(((value % 2n ** 32n) + 2n ** 32n) % 2n ** 32n)
    expect(ringDistance(a, b) >>> 0).toBe(modulo(BigInt(a) - BigInt(b)))
    expect(ringAdd(a, b) >>> 0).toBe(modulo(BigInt(a) + BigInt(b)))
    expect(ringSlot(a, entries)).toBe(a % entries)
    expect(producerOverflows(a, b, entries)).toBe(modulo(BigInt(a) - BigInt(b)) > entries)
    expect(ringNotify(a, b, event)).toBe(modulo(BigInt(a) - BigInt(event)) < modulo(BigInt(a) - BigInt(b)))
  }))
})

describe('the control socket', () => {
  const params = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>)
  const request = fc.record({ id: fc.integer({ min: 1, max: 2 ** 31 }), method: fc.string({ minLength: 1 }), params })

  test('requests come out as they went in, cut anywhere', () => {
    fc.assert(fc.property(fc.array(request, { maxLength: 6 }), fc.array(fc.nat()), (requests, cuts) => {
      const reader = new LineReader()
      const read: unknown[] = []
      for (const piece of pieces(Buffer.concat(requests.map(encodeRequest)), cuts))
        expect(reader.feed(piece, (line) => read.push(decodeRequest(line)))).toBe(true)
      expect(read).toEqual(requests)
    }))
  })

  test('answers come out as they went in', () => {
    fc.assert(fc.property(fc.nat(), fc.jsonValue(), (id, value) => {
      const result = JSON.parse(JSON.stringify(value)) as unknown
      expect(decodeMessage(encodeLine({ id, result }).toString('utf8').trimEnd())).toEqual({ id, result })
    }))
  })
})

test('messages of the pocket host come out as they went in', () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (message) => {
    expect(decodeHost(encodeHost(message))).toEqual(JSON.parse(JSON.stringify(message)))
  }))
})

test('batches of a journal come out as they were sealed, over as many segments as they need', () => {
  const batch = fc.record({ words: fc.array(fc.integer(), { maxLength: 30 }).map((words) => words.slice(0, words.length & ~1)), timeNs: fc.maxSafeNat(), digest: fc.integer() })
  const { settings } = new World({ seed: 1, steps: 0 }).core
  fc.assert(fc.property(fc.array(batch, { maxLength: 40 }), (batches) => {
    const segments: Int32Array[] = []
    const source = { next: (_: string, least: number) => ({ words: segments[segments.push(new Int32Array(Math.max(512, (least + 1) & ~1))) - 1], sequence: segments.length }) }
    const origin = { journal: 'vbd/1/51712/q0', settings, connection: { grefs: [8], evtchn: 9, abi: 'x86_64' as const }, program: 'test', boot: 'test', pid: 1, wallMs: 0, monotonicNs: 0 }
    const writer = new BatchWriter(queueIdentity(origin), source)
    for (const { words, timeNs, digest } of batches) {
      writer.begin(32, timeNs)
      writer.words.set(words, writer.at)
      writer.at += words.length
      writer.seal(timeNs, digest)
    }
    const read = segments.flatMap((words) => {
      const header = readHeader(words)
      if (!header.ok) throw new Error(header.sentence)
      return [...readBatches(words, header.header)].map(({ from, to, timeNs, digest }) => ({ words: [...words.subarray(from, to)], timeNs, digest }))
    })
    expect(read).toEqual(batches)
  }))
})

test('a checkpoint of a queue at work, restored, is the same checkpoint', () => {
  fc.assert(fc.property(fc.nat(10_000), fc.nat(60), fc.constantFrom(0, 20), (seed, steps, indirect) => {
    const world = new World({ seed, steps: 0, indirect, errorShare: 0.05, fillShare: 0.05, onEnospc: 'wait' })
    for (let step = 0; step < steps; step++) world.step(true)
    const words = new Int32Array(checkpointWordsMax(world.core))
    const end = writeCheckpoint(world.core, words, 0)
    const restored = new QueueCore(world.core.settings, compiledSteppers)
    restoreCheckpoint(restored, words, 0)
    const again = new Int32Array(checkpointWordsMax(restored))
    expect(again.subarray(0, writeCheckpoint(restored, again, 0))).toEqual(words.subarray(0, end))
  }), { numRuns: 20 })
})
