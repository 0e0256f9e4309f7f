/**
 * S17: requests in several entries of the ring, through whole processes: offered and taken, offered and not taken, not
 * offered; over both layouts; a daemon that dies with such requests in flight; a front end that tells half of one.
 */
import type { Blkfront } from '../../src/embedded/blkfront/blkfront.js'
import { openTransport } from '../../src/embedded/blkfront/transport.js'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { backendNode, RealWorld, until, type DaemonProcess, type GuestHere } from '../support/processes.js'

const KEY = 'max-request-segments'
const MiB = 1 << 20
let world: RealWorld
let guest: GuestHere
beforeAll(async () => {
  world = await RealWorld.start()
})
beforeEach(async () => {
  guest = await world.guest({ pages: 40_000 })
})
afterEach(() => guest.close())
afterAll(() => world.close())

const flags = (segments: number) => ['--requests-block-segments', String(segments)]
const load = (device: Blkfront, count = 120, maxBytes = 300_000) =>
  runWorkload({ device, clock: systemClock, seed: count, count, depth: 16, maxBytes, spanBytes: 16 * MiB })

async function attached(daemon: DaemonProcess): Promise<void> {
  await daemon.attach({ domid: guest.domid, target: world.image(16 * MiB) })
}

test.each([['x86_64', 255], ['x86_32', 24]] as const)('S17: offered and taken: every byte verified (%s, %i segments)', async (abi, segments) => {
  const daemon = await world.daemon({ runDir: `taken-${abi}`, flags: flags(255) })
  await attached(daemon)
  expect(await backendNode(world, guest.domid, KEY)).toBe('255')
  const front = await guest.connect({ abi, inBlocks: true, segments: 255, ringPages: 4, requests: 32, scheme: '2010' })
  expect(front.segments).toBe(segments)
  const result = await load(front, 120, MiB)
  expect(result).toMatchObject({ ok: true, errors: 0 })
  // The seed's flush and barrier carry as much as its writes.
  await front.barrier(0, new Uint8Array(segments * 4096).fill(7))
  expect(await front.read(0, segments * 4096)).toEqual(Buffer.alloc(segments * 4096, 7))
  expect(front.counters).toMatchObject({ violations: 0, errors: 0, indirect: 0 })
  expect(front.counters.inBlocks).toBeGreaterThan(50)
  await front.close()
  expect(front.grantsHeldTooLong).toBe(0)
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
})

test('S17: offered, and not taken: today\'s front ends notice nothing; not offered: who asks is told why', async () => {
  const offering = await world.daemon({ runDir: 'offering', flags: flags(33) })
  await attached(offering)
  const plain = await guest.connect()
  expect(await load(plain, 60)).toMatchObject({ ok: true, errors: 0 })
  expect(plain.counters).toMatchObject({ inBlocks: 0, violations: 0 })
  await plain.close()
  expect(await offering.stop('close')).toMatchObject({ left: [] })
  const silent = await world.daemon({ runDir: 'silent' })
  const other = await world.guest()
  await silent.attach({ domid: other.domid, target: world.image(16 * MiB) })
  expect(await backendNode(world, other.domid, KEY)).toBe('11')
  const modest = await other.connect({ inBlocks: true, segments: 33 })
  expect(modest.segments).toBe(11)
  expect(await load(modest, 60)).toMatchObject({ ok: true, errors: 0 })
  await modest.close()
  expect(await silent.stop('close')).toMatchObject({ left: [] })
  other.close()
})

test('S17, S31: the daemon dies with requests in several entries in flight, again and again: each is answered once', async () => {
  const setting = { runDir: 'killed', flags: flags(64), plant: 'delay=10' }
  let daemon = await world.daemon(setting)
  await attached(daemon)
  const front = await guest.connect({ inBlocks: true, segments: 64, ringPages: 2, requests: 16 })
  const running = load(front, 200)
  for (let life = 0; life < 3; life++) {
    await until('requests are in flight', async () => ((await daemon.statistics(guest.domid)).counters['inFlight'] ?? 0) > 4)
    daemon.signal('SIGKILL')
    await daemon.ended
    // What was negotiated stands, whatever is offered today.
    daemon = await world.daemon({ ...setting, flags: flags(life === 1 ? 11 : 64) })
  }
  expect(await running).toMatchObject({ ok: true, errors: 0 })
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
  expect(front.counters.inBlocks).toBeGreaterThan(50)
  await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
})

test('S17: a header that is published without its blocks breaks the ring, and costs this device alone', async () => {
  const daemon = await world.daemon({ runDir: 'half', flags: flags(33) })
  await attached(daemon)
  await daemon.attach({ domid: guest.domid, vdev: 'xvdb', target: world.image(16 * MiB) })
  const other = await guest.connect({ inBlocks: true, segments: 33, requests: 16 }, 'xvdb')
  const { domain, store } = guest
  const { transport } = await openTransport({
    guest: domain, store, frontend: guest.frontend(), clock: systemClock, inBlocks: true, segments: 33, requests: 16,
  })
  const { ring } = transport
  ring.words[ring.nextEntry()] = 20 << 8
  ring.wrote()
  ring.publish()
  transport.port.notify()
  await until('the device closes', async () => /^[56]$/.test((await backendNode(world, guest.domid, 'state')) ?? ''))
  await transport.close()
  expect(await load(other, 60)).toMatchObject({ ok: true, errors: 0 })
  await other.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
})
