/**
 * INDIRECT requests through whole processes: offered and taken, offered and not taken, not offered; over the layouts of
 * both word sizes; a daemon that is killed, or parked and started with another setting, with such requests in flight.
 */
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { backendNode, RealWorld, until, type DaemonProcess, type GuestHere } from '../support/processes.js'

const KEY = 'feature-max-indirect-segments'
const MiB = 1 << 20
let world: RealWorld
beforeAll(async () => {
  world = await RealWorld.start()
})
afterAll(() => world.close())

const flags = (segments: number) => ['--requests-indirect-segments', String(segments)]
const load = (device: Parameters<typeof runWorkload>[0]['device'], maxBytes: number, count = 120) =>
  runWorkload({ device, clock: systemClock, seed: count, count, depth: 16, maxBytes, spanBytes: 16 * MiB })

async function attached(daemon: DaemonProcess, guest: GuestHere): Promise<void> {
  await daemon.attach({ domid: guest.domid, target: world.image(16 * MiB) })
}

test.each(['x86_64', 'x86_32'] as const)('S16: offered by default, and taken: long requests, every byte verified (%s)', async (abi) => {
  const daemon = await world.daemon({ runDir: `taken-${abi}` })
  const guest = await world.guest()
  await attached(daemon, guest)
  expect(await backendNode(world, guest.domid, KEY)).toBe('32')
  for (const grants of ['standing', 'revoking'] as const) {
    const front = await guest.connect({ abi, grants })
    expect(front.segments).toBe(32)
    expect(await load(front, 300_000)).toMatchObject({ ok: true, errors: 0 })
    expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
    expect(front.counters.indirect).toBeGreaterThan(50)
    await front.close()
    expect(front.grantsHeldTooLong).toBe(0)
  }
  expect((await daemon.statistics(guest.domid)).counters['indirects']).toBeGreaterThan(100)
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
  guest.close()
}, 120_000)

test('S16: offered, and not taken; and not offered at all', async () => {
  const guest = await world.guest()
  const offering = await world.daemon({ runDir: 'offering' })
  await attached(offering, guest)
  const plain = await guest.connect({ segments: 11 })
  expect(await load(plain, 300_000, 60)).toMatchObject({ ok: true, errors: 0 })
  expect([plain.segments, plain.counters.indirect]).toEqual([11, 0])
  await plain.close()
  expect(await offering.stop('close')).toMatchObject({ left: [] })
  // What the process before offered is withdrawn: the node goes, for its mere presence is an offer.
  const silent = await world.daemon({ runDir: 'silent', flags: flags(0) })
  const other = await world.guest()
  await attached(silent, other)
  expect(await backendNode(world, other.domid, KEY)).toBeUndefined()
  const front = await other.connect()
  expect(front.segments).toBe(11)
  expect(await load(front, 300_000, 60)).toMatchObject({ ok: true, errors: 0 })
  await front.close()
  expect(await silent.stop('close')).toMatchObject({ left: [] })
  guest.close()
  other.close()
}, 120_000)

test('S31: killed with requests of a mebibyte in flight: the successor has their descriptors from the journal', async () => {
  const guest = await world.guest({ pages: 40_000 })
  let daemon = await world.daemon({ runDir: 'killed', flags: flags(256), plant: 'delay=10' })
  await attached(daemon, guest)
  const front = await guest.connect({ segments: 256, requests: 16 })
  expect(front.segments).toBe(256)
  const running = load(front, MiB, 150)
  for (let life = 0; life < 3; life++) {
    await until('requests are in flight', async () => ((await daemon.statistics(guest.domid)).counters['inFlight'] ?? 0) > 4)
    daemon.signal('SIGKILL')
    await daemon.ended
    daemon = await world.daemon({ runDir: 'killed', flags: flags(256), plant: 'delay=10' })
  }
  expect(await running).toMatchObject({ ok: true, errors: 0 })
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
  expect(front.counters.indirect).toBeGreaterThan(50)
  await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
  guest.close()
}, 120_000)

test('what a front end was offered stands across a restart with another setting, until it connects anew', async () => {
  const guest = await world.guest()
  const first = await world.daemon({ runDir: 'parked', flags: flags(64) })
  await attached(first, guest)
  const front = await guest.connect({ segments: 64, requests: 32 })
  expect(await load(front, 256 * 1024, 40)).toMatchObject({ ok: true, errors: 0 })
  await first.stop('park')
  await first.ended
  const second = await world.daemon({ runDir: 'parked', flags: flags(0) })
  expect(await load(front, 256 * 1024, 40)).toMatchObject({ ok: true, errors: 0 })
  expect([front.segments, await backendNode(world, guest.domid, KEY)]).toEqual([64, '64'])
  await front.close()
  const anew = await guest.connect()
  expect([anew.segments, await backendNode(world, guest.domid, KEY)]).toEqual([11, undefined])
  expect(await load(anew, 256 * 1024, 40)).toMatchObject({ ok: true, errors: 0 })
  await anew.close()
  expect(await second.stop('close')).toMatchObject({ left: [] })
  guest.close()
}, 120_000)
