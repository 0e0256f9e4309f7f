/**
 * @packageDocumentation
 * The validator against a model that is slow and obviously right: unbounded integers, one rule per line, no masks. The
 * generators stay near the edges (ends of disk, page and record, 2^32, 2^44, 2^64), where a wrap would show.
 */
import fc from 'fast-check'
import { abiLayout } from '../../src/protocol/abi.js'
import { canonicalise, encodeEntry, type BlkifRequest, type BlkifSegment } from '../../src/protocol/entry.js'
import { addDescriptors, encodeDescriptors, indirectSegments } from '../../src/protocol/indirect.js'
import { recordWordsMax } from '../../src/protocol/record.js'
import { REASONS, requestSectors, validateRequest, type DiskLimits } from '../../src/protocol/validate.js'

type Full = Required<Omit<BlkifRequest, 'raw' | 'indirectOp' | 'descriptorGrefs'>>

const u64 = (low: number, high: number) => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)

function modelOfData(request: Full, disk: DiskLimits, most = 11): string {
  const block = BigInt(disk.sectorSize)
  if (request.nrSegments > Math.min(disk.maxSegments, most)) return 'segments.tooMany'
  let bytes = 0n
  for (const { firstSect, lastSect } of request.segments.slice(0, request.nrSegments)) {
    const start = BigInt(firstSect) * 512n
    const end = (BigInt(lastSect) + 1n) * 512n
    if (end <= start) return 'segment.reversed'
    if (end > 4096n) return 'segment.crossesPage'
    if (start % block !== 0n || (end - start) % block !== 0n) return 'segment.misaligned'
    bytes += end - start
  }
  if (disk.maxRequestSectors !== undefined && bytes > BigInt(disk.maxRequestSectors) * 512n) return 'request.tooLong'
  const offset = u64(request.sectorLow, request.sectorHigh) * 512n
  if (offset % block !== 0n) return 'sector.misaligned'
  return offset + bytes > BigInt(disk.sectorCount) * 512n ? 'range.beyondEnd' : 'valid'
}

function modelOfDiscard(request: Full, disk: DiskLimits): string {
  const block = BigInt(disk.sectorSize)
  const length = u64(request.nrSectorsLow, request.nrSectorsHigh) * 512n
  const offset = u64(request.sectorLow, request.sectorHigh) * 512n
  if (!disk.offersDiscard) return 'op.notOffered'
  if (disk.readOnly) return 'disk.readOnly'
  if (length === 0n) return 'discard.empty'
  if (length >= 2n ** 44n * 512n) return 'range.beyondEnd'
  if (offset % block !== 0n || length % block !== 0n) return 'discard.misaligned'
  return offset + length > BigInt(disk.sectorCount) * 512n ? 'range.beyondEnd' : 'valid'
}

function model(request: Full, disk: DiskLimits): string {
  const empty = request.nrSegments === 0
  if (request.op === 5) return modelOfDiscard(request, disk)
  if (request.op === 6) return 'op.notOffered'
  if (request.op > 3) return 'op.unknown'
  if (request.op === 2 && !disk.offersBarrier) return 'op.notOffered'
  if (request.op === 3 && !disk.offersFlush) return 'op.notOffered'
  if (empty && request.op >= 2) return 'valid'
  if (disk.readOnly && request.op !== 0) return 'disk.readOnly'
  return empty ? 'segments.none' : modelOfData(request, disk)
}

const u32 = fc.integer({ min: 0, max: 0xffffffff })
const nearEdge = fc
  .tuple(fc.constantFrom(0, 8, 1 << 20, 2 ** 31, 2 ** 32 - 1), fc.integer({ min: -24, max: 24 }))
  .map(([edge, off]) => (edge + off) >>> 0)
const low = fc.oneof(nearEdge, nearEdge.map((value) => value & ~7), u32)
const high = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  fc.constantFrom(1, 4095, 4096, 0x7fffffff, 0x80000000, 0xffffffff),
  u32,
)
const goodSegment = fc.constantFrom(
  { gref: 1, firstSect: 0, lastSect: 7 },
  { gref: 2, firstSect: 4, lastSect: 7 },
  { gref: 3, firstSect: 2, lastSect: 3 },
)
const anySegment = fc.record({
  gref: u32,
  firstSect: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 255 })),
  lastSect: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 255 })),
})
const segments: fc.Arbitrary<BlkifSegment[]> = fc.oneof(
  { weight: 3, arbitrary: fc.array(goodSegment, { maxLength: 11 }) },
  fc.array(fc.oneof({ weight: 3, arbitrary: goodSegment }, anySegment), { maxLength: 11 }),
)

const request: fc.Arbitrary<Full> = fc
  .record({
    op: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(0, 1, 2, 3, 5) }, fc.integer({ min: 0, max: 255 })),
    handle: fc.constant(0), idLow: u32, idHigh: u32, sectorLow: low, sectorHigh: high, segments,
    nrSegments: fc.oneof({ weight: 12, arbitrary: fc.constant(-1) }, fc.integer({ min: 12, max: 255 })),
    flag: fc.integer({ min: 0, max: 255 }), nrSectorsLow: low, nrSectorsHigh: high,
  })
  .map((one) => ({ ...one, nrSegments: one.nrSegments < 0 ? one.segments.length : one.nrSegments }))

