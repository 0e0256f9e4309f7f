import { abiLayout } from '../../src/protocol/abi.js'
import { canonicalise, encodeEntry, type BlkifRequest } from '../../src/protocol/entry.js'
import { REASONS, validateRequest, type DiskLimits } from '../../src/protocol/validate.js'

const disk: DiskLimits = {
  sectorCount: 1 << 20,
  sectorSize: 512,
  readOnly: false,
  offersFlush: true,
  offersBarrier: true,
  offersDiscard: true,
  maxSegments: 11,
}
const page = { gref: 9, firstSect: 0, lastSect: 7 }

/** The reason's name for a request, the same through both layouts. */
function verdict(request: Partial<BlkifRequest>, limits: Partial<DiskLimits> = {}): string {
  const names = (['x86_64', 'x86_32'] as const).map((name) => {
    const abi = abiLayout(name)
    const entry = new Int32Array(28)
    const record = new Int32Array(28)
    encodeEntry({ op: 0, idLow: 1, ...request }, abi, entry, 0)
    canonicalise(entry, 0, abi, record, 0, 0)
    return REASONS[validateRequest(record, 0, { ...disk, ...limits })].name
  })
  expect(names[0]).toBe(names[1])
  return names[0]
}

test('S16: reads, writes, barriers, flushes and discards are taken', () => {
  for (const op of [0, 1, 2, 3]) expect(verdict({ op, segments: [page] })).toBe('valid')
  expect(verdict({ op: 5, nrSectorsLow: 8 })).toBe('valid')
})

test('S16, B19: every other operation is EOPNOTSUPP, not ERROR', () => {
  for (let op = 0; op < 256; op += 1)
    if (![0, 1, 2, 3, 5, 6].includes(op)) expect(verdict({ op, segments: [page] })).toBe('op.unknown')
  expect(REASONS.find(({ name }) => name === 'op.unknown')!.status).toBe(-2)
  expect(REASONS.find(({ name }) => name === 'op.notOffered')!.status).toBe(-2)
})

test('B19: an empty barrier and an empty flush are valid, whatever their sector_number', () => {
  const all = { sectorLow: -1, sectorHigh: -1 }
  for (const op of [2, 3]) {
    expect(verdict({ op, ...all })).toBe('valid')
    expect(verdict({ op, ...all }, { readOnly: true })).toBe('valid')
  }
})

test('B19: what the medium cannot was not offered and is EOPNOTSUPP', () => {
  expect(verdict({ op: 2 }, { offersBarrier: false })).toBe('op.notOffered')
  expect(verdict({ op: 3 }, { offersFlush: false })).toBe('op.notOffered')
  expect(verdict({ op: 5, nrSectorsLow: 8 }, { offersDiscard: false })).toBe('op.notOffered')
})

test('S18, B2: the segment count is bounded for every operation that carries data', () => {
  const segments = Array.from({ length: 11 }, () => page)
  for (const op of [0, 1, 2, 3]) {
    expect(verdict({ op, segments })).toBe('valid')
    for (const nrSegments of [12, 33, 128, 255]) expect(verdict({ op, segments, nrSegments })).toBe('segments.tooMany')
    expect(verdict({ op, segments }, { maxSegments: 10 })).toBe('segments.tooMany')
    // A limit set too high by mistake must not open the way past the end of the record.
    expect(verdict({ op, segments, nrSegments: 12 }, { maxSegments: 255 })).toBe('segments.tooMany')
  }
  for (const op of [0, 1]) expect(verdict({ op })).toBe('segments.none')
})

test('S18: first and last sector of each segment, also of the eleventh', () => {
  for (const place of [0, 5, 10]) {
    const withBad = (firstSect: number, lastSect: number) =>
      Array.from({ length: 11 }, (_, index) => (index === place ? { gref: 1, firstSect, lastSect } : page))
    expect(verdict({ segments: withBad(3, 2) })).toBe('segment.reversed')
    expect(verdict({ segments: withBad(0, 8) })).toBe('segment.crossesPage')
    expect(verdict({ segments: withBad(255, 255) })).toBe('segment.crossesPage')
    expect(verdict({ segments: withBad(7, 7) })).toBe('valid')
  }
})

