/**
 * What one batch may hold beside other queues: bounded in time, never nothing, and not at all for a queue alone.
 */
import { CrowdPace, UNBOUNDED } from '../../src/actors/crowd-pace.js'
import type { BatchBound } from '../../src/actors/crowd-pace.js'
import { BLKIF_OP_READ } from '../../src/protocol/blkif.js'
import { QueueBench } from '../support/queue-bench.js'

const bound = (): BatchBound => ({ most: UNBOUNDED })
/** Batches by turns, each `nsEach` for an entry; the bounds after so many. */
function sideBySide(pace: CrowdPace, queues: readonly { readonly bound: BatchBound; readonly nsEach: number }[], turns: number): number[] {
  let nowNs = 0
  for (let turn = 0; turn < turns; turn++)
    for (const { bound: of, nsEach } of queues) {
      const size = Math.min(64, of.most)
      pace.worked(of, size, nowNs, nowNs + size * nsEach)
      nowNs += size * nsEach
    }
  return queues.map(({ bound: { most } }) => most)
}

test('beside a neighbour the costly batch is cut to its time, the cheap one is not', () => {
  const queues = [{ bound: bound(), nsEach: 8000 }, { bound: bound(), nsEach: 100 }]
  const [costly, cheap] = sideBySide(new CrowdPace(), queues, 20)
  expect(costly).toBe(3)
  expect(cheap).toBeGreaterThanOrEqual(64)
})

test('even what takes longer than the time alone gets one at a time', () => {
  const queues = [{ bound: bound(), nsEach: 5e6 }, { bound: bound(), nsEach: 100 }]
  expect(sideBySide(new CrowdPace(), queues, 20)[0]).toBe(1)
})

test('a batch in which the thread did not run halves the bound at most, and it grows again', () => {
  const pace = new CrowdPace()
  const [one, other] = [bound(), bound()]
  pace.worked(other, 1, 0, 1000)
  pace.worked(one, 64, 1000, 3_001_000)
  expect(one.most).toBe(32)
  pace.worked(other, 1, 3_001_000, 3_002_000)
  pace.worked(one, 32, 3_002_000, 3_003_000)
  expect(one.most).toBe(64)
})

test('a queue alone is not cut, and one whose neighbour fell silent is so no more', () => {
  const pace = new CrowdPace()
  const [one, other] = [bound(), bound()]
  pace.worked(other, 1, 0, 1000)
  pace.worked(one, 64, 1000, 501_000)
  expect(one.most).toBe(32)
  for (let nowNs = 501_000; nowNs < 7e6; nowNs += 500_000) pace.worked(one, Math.min(64, one.most), nowNs, nowNs + 400_000)
  expect(one.most).toBe(UNBOUNDED)
})

test('a round takes no more entries and results than it is told, and all of them in the end', () => {
  const bench = new QueueBench()
  const { plane, disk } = bench.world
  for (let id = 0; id < 20; id++) bench.sendPages(BLKIF_OP_READ, id, 8 * id, 1, id)
  const sizes = []
  for (let round = 0; round < 12; round++) {
    disk.tick()
    plane.round(3)
    sizes.push(plane.batchSize)
  }
  expect(Math.max(...sizes)).toBe(3)
  bench.run()
  expect(Object.keys(bench.statuses())).toHaveLength(20)
})
