/**
 * Item 6 of the issue: what was changed afterwards is found. A byte by its checksum; a record whose checksums were
 * mended by the replay, with a sentence that shows both sides; a fault in the generated code by both.
 */
import fc from 'fast-check'
import { RECORD_ANSWERED, RECORD_COMPLETED, RECORD_TAKEN } from '../../src/core/records.js'
import { compiledSteppers } from '../../src/core/steppers.js'
import { checkJournal } from '../../src/journal/check.js'
import { replayQueue } from '../../src/journal/replay-queue.js'
import { RequestEvent, RequestState } from '../../src/machines/generated/request.js'
import type { RequestHost } from '../../src/machines/generated/request.js'
import { runWorld } from '../../src/sim/run-world.js'
import { chainIn, copyOf, mendChecksums, recordsOf, sealedBytes } from '../support/journal-tools.js'

const run = runWorld({ seed: 3, steps: 300, segmentWords: 2048 }).segments

const bytesOf = (words: Int32Array) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
const problemsOf = (segments: readonly Int32Array[]) =>
  checkJournal({ chains: [chainIn(segments)], problems: [] }).problems

test('what nobody changed is found good', () => {
  expect(run.length).toBeGreaterThan(3)
  expect(problemsOf(run)).toEqual([])
})

test('changing any one byte of a sealed batch is found', () => {
  const position = fc.tuple(fc.nat(run.length - 1), fc.nat(), fc.integer({ min: 1, max: 255 }))
  fc.assert(
    fc.property(position, ([segment, where, flip]) => {
      const changed = copyOf(run)
      const { from, to } = sealedBytes(changed[segment])
      bytesOf(changed[segment])[from + (where % (to - from))] ^= flip
      const [first] = problemsOf(changed)
      expect(first.sentence).toMatch(/^batch \d+: /)
      expect(first.file).toBe(`memory[${segment}]`)
    }),
    { numRuns: 150 },
  )
})

test('a commit word that was set to zero is told from a torn tail, also that of the last batch', () => {
  for (const segment of run.keys()) {
    const changed = copyOf(run)
    const words = changed[segment]
    const starts: number[] = []
    for (let at = words[3]; at + 6 <= words.length && words[at] !== 0; at += words[at]) starts.push(at)
    words[starts[starts.length - 1]] = 0
    expect(problemsOf(changed)[0].sentence).toContain('its commit word is zero')
  }
})

test('the tail may be torn at every byte: everything sealed before it is read, and nothing is damaged', () => {
  const last = run.length - 1
  const { from, to } = sealedBytes(run[last])
  for (let length = from; length < Math.min(to, from + 2000); length++) {
    const cut = copyOf(run)
    bytesOf(cut[last]).fill(0, length)
    // Where a batch was cut its commit word may stand while its end does not: the writer never does that, a file that
    // was cut off does, and it is told. Without the commit word it is a tail.
    let at = cut[last][3]
    while (at + 6 <= cut[last].length && cut[last][at] !== 0 && (at + cut[last][at]) * 4 <= length) at += cut[last][at]
    cut[last][at] = 0
    expect(problemsOf(cut)).toEqual([])
    if (length % 64 === 0) expect(replayQueue(chainIn(cut), { compiledOnly: true }).divergences).toEqual([])
  }
})

