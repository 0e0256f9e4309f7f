/**
 * Several queues of one device: offered and taken, offered and not taken, not offered; each ring with its own journal
 * and on its own Worker; killed, parked, crashed in one of them; closed with nothing left.
 */
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { backendNode, RealWorld, until } from '../support/processes.js'

const KEY = 'multi-queue-max-queues'
const MiB = 1 << 20
const nothing = { rings: 0, channels: 0, grants: 0 }
const FOUR = ['--workers', '2', '--ring-max-queues', '4', '--journal-size', '32M']
let world: RealWorld
beforeAll(async () => {
  world = await RealWorld.start()
})
afterAll(() => world.close())

const load = (device: Parameters<typeof runWorkload>[0]['device'], count = 300, seed = 5) =>
  runWorkload({
    device, clock: systemClock, seed, count, depth: 48, maxBytes: 65_536, spanBytes: 8 * MiB,
    mix: { read: 45, write: 47, flush: 8, trim: 0 },
  })

test.each([['x86_64', 1], ['x86_32', 4]] as const)('four queues, offered and taken (%s, %i ring pages)', async (abi, ringPages) => {
  const daemon = await world.daemon({ runDir: `four-${abi}`, flags: FOUR })
  const guest = await world.guest({ pages: 40_000 })
  await daemon.attach({ domid: guest.domid, target: `memory:${8 * MiB}` })
  expect(await backendNode(world, guest.domid, KEY)).toBe('4')
  const front = await guest.connect({ abi, ringPages, queues: 4 })
  expect(front.queues).toBe(4)
  expect(await load(front)).toMatchObject({ ok: true, errors: 0 })
  const device = await daemon.device(guest.domid)
  const names = device?.connection?.queues.map(({ name }) => name)
  expect(names).toEqual([0, 1, 2, 3].map((queue) => `vbd/${guest.domid}/51712/q${queue}`))
  expect((await daemon.statistics(guest.domid)).counters['taken']).toBe(front.counters.requests)
  await front.close()
  expect([front.grantsHeldTooLong, front.counters.violations]).toEqual([0, 0])
  // And once more with one: the rings of before are gone.
  const one = await guest.connect({ abi })
  expect([one.queues, (await daemon.device(guest.domid))?.connection?.queues.length]).toEqual([1, 1])
  expect(await load(one, 60)).toMatchObject({ ok: true, errors: 0 })
  await one.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  guest.close()
}, 120_000)

test('one Worker offers one queue, and so does a buffered medium: the node is not there', async () => {
  const daemon = await world.daemon({ runDir: 'single' })
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: 'memory:1M' })
  expect(await backendNode(world, guest.domid, KEY)).toBeUndefined()
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
  const buffered = await world.daemon({ runDir: 'buffered', flags: [...FOUR, '--medium-direct', 'no'] })
  const other = await world.guest()
  await buffered.attach({ domid: other.domid, target: world.image(8 * MiB) })
  expect(await backendNode(world, other.domid, KEY)).toBeUndefined()
  const front = await other.connect({ queues: 4 })
  expect(front.queues).toBe(1)
  await front.close()
  expect(await buffered.stop('close')).toMatchObject({ left: [] })
  guest.close()
  other.close()
}, 120_000)

test('S31: killed three times under load on three queues: each goes on from its own journal', async () => {
  const guest = await world.guest({ pages: 40_000 })
  let daemon = await world.daemon({ runDir: 'killed', flags: FOUR, plant: 'delay=3' })
  await daemon.attach({ domid: guest.domid, target: world.image(8 * MiB) })
  const events: unknown[] = []
  const front = await guest.connect({ queues: 3, ringPages: 1, onEvent: (event) => events.push(event) })
  expect(front.queues).toBe(3)
  const enough = new AbortController()
  const running = (async () => {
    for (let seed = 1; !enough.signal.aborted; seed++) expect(await load(front, 200, seed)).toMatchObject({ ok: true, errors: 0 })
  })()
  for (let life = 0; life < 3; life++) {
    await until('requests are in flight', async () => ((await daemon.statistics(guest.domid)).counters['inFlight'] ?? 0) > 6)
    daemon.signal('SIGKILL')
    await daemon.ended
    daemon = await world.daemon({ runDir: 'killed', flags: FOUR, plant: 'delay=3' })
  }
  // Parked and resumed, with another offer: what was negotiated stands.
  await daemon.stop('park')
  await daemon.ended
  daemon = await world.daemon({ runDir: 'killed', plant: 'delay=3' })
  await until('it goes on', async () => ((await daemon.statistics(guest.domid)).counters['taken'] ?? 0) > 50)
  enough.abort()
  await running
  expect([events, (await daemon.device(guest.domid))?.connection?.queues.length]).toEqual([[], 3])
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
  await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  guest.close()
}, 120_000)

test('a queue that throws, among three: all begin anew together, the guest sees a pause', async () => {
  const guest = await world.guest()
  const daemon = await world.daemon({ runDir: 'throws', flags: FOUR, plant: 'throw' })
  await daemon.attach({ domid: guest.domid, target: `memory:${8 * MiB}` })
  const events: unknown[] = []
  const front = await guest.connect({ queues: 3, ringPages: 1, onEvent: (event) => events.push(event) })
  expect(await load(front, 400)).toMatchObject({ ok: true, errors: 0 })
  const device = await daemon.device(guest.domid)
  expect(device).toMatchObject({ backendState: 'Connected', connections: 1 })
  expect(device?.notes.join('; ')).toMatch(/its queue died .*planted fault.* and was gone on with from its journal/)
  expect(events).toEqual([])
  await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  guest.close()
}, 120_000)
