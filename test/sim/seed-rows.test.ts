/**
 * What the driver of 2010 did in its request path, row by row of the seed's table, in the better form that it has here:
 * against the whole queue in the simulated world. Orders and promises under load are in laws.test.ts.
 */
import {
  BLKIF_DISCARD_SECURE, BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER,
} from '../../src/protocol/blkif.js'
import { checkpointWordsMax, restoreCheckpoint, writeCheckpoint } from '../../src/core/checkpoint.js'
import { QueueCore } from '../../src/core/queue-core.js'
import {
  COMMAND_MEDIUM_OPENED, COMMAND_MEDIUM_RESIZED, COMMAND_MEDIUM_SECTOR_SIZE, SHORT_OF_BUFFERS, SHORT_OF_SLOTS,
} from '../../src/core/records.js'
import { compiledSteppers } from '../../src/core/steppers.js'
import { QueueState } from '../../src/machines/generated/queue.js'
import { RequestState } from '../../src/machines/generated/request.js'
import {
  COPY_FROM_GUEST, COPY_TO_GUEST, IO_DISCARD, IO_READ, IO_SECURE_DISCARD, IO_SYNC, IO_WRITE,
} from '../../src/ports/data-path.js'
import { LEVEL_MEDIUM_GONE, LEVEL_SHORTAGE } from '../../src/ports/queues.js'
import { QueueBench } from '../support/queue-bench.js'

const NOTHING = { slots: 0, pages: 0, active: 0, line: 0, io: 0 }

/** From, to and reason of every state entered, as the journal has them. */
function entered(bench: QueueBench): number[][] {
  return bench
    .journal()
    .filter(({ kind }) => kind === 'entered')
    .map(({ words }) => [(words[0] >>> 8) & 0xff, (words[0] >>> 16) & 0xff, words[0] >>> 24])
}

test.each([
  ['slots', { slots: 2 }, SHORT_OF_SLOTS],
  ['buffers', { arenaChunks: 1 }, SHORT_OF_BUFFERS],
] as const)('S15: Shortage of %s is entered and left, stands in the journal, and all are answered', (_, options, why) => {
  const bench = new QueueBench(options)
  bench.world.disk.hanging = true
  for (let id = 1; id <= 6; id++) bench.sendPages(BLKIF_OP_READ, id, 100 * id, 11, 11 * id)
  bench.run(4)
  expect([bench.state, bench.world.core.shortOf]).toEqual(['Shortage', why])
  expect(bench.world.core.levels & LEVEL_SHORTAGE).toBe(LEVEL_SHORTAGE)
  const taken = bench.counter('taken')
  bench.run(4)
  expect(bench.counter('taken')).toBe(taken)
  bench.world.disk.hanging = false
  bench.run(40)
  expect(bench.statuses()).toEqual({ 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0 })
  expect([bench.state, bench.world.core.levels & LEVEL_SHORTAGE]).toEqual(['Running', 0])
  const changes = entered(bench)
  expect(changes).toContainEqual([QueueState.Running, QueueState.Shortage, why])
  expect(changes.at(-1)?.slice(0, 2)).toEqual([QueueState.Shortage, QueueState.Running])
  expect(bench.counter('shortages')).toBe(changes.filter(([, to]) => to === QueueState.Shortage).length)
  expect(bench.counter('shortageNs')).toBeGreaterThan(0)
  expect(bench.leftovers).toEqual(NOTHING)
})

test('S14: no more is consumed than there is room for answers, over many rounds of the ring', () => {
  const bench = new QueueBench({ abi: 'x86_32' })
  let sent = 0
  for (let lap = 0; lap < 10; lap++) {
    for (let index = 0; index < bench.world.ring.size; index++) bench.sendPages(BLKIF_OP_READ, ++sent, 8 * index, 1, index)
    bench.run()
    expect(bench.answers().map(({ id }) => id).sort((one, two) => one - two)).toHaveLength(bench.world.ring.size)
  }
  expect([bench.counter('taken'), bench.counter('answeredOkay')]).toEqual([sent, sent])
  expect(bench.counter('inFlightMax')).toBeLessThanOrEqual(bench.world.ring.size)
})

