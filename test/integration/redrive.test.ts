/**
 * `xbbd redrive`: a recorded demo, sent again at a fresh daemon onto an empty image, makes the original image byte for
 * byte; and a guest's nonsense is answered as it was.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLKIF_OP_READ, BLKIF_OP_WRITE } from '../../src/protocol/blkif.js'
import { writeSegments } from '../support/journal-tools.js'
import { QueueBench } from '../support/queue-bench.js'
import { xbbd } from '../support/xbbd-process.js'

const folder = mkdtempSync(join(tmpdir(), 'xbbd-redrive-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

test('a recorded demo driven again makes the same image, byte for byte', async () => {
  const run = join(folder, 'run')
  const again = join(folder, 'again.img')
  const demo = await xbbd('demo', '--seconds', '0.3', '--record', run)
  expect(demo).toMatchObject({ status: 0, stderr: '' })
  const journal = join(run, 'run/journal')
  const { status, stdout } = await xbbd('redrive', journal, '--onto', again, '--json')
  const report = JSON.parse(stdout) as { requests: number; answers: number; findings: string[]; complete: boolean }
  expect({ status, findings: report.findings, complete: report.complete }).toEqual({ status: 0, findings: [], complete: true })
  expect(report.requests).toBeGreaterThan(100)
  expect(report.answers).toBe(report.requests)
  expect(digest(again)).toBe(digest(join(run, 'disk.img')))
  // Something was written at all, so that two images of zeros would not do.
  expect(statSync(again).blocks).toBeGreaterThan(64)
  const refused = await xbbd('redrive', journal, '--onto', again)
  expect(refused).toMatchObject({ status: 73 })
  expect(refused.stderr).toMatch(/is there and not empty/)
}, 120_000)

test('nonsense and bad grants are sent as they were, and answered as they were', async () => {
  const bench = new QueueBench({ segmentWords: 4096, lawless: true })
  const segment = (gref: number, firstSect: number, lastSect: number) => ({ gref, firstSect, lastSect })
  bench.send({ op: 77, idLow: 1, raw: [1, 2] })
  bench.send({ op: BLKIF_OP_READ, idLow: 2, segments: [segment(0, 5, 2)] })
  bench.send({ op: BLKIF_OP_WRITE, idLow: 3, sectorLow: 1 << 20, segments: [segment(0, 0, 7)] })
  bench.send({ op: BLKIF_OP_WRITE, idLow: 4, nrSegments: 200, segments: [segment(0, 0, 7)] })
  bench.send({ op: BLKIF_OP_WRITE, idLow: 5, sectorLow: 8, segments: [segment(300, 0, 7)] })
  bench.sendPages(BLKIF_OP_WRITE, 6, 16, 3)
  bench.run()
  const statuses = Object.values(bench.statuses())
  expect(statuses).toEqual([-2, -1, -1, -1, -1, 0])
  bench.finish()
  const journal = join(folder, 'bench')
  mkdirSync(journal)
  writeSegments(journal, bench.world.segments)
  const image = join(folder, 'bench.img')
  const { status, stdout } = await xbbd('redrive', journal, '--onto', image, '--json')
  expect(JSON.parse(stdout)).toMatchObject({ requests: 6, answers: 6, findings: [] })
  expect(status).toBe(0)
  const words = new Int32Array(readFileSync(image).buffer.slice(0, 64 * 512))
  expect([words[8 * 128], words[16 * 128], words[16 * 128 + 1]]).toEqual([0, 16, 1])
}, 60_000)
