/**
 * SEED row S29: suspend, resume and migration, as a back end sees them. A guest that is saved or migrated tears nothing
 * down: its old instance is gone from one moment to the next, requests in flight, and its new one makes a whole new
 * handshake over the same medium and asks again for what it never heard of. A real Xen in the rig shows reconnects; what
 * libxl does around a save needs more of a host than an emulator has, so these words are spoken on the pocket host.
 */
import { readFileSync } from 'node:fs'
import { RealWorld, until } from '../support/processes.js'
import { AGAIN, BLOCK, block, BLOCKS } from '../support/shadow.js'

let world: RealWorld
beforeAll(async () => {
  world = await RealWorld.start()
})
afterAll(() => world.close())

test('S29: a guest is suspended with requests in flight, and resumes as another domain over the same image', async () => {
  // The first guest's disk is slow, so that there is something in flight.
  const daemon = await world.daemon({ plant: 'delay=60@vbd/1/51712' })
  const target = world.image(4 << 20)
  const before = world.started({}, 'test/support/suspended-front.js', world.hostDir)
  const domid = Number(/domid (\d+)/.exec(await before.line(/domid \d+/))?.[1])
  await daemon.attach({ domid, target })
  await before.line(/asked/)
  before.child.kill('SIGKILL')
  await before.ended
  const answered = new Set([...before.stderr().matchAll(/answered (\d+)/g)].map(([, index]) => Number(index)))
  const shadow = AGAIN.filter((index) => !answered.has(index))
  expect(shadow.length).toBeGreaterThan(0)
  const after = await world.guest()
  // The new device waits for the image's lock until the old one has let go of the last write.
  await daemon.attach({ domid: after.domid, target, waitMs: 30_000 })
  const resumed = await after.connect()
  for (const index of shadow) await resumed.write(index * BLOCK, block(index, 1))
  await resumed.flush()
  const expected = (index: number) => block(index, AGAIN.includes(index) ? 1 : 0)
  for (let index = 0; index < BLOCKS; index++)
    expect(await resumed.read(index * BLOCK, BLOCK)).toEqual(expected(index))
  await until('the old device holds nothing', async () => !/^C(onnected|losing)/.test((await daemon.device(domid))?.state ?? ''))
  await resumed.close()
  const image = readFileSync(target)
  for (let index = 0; index < BLOCKS; index++)
    expect(image.subarray(index * BLOCK, (index + 1) * BLOCK)).toEqual(expected(index))
  await daemon.detach({ domid: after.domid })
  expect((await daemon.status()).held).toEqual({ rings: 0, channels: 0, grants: 0 })
}, 60_000)
