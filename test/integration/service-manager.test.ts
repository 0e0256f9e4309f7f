/** A real daemon under a service manager's ear: what it says in its life, and that a Worker which hangs is noticed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/io/native/system-clock.js'
import { NotifyReceiver } from '../support/notify-receiver.js'
import { RealWorld } from '../support/processes.js'
import { startScript, xbbd, type Running } from '../support/xbbd-process.js'

const dir = mkdtempSync(join(tmpdir(), 'xbbd-service-'))
const config = join(dir, 'xbbd.conf')
const started: Running[] = []
let manager: NotifyReceiver
let daemons = 0

beforeEach(async () => {
  writeFileSync(config, '')
  manager = await NotifyReceiver.listen(join(dir, `notify${++daemons}`))
})
afterEach(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(started.splice(0).map(({ ended }) => ended))
  await manager.close()
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function idleDaemon(idle: string, env: NodeJS.ProcessEnv = {}): Running {
  const environment = { XBBD_TEST_IDLE: idle, NOTIFY_SOCKET: manager.address, ...env }
  const daemon = startScript(environment, 'test/support/serve-idle.js', 'run', '--config', config, '--run-dir', dir)
  started.push(daemon)
  return daemon
}

test('ready, reload, refused reload, stop', async () => {
  const daemon = idleDaemon('answers')
  await manager.message({ READY: '1', STATUS: 'no disks' })
  expect((await xbbd('list', '-s', join(dir, 'control'))).status).toBe(0) // READY comes when it can be asked
  daemon.child.kill('SIGHUP')
  const reloading = await manager.message({ RELOADING: '1' })
  await manager.message({ READY: '1', STATUS: 'no disks; reloaded' })
  const usec = Number(reloading.MONOTONIC_USEC)
  expect(Math.abs(systemClock.nowNs() / 1000 - usec)).toBeLessThan(60e6)
  writeFileSync(config, 'nonsense = 1\n')
  daemon.child.kill('SIGHUP')
  await manager.message({ READY: '1' }, 3)
  expect(manager.messages.at(-1)?.STATUS).toMatch(/^no disks; not reloaded, everything stays as it is: .*nonsense/)
  daemon.child.kill('SIGTERM')
  expect((await daemon.ended).status).toBe(0)
  await manager.message({ STOPPING: '1', STATUS: 'parking' })
  expect(manager.messages.filter(({ WATCHDOG }) => WATCHDOG !== undefined)).toEqual([])
})

test('a stop that takes its time says for whom, and asks for more', async () => {
  const daemon = idleDaemon('hangs')
  await manager.message({ READY: '1' })
  daemon.child.kill('SIGTERM')
  const STATUS = 'parking: waiting for vbd/5/51712 (Connected.draining, 3 requests in flight)'
  await manager.message({ STATUS, EXTEND_TIMEOUT_USEC: '10000000' })
  daemon.child.kill('SIGTERM')
  expect((await daemon.ended).status).toBe(75)
})

test('a manager that is not there is a line in the log, and no reason not to serve', async () => {
  const daemon = idleDaemon('answers', { NOTIFY_SOCKET: join(dir, 'nobody') })
  expect(await daemon.line(/cannot be told/)).toMatch(/"level":"warn".*ENOENT/)
  expect((await xbbd('list', '-s', join(dir, 'control'))).status).toBe(0)
})

test('the watchdog hears from a daemon whose Workers answer, and no more once one of them hangs', async () => {
  const world = await RealWorld.start()
  try {
    const env = { NOTIFY_SOCKET: manager.address, WATCHDOG_USEC: '400000' }
    const daemon = await world.daemon({ plant: 'hang', flags: ['--workers', '2'], env })
    for (let sign = 0; sign < 4; sign++) await manager.message({ WATCHDOG: '1' }, manager.messages.length)
    const guest = world.started({}, 'test/support/front-process.js', world.hostDir)
    const domid = Number(/domid (\d+)/.exec(await guest.line(/^domid/))?.[1])
    await daemon.attach({ domid, target: world.image(4 << 20) })
    await guest.line(/^under load/)
    // Signs come every 200 ms; when one is missing for ten times as long, they have ended.
    const silence = 2000
    let heard = -1
    while (manager.messages.length > heard) {
      heard = manager.messages.length
      await new Promise((resolve) => setTimeout(resolve, silence))
    }
    // The main thread is well and can be asked: it was the Worker that was missed.
    expect((await daemon.list())[0].backendState).toBe('Connected')
  } finally {
    await world.close()
  }
}, 60_000)
