/**
 * A guest on an NBD export, in processes as in service: its server is killed and started again, its daemon is killed and
 * started again, and it verifies every block that it wrote.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { ServerProcess } from '../contract/nbd-medium.js'
import { testWith } from '../support/clients.js'
import { RealWorld, until, type DaemonProcess } from '../support/processes.js'
import { xbbd, type Running } from '../support/xbbd-process.js'

let world: RealWorld
const servers: ServerProcess[] = []
beforeAll(async () => void (world = await RealWorld.start()))
afterAll(async () => {
  await world.close()
  for (const server of servers) await server.kill()
})

let disks = 0
/** A qcow2 image of 16 MiB behind qemu-nbd. */
async function qcow2(): Promise<ServerProcess> {
  const [image, socket] = [join(world.dir, `disk-${disks}.qcow2`), join(world.dir, `nbd-${disks++}`)]
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', image, '16M'])
  const options = ['--persistent', '--shared=8', '--format=qcow2', '--discard=unmap', `--socket=${socket}`]
  const server = new ServerProcess(socket, ['qemu-nbd', ...options, image])
  servers.push(server)
  return server.start()
}

async function guestOn(daemon: DaemonProcess, server: ServerProcess): Promise<Running> {
  const front = world.started({}, 'test/support/verifying-front.js', world.hostDir, '65536')
  const domid = Number(/domid (\d+)/.exec(await front.line(/^domid/))?.[1])
  await daemon.attach({ domid, target: `nbd+unix:///?socket=${server.socket}` })
  await front.line(/^connected/)
  return front
}

/** Whoever serves now has answered. */
async function served(front: Running): Promise<void> {
  const firsts = () => [...front.stderr().matchAll(/^first/gm)].length
  const seen = firsts()
  front.child.stdin?.write('mark\n')
  await until('there is an answer', () => firsts() > seen)
}

async function sound(front: Running): Promise<void> {
  front.child.stdin?.write('stop\n')
  const result = JSON.parse((await front.line(/^result/)).slice('result '.length)) as Record<string, unknown>
  expect(result).toMatchObject({ errors: 0, violations: 0, events: [] })
  expect(result['finding']).toBeUndefined()
  expect(result['answers']).toBe(result['requests'])
}

const QEMU = ['qemu-nbd', 'qemu-img'] as const

testWith(QEMU, 'a guest goes on while its qemu-nbd is killed and started again; replay agrees', async () => {
  const server = await qcow2()
  const daemon = await world.daemon({ runDir: 'server' })
  const front = await guestOn(daemon, server)
  for (let kills = 0; kills < 3; kills++) {
    await served(front)
    await server.kill()
    if (kills === 0) {
      const { domid } = (await daemon.list())[0]
      await until('the list says so', async () => /server behind the medium is away/.test((await daemon.device(domid))?.notes[0] ?? ''))
    }
    await server.start()
  }
  await served(front)
  await sound(front)
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
  await daemon.ended
  const journal = join(daemon.runDir, 'journal')
  expect((await xbbd('replay', journal)).status).toBe(0)
  const { stdout } = await xbbd('journal', 'cat', journal)
  expect(stdout).toMatch(/connection-q0.*port\.lost/)
}, 60_000)

testWith(QEMU, 'a daemon that is killed leaves its requests to a successor, who waits before it sends them again', async () => {
  const server = await qcow2()
  const flags = ['--nbd-fence-time', '300ms']
  const first = await world.daemon({ runDir: 'daemon', flags })
  const front = await guestOn(first, server)
  await served(front)
  first.signal('SIGKILL')
  await first.ended
  const second = await world.daemon({ runDir: 'daemon', flags })
  await served(front)
  await sound(front)
  expect(await second.stop('close')).toMatchObject({ left: [] })
  await second.ended
  expect((await xbbd('journal', 'cat', join(second.runDir, 'journal'))).stdout).toContain('Fencing')
}, 60_000)

testWith(QEMU, 'two queues of a guest have a connection each, where a flush on one covers both; the server is killed', async () => {
  const server = await qcow2()
  const flags = ['--nbd-replay-size', '0', '--workers', '2', '--ring-max-queues', '2']
  const daemon = await world.daemon({ runDir: 'queues', flags })
  const guest = await world.guest({ pages: 20_000 })
  await daemon.attach({ domid: guest.domid, target: `nbd+unix:///?socket=${server.socket}` })
  const front = await guest.connect({ queues: 2 })
  expect([front.queues, (await daemon.device(guest.domid))?.connection?.queues.length]).toEqual([2, 2])
  const running = runWorkload({
    device: front, clock: systemClock, seed: 5, count: 1500, depth: 32, maxBytes: 65_536, spanBytes: 16 << 20,
    mix: { read: 45, write: 47, flush: 8, trim: 0 },
  })
  await until('it is at work', () => front.counters.requests > 200)
  await server.kill()
  await server.start()
  expect(await running).toMatchObject({ ok: true, errors: 0 })
  expect(front.counters.requests).toBeGreaterThan(1000)
  await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
  guest.close()
}, 60_000)
