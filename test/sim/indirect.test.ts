/**
 * INDIRECT requests (S16): what they may carry, what is refused and how, that their descriptors are read once, and that
 * a request of a mebibyte is one I/O where the arena has room for that and several where it has not.
 */
import type { QueuePlane } from '../../src/actors/queue-plane.js'
import { CHUNK_BYTES, chunksForRequest } from '../../src/core/extent-pool.js'
import { COUNTER, REASONS_AT } from '../../src/core/statistics.js'
import { COPY_WORDS, IO_READ, IO_WRITE } from '../../src/ports/data-path.js'
import type { GrantCopier } from '../../src/ports/data-path.js'
import { BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_READ, BLKIF_OP_WRITE, PAGE_BYTES } from '../../src/protocol/blkif.js'
import { chainsOf } from '../../src/journal/chain.js'
import { segmentsInMemory } from '../../src/journal/journal-files.js'
import { replayJournals } from '../../src/journal/replay.js'
import { REASONS } from '../../src/protocol/validate.js'
import { report } from '../../src/sim/run-world.js'
import { World } from '../../src/sim/world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'
import { QueueBench } from '../support/queue-bench.js'

const NOTHING = { slots: 0, pages: 0, active: 0, line: 0, io: 0 }
const ABIS = ['x86_64', 'x86_32'] as const
const LARGE = { indirect: 256, arenaChunks: 17, sectors: 16_384 } satisfies Partial<WorldOptions>

const reasonsOf = (bench: QueueBench) => {
  const counts = bench.world.core.statistics.subarray(REASONS_AT, REASONS_AT + REASONS.length)
  return Object.fromEntries(REASONS.flatMap(({ name }, code) => (counts[code] > 0 ? [[name, counts[code]]] : [])))
}

test.each(ABIS)('a read and a write of 32 pages, each one entry, one I/O and one answer with the inner operation (%s)', (abi) => {
  const bench = new QueueBench({ abi, indirect: 32 })
  const { disk, guest } = bench.world
  for (let page = 0; page < 32; page++) guest.page(page).fill(page + 1)
  bench.sendIndirect(BLKIF_OP_WRITE, 1, 64, 32)
  expect(bench.run().answers()).toEqual([{ id: 1, idHigh: 0, op: BLKIF_OP_WRITE, status: 0 }])
  for (let page = 0; page < 32; page++) {
    const at = 64 * 512 + page * PAGE_BYTES
    expect(disk.cache.subarray(at, at + PAGE_BYTES).every((byte) => byte === page + 1)).toBe(true)
  }
  bench.sendIndirect(BLKIF_OP_READ, 2, 64, 32, 32)
  expect(bench.run().answers()).toEqual([{ id: 2, idHigh: 0, op: BLKIF_OP_READ, status: 0 }])
  for (let page = 0; page < 32; page++) expect(guest.page(32 + page).every((byte) => byte === page + 1)).toBe(true)
  expect(bench.ios.map(({ op, length }) => [op, length])).toEqual([[IO_WRITE, CHUNK_BYTES], [IO_READ, CHUNK_BYTES]])
  expect([bench.counter('indirects'), bench.counter('taken'), bench.leftovers]).toEqual([2, 2, NOTHING])
  expect(bench.finish()).toBe(true)
})

test('all descriptors of a batch are read with one call, 8 bytes for each segment and no more', () => {
  const bench = new QueueBench({ indirect: 32 })
  for (const id of [1, 2]) bench.sendIndirect(BLKIF_OP_WRITE, id, 256 * id, 12 + id, 32 * id)
  bench.sendPages(BLKIF_OP_WRITE, 3, 0, 1, 0)
  bench.run()
  expect(bench.statuses()).toEqual({ 1: 0, 2: 0, 3: 0 })
  const read = bench.copies.slice(0, 2)
  expect(read.map(({ length, offset, direction }) => [length, offset, direction])).toEqual([[104, 0, 0], [112, 0, 0]])
  expect(bench.copies).toHaveLength(2 + 13 + 14 + 1)
  // One call for the descriptors, one for the data.
  expect(bench.counter('copyCalls')).toBe(2)
})

test('a queue without indirect requests makes no call more than before', () => {
  const bench = new QueueBench({ indirect: 32 })
  bench.sendPages(BLKIF_OP_WRITE, 1, 0, 11)
  bench.run()
  expect([bench.counter('copyCalls'), bench.copies.length]).toEqual([1, 11])
})

