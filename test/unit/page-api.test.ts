/**
 * What the page is told, against what cursors and timelines say of the same recording: any moment, any span, any step.
 */
import { ChainCursor } from '../../src/journal/chain-cursor.js'
import type { JournalChain } from '../../src/journal/chain.js'
import { momentOf } from '../../src/journal/moment.js'
import { timeline } from '../../src/journal/timeline.js'
import { PageApi } from '../../src/observe/page/page-api.js'
import { recordingSource } from '../../src/observe/page/source.js'
import type { Events, History, Step, View } from '../../src/observe/page/types.js'
import { RECORD_CHECKPOINT } from '../../src/core/records.js'
import { readBatches } from '../../src/journal/segment-reader.js'
import { recordedDevice } from '../support/recorded-device.js'

const DEVICE = 'vbd/1/51712'
const chains = recordedDevice()
const stuck = recordedDevice({}, true)

function apiOf(list: readonly JournalChain[]) {
  const api = new PageApi(recordingSource('a recording', '0', { chains: list, problems: [] }), (ns) => `${ns} ns`, () => 0)
  return <Answer>(question: string, query: Record<string, string | number> = {}) => {
    const text = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)])
    return api.answer(question, new URLSearchParams(text)) as Answer
  }
}

const ask = apiOf(chains)
const { span } = ask<View>('view')
const queueOf = (list: readonly JournalChain[]) => list.find(({ identity }) => identity.kind === 'queue') as JournalChain

/** The times of all batches but checkpoints. */
const times = chains
  .flatMap((chain) => chain.segments.flatMap((one) => [...readBatches(one.words(), one.header)]))
  .filter(({ words, from, to }) => to > from && (words[from] & 0xff) !== RECORD_CHECKPOINT)
  .map(({ timeNs }) => timeNs)
const moments = [...new Set(times)].sort((a, b) => a - b)

test('at any moment it says what a cursor says that comes from the beginning', () => {
  expect(moments.length).toBeGreaterThan(100)
  const chosen = moments.filter((_, index) => index % 37 === 0)
  for (const at of [...chosen, ...chosen.toReversed(), moments[5]]) {
    const { device, devices } = ask<View>('view', { at, device: DEVICE })
    const cursor = new ChainCursor(queueOf(chains))
    while (cursor.next !== undefined && cursor.next.timeNs <= at) cursor.forward()
    const { queue } = momentOf(cursor, at)
    const [shown] = device?.queues ?? []
    const [open, ended] = [true, false].map((is) => queue?.requests.filter(({ state }) => (state !== 'Answered') === is))
    expect(shown?.requests).toEqual(queue && [...(open ?? []), ...(ended ?? [])])
    expect(shown?.state).toBe(queue?.state)
    expect(devices[0].inFlight).toBe(open?.length ?? 0)
  }
})

test('before a device began it is not there', () => {
  const { devices, device } = ask<View>('view', { at: span.fromNs - 1, device: DEVICE })
  expect({ devices, device }).toEqual({ devices: [], device: undefined })
})

test('the steps of a request lead from its entry to where it stands, without a gap', () => {
  let judged = 0
  for (const at of moments.filter((_, index) => index % 23 === 0)) {
    const [queue] = ask<View>('view', { at, device: DEVICE }).device?.queues ?? []
    for (const { slot, state, takenNs } of queue?.requests ?? []) {
      const all = queue.requestTrail.filter((step) => step.slot === slot && step.timeNs >= takenNs)
      const steps = all.slice(Math.max(0, all.findLastIndex(({ event }) => event === 'taken')))
      if (steps.length === 0) continue
      judged++
      expect(steps.at(-1)?.to).toBe(state)
      steps.slice(1).forEach((step, index) => expect(step.from).toBe(steps[index].to))
    }
  }
  expect(judged).toBeGreaterThan(50)
})

test('an actor comes to its state by the last of its steps', () => {
  const { device } = ask<View>('view', { device: DEVICE })
  expect(device?.actors.map(({ chart }) => chart)).toEqual(['device', 'medium'])
  for (const { state, trail } of device?.actors ?? []) expect(trail.at(-1)?.to).toBe(state)
})