test('S16: every operation goes to the disk as what it is', () => {
  const bench = new QueueBench()
  bench.sendPages(BLKIF_OP_READ, 1, 0, 1, 0)
  bench.sendPages(BLKIF_OP_WRITE, 2, 8, 1, 1)
  bench.run()
  bench.sendPages(BLKIF_OP_WRITE_BARRIER, 3, 16, 1, 2)
  bench.run()
  bench.sendPages(BLKIF_OP_FLUSH_DISKCACHE, 4, 24, 1, 3)
  bench.run()
  bench.send({ op: BLKIF_OP_DISCARD, idLow: 5, sectorLow: 32, nrSectorsLow: 64 })
  bench.send({ op: 250, idLow: 6 })
  bench.run()
  expect(bench.ios.map(({ op, offset, length }) => [op, offset / 512, length / 512])).toEqual([
    [IO_READ, 0, 8], [IO_WRITE, 8, 8], [IO_WRITE, 16, 8], [IO_SYNC, 0, 0], [IO_SYNC, 0, 0], [IO_WRITE, 24, 8],
    [IO_DISCARD, 32, 64],
  ])
  expect(bench.statuses()).toEqual({ 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: -2 })
  const counts = (['reads', 'writes', 'barriers', 'flushes', 'discards'] as const).map((name) => bench.counter(name))
  expect([counts, bench.counter('discardedBytes')]).toEqual([[1, 1, 1, 1, 1], 64 * 512])
})

test('S16: a secure discard is one where that was offered, and a plain one where it was not', () => {
  for (const offersSecureDiscard of [true, false]) {
    const bench = new QueueBench({ limits: { offersSecureDiscard } })
    bench.send({ op: BLKIF_OP_DISCARD, idLow: 1, flag: BLKIF_DISCARD_SECURE, sectorLow: 32, nrSectorsLow: 64 })
    bench.send({ op: BLKIF_OP_DISCARD, idLow: 2, flag: 0, sectorLow: 128, nrSectorsLow: 64 })
    bench.run()
    expect(bench.ios.map(({ op }) => op)).toEqual([offersSecureDiscard ? IO_SECURE_DISCARD : IO_DISCARD, IO_DISCARD])
    expect(bench.statuses()).toEqual({ 1: 0, 2: 0 })
  }
})

test('S5: a disc of other sectors is judged by its own, also by who goes on from a checkpoint', () => {
  const bench = new QueueBench()
  bench.world.guest.grant(0, 0, true)
  const read = (idLow: number, lastSect: number) =>
    bench.send({ op: BLKIF_OP_READ, idLow, segments: [{ gref: 0, firstSect: 0, lastSect }] })
  read(1, 0)
  bench.run()
  bench.world.plane.command(COMMAND_MEDIUM_SECTOR_SIZE, 4096)
  bench.world.plane.command(COMMAND_MEDIUM_OPENED, 4096)
  read(2, 0)
  read(3, 7)
  expect(bench.run().statuses()).toEqual({ 1: 0, 2: -1, 3: 0 })
  const { core } = bench.world
  const words = new Int32Array(checkpointWordsMax(core))
  writeCheckpoint(core, words, 0)
  const successor = new QueueCore(core.settings, compiledSteppers)
  restoreCheckpoint(successor, words, 0)
  expect([successor.disk.sectorSize, successor.settings.disk.sectorSize]).toEqual([4096, 512])
})

