/** What doctor says of machines: a healthy dom0, and the same with one thing wrong at a time. */
import { loadSettings, settingsOrThrow } from '../../src/cli/config/load.js'
import type { SettingKey } from '../../src/cli/config/schema.js'
import { findingsText } from '../../src/cli/commands/doctor.js'
import type { Facts } from '../../src/cli/doctor/facts.js'
import { judge, mayUse, statusOf } from '../../src/cli/doctor/judge.js'

const settings = (flags: Partial<Record<SettingKey, string>> = {}) => settingsOrThrow(loadSettings({ flags })).settings
const node = { mode: 0o660, uid: 0, gid: 900 }
const healthy: Facts = {
  person: { name: 'xbbd', uid: 900, gids: [900] },
  self: false,
  config: { path: '/etc/xbbd/xbbd.conf', problems: [] },
  settings: settings(),
  world: 'xen',
  domain: 'dom0',
  nodes: { gntdev: node, evtchn: node, xenbus: node },
  modules: ['xen_gntdev', 'xen_evtchn'],
  blkback: { loaded: false, devices: [], loadable: false },
  xenstore: { ok: true },
  uring: { refusal: undefined, disabled: 0 },
  limits: { ofDaemon: true, memlock: Infinity, nofile: 65536 },
  runDir: { rights: { mode: 0o700, uid: 900, gid: 900 }, tmpfs: true, free: 1 << 30, segments: 0, runningPid: 7 },
  script: { mode: 0o755, uid: 0, gid: 0 },
}

/** What is not ok, as `level check`. */
function complaints(changed: Partial<Facts>): string[] {
  const findings = judge({ ...healthy, ...changed }).filter(({ level }) => level !== 'ok')
  for (const { cure } of findings) expect(cure).toMatch(/\w{3}/) // nothing is complained of without a cure
  return findings.map(({ level, check }) => `${level} ${check}`)
}

const statusWith = (changed: Partial<Facts>) => statusOf(judge({ ...healthy, ...changed }))

test('a healthy dom0', () => {
  expect(complaints({})).toEqual([])
  expect(statusWith({})).toBe(0)
  const checks = judge(healthy).map(({ check }) => check)
  expect(checks).toEqual([
    'config', 'world', 'device.gntdev', 'device.evtchn', 'device.xenbus', 'module.xen_gntdev', 'module.xen_evtchn',
    'blkback', 'domain', 'script', 'xenstore', 'io_uring', 'memlock', 'nofile', 'run.dir', 'run.dir.room', 'daemon',
  ])
})

