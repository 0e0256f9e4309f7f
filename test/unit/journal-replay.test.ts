/**
 * Replay of simulated runs: whatever the seed, the ABI, the disk's mood and the size of segments, recording and charts
 * agree, from the beginning and from any later segment on.
 */
import { chainsOf } from '../../src/journal/chain.js'
import { segmentsInMemory } from '../../src/journal/journal-files.js'
import { agrees, replayQueue } from '../../src/journal/replay-queue.js'
import type { QueueReplay } from '../../src/journal/replay-queue.js'
import { runWorld } from '../../src/sim/run-world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'

const worlds: [string, Partial<WorldOptions>][] = [
  ['an honest one', {}],
  ['32-bit', { abi: 'x86_32' }],
  ['small segments', { segmentWords: 2048 }],
  ['few slots', { slots: 5, segmentWords: 2048 }],
  ['a small arena', { arenaChunks: 1, segmentWords: 2048 }],
  ['a failing disk', { errorShare: 0.1, shortShare: 0.05, syncErrorShare: 0.2, segmentWords: 4096 }],
  ['a failing buffered disk', { errorShare: 0.1, syncErrorShare: 0.2, buffered: true, segmentWords: 4096 }],
  ['every transition recorded', { trace: true, errorShare: 0.05 }],
  ['a disk that is full now and then', { fillShare: 0.05, onEnospc: 'wait', segmentWords: 4096, trace: true }],
  ['a slow disk', { delayMax: 40, slots: 16, segmentWords: 2048 }],
]

function replay(segments: readonly Int32Array[], compiledOnly = false): QueueReplay {
  const chains = chainsOf(segmentsInMemory(segments))
  expect(chains).toHaveLength(1)
  return replayQueue(chains[0], { compiledOnly })
}

describe.each(worlds)('a simulated run with %s', (_, options) => {
  test.each([11, 12, 13])('agrees with the charts, seed %i', (seed) => {
    const report = runWorld({ seed, steps: 500, ...options })
    const result = replay(report.segments)
    expect(result.divergences).toEqual([])
    expect(result.damage).toEqual([])
    expect(agrees(result)).toBe(true)
    expect(result.requests).toBeGreaterThan(50)
    expect(result.final).toMatchObject({ queue: 'Detached', inFlight: 0, rspProd: report.core.rspProd })
  })
})

test('a replay may start at every segment, and comes to the same state', () => {
  const { segments } = runWorld({ seed: 5, steps: 1500, segmentWords: 2048, delayMax: 30, slots: 20 })
  expect(segments.length).toBeGreaterThan(10)
  const whole = replay(segments)
  for (let first = 1; first < segments.length; first++) {
    const part = replay(segments.slice(first))
    expect(part.divergences).toEqual([])
    expect(part.final).toEqual(whole.final)
    expect(part.recycled).toBeGreaterThan(0)
  }
})

test('the compiled charts alone agree, and their counters are those of the run', () => {
  const report = runWorld({ seed: 6, steps: 1000, errorShare: 0.05 })
  const result = replay(report.segments, true)
  expect(result.divergences).toEqual([])
  expect(result.transitions).toBeGreaterThan(5 * result.requests)
  expect(result.requests).toBe(report.answered)
})
