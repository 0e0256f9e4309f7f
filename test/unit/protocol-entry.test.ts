import { abiLayout } from '../../src/protocol/abi.js'
import { opName } from '../../src/protocol/blkif.js'
import { canonicalise, decodeCanonical, encodeEntry } from '../../src/protocol/entry.js'
import { addDescriptors, descriptorGref, encodeDescriptors } from '../../src/protocol/indirect.js'
import { validateRequest } from '../../src/protocol/validate.js'
import { sampleRequests } from '../support/requests.js'

const disk = {
  sectorCount: 2 ** 44 - 8, sectorSize: 512, readOnly: false, maxSegments: 11,
  offersFlush: true, offersBarrier: true, offersDiscard: true,
}

/** An entry in which every word turns to noise once it was read; counts how often each was. */
function spoiling(words: Int32Array): { entry: Int32Array; reads: Map<string, number> } {
  const reads = new Map<string, number>()
  const entry = new Proxy(words, {
    get(target, key) {
      const name = String(key)
      reads.set(name, (reads.get(name) ?? 0) + 1)
      return reads.get(name) === 1 ? target[Number(name)] : -1
    },
  })
  return { entry, reads }
}

describe.each(['x86_64', 'x86_32'] as const)('%s', (name) => {
  const abi = abiLayout(name)

  test.each(Object.entries(sampleRequests))(
    'B5, B6, B7: every word of an entry is read once, so what is judged is what is done (%s)',
    (_title, request) => {
      const words = new Int32Array(abi.entryWords)
      encodeEntry(request, abi, words, 0)
      const calm = new Int32Array(28)
      const length = canonicalise(words, 0, abi, calm, 0, 3)
      const { entry, reads } = spoiling(words)
      const record = new Int32Array(28)
      expect(canonicalise(entry, 0, abi, record, 0, 3)).toBe(length)
      expect(record).toEqual(calm)
      expect([...reads.values()].every((count) => count === 1)).toBe(true)
    },
  )

  test('B5: what a guest writes after the copy changes neither record nor verdict', () => {
    const entry = new Int32Array(28)
    const record = new Int32Array(28)
    encodeEntry({ op: 1, idLow: 1, segments: [{ gref: 1, firstSect: 0, lastSect: 7 }] }, abi, entry, 0)
    canonicalise(entry, 0, abi, record, 0, 0)
    const before = record.slice()
    expect(validateRequest(record, 0, disk)).toBe(0)
    entry.fill(-1)
    expect(record).toEqual(before)
    expect(validateRequest(record, 0, disk)).toBe(0)
  })

  test('B10, B21: an entry is one slot; what stands in the next one is never looked at', () => {
    const segments = Array.from({ length: 11 }, (_, index) => ({ gref: index, firstSect: 0, lastSect: 7 }))
    for (const nrSegments of [11, 12, 25, 255]) {
      const words = new Int32Array(abi.entryWords + 28)
      encodeEntry({ op: 0, idLow: 1, segments, nrSegments }, abi, words, 0)
      const { entry, reads } = spoiling(words)
      const record = new Int32Array(28)
      expect(canonicalise(entry, 0, abi, record, 0, 0)).toBe(28)
      expect(Math.max(...[...reads.keys()].map(Number))).toBeLessThan(abi.entryWords)
      expect(decodeCanonical(record, 0)).toMatchObject({ nrSegments, segments })
      expect(validateRequest(record, 0, disk) === 0).toBe(nrSegments === 11)
    }
  })
})

test.each(['x86_64', 'x86_32'] as const)('an indirect request stands in the record with what was read of it (%s)', (name) => {
  const abi = abiLayout(name)
  const entry = new Int32Array(28)
  const record = new Int32Array(40)
  const segments = Array.from({ length: 13 }, (_, index) => ({ gref: 500 + index, firstSect: index % 8, lastSect: 7 }))
  const descriptorGrefs = [77, 78, 79, 80, 81, 82, 83, 84]
  encodeEntry({ op: 6, indirectOp: 1, nrSegments: 13, handle: 51728, idLow: 9, descriptorGrefs }, abi, entry, 0)
  expect(descriptorGrefs.map((_, page) => descriptorGref(entry, 0, abi, page))).toEqual(descriptorGrefs)
  expect(canonicalise(entry, 0, abi, record, 0, 1)).toBe(8)
  const unread = { op: 6, opName: 'INDIRECT', indirectOp: 1, nrSegments: 13, handle: 51728, slot: 1, segments: [] }
  expect(decodeCanonical(record, 0)).toMatchObject(unread)
  const from = new Int32Array(26)
  encodeDescriptors(segments, from)
  for (let word = 1; word < 26; word += 2) from[word] |= 0x5a5a0000
  expect(addDescriptors(record, 0, { count: 13, grefs: [77], status: 0, from, fromAt: 0 })).toBe(8 + 2 + 26)
  expect(decodeCanonical(record, 0)).toMatchObject({ ...unread, segments, descriptorGrefs: [77] })
  expect(addDescriptors(record, 0, { count: 13, grefs: [77], status: -3, from, fromAt: 0 })).toBe(10)
  expect(decodeCanonical(record, 0)).toMatchObject({ ...unread, descriptorGrefs: [77] })
})

test('operations have the names of the header, unknown ones their number', () => {
  expect([0, 1, 2, 3, 5, 6].map(opName)).toEqual([
    'READ', 'WRITE', 'WRITE_BARRIER', 'FLUSH_DISKCACHE', 'DISCARD', 'INDIRECT',
  ])
  expect(opName(200)).toBe('OP_200')
})