test('S18, S3: what is refused touches neither a grant nor the disk, and its slot is free again', () => {
  const bench = new QueueBench({ limits: { readOnly: true, sectorSize: 4096 } })
  const whole = { gref: 0, firstSect: 0, lastSect: 7 }
  const read = (idLow: number, rest: object) => bench.send({ op: BLKIF_OP_READ, idLow, segments: [whole], ...rest })
  bench.world.guest.grant(0, 0, true)
  read(1, { segments: [] })
  read(2, { nrSegments: 12 })
  read(3, { nrSegments: 255 })
  read(4, { segments: [{ gref: 0, firstSect: 5, lastSect: 4 }] })
  read(5, { segments: [{ gref: 0, firstSect: 0, lastSect: 8 }] })
  read(6, { segments: [{ gref: 0, firstSect: 0, lastSect: 6 }] })
  read(7, { sectorLow: 1 })
  read(8, { sectorLow: 4096 })
  read(9, { sectorLow: -8, sectorHigh: -1 })
  bench.send({ op: BLKIF_OP_WRITE, idLow: 10, segments: [whole] })
  bench.send({ op: BLKIF_OP_DISCARD, idLow: 11, nrSectorsLow: 8 })
  bench.run()
  expect(Object.values(bench.statuses())).toEqual(Array(11).fill(-1))
  expect([bench.ios, bench.copies, bench.leftovers]).toEqual([[], [], NOTHING])
  read(12, { sectorLow: 4088 })
  expect(bench.run().statuses()).toEqual({ 12: 0 })
})

test('S19: grants are copied and never mapped, each segment once, in the direction of the request', () => {
  const bench = new QueueBench()
  bench.world.guest.grant(3, 3, true)
  bench.world.guest.grant(4, 4, false)
  bench.send({ op: BLKIF_OP_READ, idLow: 1, segments: [{ gref: 3, firstSect: 2, lastSect: 4 }] })
  bench.send({ op: BLKIF_OP_WRITE, idLow: 2, sectorLow: 80, segments: [{ gref: 4, firstSect: 7, lastSect: 7 }] })
  expect(bench.run().statuses()).toEqual({ 1: 0, 2: 0 })
  const seen = bench.copies.map(({ gref, offset, length, direction }) => [gref, offset, length, direction])
  expect(seen.sort()).toEqual([[3, 1024, 1536, COPY_TO_GUEST], [4, 3584, 512, COPY_FROM_GUEST]])
  bench.world.guest.revokeAll()
  expect(bench.run(50).copies).toHaveLength(2)
})

test('S20, S21: eleven segments of one request are one I/O over one buffer, and it is awaited', () => {
  const bench = new QueueBench()
  const segments = bench.sendPages(BLKIF_OP_WRITE, 1, 40, 11)
  for (const { gref } of segments) bench.world.guest.page(gref).fill(gref + 1)
  bench.world.disk.hanging = true
  bench.run(3)
  const slot = bench.world.core.state.indexOf(RequestState.Submitted)
  expect([bench.world.core.outstanding[slot], bench.answers()]).toEqual([1, []])
  bench.world.disk.hanging = false
  expect(bench.run().statuses()).toEqual({ 1: 0 })
  expect(bench.ios.map(({ op, offset, length }) => [op, offset, length])).toEqual([[IO_WRITE, 40 * 512, 11 * 4096]])
  for (const { gref } of segments)
    expect(new Set(bench.world.disk.cache.subarray((40 + 8 * gref) * 512, (48 + 8 * gref) * 512))).toEqual(
      new Set([gref + 1]),
    )
})

test('S22: requests are with the disk many at a time, and are answered in the order in which it is done', () => {
  const bench = new QueueBench()
  bench.world.disk.hanging = true
  for (let id = 1; id <= 30; id++) bench.sendPages(BLKIF_OP_READ, id, 8 * id, 1, id)
  bench.run(4)
  expect(bench.world.disk.inFlight).toBe(30)
  bench.world.disk.hanging = false
  bench.run()
  // SimDisk finishes from its youngest.
  expect(bench.answers().map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, index) => 30 - index))
})

