/**
 * Rate limits in the simulated world, where time is a number: the rate is exact, the burst is what was configured, a
 * change under load loses nothing, and a journal tells all of it again without knowing any rate.
 */
import { shareRateLimit as shared } from '../../src/actors/rate-bucket.js'
import { RECORD_ALLOWED } from '../../src/core/records.js'
import { COUNTER } from '../../src/core/statistics.js'
import { replayQueue } from '../../src/journal/replay-queue.js'
import { QueueState } from '../../src/machines/generated/queue.js'
import { LEVEL_THROTTLED } from '../../src/ports/queues.js'
import type { RateLimit } from '../../src/protocol/rate-limit.js'
import { report, runWorld } from '../../src/sim/run-world.js'
import { World } from '../../src/sim/world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'
import { chainIn, copyOf, mendChecksums, recordsOf } from '../support/journal-tools.js'
import { SimWorker } from '../support/sim-planes.js'

const STEP_NS = 500_000
const SECOND = 1e9 / STEP_NS
const plain = { barrierShare: 0, flushShare: 0, discards: false }
const under = (limit: RateLimit, more: Partial<WorldOptions> = {}) =>
  new World({ seed: 5, steps: 0, stepNs: STEP_NS, segmentWords: 4096, asks: plain, limit, ...more })

function run(world: World, steps: number, put = true): void {
  for (let step = 0; step < steps; step++) world.step(put)
}

const bytesOf = ({ core: { statistics } }: World) => statistics[COUNTER.readBytes] + statistics[COUNTER.writtenBytes]

/** Everything put is answered, then it comes to rest; the laws held, and the journal is replayed. */
function sound(world: World): void {
  for (let step = 0; step < 50_000 && world.front.outstanding.size > 0; step++) world.step(false)
  world.end('drain')
  const { complaints, violations, drained } = report(world, world.finish())
  expect({ complaints, violations, drained, outstanding: world.front.outstanding.size })
    .toEqual({ complaints: [], violations: [], drained: true, outstanding: 0 })
  expect(replayQueue(chainIn(world.segments))).toMatchObject({ divergences: [], damage: [] })
}

test('1000 requests a second are 1000 a second, over ten of them', () => {
  const world = under({ iops: 1000, iopsBurst: 10 })
  run(world, SECOND)
  const before = world.front.answered
  run(world, 10 * SECOND)
  // What is in flight at either end is all that may differ; asked for are 2 %.
  expect(Math.abs(world.front.answered - before - 10_000)).toBeLessThan(30)
  expect(world.core.queueState).toBe(QueueState.Throttled)
  expect(world.core.levels & LEVEL_THROTTLED).toBe(LEVEL_THROTTLED)
  expect(world.core.statistics[COUNTER.tokensWanted]).toBeGreaterThan(0)
  expect(world.core.statistics[COUNTER.throttledNs]).toBeGreaterThan(9.5e9)
  sound(world)
})

test.each([1, 20, 200])('after a rest %d go at once, and no more', (iopsBurst) => {
  const world = under({ iops: 1000, iopsBurst })
  run(world, SECOND)
  run(world, SECOND, false)
  expect(world.front.outstanding.size).toBe(0)
  const before = world.front.answered
  run(world, SECOND)
  const burst = world.front.answered - before - 1000
  // A ring of requests may still be in flight, and one millisecond's worth is let go together.
  expect(burst).toBeGreaterThan(iopsBurst - 36)
  expect(burst).toBeLessThanOrEqual(iopsBurst + 2)
})

test('bytes are limited like requests, also where a request is larger than the burst', () => {
  for (const bpsBurst of [512, 1 << 20]) {
    const world = under({ bps: 8 << 20, bpsBurst })
    run(world, SECOND)
    const before = bytesOf(world)
    run(world, 4 * SECOND)
    const rate = (bytesOf(world) - before) / 4
    expect(rate / (8 << 20)).toBeCloseTo(1, 1)
    sound(world)
  }
})

test('under both limits the stricter one counts', () => {
  const world = under({ iops: 500, bps: 1 << 30 })
  run(world, 4 * SECOND)
  expect(world.front.answered).toBeLessThan(500 * 4 + 60)
  const narrow = under({ iops: 1e6, bps: 1 << 20 })
  run(narrow, 4 * SECOND)
  expect(bytesOf(narrow)).toBeLessThan(4.2 * (1 << 20))
})

test('a limit that is set, changed and lifted under load loses nothing, and counts from then on', () => {
  const world = under({}, { stepNs: 100_000 })
  world.limit(undefined)
  run(world, 200)
  expect(world.core.statistics[COUNTER.throttles]).toBe(0)
  const rates: number[] = []
  for (const limit of [{ iops: 100, iopsBurst: 1 }, { iops: 2000, iopsBurst: 1 }, undefined]) {
    world.limit(limit)
    run(world, 300)
    const before = world.front.answered
    run(world, 5000)
    rates.push((world.front.answered - before) * 2)
  }
  expect(rates[0]).toBeCloseTo(100, -1)
  expect(rates[1] / 2000).toBeCloseTo(1, 1)
  expect(rates[2]).toBeGreaterThan(5000)
  expect(world.core.queueState).toBe(QueueState.Running)
  sound(world)
})

