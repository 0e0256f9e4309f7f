/**
 * Upgrades of a real daemon under a front end in a process of its own that verifies every block it wrote: one after the
 * other, to programs of other charts, to processes that die on the way. The front end sees pauses and nothing else.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { UpgradeOutcome } from '../../src/cli/upgrade/handover.js'
import { packageRoot } from '../../src/io/native/load.js'
import { queueChartHash } from '../../src/machines/generated/queue.js'
import type { DeviceListing } from '../../src/ports/daemon-api.js'
import { NotifyReceiver } from '../support/notify-receiver.js'
import { backendNode, RealWorld, until, type DaemonProcess } from '../support/processes.js'
import { xbbd, type Running } from '../support/xbbd-process.js'

let world: RealWorld
let dir: string
beforeEach(async () => {
  world = await RealWorld.start()
  dir = mkdtempSync(join(tmpdir(), 'xbbd-upgrade-'))
})
afterEach(async () => {
  await world.close()
  rmSync(dir, { recursive: true, force: true })
})

/** A guest under load that verifies, on a disk of its own. */
class Load {
  readonly front: Running
  readonly domid: number

  private constructor(front: Running, domid: number) {
    this.front = front
    this.domid = domid
  }

  static async on(daemon: DaemonProcess): Promise<Load> {
    const front = world.started({}, 'test/support/verifying-front.js', world.hostDir, '65536')
    const domid = Number(/domid (\d+)/.exec(await front.line(/^domid/))?.[1])
    await daemon.attach({ domid, target: world.image(16 << 20) })
    await front.line(/^connected/)
    return new Load(front, domid)
  }

  /** Whoever serves now has answered. */
  async served(): Promise<void> {
    const seen = [...this.front.stderr().matchAll(/^first/gm)].length
    this.front.child.stdin?.write('mark\n')
    await until('there is an answer', () => [...this.front.stderr().matchAll(/^first/gm)].length > seen)
  }

  /** Every block is what it was, every request was answered once. */
  async sound(): Promise<void> {
    this.front.child.stdin?.write('stop\n')
    const result = JSON.parse((await this.front.line(/^result/)).slice('result '.length)) as Record<string, unknown>
    expect(result).toMatchObject({ errors: 0, violations: 0, events: [] })
    expect(result['finding']).toBeUndefined()
    expect(result['answers']).toBe(result['requests'])
    expect((await this.front.ended).status).toBe(0)
  }
}

interface Upgraded {
  readonly status: number | null
  readonly outcome: UpgradeOutcome | undefined
  readonly stderr: string
}

async function upgrade(daemon: Pick<DaemonProcess, 'socket'>, ...args: string[]): Promise<Upgraded> {
  const { status, stdout, stderr } = await xbbd('upgrade', '--socket', daemon.socket, '--json', ...args)
  const said = stderr.replace(/^.* \(\d+ s\)\n/gm, '') // what takes more than two seconds says so
  return { status, stderr: said, outcome: stdout === '' ? undefined : (JSON.parse(stdout) as UpgradeOutcome) }
}

/** The process that serves there now. */
async function pidOf({ socket }: Pick<DaemonProcess, 'socket'>): Promise<number> {
  return (await world.ask<{ pid: number }>(socket, 'status')).pid
}

const errorsIn = (log: string) => log.split('\n').filter((line) => /"level":"(error|fatal|warn)"/.test(line))

/** A copy of this program. @returns where it is. */
function copyOfProgram(name: string): string {
  const root = join(dir, name)
  mkdirSync(root)
  cpSync(join(packageRoot(), 'dist/src'), join(root, 'dist/src'), { recursive: true })
  for (const place of ['node_modules', 'build']) symlinkSync(join(packageRoot(), place), join(root, place))
  writeFileSync(join(root, 'package.json'), JSON.stringify({ name: 'xbbd', version: '0.2.0', type: 'module', build: name }))
  return root
}

