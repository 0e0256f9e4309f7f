/**
 * The journal of a simulated run, folded anew: from its beginning, from a checkpoint made at any batch, and from the
 * checkpoint at the head of any of its segments. All come to the digests and the effects that the run wrote itself.
 */
import { checkpointWordsMax, restoreCheckpoint, writeCheckpoint } from '../../src/core/checkpoint.js'
import { QueueCore } from '../../src/core/queue-core.js'
import { RECORD_CHECKPOINT, RECORD_COPIED, RECORD_ENTERED, recordWords } from '../../src/core/records.js'
import { COUNTERS } from '../../src/core/statistics.js'
import { compiledSteppers } from '../../src/core/steppers.js'
import { readBatches, readHeader } from '../../src/journal/segment-reader.js'
import type { Batch } from '../../src/journal/segment-reader.js'
import { Random } from '../../src/sim/random.js'
import { runWorld } from '../../src/sim/run-world.js'
import type { Ending } from '../../src/sim/world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'

const scratch = new Int32Array(1 << 14)

function batchesOf(segments: readonly Int32Array[]): Batch[][] {
  return segments.map((words) => {
    const header = readHeader(words)
    if (!header.ok) throw new Error(header.sentence)
    return [...readBatches(words, header.header)]
  })
}

const isCheckpoint = ({ words, from }: Batch) => (words[from] & 0xff) === RECORD_CHECKPOINT

/** Folds one batch and compares effects and digest with what the journal says. */
function fold(core: QueueCore, { words, from, to, timeNs, digest }: Batch): void {
  core.beginBatch(timeNs)
  let inputs = from
  const kind = () => (inputs < to ? words[inputs] & 0xff : RECORD_ENTERED)
  while (kind() < RECORD_ENTERED && kind() !== RECORD_COPIED) inputs += recordWords(words, inputs, to - inputs)
  core.apply(words, from, inputs)
  core.endInputs()
  if (kind() === RECORD_COPIED) {
    core.applyCopied(words, inputs)
    inputs += recordWords(words, inputs, to - inputs)
  }
  const end = core.settle(scratch, 0)
  expect(scratch.subarray(0, end)).toEqual(words.subarray(inputs, to))
  expect(core.batchDigest()).toBe(digest)
  core.effects.forgetSubmits(core.effects.submitCount)
}

const fresh = ({ settings }: QueueCore) => new QueueCore(settings, compiledSteppers)

const WORLDS: readonly Partial<WorldOptions>[] = [
  {},
  { errorShare: 0.1, shortShare: 0.1, syncErrorShare: 0.2, buffered: true },
  { slots: 4, depth: 32 },
  { fillShare: 0.05, onEnospc: 'wait', slots: 8, depth: 32 },
  { arenaChunks: 2, delayMax: 9, depth: 32, ringEntries: 64 },
]
const ENDINGS: readonly Ending[] = ['drain', 'abandon', 'break']

describe.each(WORLDS.map((options, index) => ({ index, options })))('world $index', ({ options }) => {
  test.each(ENDINGS)('S31: restore(write(core)) folds on as the original does, with the end %s', (ending) => {
    const { core: live, segments } = runWorld({ seed: 5, steps: 300, ...options }, ending)
    const batches = batchesOf(segments).flat().filter((batch) => !isCheckpoint(batch))
    expect(batches.length).toBeGreaterThan(50)
    const random = new Random(99)
    const cuts = new Set(Array.from({ length: 6 }, () => random.below(batches.length)))
    const original = fresh(live)
    const restored: QueueCore[] = []
    for (const [index, batch] of batches.entries()) {
      if (cuts.has(index)) restored.push(copyOf(original))
      for (const core of [original, ...restored]) fold(core, batch)
    }
    expect(restored).toHaveLength(cuts.size)
    expect(namedCounters(original)).toEqual(namedCounters(live))
  })
})

function copyOf(core: QueueCore): QueueCore {
  const most = checkpointWordsMax(core)
  const words = new Int32Array(most + 10).fill(-1)
  const end = writeCheckpoint(core, words, 3)
  expect(end - 3).toBeLessThanOrEqual(most)
  expect(recordWords(words, 3, end - 3)).toBe(end - 3)
  const copy = fresh(core)
  restoreCheckpoint(copy, words, 3)
  const again = new Int32Array(words.length).fill(-1)
  expect(writeCheckpoint(copy, again, 3)).toBe(end)
  expect(again).toEqual(words)
  return copy
}

/** All counters of which the journal tells; the shell counts its rounds, calls and wake-ups by itself. */
function namedCounters({ statistics }: QueueCore): object {
  const shell = ['batches', 'notifications', 'wakeUps', 'inFlight', 'copyCalls', 'submitCalls', 'operations']
  const named = COUNTERS.map((name, index) => [name, statistics[index]] as const)
  return {
    ...Object.fromEntries(named.filter(([name]) => !shell.includes(name))),
    histograms: statistics.slice(COUNTERS.length),
  }
}

test('S31: every segment can be folded from the checkpoint at its head, without the ones before it', () => {
  const options = { seed: 3, steps: 400, segmentWords: 4000, slots: 8, depth: 32, errorShare: 0.05, delayMax: 7 }
  const { core: live, segments } = runWorld(options)
  const bySegment = batchesOf(segments)
  expect(bySegment.length).toBeGreaterThan(3)
  for (const [checkpoint, ...batches] of bySegment) {
    expect(isCheckpoint(checkpoint)).toBe(true)
    const core = fresh(live)
    restoreCheckpoint(core, checkpoint.words, checkpoint.from)
    for (const batch of batches) fold(core, batch)
  }
})

test('a checkpoint of another pool or a larger arena, or cut short, is refused', () => {
  const { core } = runWorld({ seed: 1, steps: 50 })
  const words = new Int32Array(checkpointWordsMax(core))
  writeCheckpoint(core, words, 0)
  const smaller = { ...core.settings, slots: 4 }
  expect(() => restoreCheckpoint(new QueueCore(smaller, compiledSteppers), words, 0)).toThrow('another pool')
  const narrower = { ...core.settings, arenaChunks: 1 }
  words[11] = 2
  expect(() => restoreCheckpoint(new QueueCore(narrower, compiledSteppers), words, 0)).toThrow('larger arena')
  writeCheckpoint(core, words, 0)
  words[1] -= 2
  expect(() => restoreCheckpoint(fresh(core), words, 0)).toThrow('impossible numbers')
  words[1] += 4
  expect(() => restoreCheckpoint(fresh(core), words, 0)).toThrow('length')
})