test('S23: a barrier drains, writes, makes durable; who comes after it waits', () => {
  const bench = new QueueBench()
  bench.world.guest.page(1).fill(0xb1)
  bench.sendPages(BLKIF_OP_WRITE, 1, 0, 1, 0)
  bench.sendPages(BLKIF_OP_WRITE_BARRIER, 2, 8, 1, 1)
  bench.sendPages(BLKIF_OP_WRITE, 3, 16, 1, 2)
  bench.world.disk.hanging = true
  bench.run(3)
  expect(bench.ios.map(({ offset }) => offset / 512)).toEqual([0])
  bench.world.disk.hanging = false
  bench.run()
  expect(bench.ios.map(({ op, offset }) => [op, offset / 512])).toEqual([
    [IO_WRITE, 0], [IO_WRITE, 8], [IO_SYNC, 0], [IO_WRITE, 16],
  ])
  expect(bench.answers().map(({ id, status }) => [id, status])).toEqual([[1, 0], [2, 0], [3, 0]])
  expect(bench.world.disk.platter.subarray(8 * 512, 16 * 512).every((byte) => byte === 0xb1)).toBe(true)
})

test('S23: a flush covers the writes that were answered before it; a lost one is not found again by asking', () => {
  const bench = new QueueBench({ buffered: true })
  bench.world.guest.page(0).fill(0xf1)
  bench.sendPages(BLKIF_OP_WRITE, 1, 0, 1)
  bench.run()
  expect(bench.world.disk.platter[0]).toBe(0)
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: 2 })
  bench.run()
  expect(bench.world.disk.platter[0]).toBe(0xf1)
  bench.result = (op, result) => (op === IO_SYNC ? -5 : result)
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: 3 })
  bench.run()
  bench.result = undefined
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: 4 })
  bench.sendPages(BLKIF_OP_FLUSH_DISKCACHE, 5, 8, 1)
  bench.send({ op: BLKIF_OP_WRITE_BARRIER, idLow: 6 })
  bench.sendPages(BLKIF_OP_READ, 7, 0, 1)
  bench.run()
  // Another size is no other medium.
  bench.world.plane.command(COMMAND_MEDIUM_RESIZED, 4096)
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: 8 })
  bench.run()
  bench.world.plane.command(COMMAND_MEDIUM_OPENED, 4096)
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: 9 })
  bench.run()
  expect(bench.statuses()).toEqual({ 1: 0, 2: 0, 3: -1, 4: -1, 5: -1, 6: -1, 7: 0, 8: -1, 9: 0 })
})

test('S23: a sync that failed when nobody was there to be told is lost all the same', () => {
  const bench = new QueueBench({ buffered: true })
  bench.result = (op, result) => (op === IO_SYNC ? -5 : result)
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: 1 })
  bench.world.disk.hanging = true
  bench.run(3)
  bench.world.abandon()
  bench.world.disk.hanging = false
  bench.run()
  expect([bench.state, bench.world.core.syncLost, bench.counter('abandoned')]).toEqual(['Drained', true, 1])
})

test.each([-6, -19, -123])('S24: a medium that is gone (errno %i) fails the request and raises the level', (errno) => {
  const bench = new QueueBench()
  bench.result = () => errno
  bench.sendPages(BLKIF_OP_READ, 1, 0, 1)
  bench.run()
  expect([bench.statuses(), bench.world.core.levels & LEVEL_MEDIUM_GONE]).toEqual([{ 1: -1 }, LEVEL_MEDIUM_GONE])
  bench.result = undefined
  bench.world.plane.command(COMMAND_MEDIUM_OPENED, 4096)
  bench.sendPages(BLKIF_OP_READ, 2, 0, 1)
  expect([bench.run().statuses(), bench.world.core.levels & LEVEL_MEDIUM_GONE]).toEqual([{ 2: 0 }, 0])
})

test('S24: an ordinary error is no medium that is gone', () => {
  const bench = new QueueBench()
  bench.result = () => -5
  bench.sendPages(BLKIF_OP_READ, 1, 0, 1)
  bench.run()
  expect([bench.statuses(), bench.world.core.levels & LEVEL_MEDIUM_GONE]).toEqual([{ 1: -1 }, 0])
})

