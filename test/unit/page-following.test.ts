/**
 * A daemon's page goes on from its last look: what it then says must be what a page says that reads and folds everything
 * for the first time. The journals grow batch by batch, their oldest segments are recycled under the reader, and the
 * process of the queue dies in their midst.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chainsOf } from '../../src/journal/chain.js'
import type { SegmentView } from '../../src/journal/chain.js'
import { GrowingSegment } from '../../src/journal/growing-segment.js'
import { JournalFolder, openJournals, segmentsInMemory } from '../../src/journal/journal-files.js'
import type { JournalFiles } from '../../src/journal/journal-files.js'
import { readBatches } from '../../src/journal/segment-reader.js'
import type { Batch } from '../../src/journal/segment-reader.js'
import { asItIs } from '../../src/journal/upcast.js'
import { PageApi } from '../../src/observe/page/page-api.js'
import { daemonSource } from '../../src/observe/page/source.js'
import type { Events, History, View } from '../../src/observe/page/types.js'
import { recordedSegments } from '../support/recorded-device.js'

const DEVICE = 'vbd/1/51712'
/** Segments that a journal keeps. */
const KEPT = 4

/** One segment as far as it was written by the moment that is looked at. */
class Written {
  readonly view: SegmentView
  readonly batches: readonly Batch[]
  private readonly whole: Int32Array
  private end: number

  constructor(view: SegmentView, inPieces: boolean) {
    const { header } = view
    this.whole = view.words()
    this.batches = [...readBatches(this.whole, header)]
    this.end = header.headerWords
    // Processes of one simulated world begin at the same time: a successor shall be the later one.
    const monotonicNs = header.identity.pid
    const fill = (words: Int32Array, from: number, to: number) => {
      words.fill(0, from, to).set(this.whole.subarray(from, Math.max(from, Math.min(to, this.end))), from)
      return Math.min(to, header.capacity)
    }
    this.view = {
      ...view, header: { ...header, identity: { ...header.identity, monotonicNs } },
      words: () => this.whole.map((word, at) => (at < this.end ? word : 0)), ...(inPieces ? { fill } : {}),
    }
  }

  /** As it was at that time. @returns whether it had begun. */
  at(timeNs: number): boolean {
    const last = this.batches.findLast((batch) => batch.timeNs <= timeNs)
    if (last === undefined) return false
    this.end = last.at + this.whole[last.at]
    return true
  }
}

class Pool {
  readonly moments: readonly number[]
  private readonly segments: readonly Written[]

  constructor(inPieces: boolean, diesAt: number, seed: number) {
    const { actors, queue } = recordedSegments({ seed }, false, diesAt)
    const views = [...segmentsInMemory(actors, 'actors'), ...segmentsInMemory(queue, 'queue')]
    this.segments = views.map((view) => new Written(view, inPieces))
    const times = this.segments.flatMap(({ batches }) => batches.map(({ timeNs }) => timeNs))
    this.moments = [...new Set(times)].sort((a, b) => a - b)
  }

  look(timeNs: number): JournalFiles {
    const begun = this.segments.filter((segment) => segment.at(timeNs)).map(({ view }) => view)
    const newest = ['actor', 'queue'].flatMap((kind) =>
      begun.filter(({ header }) => header.identity.kind === kind).slice(-KEPT))
    return { chains: chainsOf(newest), problems: [] }
  }
}

function apiOf(nowNs: () => number, look: () => JournalFiles) {
  const present = { nowNs, rows: () => [], rings: () => [] }
  const api = new PageApi(daemonSource('a daemon', '0', present, look), (ns) => `${ns} ns`, () => 0)
  return <Answer>(question: string, query: Record<string, string | number> = {}) => {
    const text = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])
    return api.answer(question, new URLSearchParams(text)) as Answer
  }
}

/** Of two ways that led to the same place the longer one ends as the shorter one does. */
function expectSameEnd<T>(seen: readonly T[] = [], fresh: readonly T[]): void {
  const count = Math.min(seen.length, fresh.length)
  expect(seen.slice(seen.length - count)).toEqual(fresh.slice(fresh.length - count))
}

/** What both know; one that has looked for longer may know more of what was. */
function expectNoLess(seen: View, fresh: View): void {
  expect({ ...seen, device: undefined }).toEqual({ ...fresh, device: undefined })
  expect(seen.device?.queues.map(({ journal }) => journal)).toEqual(fresh.device?.queues.map(({ journal }) => journal))
  for (const [index, { requestTrail, queueTrail, requests, inStateNs, ...queue }] of fresh.device?.queues.entries() ?? []) {
    const other = seen.device?.queues[index]
    expect(other).toMatchObject(queue)
    if (inStateNs !== undefined) expect(other?.inStateNs).toBe(inStateNs)
    expect(other?.requests.map(({ inStateNs: _, ...request }) => request))
      .toEqual(requests.map(({ inStateNs: _, ...request }) => request))
    requests.forEach((request, at) => expect(other?.requests[at]).toMatchObject(request))
    expectSameEnd(other?.requestTrail, requestTrail)
    expectSameEnd(other?.queueTrail, queueTrail)
  }
  for (const actor of fresh.device?.actors ?? []) expect(seen.device?.actors).toContainEqual(actor)
}

