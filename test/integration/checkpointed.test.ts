/**
 * SEED row S29 once more: a guest that is checkpointed and goes on in the same domain. Its old instance says nothing and
 * closes nothing; the new one makes the handshake again over a new ring, and asks again for what it never heard of.
 */
import { RealWorld, until } from '../support/processes.js'
import { AGAIN, BLOCK, block, BLOCKS } from '../support/shadow.js'

let world: RealWorld
beforeAll(async () => {
  world = await RealWorld.start()
})
afterAll(() => world.close())

test('S29: a guest is checkpointed with requests in flight and resumes in place: a new ring, and again what nobody answered', async () => {
  const checkpointed = await world.guest({ pages: 32_768 })
  const slow = await world.daemon({ plant: 'delay=60' })
  await slow.attach({ domid: checkpointed.domid, target: world.image(4 << 20) })
  const before = await checkpointed.connect({ ringPages: 1 })
  for (let index = 0; index < BLOCKS; index++) await before.write(index * BLOCK, block(index, 0))
  const answered = new Set<number>()
  for (const index of AGAIN) void before.write(index * BLOCK, block(index, 1)).then(() => answered.add(index), () => undefined)
  await until('requests are in flight', async () => ((await slow.statistics(checkpointed.domid)).counters['inFlight'] ?? 0) > 0)
  // The old instance is not told, and never says another word; its ring and channel stay as they are.
  const after = await checkpointed.connect({ ringPages: 1 })
  const shadow = AGAIN.filter((index) => !answered.has(index))
  expect(shadow.length).toBeGreaterThan(0)
  for (const index of shadow) await after.write(index * BLOCK, block(index, 1))
  await after.flush()
  for (let index = 0; index < BLOCKS; index++)
    expect(await after.read(index * BLOCK, BLOCK)).toEqual(block(index, AGAIN.includes(index) ? 1 : 0))
  const device = await slow.device(checkpointed.domid)
  expect(device).toMatchObject({ backendState: 'Connected', connections: 2 })
  expect(device?.notes.join('; ')).toMatch(/started over without closing: its old requests were abandoned/)
  expect((await slow.statistics(checkpointed.domid)).counters['abandoned']).toBeGreaterThan(0)
  expect(after.counters).toMatchObject({ violations: 0, errors: 0 })
  checkpointed.close()
  await until('nothing of it is held', async () => {
    const { rings, channels, grants } = (await slow.status()).held
    return rings + channels + grants === 0
  })
}, 60_000)