test('S25: answers carry id and operation of the request, pushed a batch at a time', () => {
  const bench = new QueueBench({ abi: 'x86_32' })
  const published: number[] = []
  bench.send({ op: BLKIF_OP_FLUSH_DISKCACHE, idLow: -2, idHigh: 0x12345678 })
  bench.send({ op: 77, idLow: 0, idHigh: -1 })
  for (let round = 0; round < 6; round++) published.push(bench.run(1).world.ring.published())
  expect(bench.answers()).toEqual([
    { id: 0, idHigh: -1, op: 77, status: -2 },
    { id: -2, idHigh: 0x12345678, op: BLKIF_OP_FLUSH_DISKCACHE, status: 0 },
  ])
  expect([...new Set(published)]).toEqual([1, 2])
})

test('S25: the front end is notified only when it asked, once for a batch', () => {
  const bench = new QueueBench()
  for (let id = 1; id <= 8; id++) bench.send({ op: 99, idLow: id })
  bench.world.ring.rspEvent = 5
  bench.run()
  expect([bench.answers().length, bench.world.notified]).toEqual([8, 1])
  for (let id = 1; id <= 8; id++) bench.send({ op: 99, idLow: id })
  bench.world.ring.rspEvent = 20
  bench.run()
  expect([bench.answers().length, bench.world.notified]).toEqual([8, 1])
})

test('S25: before it sleeps the queue looks again, and finds a request that came late', () => {
  const bench = new QueueBench()
  bench.run()
  expect(bench.world.plane.arm()).toBe(false)
  expect(bench.world.ring.reqEvent).toBe(1)
  bench.send({ op: 99, idLow: 1 })
  expect(bench.world.plane.arm()).toBe(true)
  bench.run(1)
  expect(bench.world.plane.arm()).toBe(true)
  bench.run(1)
  expect([bench.world.plane.arm(), bench.answers().length]).toEqual([false, 1])
})

test('S26: an idle queue that is asked to drain knows that it needs one more round', () => {
  const bench = new QueueBench()
  bench.run()
  bench.world.drain()
  expect(bench.world.plane.arm()).toBe(true)
  bench.world.plane.round()
  expect([bench.state, bench.world.plane.arm()]).toEqual(['Draining', true])
  bench.world.plane.round()
  expect([bench.state, bench.world.plane.arm()]).toEqual(['Drained', false])
})

test('S26: a draining queue takes nothing more, and answers what it has taken', () => {
  const bench = new QueueBench()
  bench.sendPages(BLKIF_OP_READ, 1, 0, 1)
  bench.run(1)
  bench.world.drain()
  bench.run(1)
  bench.sendPages(BLKIF_OP_READ, 2, 8, 1, 1)
  bench.run()
  expect([bench.state, bench.statuses(), bench.counter('taken')]).toEqual(['Drained', { 1: 0 }, 1])
})

test('S31: a request leaves each of its steps in the journal, in order', () => {
  const bench = new QueueBench()
  const begun = bench.journal().length
  bench.sendPages(BLKIF_OP_READ, 7, 8, 2)
  bench.run()
  const records = bench.journal().slice(begun)
  expect(records.map(({ kind }) => kind)).toEqual(['intake', 'taken', 'completed', 'copied', 'answered'])
  expect(records[1].words.slice(2)).toEqual([7, 0, 8, 0, 0, 0x700, 1, 0x700])
  expect(records[2].words[2]).toBe(8192)
})

test('a Worker that wants all its chunks back gets what one batch can tell of, and asks again', () => {
  const bench = new QueueBench({ arenaChunks: 130, ringEntries: 1024, slots: 1024 })
  const { world } = bench
  world.plane.lend(world.lender.borrow('vbd/1/51712/q0', 120))
  bench.run()
  const { extents } = world.core
  for (let asked = 0; asked < 3; asked++) {
    world.plane.recallChunks(130)
    bench.run(1)
    expect(extents.count + world.lender.freeChunks).toBe(130)
  }
  expect(extents.count).toBe(1)
})
