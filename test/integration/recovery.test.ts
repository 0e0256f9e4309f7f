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
})
