/**
 * The seed's defects in the request path, one by one: each as a front end or a disk that would have set it off, against
 * the whole queue. Those of parsing and judging alone are in test/unit/protocol-*.
 */
import {
  BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER,
} from '../../src/protocol/blkif.js'
import { LATENCY_BUCKETS, READ_LATENCY_AT, REASONS_AT } from '../../src/core/statistics.js'
import {
  COPY_FROM_GUEST, COPY_TO_GUEST, COPY_WORDS, IO_READ, IO_SYNC, IO_WRITE, type GrantCopier,
} from '../../src/ports/data-path.js'
import { LEVEL_BROKEN } from '../../src/ports/queues.js'
import { OP_UNKNOWN, RANGE_BEYOND_END } from '../../src/protocol/validate.js'
import { QueueBench } from '../support/queue-bench.js'

const NOTHING = { slots: 0, pages: 0, active: 0, line: 0, io: 0 }
const ABIS = ['x86_64', 'x86_32'] as const

const sum = (list: Float64Array) => list.reduce((total, value) => total + value, 0)

test.each(ABIS)('B5, B6, B7, XSA-155: the shared entry changes after the take, the request does not (%s)', (abi) => {
  const bench = new QueueBench({ abi })
  bench.world.disk.cache.fill(0x5a, 8 * 512, 16 * 512)
  bench.sendPages(BLKIF_OP_READ, 1, 8, 1)
  bench.world.disk.hanging = true
  bench.run(2)
  expect(bench.world.disk.inFlight).toBe(1)
  bench.world.ring.shared.fill(0x7f7f7f7f)
  bench.world.disk.hanging = false
  expect(bench.run().answers()).toEqual([{ id: 1, idHigh: 0, op: BLKIF_OP_READ, status: 0 }])
  expect(bench.world.guest.page(0).every((byte) => byte === 0x5a)).toBe(true)
  expect(bench.world.core.reqCons).toBe(1)
  expect(bench.finish()).toBe(true)
})

test('B10: no more entries are consumed than were produced, stale ones never', () => {
  const bench = new QueueBench()
  for (let id = 1; id <= 3; id++) bench.sendPages(BLKIF_OP_READ, id, 8 * id, 1, id)
  bench.run()
  expect(bench.answers()).toHaveLength(3)
  bench.run()
  expect([bench.counter('taken'), bench.answers()]).toEqual([3, []])
  bench.world.ring.sharedReqProd = 2
  bench.run()
  expect([bench.counter('taken'), bench.state]).toEqual([3, 'Drained'])
})

test('B10: a producer that goes back while requests are in flight is as good as a lie', () => {
  const bench = new QueueBench()
  bench.world.disk.hanging = true
  for (let id = 1; id <= 3; id++) bench.sendPages(BLKIF_OP_READ, id, 8 * id, 1, id)
  bench.run(2)
  bench.world.ring.sharedReqProd = 1
  bench.run(2)
  expect([bench.state, bench.counter('taken'), bench.counter('abandoned')]).toEqual(['Broken', 3, 0])
  bench.world.disk.hanging = false
  expect([bench.run().state, bench.counter('abandoned'), bench.answers()]).toEqual(['Drained', 3, []])
})

test('B11, S14: a producer beyond its ring stops that ring alone', () => {
  const [liar, neighbour] = [new QueueBench(), new QueueBench()]
  for (const bench of [liar, neighbour]) bench.sendPages(BLKIF_OP_READ, 1, 0, 1)
  liar.run()
  liar.world.ring.sharedReqProd = 1 + liar.world.ring.size + 1
  for (const bench of [liar, neighbour]) bench.run()
  expect(liar.world.core.levels & LEVEL_BROKEN).toBe(LEVEL_BROKEN)
  expect([liar.state, liar.counter('taken'), liar.leftovers]).toEqual(['Drained', 1, NOTHING])
  expect(liar.journal().filter(({ kind }) => kind === 'command').at(-1)?.words[1]).toBe(34)
  expect([neighbour.state, neighbour.statuses()]).toEqual(['Running', { 1: 0 }])
})

test('B11: a ring that is exactly full is no lie', () => {
  const bench = new QueueBench()
  for (let id = 0; id < bench.world.ring.size; id++) bench.sendPages(BLKIF_OP_READ, id, 8 * id, 1, id)
  bench.run()
  expect([bench.state, bench.answers().length]).toEqual(['Running', bench.world.ring.size])
})