describe('with all checksums mended, replay finds and shows', () => {
  /** Changes the middle one of these records and replays. */
  function replayChanged(kind: number, wanted: (words: Int32Array, at: number) => boolean,
    change: (words: Int32Array, at: number) => void) {
    const changed = copyOf(run)
    const places = recordsOf(changed, kind, wanted)
    const place = places[places.length >> 1]
    change(changed[place.segment], place.at)
    mendChecksums(changed)
    expect(problemsOf(changed)).toEqual([])
    const replay = replayQueue(chainIn(changed))
    expect(replay.divergenceCount).toBeGreaterThan(0)
    return { batch: place.batch, first: replay.divergences[0], all: replay.divergences }
  }

  test('a completion’s status', () => {
    const good = (words: Int32Array, at: number) => words[at + 2] === 4096
    const { batch, first } = replayChanged(RECORD_COMPLETED, good, (words, at) => (words[at + 2] = -5))
    expect(first.batch).toBeGreaterThanOrEqual(batch)
    expect(first.sentence).toMatch(/answered 0 \(okay\) in the recording|copied \d+ segments, the charts ask for \d+/)
  })

  test('a taken sector', () => {
    const write = (words: Int32Array, at: number) => ((words[at] >>> 8) & 0xff) <= 1 && words[at + 4] > 16
    const { batch, first } = replayChanged(RECORD_TAKEN, write, (words, at) => (words[at + 4] -= 8))
    expect(first).toMatchObject({ kind: 'digest' })
    expect(first.batch).toBeGreaterThanOrEqual(batch)
    expect(first.sentence).toMatch(/digest is \w{8} in the recording, \w{8} by|word \d+ is \S+ in the recording, the/)
  })

  test('an answered slot', () => {
    const { batch, first } = replayChanged(RECORD_ANSWERED, () => true, (words, at) => (words[at + 2] ^= 1))
    expect(first).toMatchObject({ kind: 'effect', batch })
    expect(first.sentence).toMatch(/went to slot \d+ in the recording, the charts answer slot \d+/)
  })

  test('an answered status', () => {
    const { batch, first } = replayChanged(RECORD_ANSWERED, () => true, (words, at) => (words[at + 2] ^= 0xffff0000))
    expect(first).toMatchObject({ kind: 'effect', batch })
    expect(first.sentence).toMatch(/was answered -1 \(error\) in the recording, the charts answer 0 \(okay\)/)
  })

  test('a slot that was not the next one free: the core cannot take it, and replay ends there', () => {
    const { batch, all } = replayChanged(RECORD_TAKEN, () => true, (words, at) => (words[at + 1] ^= 1))
    expect(all.at(-1)).toMatchObject({ kind: 'input', batch })
    expect(all.at(-1)?.sentence).toMatch(/next free slot; the batch has «.*taken slot \d+/)
  })
})

describe('a fault in the generated step function', () => {
  /** A failed I/O counts as good: the guest is told that its data is there. */
  const forgetful = (host: RequestHost, slot: number, event: number) => {
    const lie = event === RequestEvent.failed && host.state[slot] === RequestState.Submitted
    return compiledSteppers.request(host, slot, lie ? RequestEvent.completed : event)
  }
  const faulty = { ...compiledSteppers, request: forgetful }
  const faultyRun = runWorld({ seed: 4, steps: 300, errorShare: 0.2, steppers: faulty }).segments

  test('that ran is found by the replay with the right one', () => {
    const replay = replayQueue(chainIn(faultyRun))
    expect(replay.divergenceCount).toBeGreaterThan(0)
    expect(replay.divergences[0].sentence).toMatch(/^batch \d+: /)
  })

  test('is named by its event when every transition is recorded (journal = full)', () => {
    const confused = (host: RequestHost, slot: number, event: number) =>
      compiledSteppers.request(host, slot, event === RequestEvent.held ? RequestEvent.waited : event)
    const steppers = { ...compiledSteppers, request: confused }
    const traced = runWorld({ seed: 4, steps: 300, steppers, trace: true }).segments
    const named = replayQueue(chainIn(traced)).divergences.find(({ event }) => event !== undefined)
    expect(named).toMatchObject({ kind: 'effect', event: 'request.held' })
    expect(named?.sentence).toMatch(/Taken on held to Waiting.*Taken on held to Held/)
  })

  test('that runs again in the replay is found by XState beside it', () => {
    const replay = replayQueue(chainIn(faultyRun), { generated: faulty })
    expect(replay.divergences[0]).toMatchObject({ kind: 'chart', event: 'request.failed' })
    expect(replay.divergences[0].sentence).toMatch(/the compiled request chart goes to \w+ .*, XState to \w+ /)
    expect(replay.divergences.filter(({ kind }) => kind !== 'chart')).toEqual([])
  })
})

test('no bytes make replay or check throw', () => {
  const word = fc.tuple(fc.nat(run.length - 1), fc.nat(), fc.integer())
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), fc.boolean(), (changes, mend) => {
      const changed = copyOf(run)
      for (const [segment, where, value] of changes) {
        const { from, to } = sealedBytes(run[segment])
        changed[segment][(from + (where % (to - from))) >> 2] = value
      }
      if (mend) for (const words of changed) if (sealedBytesAreSane(words)) mendChecksums([words])
      checkJournal({ chains: [chainIn(changed)], problems: [] })
      replayQueue(chainIn(changed), { compiledOnly: true })
    }),
    { numRuns: 100 },
  )
})

/** Whether the chain of lengths can be walked at all. */
function sealedBytesAreSane(words: Int32Array): boolean {
  for (let at = words[3]; at + 6 <= words.length && words[at] !== 0; at += words[at])
    if (words[at] < 6 || words[at] > words.length - at || (words[at] & 1) !== 0) return false
  return true
}