const closed = { ...node, gid: 0, mode: 0o600 }
const cases: readonly [string, Partial<Facts>, string[], number][] = [
  ['a node closed', { nodes: { ...healthy.nodes, evtchn: closed } }, ['problem device.evtchn'], 77],
  ['a node and its module missing', { nodes: { ...healthy.nodes, gntdev: undefined }, modules: ['xen_evtchn'] },
    ['problem device.gntdev', 'problem module.xen_gntdev'], 69],
  ['no xenbus', { nodes: { ...healthy.nodes, xenbus: undefined } }, ['problem device.xenbus'], 77],
  ['built into the kernel', { modules: [] }, [], 0],
  ['modules unknown', { modules: undefined }, ['warning modules'], 0],
  ['blkback loaded', { blkback: { loaded: true, devices: ['vbd-5-51712'], loadable: true } }, ['problem blkback'], 69],
  ['blkback beside another type',
    { blkback: { loaded: true, devices: [], loadable: true }, settings: settings({ 'backend.type': 'vbd3' }) }, [], 0],
  ['blkback loadable', { blkback: { loaded: false, devices: [], loadable: true } }, ['warning blkback'], 0],
  ['a guest without its number', { domain: 'guest' }, ['problem domain'], 69],
  ['a driver domain', { domain: 'guest', settings: settings({ 'backend.domid': '3' }) }, [], 0],
  ['dom0 with a number', { settings: settings({ 'backend.domid': '3' }) }, ['problem domain'], 69],
  ['world = xen without Xen', { domain: 'none' }, ['problem world'], 69],
  ['no script', { script: undefined }, ['warning script'], 0],
  ['a script without x', { script: { mode: 0o644, uid: 0, gid: 0 } }, ['warning script'], 0],
  ['xenstored down', { xenstore: { ok: false, sentence: 'no XenStore' } }, ['problem xenstore'], 69],
  ['io_uring off', { uring: { refusal: 'EPERM', disabled: 2 } }, ['warning io_uring'], 0],
  ['io_uring off for users', { uring: { refusal: undefined, disabled: 1 } }, ['warning io_uring'], 0],
  ['io_uring filtered', { uring: { refusal: 'EPERM', disabled: 0 } }, ['warning io_uring'], 0],
  ['io_uring not wanted', { uring: { refusal: 'ENOSYS', disabled: undefined }, settings: settings({ 'medium.engine': 'threads' }) }, [], 0],
  ['memlock small', { limits: { ...healthy.limits, memlock: 8 << 20 } }, ['warning memlock'], 0],
  ['limits of another, with no daemon', { self: false, limits: { ofDaemon: false, memlock: 0, nofile: 9 } }, [], 0],
  ['limits of whoever asks', { self: true, limits: { ofDaemon: false, memlock: 0, nofile: 9 } }, ['warning memlock', 'warning nofile'], 0],
  ['descriptors few', { limits: { ...healthy.limits, nofile: 256 } }, ['warning nofile'], 0],
  ['run.dir of another', { runDir: { ...healthy.runDir, rights: { mode: 0o700, uid: 0, gid: 0 } } }, ['problem run.dir'], 77],
  ['run.dir not yet made', { runDir: { ...healthy.runDir, rights: undefined } }, [], 0],
  ['run.dir on a disk', { runDir: { ...healthy.runDir, tmpfs: false } }, ['warning run.dir.tmpfs'], 0],
  ['run.dir full', { runDir: { ...healthy.runDir, free: 1 << 20 } }, ['problem run.dir.room'], 69],
  ['run.dir full of our own', { runDir: { ...healthy.runDir, free: 0, segments: 64 << 20 } }, [], 0],
  ['a broken configuration', { config: { path: 'x', problems: [{ where: 'x:3', sentence: 'no' }] } }, ['problem config'], 78],
]
test.each(cases)('%s', (_title, changed, expected, status) => {
  expect(complaints(changed)).toEqual(expected)
  expect(statusWith(changed)).toBe(status)
})

test('without Xen only the embedded world is judged, and nothing stands in the way', () => {
  const changed: Partial<Facts> = {
    world: 'embedded', domain: 'none', nodes: { gntdev: undefined, evtchn: undefined, xenbus: undefined },
    modules: [], script: undefined, xenstore: { ok: false, sentence: 'no XenStore' },
  }
  expect(complaints(changed)).toEqual(['warning xenstore'])
  expect(judge({ ...healthy, ...changed })[1].sentence).toMatch(/no Xen here.*embedded host/)
})

test('the thief is named, and what it holds', () => {
  const findings = judge({ ...healthy, blkback: { loaded: true, devices: ['vbd-5-51712'], loadable: true } })
  const thief = findings.find(({ check }) => check === 'blkback')
  expect(thief).toMatchObject({ sentence: expect.stringMatching(/xen_blkback is loaded \(it has vbd-5-51712\)/) as unknown })
  expect(thief?.cure).toMatch(/rmmod xen_blkback.*vbd3/)
})

test('the journals of a dead predecessor are said', () => {
  const runDir = { ...healthy.runDir, runningPid: undefined, segments: 64 << 20 }
  expect(judge({ ...healthy, runDir }).at(-1)?.sentence).toMatch(/goes on from the journals in \/run\/xbbd\/journal/)
})

test('rights by mode', () => {
  const person = { name: 'a', uid: 5, gids: [6] }
  expect(mayUse({ mode: 0o600, uid: 5, gid: 0 }, person)).toBe(true)
  expect(mayUse({ mode: 0o060, uid: 1, gid: 6 }, person)).toBe(true)
  expect(mayUse({ mode: 0o060, uid: 5, gid: 6 }, person)).toBe(false) // the owner's bits count for the owner
  expect(mayUse({ mode: 0o604, uid: 1, gid: 1 }, person)).toBe(false)
  expect(mayUse({ mode: 0o666, uid: 1, gid: 1 }, person)).toBe(true)
  expect(mayUse({ mode: 0, uid: 1, gid: 1 }, { ...person, uid: 0 })).toBe(true)
})

test('the report: one line a check, the cure below, a sum', () => {
  const text = findingsText(judge({ ...healthy, script: undefined, domain: 'none' }))
  expect(text).toMatch(/^problem {2}world = xen, but .*\n {9}→ boot Xen/m)
  expect(text).toMatch(/\n1 problem, 1 warning\n$/)
})