test('the bins of a span hold every answer once, in any number of bins', () => {
  const ended = [...timeline(chains)].filter((one) => one.type === 'ended' && one.status !== undefined)
  for (const bins of [1, 7, 240]) {
    const history = ask<History>('history', { bins })
    const seconds = (history.span.toNs - history.span.fromNs) / bins / 1e9
    const answered = history.bins.reduce((sum, bin) => sum + (bin?.answered ?? 0) * seconds, 0)
    expect(history.done).toBe(1)
    expect(answered).toBeCloseTo(ended.length, 3)
    const heat = history.bins.reduce((sum, bin) => sum + (bin?.heat.reduce((own, value, at) => own + (at % 2 ? value : 0), 0) ?? 0), 0)
    expect(heat).toBeCloseTo(ended.length, 3)
  }
})

test('marks tell when an actor or the queue came to another state', () => {
  const texts = ask<History>('history').marks.map(({ text }) => text)
  expect(texts).toContain(`${DEVICE}/q0: Shortage, short of slots`)
  expect(texts.some((text) => text.startsWith(`${DEVICE}: Connected`))).toBe(true)
})

test('what is not summed up yet is said, and the next question goes on', () => {
  let now = 0
  const source = recordingSource('a recording', '0', { chains, problems: [] })
  const api = new PageApi(source, () => '', () => (now += 100e6))
  const dones: number[] = []
  for (let turn = 0; turn < 200 && dones.at(-1) !== 1; turn++)
    dones.push((api.answer('history', new URLSearchParams()) as History).done)
  expect(dones[0]).toBeLessThan(1)
  expect(dones.at(-1)).toBe(1)
})

test('steps go through every moment at which something happened, and back again', () => {
  const walk = (from: number, direction: 1 | -1) => {
    const found: number[] = []
    for (let at: number | undefined = from; at !== undefined; ) {
      at = ask<Step>('step', { at, direction }).atNs
      if (at !== undefined) found.push(at)
    }
    return found
  }
  expect(walk(span.fromNs - 1, 1)).toEqual(moments)
  expect(walk(span.toNs + 1, -1)).toEqual(moments.toReversed())
})

test('events stand around the moment, in order, by kind and by word', () => {
  const at = moments[Math.floor(moments.length / 2)]
  const all = ask<Events>('events', { at, device: DEVICE, before: 40, after: 10 })
  expect(all.rows).toHaveLength(50)
  expect(all.rows.map(({ timeNs }) => timeNs)).toEqual(all.rows.map(({ timeNs }) => timeNs).sort((a, b) => a - b))
  expect(all.rows.filter(({ timeNs }) => timeNs > at)).toHaveLength(10)
  expect(all.more).toBe(true)
  const entered = ask<Events>('events', { device: DEVICE, kinds: 'queue', text: 'ENTERED short' })
  expect(entered.rows.map(({ text }) => text)).toContain('entered Shortage from Running, short of slots')
  expect(entered.rows.every(({ text }) => text.startsWith('entered Shortage'))).toBe(true)
  expect(ask<Events>('events', { device: DEVICE, kinds: 'device' }).rows.at(-1)?.text).toMatch(/^vbd\/1\/51712 is in /)
})

test('a disk that stands still is named as one that waits', () => {
  const [row] = apiOf(stuck)<View>('view', { at: span.toNs + 60e9 }).devices
  expect(row).toMatchObject({ name: DEVICE, verdict: 'waiting' })
  expect(row.oldestNs).toBeGreaterThan(59e9)
})

test('what nobody can read is refused, and what nobody asks is nothing', () => {
  expect(() => ask('view', { at: 'yesterday' })).toThrow('at must be a number')
  expect(() => ask('view', { at: 'Infinity' })).toThrow('at must be a number')
  expect(() => ask('view', { device: 'x'.repeat(300) })).toThrow('device is the name of a device')
  expect(ask('anything')).toBeUndefined()
})
