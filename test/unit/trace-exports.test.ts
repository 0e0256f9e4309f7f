/**
 * Exports of simulated runs, read by strict readers written from the formats' documentation: everything that the core
 * counted is there, everything nests, and a run that stands still leaves its requests open and nothing else.
 */
import fc from 'fast-check'
import { exportPieces, chunksOf } from '../../src/cli/journal/export.js'
import type { ExportFormat } from '../../src/cli/journal/export.js'
import { COUNTER } from '../../src/core/statistics.js'
import type { JournalChain } from '../../src/journal/chain.js'
import { MessageWriter } from '../../src/observe/protobuf-writer.js'
import { runWorld } from '../../src/sim/run-world.js'
import { chainIn } from '../support/journal-tools.js'
import { recordedDevice } from '../support/recorded-device.js'
import { fieldsOf, readBlktrace, readChrome, readPerfetto } from '../support/trace-readers.js'

const run = runWorld({ seed: 51, steps: 600, segmentWords: 4096, errorShare: 0.05, delayMax: 20 })
const { taken, answeredOkay, answeredError, answeredUnsupported } = COUNTER
const count = (...counters: number[]) => counters.reduce((sum, index) => sum + run.core.statistics[index], 0)

function exported(format: ExportFormat, chains: readonly JournalChain[] = [chainIn(run.segments)]): Buffer {
  return Buffer.concat([...chunksOf(exportPieces(chains, format, (sentence) => expect(sentence).toBe('')))])
}

test('json: one line per request, with every state in order', () => {
  const lines = exported('json').toString().trimEnd().split('\n').map((line) => JSON.parse(line) as Line)
  const requests = lines.filter(({ type }) => type === 'request')
  expect(requests).toHaveLength(count(taken))
  expect(requests.filter(({ status }) => status === 0)).toHaveLength(count(answeredOkay))
  for (const { states, takenNs, endedNs } of requests) {
    expect(states[0]).toMatchObject({ event: 'taken', timeNs: takenNs })
    expect(states.at(-1)).toMatchObject({ event: 'answered', timeNs: endedNs })
    states.forEach(({ timeNs }, index) => expect(timeNs).toBeGreaterThanOrEqual(states[Math.max(0, index - 1)].timeNs))
  }
})

interface Line {
  readonly type: string
  readonly status?: number
  readonly takenNs: number
  readonly endedNs: number
  readonly states: readonly { readonly event: string; readonly timeNs: number }[]
}

test('chrome: requests and states nest, flows lead from taking to answering, depth is counted', () => {
  const chrome = readChrome(exported('chrome').toString())
  expect(chrome).toMatchObject({ open: 0, flows: count(answeredOkay, answeredError, answeredUnsupported) })
  expect(chrome.ended).toBeGreaterThan(3 * count(taken))
  expect(chrome.issued).toBeGreaterThan(0)
  expect(chrome.counters).toBeGreaterThan(50)
})

test('perfetto: a track per slot, a slice per request, the same flows', () => {
  const perfetto = readPerfetto(exported('perfetto'))
  expect(perfetto.tracks.filter((name) => name.startsWith('slot ')).length).toBeGreaterThan(10)
  expect(perfetto.flows).toBe(count(answeredOkay, answeredError, answeredUnsupported))
  const kinds = ['read', 'write', 'flush', 'flushWrite', 'barrier', 'barrierWrite', 'discard']
  expect(kinds.reduce((sum, kind) => sum + (perfetto.slices.get(kind) ?? 0), 0)).toBe(count(taken))
  expect(perfetto.counters).toBeGreaterThan(100)
})

test('blktrace: Q, G, I, D and C of every valid request', () => {
  const { actions } = readBlktrace(exported('blktrace'))
  expect(Object.fromEntries(actions)).toEqual(Object.fromEntries([1, 4, 7, 8, 12].map((action) => [action, count(taken)])))
})

test('a device with its queue: actors are on it; one that stands still leaves requests open', () => {
  const whole = recordedDevice()
  expect(readPerfetto(exported('perfetto', whole)).tracks).toEqual(expect.arrayContaining(['vbd/1/51712', 'vbd/1/51712/medium']))
  expect(readBlktrace(exported('blktrace', whole)).notes).toEqual(expect.arrayContaining(['vbd/1/51712 Closing.draining']))
  expect(readChrome(exported('chrome', whole).toString()).open).toBe(0)
  const stuck = recordedDevice({}, true)
  expect(readChrome(exported('chrome', stuck).toString()).open).toBeGreaterThan(0)
  expect(readPerfetto(exported('perfetto', stuck)).flows).toBeGreaterThan(0)
})

test('varints and fixed numbers are read back as they were written', () => {
  const value = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), value, fc.string({ unit: 'grapheme' }), (field, number, string) => {
      const inner = new MessageWriter().varint(field, number).string(2, string)
      const fields = fieldsOf(new MessageWriter().varint(1, number).fixed64(field, number).message(3, inner).finish())
      expect(fields.map((one) => [one.number, one.type])).toEqual([[1, 0], [field, 1], [3, 2]])
      expect([fields[0].value, fields[1].value]).toEqual([number, number])
      const [first, second] = fieldsOf(fields[2].bytes)
      expect([first.value, new TextDecoder().decode(second.bytes)]).toEqual([number, string])
    }),
  )
})

test('the readers see what is wrong', () => {
  const chrome = exported('chrome').toString()
  expect(() => readChrome(chrome.replace('"ph":"b"', '"ph":"e"'))).toThrow()
  expect(() => readChrome(chrome.replace('"ph":"f"', '"ph":"s"'))).toThrow(/out of order/)
  const perfetto = exported('perfetto')
  expect(() => readPerfetto(perfetto.subarray(0, perfetto.length - 1))).toThrow(/cut off/)
  const blk = exported('blktrace')
  expect(() => readBlktrace(blk.subarray(48))).toThrow()
})
