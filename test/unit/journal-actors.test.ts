/**
 * Actors' journals: what living actors wrote is folded again and comes to the same states; what is missing, changed or
 * unfounded is said.
 */
import { ChartActor } from '../../src/actors/chart-actor.js'
import { RECORD_EVENT, RECORD_STATE } from '../../src/core/records.js'
import { ActorJournals } from '../../src/journal/actor-journal.js'
import { catChain } from '../../src/journal/cat.js'
import { checkJournal } from '../../src/journal/check.js'
import { replayActors } from '../../src/journal/replay-actor.js'
import { chartHash } from '../../src/machines/compile/index.js'
import { charts } from '../../src/machines/index.js'
import { mediumMachine } from '../../src/machines/medium.machine.js'
import type { MediumEvent } from '../../src/machines/medium.machine.js'
import { chainIn, copyOf, mendChecksums, recordsOf } from '../support/journal-tools.js'

const input = { retryMs: 250, attempts: 4, sayAfter: 2 }
const spec = { target: 'file:/disk.img', readOnly: false }

/** A medium that waits for a lock, is refused, and is asked again; in segments of `words`. */
function recorded(words: number, lives = 1): Int32Array[] {
  const segments: Int32Array[] = []
  let now = 0
  const journals = new ActorJournals({
    register: () => 1,
    release: () => undefined,
    source: () => ({
      next: (_, least) => {
        segments.push(new Int32Array(Math.max(words, least)))
        return { words: segments[segments.length - 1], sequence: segments.length }
      },
    }),
    origin: { program: 'test', boot: 'test', pid: 7, wallMs: 1_700_000_000_000, monotonicNs: 0 },
    nowNs: () => (now += 1000),
    charts: Object.fromEntries(charts.map(({ name, chart }) => [name, chartHash(chart)])),
  })
  for (let life = 0; life < lives; life++) {
    const journal = journals.open('vbd/1/51712/medium', 'medium')
    const crashed = (sentence: string) => expect(sentence).toBe('')
    const actor = new ChartActor({ machine: mediumMachine, input, journal, execute: () => undefined, crashed })
    actor.start()
    const locked: MediumEvent = { type: 'opener.refused', code: 'locked', sentence: 'held by pid 12' }
    const told: MediumEvent[] = [{ type: 'device.openRequested', spec }, locked]
    for (let look = 0; look < 3; look++) told.push({ type: 'clock.elapsed', timer: 'lock' }, locked)
    told.push({ type: 'device.openRequested', spec }, { type: 'device.closeRequested' })
    for (const event of told) actor.tell(event)
  }
  return segments
}

test('what living actors wrote is folded to the same states', () => {
  const segments = recorded(4096, 3)
  const chain = chainIn(segments)
  const replay = replayActors(chain)
  expect(replay).toMatchObject({ divergences: [], unfounded: 0, otherCharts: false, damage: [] })
  expect(replay.events).toBeGreaterThan(20)
  expect(Object.keys(replay.final)).toEqual(['vbd/1/51712/medium'])
  expect(checkJournal({ chains: [chain], problems: [] }).problems).toEqual([])
})

test('a journal that begins an hour after its process has the dates of that hour', () => {
  const hourNs = 3600e9
  const segments: Int32Array[] = []
  const journals = new ActorJournals({
    register: () => 1,
    release: () => undefined,
    source: () => ({ next: (_, least) => ({ words: (segments[0] = new Int32Array(least + 4096)), sequence: 1 }) }),
    origin: { program: 'test', boot: 'test', pid: 7, wallMs: Date.parse('2026-11-26T09:00:00Z'), monotonicNs: 5e9 },
    nowNs: () => 5e9 + hourNs,
    charts: {},
  })
  journals.open('vbd/1/51712/medium', 'medium').input({ type: 'x' })
  const dates = [...catChain(chainIn(segments))].map(({ date }) => date)
  expect(dates).toEqual(['2026-11-26T10:00:00.000000000Z'])
})

test('when the start was recycled the records are unfounded, until the next life', () => {
  const segments = recorded(512, 6)
  expect(segments.length).toBeGreaterThan(3)
  const replay = replayActors(chainIn(segments.slice(1)))
  expect(replay.divergences).toEqual([])
  expect(replay.unfounded).toBeGreaterThan(0)
  expect(replay.recycled).toBeGreaterThan(0)
})

test('an event or a state that was changed, checksums mended, is shown', () => {
  const changeText = (kind: number, from: string, to: string) => {
    const changed = copyOf(recorded(4096))
    const bytes = Buffer.from(changed[0].buffer)
    const holds = (words: Int32Array, at: number) =>
      Buffer.from(words.buffer, at * 4, words[at + 1] + 8).includes(from)
    const [place] = recordsOf(changed, kind, holds)
    bytes.write(to, bytes.indexOf(from, place.at * 4))
    mendChecksums(changed)
    return replayActors(chainIn(changed)).divergences.map(({ sentence }) => sentence)
  }
  expect(changeText(RECORD_STATE, 'WaitingForLock', 'WaitingForLuck')[0]).toMatch(
    /came to WaitingForLuck in the recording, the chart comes to WaitingForLock/,
  )
  expect(changeText(RECORD_EVENT, 'clock.elapsed', 'clock.elapsee')[0]).toMatch(/in the recording, the chart stays in/)
})