/** A copy of this program in which the queue's chart is another; it can lift journals of ours, or cannot. */
function otherProgram(name: string, lift: boolean): string {
  const root = copyOfProgram(name)
  const edit = (file: string, change: (text: string) => string) => {
    const path = join(root, 'dist/src', file)
    const text = readFileSync(path, 'utf8')
    const changed = change(text)
    expect(changed).not.toBe(text)
    writeFileSync(path, changed)
  }
  const other = 'f00dfeedf00dfeed'
  edit('machines/generated/queue.js', (text) => text.replaceAll(queueChartHash, other))
  edit('cli/run/open-world.js', (text) => text.replace(/requireCurrentChart\(queueMachine, [^)]*\);/, ''))
  if (lift)
    edit('journal/upcast.js', (text) => text.replace(/return entry\.upcast;/, '$&\n    if (written.identity.charts.queue === '
      + `'${queueChartHash}') return asItIs;`))
  return join(root, 'dist/src/cli/main.js')
}

test('S31: five upgrades in a row under load: nothing but pauses, and no error anywhere', async () => {
  // Room for all that six processes write: what is recycled cannot be replayed.
  const daemon = await world.daemon({ runDir: 'row', flags: ['--journal-size', '128M'] })
  const load = await Load.on(daemon)
  const pids = [daemon.pid]
  for (let round = 0; round < 5; round++) {
    const { status, outcome, stderr } = await upgrade(daemon)
    expect([status, stderr]).toEqual([0, ''])
    expect(outcome).toMatchObject({ checked: false, left: [], from: { pid: pids[round] } })
    expect(outcome?.devices).toMatchObject([{ name: `vbd/${load.domid}/51712` }])
    expect(outcome?.devices[0].state).toMatch(/^Connected/)
    expect(outcome?.devices[0].pauseMs).toBeGreaterThan(0)
    pids.push(outcome?.to.pid ?? 0)
    expect(await pidOf(daemon)).toBe(pids[round + 1])
    expect(await backendNode(world, load.domid, 'state')).toBe('4')
    await load.served()
  }
  expect(new Set(pids).size).toBe(6)
  await load.sound()
  expect(errorsIn(daemon.process.stderr())).toEqual([])
  // An upgrade is no attempt to go on from a journal that may kill.
  expect(() => readFileSync(join(daemon.runDir, 'recoveries'))).toThrow(/ENOENT/)
  const { stdout } = await xbbd('journal', 'cat', join(daemon.runDir, 'journal'), '--journal', `vbd/${load.domid}/51712`, '--json')
  expect(stdout).toMatch(/operator\.yielded/)
  expect(stdout).toMatch(/"kind":"recoverable"[^\n]*"yielded":true/)
  const replayed = await xbbd('replay', join(daemon.runDir, 'journal'))
  expect(replayed).toEqual({ ...replayed, status: 0 })
  expect((await xbbd('stop', '--close', '--socket', daemon.socket)).status).toBe(0)
  expect((await daemon.ended).status).toBe(0)
}, 120_000)

test('a version of charts that it cannot lift refuses before the old one lets go; one that can takes over', async () => {
  const daemon = await world.daemon({ runDir: 'charts' })
  const load = await Load.on(daemon)
  const refused = await upgrade(daemon, '--program', otherProgram('strange', false))
  expect([refused.status, refused.outcome]).toEqual([65, undefined])
  expect(refused.stderr).toMatch(/xbbd 0\.2\.0 \(strange\) cannot take over, and everything stays as it is: vbd\/\d+\/51712\/q0: .*charts that this version does not know/)
  expect(await pidOf(daemon)).toBe(daemon.pid)
  const program = otherProgram('lifting', true)
  expect(await upgrade(daemon, '--program', program, '--check')).toMatchObject({ status: 0, outcome: { checked: true, to: { build: 'lifting' } } })
  expect(await pidOf(daemon)).toBe(daemon.pid)
  const { outcome } = await upgrade(daemon, '--program', program)
  expect(outcome).toMatchObject({ from: { pid: daemon.pid }, to: { version: '0.2.0', build: 'lifting' } })
  expect(await pidOf(daemon)).toBe(outcome?.to.pid)
  await load.served()
  await load.sound()
  await xbbd('stop', '--close', '--socket', daemon.socket)
}, 120_000)

