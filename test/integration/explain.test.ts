/**
 * `xbbd explain`, on a recording that ends in the midst of its work, and S31: every event of every actor is in the
 * journals, and they are readable without the program that wrote them having said a word.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { charts } from '../../src/machines/index.js'
import { writeSegments } from '../support/journal-tools.js'
import { recordedSegments } from '../support/recorded-device.js'
import { xbbd } from '../support/xbbd-process.js'

const folder = mkdtempSync(join(tmpdir(), 'xbbd-explain-'))

beforeAll(() => {
  const { actors, queue } = recordedSegments({ trace: true }, true)
  writeSegments(folder, [...actors, ...queue])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Explained {
  readonly device: string
  readonly verdict: string
  readonly oldest: { readonly state: string; readonly description: string; readonly waitsFor: string }
  readonly sentences: readonly string[]
}

test('names the oldest request, where it stands, and what it waits for, in the words of its chart', async () => {
  const { status, stdout } = await xbbd('explain', folder, '--json')
  expect(status).toBe(0)
  const [{ device, verdict, oldest, sentences }] = JSON.parse(stdout) as Explained[]
  expect([device, verdict]).toEqual(['vbd/1/51712', 'working'])
  expect(oldest.description).not.toBe('')
  expect(sentences.join(' ')).toContain(`in ${oldest.state} for`)
  expect(sentences.join(' ')).toContain(`It waits for ${oldest.waitsFor}.`)
  const text = await xbbd('explain', folder)
  expect(text.stdout).toMatch(/^vbd\/1\/51712: working\. The oldest of \d+ requests in flight is a \w+ at sector \d+/)
  expect(text.stdout).toMatch(/^SLOT +WHAT +SECTOR +STATE +FOR +AGE +WAITS FOR$/m)
})

test('what is neither a journal nor a device says where a daemon was looked for', async () => {
  const { status, stderr } = await xbbd('explain', 'vbd/9/51712', '--socket', join(folder, 'none'))
  expect(status).toBe(69)
  expect(stderr).toMatch(/^xbbd: /)
})

test('S31: every event of every actor is in the journal, in one order, and replays', async () => {
  const { stdout } = await xbbd('journal', 'cat', folder, '--merge', '--json')
  const entries = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as { timeNs: number; record: Entry })
  entries.forEach(({ timeNs }, index) => expect(timeNs).toBeGreaterThanOrEqual(entries[Math.max(0, index - 1)].timeNs))
  const told = entries.flatMap(({ record }) => (record.kind === 'event' ? [record.value?.chart] : [record.chart]))
  const seen = new Set(told.filter((chart) => chart !== undefined))
  // Every recorded device has a supervisor of its own, and none of them an NBD server.
  for (const { name } of charts) if (!['supervisor', 'connection'].includes(name)) expect(seen).toContain(name)
  expect(await xbbd('replay', folder)).toMatchObject({ status: 0 })
}, 60_000)

interface Entry {
  readonly kind: string
  readonly chart?: string
  readonly value?: { readonly chart?: string }
}
