/**
 * `xbbd journal cat`, `journal check` and `replay`, as an operator uses them, and the files of version 1, which every
 * later version must read as this one does.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import { catChain } from '../../src/journal/cat.js'
import { openJournals } from '../../src/journal/journal-files.js'
import { replayJournals } from '../../src/journal/replay.js'
import { runWorld } from '../../src/sim/run-world.js'
import { expectGolden } from '../support/golden.js'
import { writeSegments } from '../support/journal-tools.js'
import { xbbd } from '../support/xbbd-process.js'

const folder = mkdtempSync(join(tmpdir(), 'xbbd-journal-'))
const golden = join(packageRoot(), 'test/golden/journal-v1')

beforeAll(() => {
  writeSegments(folder, runWorld({ seed: 9, steps: 200, segmentWords: 4096 }).segments)
  writeFileSync(join(folder, 'notes.txt'), 'not a journal')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('check finds a good folder good, cat prints it, replay agrees', async () => {
  const [checked, printed, replayed] = [
    await xbbd('journal', 'check', folder),
    await xbbd('journal', 'cat', folder, '--json', '--from', '3', '--to', '5'),
    await xbbd('replay', folder, '--compiled'),
  ]
  expect(checked).toMatchObject({ status: 0, stderr: '' })
  expect(checked.stdout).toMatch(/^JOURNAL .*\nvbd\/1\/51712\/q0 +0@0 /)
  const entries = printed.stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as { batch: number })
  expect(new Set(entries.map(({ batch }) => batch))).toEqual(new Set([3, 4, 5]))
  expect(replayed).toMatchObject({ status: 0, stderr: '' })
  expect(replayed.stdout).toMatch(/ 0 +agrees$/m)
})

test('one changed byte: check ends with 65 and replay with 1, and both say where', async () => {
  const file = join(folder, 'segment-0001.xbj')
  const good = readFileSync(file)
  const bad = Buffer.from(good)
  bad[bad.readInt32LE(12) * 4 + 40] ^= 1
  writeFileSync(file, bad)
  try {
    const checked = await xbbd('journal', 'check', folder)
    expect(checked.status).toBe(65)
    expect(checked.stderr).toMatch(/segment-0001\.xbj, byte \d+: batch \d+: its checksum is wrong/)
    const replayed = await xbbd('replay', folder, '--compiled')
    expect(replayed.status).toBe(1)
    expect(replayed.stdout).toMatch(/DIFFERS$/m)
    expect(replayed.stderr).toMatch(/its checksum is wrong/)
  } finally {
    writeFileSync(file, good)
  }
})

test('what is not there is said with 66', async () => {
  expect(await xbbd('journal', 'cat', join(folder, 'nothing'))).toMatchObject({ status: 66 })
  const unknown = await xbbd('replay', folder, '--journal', 'vbd/2')
  expect(unknown).toMatchObject({ status: 66 })
  expect(unknown.stderr).toContain('it holds vbd/1/51712/q0')
})

test('journals of version 1 read as ever', () => {
  const { chains, problems } = openJournals(golden)
  expect(problems).toEqual([])
  const lines = chains.flatMap((chain) => [...catChain(chain)].map((entry) => `${JSON.stringify(entry)}\n`))
  expect(lines.length).toBeGreaterThan(50)
  expectGolden('journal-v1/cat.jsonl', lines.join(''))
  // Its charts are not today's: how those of the queue are read is judged in unit/journal-upcast.test.ts.
  expect(replayJournals({ chains, problems }, {})).toMatchObject({ agrees: true })
})