test.each(['read', 'write'] as const)('B12, XSA-361: one bad gref of eleven fails its %s alone, nothing leaks', (kind) => {
  const op = kind === 'read' ? BLKIF_OP_READ : BLKIF_OP_WRITE
  const bench = new QueueBench()
  const before = bench.world.disk.cache.slice()
  for (let id = 0; id < 3; id++) bench.sendPages(op, id, 100 * id, 11, 11 * id)
  bench.world.guest.revoke(11 + 4)
  bench.run()
  expect(bench.statuses()).toEqual({ 0: 0, 1: -1, 2: 0 })
  expect(bench.counter('grantErrors')).toBe(1)
  expect(bench.leftovers).toEqual(NOTHING)
  if (kind === 'write') {
    expect(bench.ios.filter(({ offset }) => offset === 100 * 512)).toEqual([])
    expect(bench.world.disk.cache.subarray(100 * 512, 188 * 512)).toEqual(before.subarray(100 * 512, 188 * 512))
  }
  expect([bench.counter('reads') + bench.counter('writes'), bench.counter('answeredError')]).toEqual([2, 1])
})

test('B12: a read into a page that was granted for reading only fails alone', () => {
  const bench = new QueueBench()
  bench.sendPages(BLKIF_OP_READ, 1, 0, 1, 0)
  bench.sendPages(BLKIF_OP_READ, 2, 8, 1, 1)
  bench.world.guest.grant(0, 0, false)
  expect(bench.run().statuses()).toEqual({ 1: -1, 2: 0 })
})

test('B14, B17, B18, B35: what failed has no bytes and no operation in the counters, and is counted once', () => {
  const bench = new QueueBench()
  bench.result = (op, result) => (op === IO_WRITE || op === IO_SYNC ? -5 : result)
  bench.sendPages(BLKIF_OP_READ, 1, 0, 2, 0)
  bench.sendPages(BLKIF_OP_WRITE, 2, 16, 3, 2)
  bench.sendPages(BLKIF_OP_FLUSH_DISKCACHE, 3, 64, 2, 5)
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: 4 })
  bench.send({ op: 17, idLow: 5 })
  bench.sendPages(BLKIF_OP_READ, 6, 4095, 1, 8)
  bench.run()
  expect(bench.statuses()).toEqual({ 1: 0, 2: -1, 3: -1, 4: -1, 5: -2, 6: -1 })
  const counters = Object.fromEntries(
    (['reads', 'writes', 'flushes', 'readBytes', 'writtenBytes', 'mediumErrors', 'answeredOkay', 'answeredError',
      'answeredUnsupported', 'taken', 'inFlight'] as const).map((name) => [name, bench.counter(name)]),
  )
  expect(counters).toEqual({
    reads: 1, writes: 0, flushes: 0, readBytes: 8192, writtenBytes: 0, mediumErrors: 3, answeredOkay: 1,
    answeredError: 4, answeredUnsupported: 1, taken: 6, inFlight: 0,
  })
  const { statistics } = bench.world.core
  expect([statistics[REASONS_AT + OP_UNKNOWN], statistics[REASONS_AT + RANGE_BEYOND_END]]).toEqual([1, 1])
  expect(sum(statistics.subarray(READ_LATENCY_AT, READ_LATENCY_AT + 3 * LATENCY_BUCKETS))).toBe(4)
  expect(bench.leftovers).toEqual(NOTHING)
})

test('B17: an unknown operation in the slot of a finished read is not counted as one', () => {
  const bench = new QueueBench({ slots: 1 })
  bench.sendPages(BLKIF_OP_READ, 1, 0, 1)
  bench.run()
  bench.send({ op: 99, idLow: 2 })
  bench.run()
  expect([bench.statuses(), bench.counter('reads'), bench.counter('answeredUnsupported')]).toEqual([{ 1: 0, 2: -2 }, 1, 1])
})

test.each([
  ['failed', -5],
  ['short by a sector', 3 * 4096 - 512],
  ['empty', 0],
])('B15, B16: of a read that is %s not a byte of the buffer reaches the guest', (_, moved) => {
  const bench = new QueueBench()
  bench.world.arena.bytes.fill(0xaa)
  for (let page = 0; page < 3; page++) bench.world.guest.page(page).fill(0x11)
  bench.result = (op, result) => (op === IO_READ ? moved : result)
  bench.sendPages(BLKIF_OP_READ, 1, 0, 3)
  bench.run()
  expect(bench.statuses()).toEqual({ 1: -1 })
  expect(bench.world.guest.memory.subarray(0, 3 * 4096).every((byte) => byte === 0x11)).toBe(true)
  expect(bench.copies).toEqual([])
  expect([bench.counter('readBytes'), bench.counter('shortTransfers')]).toEqual([0, moved < 0 ? 0 : 1])
})

