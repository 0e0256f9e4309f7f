/**
 * The laws of the data path. First that none is broken: many seeds, both ABIs, good and failing disks, pools, buffers
 * and journal segments so small that they run short, and every way in which a queue can end. Then that each law would
 * notice: for every planted fault its law is among those broken, in the same worlds in which nothing is without it.
 */
import { QueueState } from '../../src/machines/generated/queue.js'
import { COUNTER } from '../../src/core/statistics.js'
import { LAWS } from '../../src/sim/laws.js'
import { report, runWorld } from '../../src/sim/run-world.js'
import { World } from '../../src/sim/world.js'
import type { WorldReport } from '../../src/sim/run-world.js'
import type { Ending } from '../../src/sim/world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'
import { PLANTED } from '../support/planted.js'

const ABIS = ['x86_64', 'x86_32'] as const
const ENDINGS: readonly Ending[] = ['drain', 'abandon', 'break']
/** Every planted fault shows within so many seeds. */
const SEEDS_PER_FAULT = 8
const STEPS = 250

const WORLDS: Readonly<Record<string, Partial<WorldOptions>>> = {
  'a good disk': {},
  'a failing disk': { errorShare: 0.05, shortShare: 0.05, syncErrorShare: 0.2 },
  'a failing disk with a lost cache': { errorShare: 0.02, syncErrorShare: 0.1, buffered: true },
  'a slow disk that takes four I/Os': { delayMax: 12, depth: 32, diskDepth: 4 },
  'four slots for a ring of 32': { slots: 4, depth: 32 },
  'eight slots and a failing disk': { slots: 8, depth: 32, errorShare: 0.05, shortShare: 0.05 },
  'buffers for three requests': { arenaChunks: 1, depth: 32 },
  'journal segments of one batch': { segmentWords: 1 },
  'journal segments that roll often': { segmentWords: 4000, slots: 16 },
  'indirect requests of up to 32 segments': { indirect: 32 },
  'indirect requests, and buffers for three of them': { indirect: 32, arenaChunks: 3, depth: 32 },
  'indirect requests in pieces, on a failing disk': {
    indirect: 256, arenaChunks: 9, depth: 6, sectors: 16_384, errorShare: 0.05, shortShare: 0.05, diskDepth: 5,
  },
  'two pages of descriptors, and a journal that rolls often': {
    indirect: 600, arenaChunks: 24, depth: 4, slots: 4, sectors: 16_384, segmentWords: 1,
  },
  'indirect requests on a medium that is full now and then': {
    indirect: 100, arenaChunks: 5, depth: 8, fillShare: 0.1, onEnospc: 'wait', diskDepth: 3,
  },
  'a ring of four pages': { ringEntries: 128, depth: 100, delayMax: 8 },
}

/** Everything was answered or counted, nothing is kept, no law was broken. */
function expectSound(result: WorldReport): void {
  const { core, plane } = result
  expect(result.violations).toEqual([])
  expect(result.complaints).toEqual([])
  expect(result.drained).toBe(true)
  expect(core.queueState).toBe(QueueState.Detached)
  expect([core.freeCount, core.extents.used, core.gate.length, core.gate.active]).toEqual([core.slots, 0, 0, 0])
  expect(plane.inFlightIo).toBe(0)
}

describe.each(Object.entries(WORLDS))('%s', (_, options) => {
  test.each(ENDINGS)('no law is broken, and the end is %s', (ending) => {
    let answered = 0
    for (const abi of ABIS)
      for (let seed = 1; seed <= 2; seed++) {
        const result = runWorld({ seed, steps: STEPS, abi, ...options }, ending)
        expectSound(result)
        answered += result.answered
      }
    expect(answered).toBeGreaterThan(100)
  })
})

describe.each(ENDINGS)('S26: a disk that hangs, and the end is %s', (ending) => {
  test.each([1, 2, 3, 4])('Drained is reached exactly when the last I/O has ended (seed %i)', (seed) => {
    const world = new World({ seed, steps: 0, delayMax: 6 })
    for (let step = 0; step < 200 || world.disk.inFlight < 4; step++) world.step(true)
    world.disk.hanging = true
    const { core, laws } = world
    world.end(ending)
    const published = world.ring.published()
    expect(world.finish(300)).toBe(false)
    expect(world.disk.inFlight).toBeGreaterThan(0)
    world.disk.hanging = false
    expect(world.finish()).toBe(true)
    expectSound(report(world, true))
    const abandoned = core.statistics[COUNTER.abandoned]
    if (ending === 'drain') expect(abandoned).toBe(0)
    else expect(abandoned).toBeGreaterThan(0)
    if (ending === 'abandon') expect(world.ring.published()).toBe(published)
    expect(core.statistics[COUNTER.taken]).toBe(world.ring.published() + abandoned)
    expect(laws.quiet).toBe(true)
  })
})

test('every law has a planted fault', () => {
  expect(new Set(PLANTED.map(({ law }) => law))).toEqual(new Set(LAWS))
})

test.each(PLANTED)('$law notices: $title', ({ law, world = {}, ending, fault }) => {
  const broken: string[] = []
  for (let seed = 1; seed <= SEEDS_PER_FAULT && !broken.includes(law); seed++) {
    const options = { seed, steps: STEPS, ...world }
    expect(runWorld(options, ending).violations).toEqual([])
    broken.push(...violationsWith({ ...options, ...fault }, ending))
  }
  expect(broken).toContain(law)
})

/** A world gone wrong may end in an assertion; what the laws saw until then counts. */
function violationsWith(options: WorldOptions, ending: Ending = 'drain'): string[] {
  const world = new World(options)
  try {
    for (let step = 0; step < options.steps; step++) world.step(true)
    world.end(ending)
    world.finish(500)
  } catch (error) {
    expect(error).toHaveProperty('code', 'XBBD_ASSERTION')
  }
  return world.laws.violations.map((violation) => violation.law)
}