test('whoever drains waits for nobody: the last requests go at once, and count', () => {
  const world = under({ iops: 10, iopsBurst: 1 })
  run(world, SECOND)
  expect(world.front.outstanding.size).toBeGreaterThan(20)
  const [taken, before] = [world.core.gate.tokensWanted, world.front.answered]
  expect(taken).toBeGreaterThan(5)
  world.end('drain')
  run(world, SECOND / 5, false)
  expect(world.front.answered - before).toBeGreaterThanOrEqual(taken)
  expect(world.core.queueState).toBe(QueueState.Drained)
})

test.each(Array.from({ length: 6 }, (_, seed) => seed))('world %d under a limit: barriers, faults, a full disk, deaths, any end', (seed) => {
  const limit = [{ iops: 20_000 }, { bps: 100 << 20, bpsBurst: 4096 }, { iops: 50_000, iopsBurst: 1, bps: 500 << 20 }][seed % 3]
  const world = new World({
    seed, steps: 0, stepNs: 5000, limit, segmentWords: 4096, slots: 20, arenaChunks: 3, errorShare: 0.02,
    fillShare: 0.01, onEnospc: 'wait', trace: seed % 2 === 0,
  })
  for (let life = 0; life < 4; life++) {
    run(world, 300)
    if (life === 1) world.limit(undefined)
    if (life === 2) world.limit({ iops: 10_000 })
    if (life < 3 && seed % 4 !== 3) world.recover()
  }
  expect(world.core.statistics[COUNTER.throttles]).toBeGreaterThan(0)
  const ending = (['drain', 'abandon', 'break'] as const)[seed % 3]
  world.disk.full = false
  world.end(ending)
  const { complaints, violations, drained } = report(world, world.finish())
  expect({ complaints, violations, drained }).toEqual({ complaints: [], violations: [], drained: true })
})

describe('a journal', () => {
  const { segments } = runWorld({
    seed: 3, steps: 1500, stepNs: 10_000, segmentWords: 2048, limit: { iops: 20_000 }, trace: true,
  })

  test('has every word of the limit as an input, and is replayed without rate or bucket', () => {
    expect(segments.length).toBeGreaterThan(5)
    const allowed = recordsOf(segments, RECORD_ALLOWED)
    expect(allowed.length).toBeGreaterThan(20)
    expect(replayQueue(chainIn(segments))).toMatchObject({ divergences: [], damage: [] })
  })

  test('in which more were let go than the limit let is found out', () => {
    const changed = copyOf(segments)
    const record = recordsOf(changed, RECORD_ALLOWED).find(({ segment, at }) => changed[segment][at] >>> 16 > 1)
    if (record === undefined) throw new Error('nowhere two were let go together')
    changed[record.segment][record.at] -= 1 << 16
    mendChecksums(changed)
    expect(replayQueue(chainIn(changed)).divergenceCount).toBeGreaterThan(0)
  })
})

test('a Worker sleeps until the limit lets the next go; its other queues are not slowed', () => {
  const answered = (limited: boolean): number[] => {
    const world = new SimWorker({ tenants: 2 })
    const [one, other] = world.tenants
    world.attach(one)
    world.attach(other)
    if (limited) world.worker.receive({ kind: 'limit', name: one.name, limit: shared({ iops: 1000, iopsBurst: 1 }) })
    world.run(3)
    const before = world.tenants.map(({ front }) => front.answered)
    for (let millisecond = 0; millisecond < 200; millisecond++) {
      world.clock.advance(1)
      world.run(2)
    }
    expect(one.front.complaints).toEqual([])
    return world.tenants.map(({ front }, index) => front.answered - before[index])
  }
  const [free, neighbour] = answered(false)
  const [slow, stillFast] = answered(true)
  expect(free).toBeGreaterThan(350)
  expect(slow / 200).toBeCloseTo(1, 0)
  // Beside a neighbour batches are cut (actors/crowd-pace.ts), and how much depends on what the neighbour does.
  expect(stillFast / neighbour).toBeGreaterThan(0.85)
})

test('a device hears at once that it is at its limit, and after a while that it is not any more', () => {
  const world = new SimWorker({ tenants: 1 })
  const [{ name }] = world.tenants
  world.attach(world.tenants[0])
  world.worker.receive({ kind: 'limit', name, limit: shared({ iops: 2000, iopsBurst: 1 }) })
  const told = () => world.posted
    .flatMap((message) => (message.kind === 'levels' ? [message.levels & LEVEL_THROTTLED] : []))
    .filter((level, index, all) => level !== (all[index - 1] ?? 0))
  for (let millisecond = 0; millisecond < 500; millisecond++) {
    world.clock.advance(1)
    world.run(1)
  }
  expect(told()).toEqual([LEVEL_THROTTLED])
  world.run(100, false)
  world.clock.advance(400)
  world.run(20, false)
  expect(told()).toEqual([LEVEL_THROTTLED])
  world.clock.advance(2500)
  expect(told()).toEqual([LEVEL_THROTTLED, 0])
})
