/** `xbbd top` and `xbbd list` against a daemon that serves, in a pipe and on a terminal. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { packageRoot } from '../../src/io/native/load.js'
import { testWith } from '../support/clients.js'
import { RealWorld, until, type DaemonProcess } from '../support/processes.js'
import { xbbd } from '../support/xbbd-process.js'

let world: RealWorld
let daemon: DaemonProcess
beforeAll(async () => {
  world = await RealWorld.start()
  daemon = await world.daemon()
})
afterAll(() => world.close())

interface Report {
  readonly seconds: number
  readonly devices: readonly { readonly name: string; readonly ringEntries: number; readonly rates: Record<string, number> }[]
}

test('once, as JSON and as a table: what the guest does is what is said', async () => {
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: world.image(8 << 20) })
  const front = await guest.connect()
  const load = runWorkload({ device: front, clock: systemClock, seed: 3, durationMs: 6000, depth: 8 })
  const before = await daemon.statistics(guest.domid)
  const { status, stdout } = await xbbd('top', '--once', '--json', '--interval', '500ms', '-s', daemon.socket)
  const after = await daemon.statistics(guest.domid)
  const { seconds, devices: [device] } = JSON.parse(stdout) as Report
  expect(status).toBe(0)
  expect(seconds).toBeGreaterThanOrEqual(0.5)
  expect(device).toMatchObject({ name: `vbd/${guest.domid}/51712`, ringEntries: 512 })
  const { writes, p50Ns, p99Ns, queueSize } = device.rates
  expect(writes * seconds).toBeGreaterThan(0)
  expect(writes * seconds).toBeLessThanOrEqual(after.counters['writes'] - before.counters['writes'])
  expect(p99Ns).toBeGreaterThanOrEqual(p50Ns)
  expect(queueSize).toBeGreaterThan(0)
  const table = await xbbd('top', '-n', '2', '--interval', '100ms', '--sort', 'latency', '-s', daemon.socket)
  expect(table.stdout.match(/^DEVICE +VDEV +STATE +r\/s/gm)).toHaveLength(2)
  expect(table.stdout).toContain(`vbd/${guest.domid}/51712  xvda  Connected`)
  expect(await load).toMatchObject({ ok: true })
  await front.close()
  await daemon.detach({ domid: guest.domid })
  guest.close()
})

test('list shows the disks of the guests that are named', async () => {
  const guests = [await world.guest(), await world.guest()]
  for (const { domid } of guests) await daemon.attach({ domid, target: 'memory:1M' })
  const [first, second] = guests.map(({ domid }) => domid)
  const one = await xbbd('list', `${second}`, '--statistics', '--json', '-s', daemon.socket)
  expect(JSON.parse(one.stdout)).toMatchObject({ devices: [{ domid: second }], statistics: [{ domid: second }] })
  const both = await xbbd('list', `${first}`, `${second}`, '-s', daemon.socket)
  expect(both.stdout.trim().split('\n')).toHaveLength(3)
  expect((await xbbd('list', 'guest', '-s', daemon.socket)).status).toBe(64)
  for (const guest of guests) {
    await daemon.detach({ domid: guest.domid })
    guest.close()
  }
})

test('without a daemon it is an error of one sentence', async () => {
  const ended = await xbbd('top', '--once', '-s', join(world.dir, 'nobody'))
  expect(ended).toMatchObject({ status: 69, stdout: '', stderr: expect.stringContaining('no daemon listens') as string })
  expect((await xbbd('top', '--interval', '1ms', '-s', daemon.socket)).status).toBe(64)
})

testWith(['script'], 'on a terminal it takes the other screen, hears keys, outlives its daemon, and gives the terminal back', async () => {
  const own = await world.daemon({ runDir: 'screen' })
  const main = join(packageRoot(), 'dist/src/cli/main.js')
  const command = `stty cols 200 rows 10; ${process.execPath} ${main} top --interval 100ms -s ${own.socket}; echo status=$?`
  const child = spawn('script', ['-qefc', command, '/dev/null'], { env: { ...process.env, TERM: 'xterm' } })
  let seen = ''
  child.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()))
  try {
    await until('it shows its table', () => /0 disks[^]*DEVICE +VDEV/.test(seen))
    child.stdin.write('l')
    await until('it sorts by latency', () => seen.includes('by latency'))
    await own.stop('park')
    await until('it says that the daemon is gone', () => seen.includes('no daemon listens'))
    child.stdin.write('q')
    await until('it has ended', () => seen.includes('status=0'))
    expect(seen.indexOf('\x1b[?1049h')).toBeLessThan(seen.indexOf('\x1b[?1049l'))
    expect(seen).toContain('\x1b[?25h')
  } finally {
    child.kill('SIGKILL')
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
  }
})
