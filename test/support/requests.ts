/**
 * @packageDocumentation
 * Sample requests, every field different from its neighbours and from zero, so that a field in the wrong place shows:
 * the golden layouts and the comparison with Xen's C headers use the same ones.
 */
import type { BlkifRequest, BlkifSegment } from '../../src/protocol/entry.js'

const segment = (index: number): BlkifSegment => ({
  gref: 0x10203040 + index * 0x01010101,
  firstSect: index % 4,
  lastSect: 7 - (index % 3),
})
const common = {
  handle: 0xca10,
  idLow: 0x89abcdef,
  idHigh: 0x01234567,
  sectorLow: 0xf1e2d3c4,
  sectorHigh: 0x00000b5a,
}

/** By name: one of each shape that an entry can have. */
export const sampleRequests: Readonly<Record<string, BlkifRequest>> = {
  readOneSegment: { op: 0, ...common, segments: [segment(0)] },
  writeElevenSegments: { op: 1, ...common, segments: Array.from({ length: 11 }, (_, index) => segment(index)) },
  barrierWithoutData: { op: 2, ...common },
  flushWithData: { op: 3, ...common, segments: [segment(1), segment(2)] },
  discardSecure: { op: 5, ...common, flag: 1, nrSectorsLow: 0x76543210, nrSectorsHigh: 0x00000987 },
  indirectWrite: {
    op: 6, ...common, indirectOp: 1, nrSegments: 0x0357,
    descriptorGrefs: Array.from({ length: 8 }, (_, index) => segment(index).gref),
  },
}