test('reload with another build installed: an upgrade, of which the service manager hears all that it must', async () => {
  const manager = await NotifyReceiver.listen(join(dir, 'notify'))
  try {
    const root = copyOfProgram('before')
    const main = relative(join(packageRoot(), 'dist'), join(root, 'dist/src/cli/main.js'))
    const env = { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: '2000000' }
    const args = ['--run-dir', join(dir, 'run'), '--host-dir', world.hostDir, '--journal-size', '16M']
    const daemon = world.started(env, main, 'run', ...args)
    await manager.message({ READY: '1' })
    const socket = join(dir, 'run/control')
    daemon.child.kill('SIGHUP')
    await manager.message({ READY: '1', STATUS: 'no disks; reloaded' })
    writeFileSync(join(root, 'package.json'), JSON.stringify({ name: 'xbbd', version: '0.2.1', type: 'module', build: 'after' }))
    const from = manager.messages.length
    daemon.child.kill('SIGHUP')
    await manager.message({ RELOADING: '1' }, from)
    const { MAINPID: pid } = await manager.message({ READY: '1', STATUS: 'upgraded' }, from)
    expect((await world.ask<{ pid: number; build: string }>(socket, 'status'))).toMatchObject({ pid: Number(pid), build: 'after' })
    // From here on it is the new process that speaks.
    await manager.message({ READY: '1', STATUS: 'no disks' }, from)
    for (let sign = 0; sign < 2; sign++) await manager.message({ WATCHDOG: '1' }, manager.messages.length)
    expect(manager.messages.slice(from).filter(({ STOPPING }) => STOPPING !== undefined)).toEqual([])
    process.kill(Number(pid), 'SIGTERM')
    await manager.message({ STOPPING: '1' }, from)
    expect((await daemon.ended).status).toBe(0)
  } finally {
    await manager.close()
  }
}, 60_000)

test('with no disks; while one waits for its guest, or closes: each goes on where it was', async () => {
  const daemon = await world.daemon({ runDir: 'odd' })
  expect((await upgrade(daemon)).outcome).toMatchObject({ devices: [], left: [] })
  const ask = <T>(method: string, params: object) => world.ask<T>(daemon.socket, method, params)
  const guest = await world.guest()
  await ask('attach', { domid: guest.domid, vdev: 'xvda', target: world.image(1 << 20), mode: 'w' })
  expect((await upgrade(daemon)).outcome).toMatchObject({ devices: [], left: [] })
  const states = async () => (await ask<DeviceListing[]>('list', {})).map(({ state }) => state)
  await until('it is offered again', async () => (await states()).includes('InitWait.waiting'))
  const front = await guest.connect()
  expect(await front.read(0, 4096)).toHaveLength(4096)
  const closing = front.close()
  expect((await upgrade(daemon)).status).toBe(0)
  await closing
}, 120_000)

test.each(['starting', 'rehearsing', 'ready'])('a new process that dies «%s»: the old one never paused', async (point) => {
  const daemon = await world.daemon({ runDir: point, plant: `upgrade=${point}` })
  const load = await Load.on(daemon)
  const { status, stderr } = await upgrade(daemon)
  expect([status, stderr]).toEqual([75, expect.stringMatching(/the other process ended where/)])
  expect(await pidOf(daemon)).toBe(daemon.pid)
  expect((await daemon.device(load.domid))?.connections).toBe(1)
  expect(daemon.process.stderr()).not.toMatch(/letting go/)
  await load.sound()
  await daemon.stop('close')
}, 60_000)

test.each(['taking', 'serving'])('a new process that dies «%s», with everything in its hands: the old one takes it back', async (point) => {
  const daemon = await world.daemon({ runDir: point, plant: `upgrade=${point}` })
  const load = await Load.on(daemon)
  const { status, stderr } = await upgrade(daemon)
  expect([status, stderr]).toEqual([75, expect.stringMatching(/let the disks fall, and this daemon has taken them up again/)])
  await until('it serves again', async () => (await pidOf(daemon).catch(() => 0)) === daemon.pid)
  await load.served()
  await load.sound()
  expect((await xbbd('stop', '--close', '--socket', daemon.socket)).status).toBe(0)
  expect((await daemon.ended).status).toBe(0)
}, 60_000)

test('the old process dies in the middle: before the other is told, it ends, too; afterwards it goes on alone', async () => {
  const daemon = await world.daemon({ runDir: 'before', plant: 'upgrade=yielded' })
  const load = await Load.on(daemon)
  expect((await upgrade(daemon)).status).toBe(75)
  const again = await world.daemon({ runDir: 'before', plant: 'upgrade=handing' })
  await load.served()
  expect((await upgrade(again)).status).toBe(75)
  await until('the new one serves', async () => (await pidOf(again).catch(() => again.pid)) !== again.pid)
  await load.served()
  await load.sound()
  expect((await xbbd('stop', '--close', '--socket', again.socket)).status).toBe(0)
}, 60_000)
