/**
 * What breaks alone: one queue that throws, one Worker that dies, one process that is killed. Everything else goes on,
 * and what the broken one held is given back.
 */
import type { Blkfront } from '../../src/embedded/blkfront/blkfront.js'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { backendNode, RealWorld, until, type DaemonProcess, type GuestHere } from '../support/processes.js'

const nothing = { rings: 0, channels: 0, grants: 0 }
let world: RealWorld
let guest: GuestHere
beforeAll(async () => {
  world = await RealWorld.start()
})
beforeEach(async () => {
  guest = await world.guest({ pages: 16_384 })
})
afterEach(() => guest.close())
afterAll(() => world.close())

const verify = (device: Blkfront, seed: number, count = 1500) =>
  runWorkload({ device, clock: systemClock, seed, count, depth: 24, maxBytes: 16_384 })

/** A disk of a guest on an image of its own, connected. */
async function disk(daemon: DaemonProcess, vdev: string, events: unknown[] = []): Promise<Blkfront> {
  await daemon.attach({ domid: guest.domid, vdev, target: world.image(4 << 20) })
  return guest.connect({ ringPages: 2, onEvent: (event) => events.push(event) }, vdev)
}

/** The broken disk: failed for the operator, closed for its front end, nothing of it held; the others go on. */
async function expectFailed(daemon: DaemonProcess, vdev: string, front: Blkfront, sentence: RegExp): Promise<void> {
  await until('the broken device is Failed', async () => (await daemon.device(guest.domid, vdev))?.state === 'Failed')
  const device = await daemon.device(guest.domid, vdev)
  expect(device).toMatchObject({ backendState: 'Closed', error: expect.stringMatching(sentence) as unknown })
  await front.close()
  expect(front.counters.violations).toBe(0)
  expect(front.grantsHeldTooLong).toBe(0)
}

test('a queue that throws under load ends in Failed, closed for its front end; the other disks notice nothing', async () => {
  const daemon = await world.daemon({ plant: `throw@vbd/${guest.domid}/51712`, runDir: 'throw' })
  const events: unknown[] = []
  const broken = await disk(daemon, 'xvda', events)
  const others = [await disk(daemon, 'xvdb'), await disk(daemon, 'xvdc')]
  const held = (await daemon.status()).held
  const loads = Promise.all(others.map((front, seed) => verify(front, seed)))
  const lost = await verify(broken, 9)
  expect(lost).toMatchObject({ ok: false, finding: expect.stringMatching(/ESHUTDOWN/) as unknown })
  await expectFailed(daemon, 'xvda', broken, /a planted fault: the queue throws/)
  for (const result of await loads) expect(result).toMatchObject({ ok: true, errors: 0 })
  expect(events).toEqual([{ kind: 'backend-closing' }])
  expect(held).toEqual({ rings: 3, channels: 3, grants: 3 })
  expect((await daemon.status()).held).toEqual({ rings: 2, channels: 2, grants: 2 })
  expect(await verify(others[0], 11, 200)).toMatchObject({ ok: true })
  for (const front of others) await front.close()
  // The failed device can be detached and attached anew.
  await daemon.detach({ domid: guest.domid, vdev: 'xvda' })
  expect(await daemon.device(guest.domid, 'xvda')).toBeUndefined()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  expect((await daemon.ended).status).toBe(0)
})

test('a Worker that dies takes its own queues along, after their I/O has come back; the others go on', async () => {
  const plant = `die@vbd/${guest.domid}/51712,delay=20@vbd/${guest.domid}/51712`
  const daemon = await world.daemon({ plant, flags: ['--workers', '2'], runDir: 'die' })
  const doomed = await disk(daemon, 'xvda')
  const other = await disk(daemon, 'xvdb')
  const [lost, kept] = await Promise.all([verify(doomed, 1), verify(other, 2)])
  expect(lost.ok).toBe(false)
  expect(kept).toMatchObject({ ok: true, errors: 0 })
  await expectFailed(daemon, 'xvda', doomed, /its Worker died: a planted fault/)
  expect((await daemon.status()).held).toEqual({ rings: 1, channels: 1, grants: 1 })
  // The dead Worker's successor serves what is attached from now on.
  const third = await disk(daemon, 'xvdc')
  const fourth = await disk(daemon, 'xvdd')
  for (const front of [third, fourth, other]) expect(await verify(front, 3, 300)).toMatchObject({ ok: true })
  for (const front of [third, fourth, other]) await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  expect((await daemon.ended).status).toBe(0)
})

test('the only Worker dies: its successor serves the next disk', async () => {
  const daemon = await world.daemon({ plant: `die@vbd/${guest.domid}/51712`, runDir: 'only' })
  const doomed = await disk(daemon, 'xvda')
  expect((await verify(doomed, 1)).ok).toBe(false)
  const next = await disk(daemon, 'xvdb')
  expect(await verify(next, 2, 300)).toMatchObject({ ok: true })
  await expectFailed(daemon, 'xvda', doomed, /its Worker died/)
  await next.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
})

test('a front end that is killed under load: its disk lets go of everything, another guest notices nothing', async () => {
  const daemon = await world.daemon({ plant: 'delay=30', runDir: 'front' })
  const child = world.started({}, 'test/support/front-process.js', world.hostDir)
  const domid = Number(/domid (\d+)/.exec(await child.line(/^domid/))?.[1])
  await daemon.attach({ domid, target: world.image(4 << 20) })
  const other = await disk(daemon, 'xvda')
  const load = verify(other, 4, 400)
  await child.line(/^under load/)
  await until('its requests are in flight', async () => ((await daemon.statistics(domid)).counters['inFlight'] ?? 0) > 8)
  child.child.kill('SIGKILL')
  await until('only the other disk is connected', async () => (await daemon.status()).held.rings === 1)
  expect(await load).toMatchObject({ ok: true, errors: 0 })
  await until('the death of its domain is known', async () => (await daemon.device(domid))?.state === 'Closed.orphaned')
  expect((await daemon.device(domid))?.error).toMatch(new RegExp(`domain ${domid} is gone.*xbbd detach`))
  expect((await daemon.statistics(domid)).counters).toMatchObject({ inFlight: 0 })
  expect(await daemon.detach({ domid })).toEqual({ existed: true, removed: true })
  await other.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
})

test('a daemon that is killed while nothing is in flight: its successor takes the front end over', async () => {
  const daemon = await world.daemon({ runDir: 'killed' })
  const events: unknown[] = []
  const front = await disk(daemon, 'xvda', events)
  expect(await verify(front, 1, 300)).toMatchObject({ ok: true })
  daemon.signal('SIGKILL')
  await daemon.ended
  expect(await backendNode(world, guest.domid, 'state')).toBe('4')
  const load = verify(front, 2, 300)
  const successor = await world.daemon({ runDir: 'killed' })
  expect(await load).toMatchObject({ ok: true })
  expect(events).toEqual([])
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
  await front.close()
  expect(await successor.stop('close')).toMatchObject({ left: [], held: nothing })
})

test('the host is killed: the daemon says so and ends; nothing of it stays', async () => {
  const alone = await RealWorld.start()
  try {
    const daemon = await alone.daemon()
    const guestThere = await alone.guest()
    await daemon.attach({ domid: guestThere.domid, target: 'memory:1M' })
    const front = await guestThere.connect({ timeoutMs: 1000 })
    alone.host.child.kill('SIGKILL')
    const { status, stderr } = await daemon.ended
    expect({ status, stderr }).toEqual({ status: 69, stderr: expect.stringMatching(/the world is gone/) as unknown })
    await front.close()
  } finally {
    await alone.close()
  }
})
