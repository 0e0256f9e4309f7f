/**
 * Queues that come to a Worker whose arena is lent to the last chunk: after a crash they all come at once, and the
 * first of them has borrowed everything before the last is there.
 */
import { SimWorker } from '../support/sim-planes.js'

const ends = (world: SimWorker, name: string) => world.kinds(name).filter((kind) => kind !== 'levels')

/** Two busy tenants that have the whole arena between them, and others that have not come yet. */
function busyWorld(tenants: number, arenaChunks: number, ordered = true): SimWorker {
  const world = new SimWorker({ tenants, arenaChunks, delayMax: 20 })
  // Whatever waits for a flush or a barrier has no pages.
  const offers = ordered ? {} : { offersFlush: false, offersBarrier: false }
  for (const tenant of world.tenants.slice(0, 2)) world.attach(tenant, offers)
  world.run(300)
  expect(world.worker.freeChunks).toBe(0)
  return world
}

test('S14: a queue that comes when everything is lent begins when its neighbours have returned what is its own', () => {
  const world = busyWorld(4, 6)
  const late = world.tenants.slice(2)
  for (const tenant of late) world.attach(tenant)
  world.run(300)
  for (const { name, front } of late) {
    expect(ends(world, name)).toEqual(['attached'])
    expect(front.answered).toBeGreaterThan(50)
  }
  for (const { name } of world.tenants) world.worker.receive({ kind: 'drain', name, onEnospc: 'wait' })
  world.run(200, false)
  for (const { name } of world.tenants) world.worker.receive({ kind: 'detach', name })
  world.run(5, false)
  expect(world.tenants.map(({ name }) => ends(world, name).at(-1))).toEqual(Array(4).fill('detached'))
  expect(world.tenants.flatMap(({ front }) => front.complaints)).toEqual([])
  expect([world.open, world.worker.freeChunks]).toEqual([0, 6])
})

test('while disks hang, a newcomer waits some seconds for their chunks, is refused with the reason, and may come again', () => {
  const world = busyWorld(3, 4, false)
  const [, , late] = world.tenants
  const hang = (hanging: boolean) => {
    for (const { disk } of world.tenants) if (disk) disk.hanging = hanging
  }
  hang(true)
  world.run(50)
  world.attach(late)
  for (let ms = 0; ms < 4900; ms += 100) {
    world.clock.advance(100)
    world.run(1)
  }
  expect(ends(world, late.name)).toEqual([])
  world.clock.advance(200)
  expect(ends(world, late.name)).toEqual(['refused'])
  const refusal = world.posted.find((message) => message.kind === 'refused')
  expect(refusal?.kind === 'refused' && refusal.sentence).toMatch(/for 5 s now: does a disk not answer\?/)
  hang(false)
  world.attach(late)
  world.run(300)
  expect(ends(world, late.name)).toEqual(['refused', 'attached'])
})

test('what is said to a queue that waits is said to it when it has begun, in order', () => {
  const world = busyWorld(3, 4, false)
  const [busy, , late] = world.tenants
  for (const { disk } of world.tenants) if (disk) disk.hanging = true
  world.run(50)
  world.attach(late)
  const { name } = late
  world.worker.receive({ kind: 'limit', name, limit: undefined })
  world.worker.receive({ kind: 'abandon', name })
  world.run(10)
  expect(ends(world, name)).toEqual([])
  // Meanwhile nobody else borrows, and the others are spoken to as ever.
  world.worker.receive({ kind: 'drain', name: busy.name, onEnospc: 'wait' })
  for (const { disk } of world.tenants) if (disk) disk.hanging = false
  world.run(200)
  expect(ends(world, name)).toEqual(['attached', 'drained'])
  expect(ends(world, busy.name)).toEqual(['attached', 'drained'])
  world.worker.receive({ kind: 'detach', name })
  expect(ends(world, name).at(-1)).toBe('detached')
})
