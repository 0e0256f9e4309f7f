/**
 * S17: requests in several entries of the ring: how many there are, where their segments stand, and what of it is read.
 */
import fc from 'fast-check'
import { abiLayout } from '../../src/protocol/abi.js'
import {
  BLOCK_SEGMENTS_LIMIT, SEGMENTS_PER_BLOCK, addBlocks, blockSegmentsLimit, entriesFor, entriesOf, wordOf,
} from '../../src/protocol/blocks.js'
import { canonicalise, decodeCanonical, encodeEntry, type BlkifSegment } from '../../src/protocol/entry.js'
import { isTaken, recordWords, recordWordsMax } from '../../src/protocol/record.js'
import { REASONS, validateRequest, type DiskLimits } from '../../src/protocol/validate.js'

const disk: DiskLimits = {
  sectorCount: 1 << 20, sectorSize: 512, readOnly: false, offersFlush: true, offersBarrier: true, offersDiscard: true,
  maxSegments: 11, maxBlockSegments: 255,
}
const segmentsOf = (count: number): BlkifSegment[] =>
  Array.from({ length: count }, (_, index) => ({ gref: 1000 + index, firstSect: index % 4, lastSect: 4 + (index % 4) }))

/** As a front end writes it: segments one behind the other, whatever they overwrite. */
function written(op: number, segments: readonly BlkifSegment[], abi: 'x86_64' | 'x86_32'): Int32Array {
  const layout = abiLayout(abi)
  const entries = new Int32Array(40 * layout.entryWords)
  encodeEntry({ op, idLow: 7, idHigh: 9, sectorLow: 64, segments }, layout, entries, 0)
  segments.forEach(({ gref, firstSect, lastSect }, index) => {
    entries[wordOf(index, layout)] = gref
    entries[wordOf(index, layout) + 1] = firstSect | (lastSect << 8) | 0x5a5a0000
  })
  return entries
}

function read(entries: Int32Array, abi: 'x86_64' | 'x86_32', most = 255) {
  const record = new Int32Array(recordWordsMax(255))
  canonicalise(entries, 0, abiLayout(abi), record, 0, 3)
  const length = addBlocks(entries, 0, abiLayout(abi), record, 0, most)
  return { record, length, verdict: (limits: Partial<DiskLimits> = {}) => REASONS[validateRequest(record, 0, { ...disk, ...limits })].name }
}

test('S17: BLKIF_SEGS_TO_BLOCKS: a header of 11, blocks of 14', () => {
  expect([0, 1, 11, 12, 25, 26, 39, 40, 255].map(entriesFor)).toEqual([1, 1, 1, 2, 2, 3, 3, 4, 19])
  for (let count = 11; count <= BLOCK_SEGMENTS_LIMIT; count++)
    expect(entriesFor(count)).toBe(Math.trunc((count - 11 + 13) / 14) + 1)
  const head = (op: number, count: number) => Int32Array.of(op | (count << 8))
  expect([entriesOf(head(0, 40), 0), entriesOf(head(2, 12), 0), entriesOf(head(5, 40), 0), entriesOf(head(6, 255), 0)]).toEqual([4, 2, 1, 1])
})

test('S17: what a front end wrote is what the record says, for every count and every operation with segments', () => {
  fc.assert(fc.property(fc.integer({ min: 12, max: 255 }), fc.integer({ min: 0, max: 3 }), (count, op) => {
    const segments = segmentsOf(count)
    const { record, length, verdict } = read(written(op, segments, 'x86_64'), 'x86_64')
    expect([recordWords(record, 0), isTaken(record, 0), verdict()]).toEqual([length, true, 'valid'])
    expect(decodeCanonical(record, 0)).toMatchObject({ op, slot: 3, idLow: 7, idHigh: 9, sectorLow: 64, nrSegments: count, segments })
  }))
})

test('S17: more than was negotiated is counted, not read, and refused', () => {
  const { record, length, verdict } = read(written(1, segmentsOf(40), 'x86_64'), 'x86_64', 33)
  expect([length, decodeCanonical(record, 0).nrSegments, verdict({ maxBlockSegments: 33 })]).toEqual([8, 40, 'segments.tooMany'])
  expect(read(written(1, segmentsOf(33), 'x86_64'), 'x86_64', 33).verdict({ maxBlockSegments: 33 })).toBe('valid')
  expect(read(written(0, segmentsOf(33), 'x86_64'), 'x86_64').verdict({ readOnly: true })).toBe('valid')
  expect(read(written(1, segmentsOf(33), 'x86_64'), 'x86_64').verdict({ readOnly: true })).toBe('disk.readOnly')
})

test('S17: the 32-bit defect: the fourteenth segment of a block reaches into the next entry; 24 segments do not', () => {
  const layout = abiLayout('x86_32')
  const limit = blockSegmentsLimit(layout)
  expect([limit, blockSegmentsLimit(abiLayout('x86_64'))]).toEqual([24, 255])
  for (let index = 0; index < limit; index++) {
    const block = Math.max(0, Math.ceil((index - 10) / SEGMENTS_PER_BLOCK))
    expect(wordOf(index, layout) + 2).toBeLessThanOrEqual((block + 1) * layout.entryWords)
  }
  expect(wordOf(limit, layout) + 2).toBeGreaterThan(2 * layout.entryWords)
  const segments = segmentsOf(limit)
  const { record } = read(written(1, segments, 'x86_32'), 'x86_32', limit)
  expect(decodeCanonical(record, 0).segments).toEqual(segments)
})

test('any bytes at all make a record that is judged, and no longer than the longest', () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 40 * 28, maxLength: 40 * 28 }),
    fc.constantFrom('x86_64' as const, 'x86_32' as const), fc.integer({ min: 0, max: 3 }),
    (words, abi, op) => {
      const entries = Int32Array.from(words)
      entries[0] = (entries[0] & ~0xff) | op
      if (entriesOf(entries, 0) === 1) return
      const { record, length, verdict } = read(entries, abi, 33)
      expect(recordWords(record, 0)).toBe(length)
      expect(length).toBeLessThanOrEqual(recordWordsMax(33))
      expect(typeof verdict({ maxBlockSegments: 33 })).toBe('string')
    },
  ), { numRuns: 200 })
})