const page = { gref: 0, firstSect: 0, lastSect: 7 }
const REFUSED: readonly [string, string, (bench: QueueBench, id: number) => void, number?][] = [
  ['no segments at all', 'segments.none', (bench, id) => bench.sendIndirect(BLKIF_OP_READ, id, 0, 12, 0, { nrSegments: 0 })],
  ['one segment more than offered', 'segments.tooMany', (bench, id) => bench.sendIndirect(BLKIF_OP_READ, id, 0, 33)],
  ['65535 segments', 'segments.tooMany', (bench, id) => bench.sendIndirect(BLKIF_OP_READ, id, 0, 12, 0, { nrSegments: 0xffff })],
  ['a flush inside', 'indirect.operation', (bench, id) => bench.sendIndirect(BLKIF_OP_FLUSH_DISKCACHE, id, 0, 12)],
  ['an indirect inside', 'indirect.operation', (bench, id) => bench.sendIndirect(6, id, 0, 12)],
  ['a segment that ends before it begins', 'segment.reversed', (bench, id) =>
    bench.sendIndirect(BLKIF_OP_READ, id, 0, [...Array<typeof page>(20).fill(page), { gref: 1, firstSect: 5, lastSect: 4 }])],
  ['a segment beyond its page', 'segment.crossesPage', (bench, id) =>
    bench.sendIndirect(BLKIF_OP_READ, id, 0, [...Array<typeof page>(20).fill(page), { gref: 1, firstSect: 0, lastSect: 8 }])],
  ['the end of the disk in its last page', 'range.beyondEnd', (bench, id) => bench.sendIndirect(BLKIF_OP_READ, id, 4096 - 8 * 31, 32)],
  ['descriptors that nobody granted', 'indirect.unreadable', (bench, id) =>
    bench.sendIndirect(BLKIF_OP_READ, id, 0, 32, 0, { descriptorGrefs: [0x7fffffff] })],
  ['a page that was revoked', 'indirect.unreadable', (bench, id) =>
    bench.world.guest.revoke(bench.sendIndirect(BLKIF_OP_READ, id, 0, 32)[0])],
]

test.each(REFUSED)('%s: answered with an error as its inner operation, counted as %s, nothing else touched', (_, reason, send) => {
  const bench = new QueueBench({ indirect: 32 })
  send(bench, 7)
  const inner = (bench.world.ring.shared[0] >>> 8) & 0xff
  bench.sendIndirect(BLKIF_OP_WRITE, 8, 0, 3, 40)
  expect(bench.run().answers()).toEqual([
    { id: 7, idHigh: 0, op: inner, status: -1 },
    { id: 8, idHigh: 0, op: BLKIF_OP_WRITE, status: 0 },
  ])
  expect(reasonsOf(bench)).toEqual({ [reason]: 1 })
  expect(bench.ios.map(({ length }) => length)).toEqual([3 * PAGE_BYTES])
  expect(bench.leftovers).toEqual(NOTHING)
  expect(bench.finish()).toBe(true)
})

test('what was not offered is EOPNOTSUPP, and its pages are not looked at', () => {
  const bench = new QueueBench()
  bench.sendIndirect(BLKIF_OP_READ, 1, 0, 11)
  expect(bench.run().answers()).toEqual([{ id: 1, idHigh: 0, op: BLKIF_OP_READ, status: -2 }])
  expect([bench.copies, reasonsOf(bench)]).toEqual([[], { 'op.notOffered': 1 }])
})

test('an indirect write on a read-only disk is refused, an indirect read is not', () => {
  const bench = new QueueBench({ indirect: 32, limits: { readOnly: true } })
  bench.sendIndirect(BLKIF_OP_WRITE, 1, 0, 20)
  bench.sendIndirect(BLKIF_OP_READ, 2, 0, 20)
  expect(bench.run().statuses()).toEqual({ 1: -1, 2: 0 })
})

test('B12: one bad page of data among 32 fails its request alone', () => {
  const bench = new QueueBench({ indirect: 32 })
  for (let id = 0; id < 3; id++) bench.sendIndirect(BLKIF_OP_WRITE, id, 256 * id, 32, 32 * id)
  bench.world.guest.revoke(32 + 17)
  expect(bench.run().statuses()).toEqual({ 0: 0, 1: -1, 2: 0 })
  expect([bench.counter('grantErrors'), bench.ios.length, bench.leftovers]).toEqual([1, 2, NOTHING])
})

/** A front end that changes its descriptors the moment they have been read: each then names another place. */
const scribbles = (guestOf: () => Uint8Array) => (grants: GrantCopier): GrantCopier => ({
  copy: (copies, count) => {
    const failed = grants.copy(copies, count)
    for (let at = 0; at < count * COPY_WORDS; at += COPY_WORDS)
      if (copies[at] >= 1024) new Int32Array(guestOf().buffer, copies[at] * PAGE_BYTES, 1024).fill(0x00070003)
    return failed
  },
  close: () => grants.close(),
})

test.each(ABIS)('B6, XSA-155: descriptors that change after they were read change nothing (%s)', (abi) => {
  const seams = { grants: scribbles(() => world.guest.memory) }
  const world: World = new World({ seed: 5, steps: 0, abi, indirect: 32, depth: 32, seams })
  // Descriptors stand behind all data: pages 1024 and up.
  for (let step = 0; step < 400; step++) world.step(true)
  world.drain()
  expect(world.finish()).toBe(true)
  const { complaints, violations, core, answered } = report(world, true)
  expect([complaints, violations]).toEqual([[], []])
  expect(core.statistics[REASONS_AT]).toBe(0)
  expect(answered).toBeGreaterThan(100)
})

