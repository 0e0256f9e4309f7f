/**
 * A recorded demo, exported and read by Debian's blkparse and btt: they count the requests that the daemon counted.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testWith } from '../support/clients.js'
import { xbbd } from '../support/xbbd-process.js'

const folder = mkdtempSync(join(tmpdir(), 'xbbd-blktrace-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const run = (program: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28 })
  return { status, output: `${stdout}${stderr}` }
}

testWith(['blkparse', 'btt'], 'blkparse and btt count what the daemon counted', async () => {
  const recording = join(folder, 'run')
  expect(await xbbd('demo', '--seconds', '0.3', '--record', recording)).toMatchObject({ status: 0 })
  const name = join(folder, 'disk')
  const journal = join(recording, 'run/journal')
  expect(await xbbd('journal', 'export', journal, '--format', 'blktrace', '--output', name)).toMatchObject({ status: 0 })
  const [{ counters }] = JSON.parse(readFileSync(join(recording, 'statistics.json'), 'utf8')) as [
    { counters: Record<string, number> },
  ]
  const { reads, writes, flushes, barriers, discards, readBytes } = counters
  const written = writes + flushes + barriers + discards
  expect(reads).toBeGreaterThan(50)
  expect(flushes).toBeGreaterThan(0)

  const parsed = run('blkparse', '-s', '-i', name, '-d', `${name}.bin`)
  expect(parsed.status).toBe(0)
  const total = parsed.output.slice(parsed.output.lastIndexOf('CPU0'))
  for (const what of ['Reads Queued', 'Read Dispatches', 'Reads Completed'])
    expect(total).toMatch(new RegExp(`${what}: +${reads}, +${Math.floor(readBytes / 1024)}KiB`))
  for (const what of ['Writes Queued', 'Write Dispatches', 'Writes Completed'])
    expect(total).toMatch(new RegExp(`${what}: +${written},`))
  expect(total).toMatch(/Skips: 0 forward/)
  expect(parsed.output).toMatch(/vbd\/1\/51712 \(1\)/)

  const statistics = run('btt', '-i', `${name}.bin`)
  expect(statistics.status).toBe(0)
  // N is the last column. What has no sectors btt does not count: flushes without data, and the demo has no others.
  // It knows requests by their sector: of two reads of one sector in flight together it may count one.
  const counted = Number(/^Q2C .* (\d+)$/m.exec(statistics.output)?.[1])
  const all = reads + writes + barriers + discards
  expect(counted).toBeLessThanOrEqual(all)
  expect(counted).toBeGreaterThan(0.99 * all)
}, 120_000)
