/**
 * Ending a daemon that has its hands full: everything that was taken is answered, nothing stays mapped, and a parked
 * device's front end notices nothing but a pause. Front ends live in the test; the daemon is a process.
 */
import type { BlockDevice } from '../../src/embedded/block-device.js'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { statesEntered, timesOf } from '../support/queue-journal.js'
import { backendNode, devidOf, RealWorld, until } from '../support/processes.js'

const nothing = { rings: 0, channels: 0, grants: 0 }
let world: RealWorld
beforeAll(async () => {
  world = await RealWorld.start()
})
afterAll(() => world.close())

const queueOf = (domid: number): string => `vbd/${domid}/${devidOf('xvda')}/q0`

/** 200 reads and writes of 4 KiB at once. @returns their outcomes, later. */
function twoHundred(front: BlockDevice) {
  const calls = Array.from({ length: 200 }, (_, index) =>
    index % 2 ? front.read(index * 4096, 4096) : front.write(index * 4096, Buffer.alloc(4096, index)),
  )
  return Promise.allSettled(calls)
}

test('S26: stop --close with 200 requests in flight answers every one, closes, holds nothing, and exits with 0', async () => {
  const daemon = await world.daemon({ plant: 'delay=400', runDir: 'close' })
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: world.image(4 << 20) })
  const front = await guest.connect()
  const outcomes = twoHundred(front)
  await until('200 are in flight', async () => (await daemon.statistics(guest.domid)).counters['inFlight'] === 200)
  expect(await daemon.stop('close')).toEqual({ mode: 'close', devices: 1, left: [], held: nothing })
  expect((await outcomes).filter(({ status }) => status === 'rejected')).toEqual([])
  expect((await daemon.ended).status).toBe(0)
  expect(await backendNode(world, guest.domid, 'state')).toBe('6')
  await front.close()
  expect(front.grantsHeldTooLong).toBe(0)
  const entered = statesEntered(daemon.runDir, queueOf(guest.domid))
  expect(timesOf(entered, 'Running → Draining')).toBe(1)
  expect(timesOf(entered, 'Draining → Drained')).toBe(1)
  guest.close()
})

test('S26: SIGTERM with 200 in flight parks; the next start serves the same front end, which saw no error', async () => {
  const daemon = await world.daemon({ plant: 'delay=400', runDir: 'park' })
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: world.image(4 << 20) })
  const events: unknown[] = []
  const front = await guest.connect({ onEvent: (event) => events.push(event) })
  const outcomes = twoHundred(front)
  await until('200 are in flight', async () => (await daemon.statistics(guest.domid)).counters['inFlight'] === 200)
  daemon.signal('SIGTERM')
  expect((await outcomes).filter(({ status }) => status === 'rejected')).toEqual([])
  const { status, stderr } = await daemon.ended
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/all devices parked/) as unknown })
  expect(await backendNode(world, guest.domid, 'state')).toBe('4')
  const entered = statesEntered(daemon.runDir, queueOf(guest.domid))
  expect(entered.slice(-3)).toEqual([
    'Running → Draining', 'Draining → Drained', 'Drained → Detached',
  ])
  // Asked while nobody serves: the guest sees a pause.
  const load = runWorkload({ device: front, clock: systemClock, seed: 5, count: 500, depth: 64, maxBytes: 16_384 })
  const successor = await world.daemon({ runDir: 'park' })
  expect(await load).toMatchObject({ ok: true, errors: 0 })
  expect(await successor.device(guest.domid)).toMatchObject({ backendState: 'Connected', connections: 1 })
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
  expect(events).toEqual([])
  await front.close()
  await successor.detach({ domid: guest.domid })
  expect(await successor.stop('park')).toMatchObject({ held: nothing })
  guest.close()
})

test('load runs on through several daemons, each parked in the middle of it', async () => {
  const guest = await world.guest()
  let daemon = await world.daemon({ runDir: 'several' })
  await daemon.attach({ domid: guest.domid, target: world.image(8 << 20) })
  const front = await guest.connect()
  const enough = new AbortController()
  const load = (async () => {
    for (let seed = 1; !enough.signal.aborted; seed++) {
      const result = await runWorkload({ device: front, clock: systemClock, seed, count: 300, depth: 32 })
      expect(result).toMatchObject({ ok: true })
    }
  })()
  for (let life = 0; life < 3; life++) {
    daemon.signal(life % 2 ? 'SIGINT' : 'SIGTERM')
    expect((await daemon.ended).status).toBe(0)
    daemon = await world.daemon({ runDir: 'several' })
  }
  enough.abort()
  await load
  await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  guest.close()
})

test('S15 S30: eight slots under depth 256 run short thousands of times, and every request is answered', async () => {
  const daemon = await world.daemon({ flags: ['--requests-slots-max', '8'], runDir: 'short' })
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: 'memory:16M' })
  const front = await guest.connect({ ringPages: 8 })
  const load = { device: front, clock: systemClock, seed: 8, count: 24_000, depth: 256, maxBytes: 4096 }
  const result = await runWorkload(load)
  expect(result).toMatchObject({ ok: true, errors: 0 })
  const { counters } = await daemon.statistics(guest.domid)
  expect(counters).toMatchObject({ inFlight: 0, inFlightMax: 8, abandoned: 0, answeredError: 0 })
  expect(counters['shortages']).toBeGreaterThan(1000)
  expect(counters['oldestWaitNs']).toBeGreaterThan(0)
  await front.close()
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  await daemon.ended
  const entered = statesEntered(daemon.runDir, queueOf(guest.domid))
  expect(timesOf(entered, 'Running → Shortage')).toBeGreaterThan(1000)
  const left = timesOf(entered, 'Shortage → Running') + timesOf(entered, 'Shortage → Draining')
  expect(Math.abs(left - timesOf(entered, 'Running → Shortage'))).toBeLessThanOrEqual(1)
  guest.close()
})

test('a second SIGTERM does not wait for a medium that hangs: status 75, and a sentence of what is left', async () => {
  const daemon = await world.daemon({ plant: 'delay=600000', runDir: 'hangs' })
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: world.image(1 << 20) })
  const front = await guest.connect()
  const call = front.read(0, 4096)
  await until('it is in flight', async () => (await daemon.statistics(guest.domid)).counters['inFlight'] === 1)
  daemon.signal('SIGTERM')
  await daemon.process.line(/parking/)
  daemon.signal('SIGTERM')
  const { status, stderr } = await daemon.ended
  expect(status).toBe(75)
  expect(stderr).toMatch(new RegExp(`left behind: vbd/${guest.domid}/51712 \\(Parking.draining, 1 request in flight\\)`))
  // The front end was told nothing, and waits; until the toolstack takes its disk away.
  expect(await backendNode(world, guest.domid, 'state')).toBe('4')
  const refused = expect(call).rejects.toMatchObject({ code: 'ESHUTDOWN' })
  await world.store.remove(`/local/domain/0/backend/vbd/${guest.domid}`)
  await refused
  await front.close()
  guest.close()
})
