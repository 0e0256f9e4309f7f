/**
 * Anyone may have written a journal: bytes changed, cut, doubled and swapped, in the golden files and in fresh ones, with
 * checksums mended or not, make no reader throw, and none takes more memory than the bounds allow.
 *
 *   header at most 64 KiB · segment at most its file · settings at most 4096 slots of 256 segments · lists of 100 problems
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { packageRoot } from '../../src/io/native/load.js'
import { catMerged } from '../../src/journal/cat.js'
import { checkJournal } from '../../src/journal/check.js'
import { diffRecordings } from '../../src/journal/diff.js'
import { openJournals } from '../../src/journal/journal-files.js'
import { momentOf } from '../../src/journal/moment.js'
import { Recording } from '../../src/journal/recording.js'
import { redrivePlan } from '../../src/journal/redrive-plan.js'
import { replayJournals } from '../../src/journal/replay.js'
import { timeline } from '../../src/journal/timeline.js'
import { runWorld } from '../../src/sim/run-world.js'
import { mendChecksums } from '../support/journal-tools.js'

const golden = join(packageRoot(), 'test/golden/journal-v1')
const folder = mkdtempSync(join(tmpdir(), 'xbbd-fuzz-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const kept = readdirSync(golden).filter((name) => name.endsWith('.xbj')).map((name) => readFileSync(join(golden, name)))
const fresh = runWorld({ seed: 61, steps: 80, segmentWords: 2048 }).segments.slice(0, 4)
const sources = [...kept, ...fresh.map((words) => Buffer.from(words.buffer, words.byteOffset, words.byteLength))]

type Change =
  | { readonly kind: 'byte' | 'word'; readonly at: number; readonly value: number }
  | { readonly kind: 'cut' | 'double' | 'swap'; readonly at: number; readonly value: number }

const change = fc.record({
  kind: fc.constantFrom('byte', 'word', 'cut', 'double', 'swap'), at: fc.nat(), value: fc.integer(),
}) as fc.Arbitrary<Change>

function changed(source: Buffer, changes: readonly Change[], mend: boolean): Buffer {
  let bytes = Buffer.from(source)
  for (const { kind, at, value } of changes) {
    const place = at % Math.max(1, bytes.length - 64)
    if (kind === 'byte') bytes[place] = value & 0xff
    else if (kind === 'word') bytes.writeInt32LE(value, place & ~3)
    else if (kind === 'cut') bytes = bytes.subarray(0, Math.max(64, place))
    else if (kind === 'double') bytes = Buffer.concat([bytes, bytes.subarray(0, place)]).subarray(0, 1 << 18)
    else bytes.copyWithin(place, Math.abs(value) % bytes.length, bytes.length)
  }
  if (!mend || bytes.length < 256) return bytes
  const words = new Int32Array(Uint8Array.from(bytes).buffer, 0, bytes.length >>> 2)
  if (isWalkable(words)) mendChecksums([words])
  return Buffer.from(words.buffer, 0, words.byteLength)
}

/** Whether header and lengths allow to mend at all. */
function isWalkable(words: Int32Array): boolean {
  const header = words[3]
  if (header < 10 || header > words.length || (header & 1) !== 0) return false
  for (let at = header; at + 6 <= words.length && words[at] !== 0; at += words[at])
    if (words[at] < 6 || words[at] > words.length - at || (words[at] & 1) !== 0) return false
  return true
}

/** Everything that reads journals, on whatever stands in the folder. */
function readEverything(): void {
  const files = openJournals(folder)
  checkJournal(files)
  replayJournals(files, { compiledOnly: true })
  if (files.chains.length === 0) return
  let entries = 0
  for (const _ of catMerged(files.chains)) entries++
  for (const _ of timeline(files.chains)) entries++
  for (const _ of redrivePlan(files.chains.filter(({ identity }) => identity.kind === 'queue'), () => undefined)) entries++
  diffRecordings(files.chains, files.chains)
  const recording = new Recording(files.chains)
  recording.end()
  for (const cursor of recording.cursors) momentOf(cursor)
  recording.back()
  expect(entries).toBeGreaterThanOrEqual(0)
}

test('no bytes make a reader throw, or take memory without bound', () => {
  const property = fc.property(
    fc.array(fc.tuple(fc.nat(sources.length - 1), fc.array(change, { maxLength: 6 })), { minLength: 1, maxLength: 3 }),
    fc.boolean(),
    (files, mend) => {
      for (const name of readdirSync(folder)) rmSync(join(folder, name))
      files.forEach(([source, changes], index) =>
        writeFileSync(join(folder, `segment-${index}.xbj`), changed(sources[source], changes, mend)),
      )
      const before = process.memoryUsage()
      readEverything()
      const after = process.memoryUsage()
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(128 * 2 ** 20)
    },
  )
  fc.assert(property, { numRuns: 120 })
}, 120_000)

test('a header that promises the largest of everything stays within the bounds', () => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  const bytes = Buffer.from(sources[sources.length - 1])
  bytes.writeUInt32LE(0x7ffffffe, 20)
  writeFileSync(join(folder, 'segment-0.xbj'), bytes)
  const before = process.memoryUsage().arrayBuffers
  readEverything()
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(128 * 2 ** 20)
})