test('B16: a short write is an error, whatever the disk calls it', () => {
  const bench = new QueueBench()
  bench.result = (_, result) => result - 512
  bench.sendPages(BLKIF_OP_WRITE, 1, 0, 2)
  bench.run()
  expect([bench.statuses(), bench.counter('shortTransfers'), bench.counter('writtenBytes')]).toEqual([{ 1: -1 }, 1, 0])
})

test('B1, B2, B19: empty flushes and barriers succeed, with a sync each and nothing else', () => {
  const bench = new QueueBench()
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: 1 })
  bench.send({ op: BLKIF_OP_WRITE_BARRIER, idLow: 2 })
  bench.run()
  expect(bench.statuses()).toEqual({ 1: 0, 2: 0 })
  expect(bench.ios.map(({ op, length }) => [op, length])).toEqual([[IO_SYNC, 0], [IO_SYNC, 0]])
  expect(bench.copies).toEqual([])
})

test('B19: what is not known or was not offered is EOPNOTSUPP, and goes nowhere', () => {
  const bench = new QueueBench({ limits: { offersBarrier: false, offersFlush: false, offersDiscard: false } })
  for (const [idLow, op] of [2, 3, 4, 5, 6, 7, 200, 255].entries()) bench.send({ op, idLow })
  bench.run()
  expect(Object.values(bench.statuses())).toEqual(Array(8).fill(-2))
  expect([bench.ios, bench.copies, bench.leftovers]).toEqual([[], [], NOTHING])
})

test('B13, XSA-362: a grant operation that fails as a whole fails its requests, and nothing else', () => {
  const bench = new QueueBench()
  const parts = bench.world.plane.parts as { grants: GrantCopier }
  const { grants } = parts
  const refuse = (copies: Int32Array, count: number) => {
    // GNTST_no_device_space, and a number that no header knows.
    for (let index = 0; index < count; index++) copies[index * COPY_WORDS + 3] = index % 2 === 0 ? -7 : -0x7fffffff
    return count
  }
  parts.grants = { copy: refuse, close: () => undefined }
  bench.sendPages(BLKIF_OP_READ, 1, 0, 11, 0)
  bench.sendPages(BLKIF_OP_WRITE, 2, 200, 11, 11)
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: 3 })
  expect(bench.run().statuses()).toEqual({ 1: -1, 2: -1, 3: 0 })
  expect([bench.state, bench.counter('grantErrors'), bench.leftovers]).toEqual(['Running', 2, NOTHING])
  parts.grants = grants
  bench.sendPages(BLKIF_OP_READ, 4, 0, 11, 0)
  expect(bench.run().statuses()).toEqual({ 4: 0 })
})

test.each(['read', 'write'] as const)('XSA-365: that an earlier copy of a %s failed is not forgotten over a later one', (kind) => {
  for (let position = 0; position < 11; position++) {
    const bench = new QueueBench()
    for (let id = 0; id < 2; id++) bench.sendPages(kind === 'read' ? BLKIF_OP_READ : BLKIF_OP_WRITE, id, 100 * id, 11, 11 * id)
    bench.world.guest.revoke(position)
    expect([position, bench.run().statuses()]).toEqual([position, { 0: -1, 1: 0 }])
    expect([bench.counter('grantErrors'), bench.leftovers]).toEqual([1, NOTHING])
    if (kind === 'write') expect(bench.ios.map(({ offset }) => offset)).toEqual([100 * 512])
  }
})

test('XSA-403: just the sectors that were asked for cross, and no byte of them stands in the journal', () => {
  const bench = new QueueBench({ trace: true })
  bench.world.disk.cache.fill(0x5a)
  bench.world.guest.memory.fill(0x11)
  for (const gref of [0, 1]) bench.world.guest.grant(gref, gref, true)
  bench.send({ op: BLKIF_OP_READ, idLow: 1, sectorLow: 8, segments: [{ gref: 0, firstSect: 3, lastSect: 4 }] })
  bench.send({ op: BLKIF_OP_WRITE, idLow: 2, sectorLow: 64, segments: [{ gref: 1, firstSect: 7, lastSect: 7 }] })
  expect(bench.run().statuses()).toEqual({ 1: 0, 2: 0 })
  const moved = bench.copies.map(({ gref, offset, length, direction }) => [gref, offset, length, direction])
  expect(moved).toEqual([[1, 7 * 512, 512, COPY_FROM_GUEST], [0, 3 * 512, 1024, COPY_TO_GUEST]])
  const filled = bench.world.guest.memory.map((byte) => (byte === 0x5a ? 1 : 0)).reduce((total, byte) => total + byte, 0)
  expect(filled).toBe(1024)
  expect(bench.journal().flatMap(({ words }) => words).filter((word) => word === 0x5a5a5a5a || word === 0x11111111)).toEqual([])
})