test("S18, B20: each segment's start and length, and sector_number, are multiples of sector-size", () => {
  const large = { sectorSize: 4096 }
  expect(verdict({ segments: [page], sectorLow: 8 }, large)).toBe('valid')
  expect(verdict({ segments: [page], sectorLow: 4 }, large)).toBe('sector.misaligned')
  // Together they make a whole block; apart they are halves.
  const halves = [{ gref: 1, firstSect: 0, lastSect: 3 }, { gref: 2, firstSect: 4, lastSect: 7 }]
  expect(verdict({ segments: halves }, large)).toBe('segment.misaligned')
  expect(verdict({ segments: halves }, { sectorSize: 2048 })).toBe('valid')
  const shifted = [{ gref: 1, firstSect: 1, lastSect: 4 }]
  expect(verdict({ segments: shifted }, { sectorSize: 2048 })).toBe('segment.misaligned')
})

test('S18: the end of the medium, to the sector', () => {
  expect(verdict({ segments: [page], sectorLow: disk.sectorCount - 8 })).toBe('valid')
  expect(verdict({ segments: [page], sectorLow: disk.sectorCount - 7 })).toBe('range.beyondEnd')
  expect(verdict({ segments: [page], sectorLow: disk.sectorCount - 8 }, { sectorCount: 0 })).toBe('range.beyondEnd')
})

test('B8: a sector_number near 2^64 does not wrap into the disk', () => {
  expect(verdict({ segments: [page], sectorLow: -8, sectorHigh: -1 })).toBe('range.beyondEnd')
  expect(verdict({ op: 5, sectorLow: -8, sectorHigh: -1, nrSectorsLow: 16 })).toBe('range.beyondEnd')
  expect(verdict({ op: 5, sectorLow: 8, nrSectorsLow: -8, nrSectorsHigh: -1 })).toBe('range.beyondEnd')
  expect(verdict({ op: 5, sectorLow: 8, nrSectorsLow: 0, nrSectorsHigh: 0x80000000 })).toBe('range.beyondEnd')
})

test('B9: sectors beyond 2^32 are reached, not truncated', () => {
  const sectorCount = 2 ** 44 - 8
  expect(verdict({ segments: [page], sectorLow: 0, sectorHigh: 1 }, { sectorCount })).toBe('valid')
  expect(verdict({ segments: [page], sectorLow: 0, sectorHigh: 1 })).toBe('range.beyondEnd')
  expect(verdict({ segments: [page], sectorLow: -16, sectorHigh: 4095 }, { sectorCount })).toBe('valid')
  expect(verdict({ segments: [page], sectorLow: -8, sectorHigh: 4095 }, { sectorCount })).toBe('range.beyondEnd')
  expect(verdict({ segments: [page], sectorLow: 0, sectorHigh: 4096 }, { sectorCount })).toBe('range.beyondEnd')
})

test('S18, S3: a read-only disk refuses all that would change it, and reads', () => {
  const readOnly = { readOnly: true }
  expect(verdict({ op: 0, segments: [page] }, readOnly)).toBe('valid')
  for (const op of [1, 2, 3]) expect(verdict({ op, segments: [page] }, readOnly)).toBe('disk.readOnly')
  expect(verdict({ op: 5, nrSectorsLow: 8 }, readOnly)).toBe('disk.readOnly')
})

test('a discard is range-checked, aligned to sector-size, and never empty', () => {
  expect(verdict({ op: 5 })).toBe('discard.empty')
  expect(verdict({ op: 5, nrSectorsLow: disk.sectorCount })).toBe('valid')
  expect(verdict({ op: 5, nrSectorsLow: disk.sectorCount, sectorLow: 1 })).toBe('range.beyondEnd')
  expect(verdict({ op: 5, nrSectorsLow: 4, sectorLow: 8 }, { sectorSize: 4096 })).toBe('discard.misaligned')
  expect(verdict({ op: 5, nrSectorsLow: 8, sectorLow: 4 }, { sectorSize: 4096 })).toBe('discard.misaligned')
  expect(verdict({ op: 5, nrSectorsLow: 8, flag: 1 })).toBe('valid')
})

test('B3: a request longer than the negotiated max-request-size is refused', () => {
  expect(verdict({ segments: [page, page] }, { maxRequestSectors: 16 })).toBe('valid')
  expect(verdict({ segments: [page, page] }, { maxRequestSectors: 15 })).toBe('request.tooLong')
})

test('every reason but the first has a status that the guest understands', () => {
  expect(REASONS.slice(1).every(({ status }) => status === -1 || status === -2)).toBe(true)
  expect(new Set(REASONS.map(({ name }) => name)).size).toBe(REASONS.length)
})
