/**
 * A medium that is full (a thin image, a quota) and later is not: writes are answered with errors, or wait for space.
 * The whole world in virtual time, with the laws watching and honest front ends that know what they must read.
 */
import {
  COMMAND_DRAIN, COMMAND_MEDIUM_OPENED, COMMAND_RETRY, DRAIN_WITHOUT_SPACE, RECORD_ENTERED, SHORT_OF_SPACE, recordWords,
} from '../../src/core/records.js'
import { COUNTER } from '../../src/core/statistics.js'
import { xstateSteppers } from '../../src/core/xstate-steppers.js'
import { readBatches, readHeader } from '../../src/journal/segment-reader.js'
import { QueueState } from '../../src/machines/generated/queue.js'
import { RequestState } from '../../src/machines/generated/request.js'
import { LEVEL_MEDIUM_FULL, LEVEL_SHORTAGE } from '../../src/ports/queues.js'
import { runWorld } from '../../src/sim/run-world.js'
import { World, type Ending } from '../../src/sim/world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'

const WAITING: Partial<WorldOptions> = { onEnospc: 'wait', fillShare: 0.05 }
const SHAPES: readonly Partial<WorldOptions>[] = [
  {}, { slots: 4, depth: 32 }, { arenaChunks: 2, ringEntries: 64, depth: 64 }, { abi: 'x86_32', diskDepth: 3 },
  { errorShare: 0.05, shortShare: 0.05, syncErrorShare: 0.1, buffered: true },
]

describe.each(['drain', 'abandon', 'break'] as readonly Ending[])('S15: it waits for space, with the end %s', (ending) => {
  test.each(SHAPES.map((shape, index) => [index, shape] as const))('in world %i no law is broken and no answer is wrong', (_index, shape) => {
    let stalls = 0
    for (let seed = 1; seed <= 6; seed++) {
      const { violations, complaints, drained, core } = runWorld({ seed, steps: 400, ...WAITING, ...shape }, ending)
      expect({ seed, violations, complaints, drained }).toEqual({ seed, violations: [], complaints: [], drained: true })
      expect([core.spaceWanted, core.levels & LEVEL_MEDIUM_FULL]).toEqual([0, 0])
      stalls += core.statistics[COUNTER.stalls]
    }
    expect(stalls).toBeGreaterThan(50)
  })
})

test('XState’s own actors do the same as the compiled charts', () => {
  const run = (steppers?: WorldOptions['steppers']) =>
    runWorld({ seed: 4, steps: 150, ...WAITING, ...(steppers && { steppers }) })
  expect(run(xstateSteppers()).core.batchDigest()).toBe(run().core.batchDigest())
})

test('without the setting, writes that find no space are answered with errors, and nothing stalls', () => {
  const { violations, complaints, drained, core } = runWorld({ seed: 3, steps: 400, fillShare: 0.05 })
  expect({ violations, complaints, drained }).toEqual({ violations: [], complaints: [], drained: true })
  expect(core.statistics[COUNTER.answeredError]).toBeGreaterThan(20)
  expect(core.statistics[COUNTER.stalls]).toBe(0)
})

/** A world whose disk is full from some moment on, run until requests wait for space and nothing else moves. */
function stalled(seed = 7): World {
  const world = new World({ seed, steps: 0, onEnospc: 'wait' })
  for (let step = 0; step < 40; step++) world.step(true)
  world.disk.full = true
  for (let step = 0; step < 300; step++) world.step(true)
  expect(world.core.queueState).toBe(QueueState.Shortage)
  expect(world.core.spaceWanted).toBeGreaterThan(0)
  expect(world.disk.inFlight).toBe(0)
  return world
}

const inState = ({ core }: World, state: number) => core.state.filter((one) => one === state).length
const settle = (world: World) => {
  for (let step = 0; step < 60; step++) world.step(false)
}

test('S15: the queue is short of space, says so in levels and journal, and takes nothing meanwhile', () => {
  const world = stalled()
  const { core } = world
  expect(core.shortOf).toBe(SHORT_OF_SPACE)
  expect(core.levels & (LEVEL_SHORTAGE | LEVEL_MEDIUM_FULL)).toBe(LEVEL_SHORTAGE | LEVEL_MEDIUM_FULL)
  expect(core.statistics[COUNTER.spaceWanted]).toBe(core.spaceWanted)
  const taken = core.statistics[COUNTER.taken]
  world.plane.command(COMMAND_RETRY)
  settle(world)
  // Tried again in vain: still short, and nothing new was taken between the tries.
  expect([core.queueState, core.statistics[COUNTER.taken]]).toEqual([QueueState.Shortage, taken])
  world.disk.full = false
  settle(world)
  expect(core.queueState).toBe(QueueState.Shortage)
  world.plane.command(COMMAND_RETRY)
  settle(world)
  expect([core.queueState, core.spaceWanted, core.levels & LEVEL_MEDIUM_FULL]).toEqual([QueueState.Running, 0, 0])
  expect([world.front.complaints, world.front.errors, world.laws.violations]).toEqual([[], 0, []])
  expect(shortages(world)).toContain(SHORT_OF_SPACE)
})

function shortages({ segments }: World): number[] {
  return segments.flatMap((words) => {
    const header = readHeader(words)
    if (!header.ok) throw new Error(header.sentence)
    return [...readBatches(words, header.header)].flatMap(({ from, to }) => {
      const reasons: number[] = []
      for (let at = from; at < to; at += recordWords(words, at, to - at) || Infinity)
        if ((words[at] & 0xff) === RECORD_ENTERED && ((words[at] >>> 16) & 0xff) === QueueState.Shortage) reasons.push(words[at] >>> 24)
      return reasons
    })
  })
}

test('a medium that was opened anew, or has another size, is tried at once', () => {
  const world = stalled()
  world.disk.full = false
  world.plane.command(COMMAND_MEDIUM_OPENED, 4096)
  settle(world)
  expect([world.core.queueState, world.core.spaceWanted]).toEqual([QueueState.Running, 0])
})

test('a drain waits for space, as parking wants it; nothing is lost', () => {
  const world = stalled()
  world.drain()
  settle(world)
  expect(world.core.queueState).toBe(QueueState.Draining)
  expect(world.core.levels & LEVEL_MEDIUM_FULL).toBe(LEVEL_MEDIUM_FULL)
  world.disk.full = false
  world.plane.command(COMMAND_RETRY)
  expect(world.finish(100)).toBe(true)
  expect([world.front.complaints, world.front.errors, world.laws.violations]).toEqual([[], 0, []])
})

test('a drain without space, as closing wants it, answers what waits with errors, and what finds none later, too', () => {
  const world = stalled()
  const waiting = inState(world, RequestState.Stalled)
  world.plane.command(COMMAND_DRAIN, DRAIN_WITHOUT_SPACE)
  expect(world.finish(200)).toBe(true)
  expect(waiting).toBeGreaterThan(0)
  expect(world.core.statistics[COUNTER.answeredError]).toBeGreaterThanOrEqual(waiting)
  expect(world.laws.violations).toEqual([])
})

test('a medium that goes away while requests wait for space: the next try fails them, and says that it is gone', () => {
  const world = stalled()
  world.disk.full = false
  world.disk.gone = true
  world.plane.command(COMMAND_RETRY)
  settle(world)
  expect(world.core.spaceWanted).toBe(0)
  expect(world.front.errors + world.front.complaints.length).toBeGreaterThan(0)
})
