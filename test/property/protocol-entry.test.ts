import fc from 'fast-check'
import { abiLayout, resolveAbi, type AbiLayout } from '../../src/protocol/abi.js'
import { canonicalise, decodeCanonical, encodeEntry, type BlkifRequest } from '../../src/protocol/entry.js'
import {
  recordWords, recordedSegments, requestSectors, segmentBytes, segmentGref, segmentOffset,
} from '../../src/protocol/record.js'
import { REASONS, validateRequest } from '../../src/protocol/validate.js'

const u32 = fc.integer({ min: 0, max: 0xffffffff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const u8 = fc.integer({ min: 0, max: 0xff })
const segment = fc.record({ gref: u32, firstSect: u8, lastSect: u8 })
const common = { handle: u16, idLow: u32, idHigh: u32, sectorLow: u32, sectorHigh: u32 }
const zeroes = { flag: 0, nrSectorsLow: 0, nrSectorsHigh: 0 }

const data = fc
  .record({ op: fc.integer({ min: 0, max: 3 }), segments: fc.array(segment, { maxLength: 11 }), ...common })
  .map((request) => ({ ...request, ...zeroes, nrSegments: request.segments.length }))
const discard = fc
  .record({ op: fc.constant(5), flag: u8, nrSectorsLow: u32, nrSectorsHigh: u32, ...common })
  .map((request) => ({ ...request, segments: [], nrSegments: 0 }))
const other = fc
  .record({ op: u8.filter((op) => op > 3 && op !== 5 && op !== 6), nrSegments: u8, raw: fc.tuple(u32, u32), ...common })
  .map((request) => ({ ...request, ...zeroes, segments: [] }))
/** Its descriptors are not in the entry. */
const indirect = fc
  .record({ op: fc.constant(6), indirectOp: u8, nrSegments: u16, ...common })
  .map((request) => ({ ...request, ...zeroes, segments: [], descriptorGrefs: [] }))
const anyRequest: fc.Arbitrary<BlkifRequest> = fc.oneof({ weight: 4, arbitrary: data }, discard, other, indirect)

const layouts: [string, AbiLayout][] = ['native', 'x86_64-abi', 'x86_32-abi'].map((key) => {
  const resolved = resolveAbi(key === 'native' ? undefined : key)
  if (!resolved.ok) throw new Error(resolved.sentence)
  return [key, abiLayout(resolved.abi)]
})

function recordOf(request: BlkifRequest, abi: AbiLayout, slot = 0): { words: Int32Array; length: number } {
  const entry = new Int32Array(28).fill(0x5a5a5a5a)
  const words = new Int32Array(28)
  encodeEntry(request, abi, entry, 0)
  return { length: canonicalise(entry, 0, abi, words, 0, slot), words }
}

test.each(layouts)('S8: decode∘canonicalise∘encode is the identity (%s)', (_key, abi) => {
  fc.assert(
    fc.property(anyRequest, u16, (request, slot) => {
      const { words, length } = recordOf(request, abi, slot)
      const { opName, ...decoded } = decodeCanonical(words, 0)
      expect(decoded).toEqual({ ...request, slot })
      expect(opName).not.toBe('')
      expect(length).toBe(recordWords(words, 0))
      expect(length).toBe(6 + 2 * Math.max(1, request.segments!.length))
    }),
    { numRuns: 400 },
  )
})

test('S8: a request makes the same record through every layout', () => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      const [first, ...rest] = layouts.map(([, abi]) => recordOf(request, abi))
      for (const one of rest) expect(one).toEqual(first)
    }),
    { numRuns: 400 },
  )
})

const bytes = fc.uint8Array({ minLength: 112, maxLength: 112 })
const plausible = fc.tuple(bytes, fc.integer({ min: 0, max: 6 })).map(([array, op]) => {
  const biased = array.slice()
  biased[0] = op
  return biased
})

test.each(layouts)('B2, B10, B21: any bytes make a record of at most 28 words, touch nothing else, never throw (%s)',
  (_key, abi) => {
    fc.assert(
      fc.property(fc.oneof(bytes, plausible), u16, fc.integer({ min: 0, max: 5 }), (array, slot, at) => {
        const guard = 0x1badb002
        const entries = new Int32Array(28 + 10).fill(guard)
        entries.set(new Int32Array(array.buffer, 0, abi.entryWords), at)
        const out = new Int32Array(28 + 12).fill(guard)
        const length = canonicalise(entries, at, abi, out, 6, slot)
        expect(length).toBeGreaterThanOrEqual(8)
        expect(length).toBeLessThanOrEqual(28)
        expect(recordWords(out, 6)).toBe(length)
        expect([...out.subarray(0, 6), ...out.subarray(6 + length)].every((word) => word === guard)).toBe(true)
        const disk = {
          sectorCount: 2 ** 40, sectorSize: 512, readOnly: false, maxSegments: 11,
          offersFlush: true, offersBarrier: true, offersDiscard: true,
        }
        const verdict = validateRequest(out, 6, disk)
        expect(REASONS[verdict]).toBeDefined()
        expect(decodeCanonical(out, 6).slot).toBe(slot)
        expect(Number.isFinite(requestSectors(out, 6))).toBe(true)
      }),
      { numRuns: 600 },
    )
  })

test('padding never reaches the record: entries that differ in padding alone make equal records', () => {
  fc.assert(
    fc.property(data, bytes, (request, noise) => {
      for (const [, abi] of layouts) {
        const entry = new Int32Array(28)
        encodeEntry(request, abi, entry, 0)
        const clean = new Int32Array(28)
        const length = canonicalise(entry, 0, abi, clean, 0, 0)
        const words = new Int32Array(noise.buffer)
        if (abi.idWord === 2) entry[1] = words[0]!
        for (let index = 0; index < 11; index += 1) {
          const at = abi.segmentWord + 2 * index
          if (index < request.segments.length) entry[at + 1] = (entry[at + 1] & 0xffff) | (words[index] << 16)
          else entry.set([words[index], words[index + 11]], at)
        }
        const noisy = new Int32Array(28)
        expect(canonicalise(entry, 0, abi, noisy, 0, 0)).toBe(length)
        expect(noisy).toEqual(clean)
      }
    }),
  )
})

test('segments are read back as gref, offset and bytes', () => {
  fc.assert(
    fc.property(data, (request) => {
      const { words } = recordOf(request, layouts[0][1])
      expect(recordedSegments(words, 0)).toBe(request.segments.length)
      let sectors = 0
      request.segments.forEach(({ gref, firstSect, lastSect }, index) => {
        expect(segmentGref(words, 0, index)).toBe(gref)
        expect(segmentOffset(words, 0, index)).toBe(firstSect * 512)
        expect(segmentBytes(words, 0, index)).toBe((lastSect - firstSect + 1) * 512)
        sectors += lastSect - firstSect + 1
      })
      expect(requestSectors(words, 0)).toBe(sectors)
    }),
  )
})
