/**
 * Journals of other versions, as an operator meets them: those of earlier charts are told about like any other; those of
 * charts or formats that nobody knows end in one sentence and a status.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import { runWorld } from '../../src/sim/run-world.js'
import { writeSegments } from '../support/journal-tools.js'
import { ofVersion, relabelled } from '../support/older-journals.js'
import { xbbd } from '../support/xbbd-process.js'

const older = join(packageRoot(), 'test/golden/journal-v1/charts-b630-dead')
const folder = mkdtempSync(join(tmpdir(), 'xbbd-versions-'))
const unknown = join(folder, 'unknown')
const later = join(folder, 'later')
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeAll(() => {
  const { segments } = runWorld({ seed: 12, steps: 150, segmentWords: 4096 })
  for (const [path, words] of [[unknown, relabelled(segments)], [later, ofVersion(segments, 2)]] as const) {
    mkdirSync(path)
    writeSegments(path, words)
  }
})

/** Commands that tell of states and requests. */
const tellers = (path: string): string[][] => [
  ['explain', path],
  ['replay', path, '--at', '5'],
  ['replay', path, '--until', 'queue in Running'],
  ['journal', 'export', path, '--format', 'json'],
  ['redrive', path, '--onto', join(folder, 'image')],
]

test('a journal of earlier charts is replayed, explained, exported and driven again', async () => {
  const replay = await xbbd('replay', older)
  expect(replay).toMatchObject({ status: 0, stderr: '' })
  expect(replay.stdout).toMatch(/ 0 +agrees$/m)
  expect(await xbbd('journal', 'check', older)).toMatchObject({ status: 0, stderr: '' })
  const explained = await xbbd('explain', older)
  expect(explained.stdout).toMatch(/^vbd\/1\/51712: working\. The oldest of 20 requests .* It has been in Submitted for /)
  const moment = await xbbd('replay', older, '--until', 'queue in Shortage')
  expect(moment).toMatchObject({ status: 0, stderr: '' })
  const lines = (await xbbd('journal', 'export', older, '--format', 'json')).stdout.trimEnd().split('\n')
  expect(lines.filter((line) => line.startsWith('{"type":"request"')).length).toBe(55)
  const driven = await xbbd('redrive', older, '--onto', join(folder, 'again.img'), '--json')
  expect(JSON.parse(driven.stdout)).toMatchObject({ requests: 55, answers: 55 })
}, 60_000)

test('one of charts that are not known is compared and shown, and nobody guesses what it means', async () => {
  const replay = await xbbd('replay', unknown)
  expect(replay).toMatchObject({ status: 0 })
  expect(replay.stdout).toMatch(/other charts$/m)
  expect(replay.stderr).toBe('xbbd: vbd/1/51712/q0: its charts are not known: differences are information\n')
  expect((await xbbd('journal', 'cat', unknown)).stdout).toMatch(/entered 1 from 0$/m)
  for (const command of tellers(unknown)) {
    const { status, stdout, stderr } = await xbbd(...command)
    expect([command[0], status, stdout]).toEqual([command[0], 65, ''])
    expect(stderr).toMatch(/^xbbd: vbd\/1\/51712\/q0 cannot be told about: sim obeyed charts that this version .*\n$/)
  }
}, 60_000)

test('one of a later format is refused by everything, in one sentence', async () => {
  for (const command of [...tellers(later), ['replay', later], ['journal', 'cat', later]]) {
    const { status, stdout, stderr } = await xbbd(...command)
    expect([command[0], status, stdout]).toEqual([command[0], 66, ''])
    expect(stderr).toMatch(/segment-0000\.xbj.*its format version is 2, and this program reads version 1\n$/)
  }
  const check = await xbbd('journal', 'check', later)
  expect(check).toMatchObject({ status: 65 })
  expect(check.stderr).toMatch(/its format version is 2, and this program reads version 1/)
}, 60_000)