describe('a request of a mebibyte', () => {
  test('is one I/O where its pages lie side by side', () => {
    const bench = new QueueBench(LARGE)
    bench.sendIndirect(BLKIF_OP_WRITE, 1, 0, 256)
    expect(bench.run().statuses()).toEqual({ 1: 0 })
    expect(bench.ios.map(({ op, length, offset }) => [op, length, offset])).toEqual([[IO_WRITE, 256 * PAGE_BYTES, 0]])
  })

  /** Every second chunk of the arena is the queue's, and no two of them are neighbours. */
  const scattered = ({ parts }: QueuePlane): void => {
    const { core } = parts
    const own = core.extents.lend.bind(core.extents)
    core.extents.lend = (chunk) => own(2 * chunk)
  }

  test.each([BLKIF_OP_WRITE, BLKIF_OP_READ])('is several where they do not, and arrives whole (operation %i)', (inner) => {
    const bench = new QueueBench({ ...LARGE, sabotage: scattered })
    const { guest, disk } = bench.world
    // Segments of 7 sectors: what a chunk holds is no whole number of them.
    const segments = Array.from({ length: 256 }, (_, gref) => ({ gref, firstSect: 1, lastSect: 7 }))
    const bytes = 256 * 7 * 512
    for (let at = 0; at < bytes; at++) disk.cache[at] = inner === BLKIF_OP_READ ? at % 251 : 0
    for (let index = 0; index < 256; index++)
      for (let at = 0; at < 7 * 512; at++) guest.page(index)[512 + at] = inner === BLKIF_OP_READ ? 0 : (index * 3584 + at) % 251
    bench.sendIndirect(inner, 1, 0, segments)
    expect(bench.run().statuses()).toEqual({ 1: 0 })
    expect(bench.ios).toHaveLength(7)
    expect(bench.ios.reduce((sum, { length }) => sum + length, 0)).toBe(bytes)
    for (let index = 0; index < 256; index++) {
      const data = guest.page(index).subarray(512)
      expect(Buffer.compare(data, disk.cache.subarray(index * 3584, (index + 1) * 3584))).toBe(0)
      expect(guest.page(index).subarray(0, 512).every((byte) => byte === 0)).toBe(true)
    }
    expect(disk.cache.subarray(0, bytes).every((byte, at) => byte === at % 251)).toBe(true)
    expect([bench.leftovers, bench.finish()]).toEqual([NOTHING, true])
  })

  test('fails as one when one of its I/Os fails or moves too little, and is counted once', () => {
    for (const wrong of [-5, 512]) {
      const bench = new QueueBench({ ...LARGE, sabotage: scattered })
      let seen = 0
      bench.result = (_, result) => (++seen === 3 ? wrong : result)
      bench.sendIndirect(BLKIF_OP_READ, 1, 0, 256)
      expect(bench.run().statuses()).toEqual({ 1: -1 })
      expect(bench.copies.filter(({ direction }) => direction === 1)).toEqual([])
      expect(bench.counter('mediumErrors') + bench.counter('shortTransfers')).toBe(1)
      expect(bench.leftovers).toEqual(NOTHING)
    }
  })

  test('waits for its reserve, and gets it however small requests were there before', () => {
    const bench = new QueueBench({ ...LARGE, arenaChunks: 8 })
    const { disk, core } = bench.world
    disk.hanging = true
    for (let id = 1; id <= 8; id++) bench.sendPages(BLKIF_OP_WRITE, id, 8 * id, 1, id)
    bench.sendIndirect(BLKIF_OP_WRITE, 9, 4096, 256, 16)
    bench.sendPages(BLKIF_OP_WRITE, 10, 0, 1, 9)
    bench.run(3)
    expect([bench.state, core.gate.length, core.settings.reserveChunks]).toEqual(['Shortage', 2, chunksForRequest(256)])
    disk.hanging = false
    bench.run(40)
    expect(Object.values(bench.statuses())).toEqual(Array(10).fill(0))
    expect([bench.state, bench.leftovers]).toEqual(['Running', NOTHING])
  })
})

test('its descriptors stand in the journal, and a replay comes to the same', () => {
  const world = new World({ seed: 3, steps: 0, indirect: 100, arenaChunks: 7, depth: 8, segmentWords: 6000 })
  for (let step = 0; step < 300; step++) world.step(true)
  world.drain()
  expect(world.finish()).toBe(true)
  expect(world.core.statistics[COUNTER.indirects]).toBeGreaterThan(20)
  const { journals } = replayJournals({ chains: chainsOf(segmentsInMemory(world.segments)), problems: [] })
  expect(journals.flatMap(({ divergences, damage }) => [...divergences, ...damage])).toEqual([])
})
