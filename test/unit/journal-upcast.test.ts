/**
 * Journals of earlier versions, read in today's words. The files in test/golden/journal-v1/ were written by the programs
 * of their time, in the midst of their work, under charts that lack later states and events; they are kept for ever.
 * After a change of the charts UPDATE_GOLDEN=1 writes those of the new ones, once.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { RECORD_INTAKE, RECORD_STEPPED } from '../../src/core/records.js'
import { packageRoot } from '../../src/io/native/load.js'
import { catChain } from '../../src/journal/cat.js'
import { checkJournal } from '../../src/journal/check.js'
import { walkChain } from '../../src/journal/chain.js'
import type { JournalChain } from '../../src/journal/chain.js'
import { chainsToFold, openJournals } from '../../src/journal/journal-files.js'
import { foldLegacy, judgeLegacy } from '../../src/journal/legacy.js'
import { momentOf } from '../../src/journal/moment.js'
import { OLDER_CHARTS } from '../../src/journal/older-charts.js'
import { Recording } from '../../src/journal/recording.js'
import { redrivePlan } from '../../src/journal/redrive-plan.js'
import { replayQueue } from '../../src/journal/replay-queue.js'
import { timeline } from '../../src/journal/timeline.js'
import { asItIs } from '../../src/journal/upcast.js'
import type { Upcast } from '../../src/journal/upcast.js'
import type { Batch } from '../../src/journal/segment-reader.js'
import { queueChartHash } from '../../src/machines/generated/queue.js'
import { requestChartHash } from '../../src/machines/generated/request.js'
import { stateNames } from '../../src/machines/notes.js'
import { explain } from '../../src/observe/explain.js'
import { runWorld } from '../../src/sim/run-world.js'
import { expectGolden } from '../support/golden.js'
import { chainIn, copyOf, mendChecksums, recordsOf, writeSegments } from '../support/journal-tools.js'
import { relabelled, stuckQueue, withWideIntakes } from '../support/older-journals.js'

const golden = join(packageRoot(), 'test/golden')
const todays = `journal-v1/charts-${requestChartHash.slice(0, 4)}-${queueChartHash.slice(0, 4)}`
if (process.env.UPDATE_GOLDEN && !existsSync(join(golden, todays))) {
  mkdirSync(join(golden, todays))
  writeSegments(join(golden, todays), stuckQueue())
}
const folders = ['journal-v1', ...readdirSync(join(golden, 'journal-v1'), { withFileTypes: true })
  .flatMap((entry) => (entry.isDirectory() ? [`journal-v1/${entry.name}`] : []))]
const queuesIn = (folder: string) =>
  openJournals(join(golden, folder)).chains.filter(({ identity }) => identity.kind === 'queue')
const hashesOf = ({ identity: { charts } }: JournalChain) => `${charts.request} ${charts.queue}`

test('every pair of charts that is known has files of its own, and every file has charts that are known', () => {
  const older = OLDER_CHARTS.map(({ request, queue }) => `${request.hash} ${queue.hash}`)
  const known = [`${requestChartHash} ${queueChartHash}`, ...older]
  const kept = new Set(folders.flatMap((folder) => queuesIn(folder).map(hashesOf)))
  // Else: enter what the charts were in older-charts.ts, and run this with UPDATE_GOLDEN=1.
  expect([...kept].sort()).toEqual(known.sort())
})

test('older charts have no name that today’s lack', () => {
  for (const { request, queue } of OLDER_CHARTS) {
    for (const name of request.states) expect(stateNames('request')).toContain(name)
    for (const name of queue.states) expect(stateNames('queue')).toContain(name)
  }
})

describe.each(folders)('%s', (folder) => {
  const [chain] = queuesIn(folder)

  test('reads as ever', () => {
    const lines = [...catChain(chain)].map((entry) => `${JSON.stringify(entry)}\n`)
    if (folder !== 'journal-v1') expectGolden(`${folder}/cat.jsonl`, lines.join(''))
    expect(checkJournal({ chains: [chain], problems: [] }).problems).toEqual([])
  })

  test('is replayed as strictly as one of today: steps, effects, checkpoints and digests', () => {
    const replay = replayQueue(chain)
    expect(replay).toMatchObject({ otherCharts: false, divergences: [], damage: [] })
    expect(replay.requests).toBeGreaterThan(50)
  })

  if (folder !== todays) test('would not be, if its numbers were taken for today’s', () => {
    expect(replayQueue({ ...chain, upcast: asItIs }).divergenceCount).toBeGreaterThan(0)
  })

  test('is told about: exports, plans, moments', () => {
    const kinds = new Set([...timeline([chain])].map(({ type }) => type))
    for (const kind of ['taken', 'issued', 'state', 'ended']) expect(kinds).toContain(kind)
    const problems: string[] = []
    const put = [...redrivePlan([chain], (problem) => problems.push(problem))].filter(({ kind }) => kind === 'put')
    expect(put.length).toBeGreaterThan(5)
    expect(problems).toEqual([])
  })
})

describe('of a queue that died in its work', () => {
  test.each(folders.filter((folder) => folder !== 'journal-v1'))('%s is explained, and gone on from', (folder) => {
    const [chain] = queuesIn(folder)
    const recording = new Recording([chain])
    recording.end()
    const [explained] = explain(recording.cursors.map((cursor) => momentOf(cursor)), (ns) => `${ns} ns`)
    expect(explained.oldest).toMatchObject({ state: 'Submitted', waitsFor: 'the medium (1 I/O)' })
    const states = new Set(explained.queues[0].requests.map(({ state }) => state))
    expect([...states].sort()).toEqual(['Submitted', 'Syncing'])

    const words = chain.segments[chain.segments.length - 1].words()
    // The first of these programs noted no ring in its header; all else is as it must be.
    const legacy = judgeLegacy(words, 'sim')
    const sentence = legacy.kind === 'refused' ? legacy.sentence : ''
    expect(`${legacy.kind}${sentence}`).toMatch(/^recoverable$|does not say which ring it is about$/)
    const folded = foldLegacy(words)
    expect(folded).toMatchObject({ ok: true })
    if (folded.ok) expect(folded.core.inFlight).toBe(explained.queues[0].inFlight)
  })

  test('recorded transitions have the names that they had', () => {
    const [chain] = queuesIn('journal-v1/charts-b630-dead')
    const steps = [...catChain(chain)].filter(({ record }) => record.kind === 'stepped').map(({ record }) => record)
    const freed = steps.filter(({ event }) => event === 'freed')
    expect(freed.length).toBeGreaterThan(10)
    for (const step of freed) expect(step).toMatchObject({ chart: 'request', from: 'Answered', to: 'Free' })
  })

  test('a number that the charts of then did not have is no state of today', () => {
    const [chain] = queuesIn('journal-v1/charts-b630-dead')
    const segments = copyOf(chain.segments.map(({ words }) => words()))
    // Event 13 was none; today it is «freed».
    const [first] = recordsOf(segments, RECORD_STEPPED)
    segments[first.segment][first.at] = (segments[first.segment][first.at] & ~0xff00) | (13 << 8)
    mendChecksums(segments)
    const replay = replayQueue(chainIn(segments))
    expect(replay.divergences[0].sentence).toMatch(/ on 255 to /)
  })
})

describe('a record that had another layout', () => {
  const today = runWorld({ seed: 9, steps: 200, segmentWords: 4096 }).segments
  const older = withWideIntakes(today)
  /** In an imagined version INTAKE had four words. */
  const narrowing: Upcast = {
    ...asItIs,
    lift: (batch: Batch) => {
      const words: number[] = []
      const { from, to } = batch
      for (let at = from; at < to; at++) {
        words.push(batch.words[at])
        if (at === from + 1 && (batch.words[from] & 0xff) === RECORD_INTAKE) at += 2
      }
      return { ...batch, words: Int32Array.from(words), from: 0, to: words.length }
    },
  }

  test('is rebuilt when it is read, and everything is as it was', () => {
    const chain = { ...chainIn(older), upcast: narrowing }
    expect(checkJournal({ chains: [chain], problems: [] }).problems).toEqual([])
    const replay = replayQueue(chain)
    expect(replay).toMatchObject({ divergences: [], damage: [] })
    expect(replay.requests).toBe(replayQueue(chainIn(today)).requests)
    const batches = (of: JournalChain) => [...walkChain(of)].flatMap((step) =>
      step.kind === 'batch' ? [step.batch.words.slice(step.batch.from, step.batch.to)] : [])
    expect(batches(chain)).toEqual(batches(chainIn(today)))
  })

  test('is unreadable without', () => {
    expect(checkJournal({ chains: [chainIn(older)], problems: [] }).problems.length).toBeGreaterThan(0)
  })
})

