/**
 * Moments of recordings: wherever a cursor comes from, and in whichever direction, it finds the same; and what it finds
 * is what the living core was at that moment.
 */
import fc from 'fast-check'
import { checkpointWordsMax, writeCheckpoint } from '../../src/core/checkpoint.js'
import type { QueueCore } from '../../src/core/queue-core.js'
import { RECORD_CHECKPOINT } from '../../src/core/records.js'
import { ChainCursor } from '../../src/journal/chain-cursor.js'
import { momentOf } from '../../src/journal/moment.js'
import { Recording } from '../../src/journal/recording.js'
import { requestStateNames } from '../../src/machines/generated/request.js'
import { World } from '../../src/sim/world.js'
import { chainIn, copyOf } from '../support/journal-tools.js'
import { recordedDevice } from '../support/recorded-device.js'

const stateOf = (core: QueueCore) => {
  const words = new Int32Array(checkpointWordsMax(core))
  return [...words.subarray(0, writeCheckpoint(core, words, 0))]
}

/** A run of which the core's whole state is noted behind every batch. */
function watchedRun() {
  const states = new Map<number, { readonly state: readonly number[]; readonly requests: readonly string[] }>()
  const world = new World({ seed: 21, steps: 0, segmentWords: 2048, delayMax: 30, slots: 20 })
  for (let step = 0; step < 400; step++) {
    const before = world.writer.batches
    world.step(true)
    if (world.writer.batches === before) continue
    const { core } = world
    const requests = [...core.state].flatMap((state, slot) => (state === 0 ? [] : [`${slot} ${requestStateNames[state]}`]))
    states.set(world.writer.batches - 1, { state: stateOf(core), requests })
  }
  return { states, segments: world.segments }
}

const run = watchedRun()
const last = Math.max(...run.states.keys())

test('behind every batch the recording knows what the living core was', () => {
  const cursor = new ChainCursor(chainIn(run.segments))
  for (let batch = cursor.forward(); batch !== undefined; batch = cursor.forward()) {
    const known = run.states.get(batch.number)
    const core = cursor.queue?.core
    // A checkpoint is written before its round, and a round that only frees slots leaves no batch.
    if (known === undefined || core === undefined || batch.words[batch.from] === RECORD_CHECKPOINT) continue
    expect(stateOf(core)).toEqual(known.state)
    const { queue } = momentOf(cursor)
    expect(queue?.requests.map(({ slot, state }) => `${slot} ${state}`).sort()).toEqual([...known.requests].sort())
  }
  expect(cursor.problems).toEqual([])
  expect(last).toBeGreaterThan(80)
  expect(run.segments.length).toBeGreaterThan(5)
})

test('a cursor finds the same moment from wherever it comes: forward, back, by number, by time', () => {
  const chain = chainIn(run.segments)
  const reference = new ChainCursor(chain)
  const expected = new Map<number, string>()
  for (let batch = reference.forward(); batch !== undefined; batch = reference.forward())
    expected.set(batch.number, JSON.stringify(momentOf(reference)))
  const cursor = new ChainCursor(chain)
  const look = () => expect(JSON.stringify(momentOf(cursor))).toEqual(expected.get(cursor.last?.number ?? -1))
  const moves = fc.array(fc.tuple(fc.constantFrom('n', 'b', 'seek', 'time'), fc.nat(last)), { maxLength: 12 })
  fc.assert(
    fc.property(moves, (list) => {
      for (const [move, to] of list) {
        if (move === 'n') cursor.forward()
        else if (move === 'b') cursor.back()
        else if (move === 'seek') cursor.seek(to)
        else cursor.seekTime(1_000_000 + to * 1000)
        if (cursor.last !== undefined) look()
      }
    }),
    { numRuns: 60 },
  )
})

test('a request is known since its last step, also when that lies in an earlier segment', () => {
  const cursor = new ChainCursor(chainIn(run.segments))
  cursor.seek(last)
  const { queue } = momentOf(cursor)
  expect(queue?.requests.length).toBeGreaterThan(0)
  for (const { inStateNs, ageNs } of queue?.requests ?? []) {
    expect(inStateNs).toBeLessThanOrEqual(ageNs)
    expect(inStateNs).toBeGreaterThanOrEqual(0)
  }
})

test('where a segment is missing nothing is claimed until the next checkpoint', () => {
  const without = copyOf(run.segments)
  without.splice(2, 1)
  const cursor = new ChainCursor(chainIn(without))
  while (cursor.forward() !== undefined) expect(cursor.queue?.core?.inFlight ?? 0).toBeLessThanOrEqual(20)
  expect(cursor.problems).toEqual([expect.stringMatching(/batches before \d+ are missing/)])
  expect(stateOf(cursor.queue?.core as QueueCore)).toEqual(run.states.get(last)?.state)
})

describe('several journals as one recording', () => {
  const chains = recordedDevice()

  test('come in the order of time, there and back', () => {
    const recording = new Recording(chains)
    const order: string[] = []
    let before = -Infinity
    for (let step = recording.forward(); step !== undefined; step = recording.forward()) {
      expect(step.timeNs).toBeGreaterThanOrEqual(before)
      before = step.timeNs
      order.push(`${step.cursor.chain.journal} ${step.batch.number}`)
    }
    expect(new Set(chains.map(({ journal }) => journal))).toEqual(new Set(['vbd/1/51712', 'vbd/1/51712/q0']))
    const undone: string[] = []
    for (let step = recording.back(); step !== undefined; step = recording.back())
      undone.unshift(`${step.cursor.chain.journal} ${step.batch.number}`)
    expect(undone).toEqual(order)
  })

  test('of another boot are placed by the wall clock', () => {
    const later = chains.map((chain) => ({
      ...chain,
      identity: { ...chain.identity, boot: 'next', wallMs: chain.identity.wallMs + 1000, monotonicNs: 5 },
    }))
    const recording = new Recording([...chains, ...later])
    const cursor = recording.cursors[chains.length]
    const shift = recording.timeOf(cursor, cursor.chain.identity.monotonicNs) - chains[0].identity.monotonicNs
    expect(shift).toBe(1000 * 1e6)
  })
})
