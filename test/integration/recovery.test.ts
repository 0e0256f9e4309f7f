/**
 * A daemon that is killed with its hands full, and its successor: real processes, a front end that verifies every byte
 * it wrote, SIGKILL at any moment. The front end sees a pause and nothing else.
 */
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { backendNode, RealWorld, until } from '../support/processes.js'

const nothing = { rings: 0, channels: 0, grants: 0 }
let world: RealWorld
beforeAll(async () => {
  world = await RealWorld.start()
})
afterAll(() => world.close())

test('S31: killed five times under load: the front end sees no error, and the state in XenStore never moves', async () => {
  const guest = await world.guest()
  let daemon = await world.daemon({ runDir: 'killed' })
  await daemon.attach({ domid: guest.domid, target: world.image(8 << 20) })
  const events: unknown[] = []
  const front = await guest.connect({ onEvent: (event) => events.push(event) })
  const enough = new AbortController()
  const load = (async () => {
    for (let seed = 1; !enough.signal.aborted; seed++) {
      const mix = { read: 40, write: 50, flush: 5, trim: 5 }
      const result = await runWorkload({ device: front, clock: systemClock, seed, count: 400, depth: 64, mix })
      expect(result).toMatchObject({ ok: true, errors: 0 })
    }
  })()
  for (let life = 0; life < 5; life++) {
    await until('requests are in flight', async () => ((await daemon.statistics(guest.domid)).counters['inFlight'] ?? 0) > 8)
    daemon.signal('SIGKILL')
    await daemon.ended
    expect(await backendNode(world, guest.domid, 'state')).toBe('4')
    daemon = await world.daemon({ runDir: 'killed' })
  }
  enough.abort()
  await load
  expect(events).toEqual([])
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
  await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  guest.close()
}, 120_000)

test.each(['die', 'throw'])('a queue that ends by «%s» is gone on with while the daemon lives: no error, still Connected', async (plant) => {
  const guest = await world.guest()
  const daemon = await world.daemon({ plant: `${plant},delay=5`, runDir: plant })
  await daemon.attach({ domid: guest.domid, target: world.image(4 << 20) })
  const events: unknown[] = []
  const front = await guest.connect({ onEvent: (event) => events.push(event) })
  // Each life of the queue ends after its first hundred requests.
  const load = { device: front, clock: systemClock, seed: 3, count: 260, depth: 24, maxBytes: 16_384 }
  expect(await runWorkload(load)).toMatchObject({ ok: true, errors: 0 })
  expect(events).toEqual([])
  const device = await daemon.device(guest.domid)
  expect(device).toMatchObject({ backendState: 'Connected', connections: 1 })
  expect(device?.notes.join('; ')).toMatch(/its queue died .*planted fault.* and was gone on with from its journal/)
  await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  guest.close()
}, 120_000)

test('without a journal a ring with unanswered requests is refused in a sentence; an idle one is served on', async () => {
  const guest = await world.guest()
  const flags = ['--journal-mode', 'off']
  const first = await world.daemon({ runDir: 'off', flags, plant: 'delay=3000' })
  await first.attach({ domid: guest.domid, target: world.image(1 << 20) })
  const events: unknown[] = []
  const front = await guest.connect({ onEvent: (event) => events.push(event) })
  first.signal('SIGKILL')
  await first.ended
  const second = await world.daemon({ runDir: 'off', flags, plant: 'delay=3000' })
  await until('the idle ring is served', async () => (await second.device(guest.domid))?.state.startsWith('Connected'))
  const lost = expect(front.read(0, 4096)).rejects.toMatchObject({ code: 'ESHUTDOWN' })
  await until('it is in flight', async () => (await second.statistics(guest.domid)).counters['inFlight'] === 1)
  second.signal('SIGKILL')
  await second.ended
  const third = await world.daemon({ runDir: 'off', flags })
  await until('it is refused', async () => /no journal says which/.test((await third.device(guest.domid))?.error ?? ''))
  await until('the front end is asked to close', () => events.length > 0)
  expect(events).toEqual([{ kind: 'backend-closing' }])
  await front.close()
  await lost
  expect(await third.stop('close')).toMatchObject({ left: [], held: nothing })
  guest.close()
}, 120_000)