const WORLDS = [{ seed: 31, inPieces: true }, { seed: 32, inPieces: true }, { seed: 33, inPieces: false }]

for (const { seed, inPieces } of WORLDS) {
  test(`looks that go on say what a first look says: seed ${seed}, ${inPieces ? 'in pieces' : 'as a whole'}`, () => {
    const pool = new Pool(inPieces, 300, seed)
    let now = 0
    let looked = 0
    const ask = apiOf(() => now + (looked += 1e9), () => pool.look(now))
    let [steps, shown] = [0, 0]
    for (let index = 0; index < pool.moments.length; index += 1 + ((index * 7 + seed) % 17)) {
      now = pool.moments[index]
      const fresh = apiOf(() => now, () => pool.look(now))
      // Now and then somebody looks at the past, as far as it stands.
      const past = index % 5 === 0 ? Math.max(pool.moments[Math.max(0, index - 40)], 0) : now
      for (const at of past === now ? [now] : [past, now]) {
        const query = { device: DEVICE, at }
        expectNoLess(
          { ...ask<View>('view', query), span: { fromNs: 0, toNs: 0 } },
          { ...fresh<View>('view', query), span: { fromNs: 0, toNs: 0 } },
        )
        const events = { ...query, before: 30, after: 10 }
        expect(ask<Events>('events', events)).toEqual(fresh<Events>('events', events))
      }
      const span = { device: DEVICE, from: pool.moments[0], to: now, bins: 10 }
      expect(ask<History>('history', span)).toEqual(fresh<History>('history', span))
      shown += fresh<View>('view', { device: DEVICE, at: now }).device?.queues.length ?? 0
      steps++
    }
    expect(steps).toBeGreaterThan(12)
    expect(shown).toBeGreaterThan(10)
  })
}

test('a batch is read once, whole, and by no piece too early', () => {
  const [view] = segmentsInMemory(recordedSegments().queue)
  const written = new Written(view, true)
  const segment = new GrowingSegment(written.view, asItIs)
  for (const [index, { timeNs }] of written.batches.entries()) {
    if (index % 3 === 0 || index === written.batches.length - 1) {
      written.at(timeNs)
      segment.grow()
      const [grown, all] = [segment.batches, written.batches.filter((batch) => batch.timeNs <= timeNs)]
      expect(grown.map(({ number, at, digest }) => ({ number, at, digest })))
        .toEqual(all.map(({ number, at, digest }) => ({ number, at, digest })))
    }
  }
  expect(segment.damage).toBeUndefined()
})

test('a folder that is looked at again says what one says that is opened', () => {
  const { queue, actors } = recordedSegments()
  const path = mkdtempSync(join(tmpdir(), 'xbbd-folder-'))
  try {
    const folder = new JournalFolder(path)
    // One that is told which segment stands where, and opens the others only.
    const told = new JournalFolder(path)
    const sequences = new Map<string, number>()
    const write = (name: string, words: Int32Array) => writeFileSync(join(path, `${name}.xbj`), words)
    const names = ({ chains }: JournalFiles) =>
      chains.map(({ journal, segments }) => [journal, segments.map(({ header }) => header)])
    const views = (files: JournalFiles) => files.chains.flatMap(({ segments }) => segments)
    const whole = Math.max(...queue.map(({ length }) => length))
    const place = (words: Int32Array) => { const all = new Int32Array(whole); all.set(words); return all }
    write('0', actors[0])
    for (const [index, words] of queue.entries()) {
      // Five files are recycled in turn.
      write(`${1 + (index % 5)}`, place(words))
      for (const { file, header } of views(openJournals(path))) sequences.set(file, header.sequence)
      const [before, now] = [folder.look(), folder.look()]
      expect(names(now)).toEqual(names(openJournals(path)))
      expect(names(told.look((file) => sequences.get(file)))).toEqual(names(now))
      expect(views(now).every((view, at) => view === views(before)[at])).toBe(true)
    }
    rmSync(join(path, '0.xbj'))
    write('0', new Int32Array(0))
    expect(names(told.look((file) => sequences.get(file)))).not.toEqual(names(openJournals(path)))
    expect(names(told.look())).toEqual(names(openJournals(path)))
  } finally {
    rmSync(path, { recursive: true })
  }
})