/** What stands in the descriptors; more than the record can hold of a direct request. */
const described = fc.record({
  inner: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(0, 1) }, fc.integer({ min: 0, max: 255 })),
  segments: fc.array(fc.oneof({ weight: 60, arbitrary: goodSegment }, anySegment), { maxLength: 40 }),
  excess: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 0xffff - 40 })),
  offered: fc.constantFrom(0, 12, 32, 32, 32, 256),
  unreadable: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -20, max: -1 })),
})
type Described = typeof described extends fc.Arbitrary<infer Value> ? Value : never

function modelOfIndirect(one: Full, { inner, segments, excess, offered, unreadable }: Described, disk: DiskLimits): string {
  if (offered === 0) return 'op.notOffered'
  if (inner > 1) return 'indirect.operation'
  if (inner === 1 && disk.readOnly) return 'disk.readOnly'
  const nrSegments = segments.length + excess
  if (nrSegments === 0) return 'segments.none'
  if (nrSegments > offered) return 'segments.tooMany'
  if (unreadable !== 0) return 'indirect.unreadable'
  return modelOfData({ ...one, segments, nrSegments }, { ...disk, maxSegments: offered }, offered)
}

/** The record as it is when descriptors were read: as many as the request counts, if that was worth it. */
function indirectProperty(seen: Map<string, number>): void {
  fc.assert(
    fc.property(request, disk, described, (one, limits, indirect) => {
      const { inner, segments, offered, unreadable } = indirect
      const excess = segments.length + indirect.excess > offered ? indirect.excess : 0
      const expected = modelOfIndirect(one, { ...indirect, excess }, limits)
      seen.set(expected, (seen.get(expected) ?? 0) + 1)
      for (const name of ['x86_64', 'x86_32'] as const) {
        const abi = abiLayout(name)
        const entry = new Int32Array(28)
        const record = new Int32Array(recordWordsMax(300))
        const nrSegments = segments.length + excess
        encodeEntry({ ...one, op: 6, indirectOp: inner, nrSegments, descriptorGrefs: [9] }, abi, entry, 0)
        canonicalise(entry, 0, abi, record, 0, 0)
        const count = indirectSegments(entry, 0, offered)
        const from = new Int32Array(2 * count)
        encodeDescriptors(segments.slice(0, count), from)
        addDescriptors(record, 0, { count, grefs: [9], status: count === 0 ? 0 : unreadable, from, fromAt: 0 })
        const verdict = validateRequest(record, 0, { ...limits, maxIndirectSegments: offered })
        expect(REASONS[verdict].name).toBe(expected)
      }
    }),
    { numRuns: 4000 },
  )
}

const mostly = fc.constantFrom(true, true, true, false)
const disk: fc.Arbitrary<DiskLimits> = fc
  .record({
    sectorCount: fc.constantFrom(0, 8, 1 << 20, 2 ** 31, 2 ** 32, 2 ** 33, 2 ** 44 - 8),
    sectorSize: fc.constantFrom(512, 512, 1024, 2048, 4096),
    readOnly: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
    offersFlush: mostly, offersBarrier: mostly, offersDiscard: mostly,
    maxSegments: fc.constantFrom(11, 11, 11, 1, 4),
    maxRequestSectors: fc.constantFrom(undefined, undefined, 8, 24),
  })
  .map(({ maxRequestSectors, ...rest }) => (maxRequestSectors === undefined ? rest : { ...rest, maxRequestSectors }))

test('S18, B8, B9, B20: the verdict is the one of a model in unbounded integers, through both layouts', () => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(request, disk, (one, limits) => {
      const expected = model(one, limits)
      seen.set(expected, (seen.get(expected) ?? 0) + 1)
      for (const name of ['x86_64', 'x86_32'] as const) {
        const abi = abiLayout(name)
        const entry = new Int32Array(28)
        const record = new Int32Array(28)
        encodeEntry(one, abi, entry, 0)
        canonicalise(entry, 0, abi, record, 0, 0)
        const verdict = validateRequest(record, 0, limits)
        expect(REASONS[verdict].name).toBe(expected)
        if (verdict !== 0) continue
        const bytes = one.segments.reduce((sum, { firstSect, lastSect }) => sum + lastSect - firstSect + 1, 0)
        const sectors = one.op === 5 ? u64(one.nrSectorsLow, one.nrSectorsHigh) : BigInt(bytes)
        expect(BigInt(requestSectors(record, 0))).toBe(sectors)
      }
    }),
    { numRuns: 6000 },
  )
  indirectProperty(seen)
  // A model that was never asked about a reason proves nothing about it.
  expect([...seen.keys()].sort()).toEqual(REASONS.map(({ name }) => name).sort())
})