describe('charts that are not known', () => {
  const segments = relabelled(runWorld({ seed: 9, steps: 200, segmentWords: 4096, trace: true }).segments)
  const chain = chainIn(segments)

  test('are compared, not judged', () => {
    expect(chain.upcast).toBeUndefined()
    expect(replayQueue(chain)).toMatchObject({ otherCharts: true, damage: [] })
  })

  test('are refused in one sentence by whatever would have to guess', () => {
    const files = { chains: [chain], problems: [] }
    expect(() => chainsToFold(files, 'x')).toThrow(
      /^vbd\/1\/51712\/q0 cannot be told about: .* obeyed charts that this version does not know \(request ffff/,
    )
    expect(judgeLegacy(segments[0], 'sim')).toMatchObject({
      kind: 'refused', sentence: expect.stringMatching(/cannot be gone on from: .* charts that this version/) as unknown,
    })
    expect(foldLegacy(segments[0])).toMatchObject({ ok: false })
    const recording = new Recording([chain])
    recording.end()
    expect(recording.cursors[0].problems[0]).toMatch(/charts that this version does not know/)
    expect([...timeline([chain])].filter(({ type }) => type === 'state')).toEqual([])
  })

  test('are shown with numbers in place of names', () => {
    const entries = [...catChain(chain)].map(({ record }) => record)
    expect(entries.find(({ kind }) => kind === 'stepped')?.event).toMatch(/^\d+$/)
    expect(entries.find(({ kind }) => kind === 'entered')?.to).toMatch(/^\d+$/)
  })
})

test('nothing is ever written to what was read', () => {
  const file = join(golden, 'journal-v1/charts-b630-dead/segment-0000.xbj')
  const [chain] = queuesIn('journal-v1/charts-b630-dead')
  const words = chain.segments[0].words()
  const before = words.slice()
  replayQueue({ ...chain, segments: [{ ...chain.segments[0], words: () => words }] })
  expect(words).toEqual(before)
  expect(readFileSync(file).subarray(0, 4).toString()).toBe('XBBD')
})
