/**
 * The linter over journals of real daemons: front ends that are bad in XenStore, each found by exactly its rule; and the
 * embedded host's own front end, in every shape, of which there is nothing to say.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/io/native/system-clock.js'
import { packageRoot } from '../../src/io/native/load.js'
import { runWorkload } from '../../src/embedded/workload.js'
import { WriteCounts } from '../../src/embedded/block-contents.js'
import type { LintReport } from '../../src/lint/lint.js'
import { rules } from '../../src/lint/rules/index.js'
import type { BlkfrontOptions } from '../../src/embedded/blkfront/blkfront.js'
import { BAD_HANDSHAKES } from '../support/bad-fronts.js'
import { RealWorld, until, type DaemonProcess } from '../support/processes.js'
import { xbbd } from '../support/xbbd-process.js'

const dir = mkdtempSync(join(tmpdir(), 'xbbd-lint-'))
let world: RealWorld
let daemon: DaemonProcess
/** Devices of earlier tests, whose journals are still there. */
const seen = new Set<string>()

beforeAll(async () => {
  world = await RealWorld.start()
  daemon = await world.daemon({ flags: ['--grants-mode', 'persistent', '--workers', '2', '--ring-max-queues', '2'] })
})

afterAll(async () => {
  await world.close()
  rmSync(dir, { recursive: true })
})

async function lint(...args: string[]): Promise<{ status: number | null; report: LintReport }> {
  const { status, stdout, stderr } = await xbbd('lint', '--json', ...args)
  expect(stderr).toBe('')
  return { status, report: JSON.parse(stdout) as LintReport }
}

test.each(Object.keys(BAD_HANDSHAKES))('%s is found, and nothing else', async (rule) => {
  const [text, isNote] = BAD_HANDSHAKES[rule]
  const script = join(dir, `${rule}.xbf`)
  writeFileSync(script, text)
  const target = world.image(1 << 22)
  const ended = await xbbd('frontend', '--host-dir', world.hostDir, '--disk', target, script)
  expect(ended.stderr).toBe('')
  const { report } = await lint(join(daemon.runDir, 'journal'))
  const fresh = report.devices.map(({ device }) => device).filter((device) => !seen.has(device))
  expect(fresh).toHaveLength(1)
  seen.add(fresh[0])
  const own = report.findings.filter(({ device }) => device === fresh[0])
  expect(own.map((finding) => [finding.rule, finding.severity === 'note'])).toEqual([[rule, isNote]])
})

test('closed-busy is found, and nothing else', async () => {
  const script = join(dir, 'closed-busy.xbf')
  const keep = join(dir, 'kept')
  writeFileSync(script, [
    'disk slow 400ms', 'connect', 'put read sectors 8 as r', 'state Closing', 'expect state Closing', 'state Closed',
    'expect state Closed', '',
  ].join('\n'))
  expect(await xbbd('frontend', '--keep', keep, script)).toMatchObject({ status: 0, stderr: '' })
  const { status, report } = await lint(join(keep, 'run/journal'))
  expect(report.findings.map(({ rule }) => rule)).toEqual(['closed-busy'])
  expect(status).toBe(1)
})

const SHAPES: readonly (readonly [string, Partial<BlkfrontOptions>])[] = [
  ['x86_64, persistent, indirect', { persistent: true }],
  ['x86_32, grants for each request', { abi: 'x86_32', grants: 'revoking' }],
  ['two queues of four pages', { queues: 2, ringPages: 4 }],
]

test.each(SHAPES)('of the embedded front end there is nothing to say: %s', async (_name, options) => {
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: world.image(8 << 20) })
  const front = await guest.connect(options)
  const counts = new WriteCounts(front.sizeBytes / 512)
  const mix = { read: 50, write: 45, flush: 5, trim: 0 }
  const load = { seed: 7, depth: 32, count: 2000, mix, counts, device: front, clock: systemClock }
  expect(await runWorkload(load)).toMatchObject({ ok: true })
  await front.close()
  const name = `vbd/${guest.domid}/51712`
  const { status, report } = await lint(name, '--socket', daemon.socket)
  expect({ status, findings: report.findings }).toEqual({ status: 0, findings: [] })
  expect(report.devices[0].requests).toBeGreaterThan(1000)
  await daemon.detach({ domid: guest.domid })
  guest.close()
  await until('it is detached', async () => (await daemon.device(guest.domid)) === undefined)
})

test('people get a paragraph for each finding, and what was not judged', async () => {
  const { status, stdout, stderr } = await xbbd('lint', join(daemon.runDir, 'journal'))
  expect(status).toBe(1)
  expect(stdout).toMatch(/^error keys-missing: vbd\/\d+\/51712 goes to Initialised or Connected before its ring/m)
  expect(stdout).toMatch(/^ {4}vbd\/\d+\/51712 segment \d+ batch \d+ record 0 {2}2\d{3}-/m)
  expect(stdout).toContain('    cure: write event-channel and ring-ref')
  expect(stdout).toMatch(/\d+ front ends, [\d.k]+ requests: /)
  expect(stderr).toContain('xbbd: notify-needless, notify-missing: not judged, ')
  expect((await xbbd('lint', '/nowhere', '--socket', daemon.socket)).status).toBe(66)
})

test('docs/lint.md has the table of all rules (UPDATE_GOLDEN=1 writes it anew)', async () => {
  const path = join(packageRoot(), 'docs/lint.md')
  const rows = rules.map(({ name, severity, what, cure, section }) => {
    return `| \`${name}\` | ${severity} | ${what}. *${section}* | ${cure} |`
  })
  const table = ['| Rule | | A front end that | What to do |', '| --- | --- | --- | --- |', ...rows].join('\n')
  const text = readFileSync(path, 'utf8')
  const [before, rest] = text.split('<!-- rules -->')
  const wanted = `${before}<!-- rules -->\n${table}\n<!-- end -->${rest.split('<!-- end -->')[1]}`
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, wanted)
  expect(text).toBe(wanted)
  const { stdout } = await xbbd('lint', '--rules')
  for (const { name } of rules) expect(stdout).toContain(name)
})
