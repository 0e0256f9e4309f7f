/**
 * A Worker with several queues: fair to all, and what one of them breaks costs no other anything.
 */
import { COUNTER } from '../../src/core/statistics.js'
import { SimWorker } from '../support/sim-planes.js'

const complaints = (world: SimWorker) => world.tenants.flatMap(({ front }) => front.complaints)

test('several queues share a Worker and an arena; every one is served and drained', () => {
  const world = new SimWorker({ tenants: 4 })
  for (const tenant of world.tenants) world.attach(tenant)
  world.run(600)
  for (const { name } of world.tenants) world.worker.receive({ kind: 'drain', name, onEnospc: 'wait' })
  world.run(100, false)
  for (const { name } of world.tenants) world.worker.receive({ kind: 'detach', name })
  world.run(5, false)
  expect(complaints(world)).toEqual([])
  for (const { name, front } of world.tenants) {
    expect(world.kinds(name).filter((kind) => kind !== 'levels')).toEqual(['attached', 'drained', 'detached'])
    expect(front.answered).toBeGreaterThan(300)
    expect(front.outstanding.size).toBe(0)
  }
  expect(world.open).toBe(0)
})

test('a queue that throws under load ends alone: its I/O is awaited, its borrowings are given back', () => {
  const world = new SimWorker({ tenants: 3 })
  const [victim, ...others] = world.tenants
  world.attach(victim, { plant: { kind: 'throw', after: 50 } })
  for (const tenant of others) world.attach(tenant)
  world.run(400)
  expect(world.kinds(victim.name).at(-1)).toBe('crashed')
  expect(victim.disk?.inFlight).toBe(0)
  expect(world.open).toBe(2 * 4)
  for (const { front } of others) {
    expect(front.complaints).toEqual([])
    expect(front.answered).toBeGreaterThan(200)
  }
})

test('S31: a queue that is left to another process takes nothing more, answers what was at work, gives everything back', () => {
  const world = new SimWorker({ tenants: 2, delayMax: 20 })
  const [leaving, staying] = world.tenants
  world.attach(leaving, { slots: 8 })
  world.attach(staying)
  world.run(100)
  expect(leaving.disk?.inFlight).toBeGreaterThan(0)
  world.worker.receive({ kind: 'yield', name: leaving.name })
  const [answered, others] = [leaving.front.answered, staying.front.answered]
  world.run(60)
  expect(world.kinds(leaving.name).at(-1)).toBe('yielded')
  // What was with the medium is answered, what stands in the ring or in the line is not: that is for the successor.
  expect(leaving.front.answered).toBeGreaterThan(answered)
  expect(leaving.front.answered - answered).toBeLessThanOrEqual(8)
  expect(leaving.front.outstanding.size).toBeGreaterThan(8)
  expect(leaving.disk?.inFlight).toBe(0)
  expect(world.open).toBe(4)
  expect(complaints(world)).toEqual([])
  expect(staying.front.answered).toBeGreaterThan(others)
})

test('S27, B26, B27: a queue is detached at any moment after its drain, and attached again at the same ring', () => {
  const world = new SimWorker({ tenants: 1 })
  const [tenant] = world.tenants
  for (let life = 0; life < 20; life++) {
    world.attach(tenant)
    world.run(7 + life)
    world.worker.receive({ kind: 'drain', name: tenant.name, onEnospc: 'wait' })
    world.run(40, false)
    world.worker.receive({ kind: 'detach', name: tenant.name })
    expect(world.kinds(tenant.name).at(-1)).toBe('detached')
    expect(world.open).toBe(0)
  }
  expect(tenant.front.complaints.filter((text) => !text.includes('holds'))).toEqual([])
  expect(tenant.front.outstanding.size).toBe(0)
})

test.each([['closes', 'error', 0], ['parks', 'wait', 1]] as const)('a queue that %s: what stood in the ring is taken first, or left to the successor', (_how, onEnospc, left) => {
  const world = new SimWorker({ tenants: 1, delayMax: 20 })
  const [tenant] = world.tenants
  // Fewer slots than entries, so that the ring is never empty under load.
  world.attach(tenant, { slots: 4 })
  world.run(100)
  expect(tenant.front.outstanding.size).toBeGreaterThan(8)
  world.worker.receive({ kind: 'drain', name: tenant.name, onEnospc })
  world.run(400, false)
  expect(world.kinds(tenant.name)).toContain('drained')
  expect(Math.min(tenant.front.outstanding.size, 1)).toBe(left)
  expect(complaints(world)).toEqual([])
})

test('a queue that closes before its first batch takes what stands in the ring, too', () => {
  const world = new SimWorker({ tenants: 1 })
  const [tenant] = world.tenants
  tenant.front.put(20)
  world.attach(tenant, { slots: 4 })
  world.worker.receive({ kind: 'drain', name: tenant.name, onEnospc: 'error' })
  world.run(100, false)
  expect([world.kinds(tenant.name).includes('drained'), tenant.front.outstanding.size]).toEqual([true, 0])
})

test('a front end that goes on while its queue closes gets no more than stood in the ring', () => {
  const world = new SimWorker({ tenants: 1 })
  const [tenant] = world.tenants
  world.attach(tenant, { slots: 4 })
  world.run(100)
  world.worker.receive({ kind: 'drain', name: tenant.name, onEnospc: 'error' })
  world.run(400)
  expect(world.kinds(tenant.name)).toContain('drained')
})

test('S23: a medium that only has another size is no medium opened anew: a lost sync stays lost', () => {
  const world = new SimWorker({ tenants: 1 })
  const [{ name }] = world.tenants
  world.attach(world.tenants[0])
  const { core } = world.worker['queues'].get(name)!.plane
  core.syncLost = true
  const { medium } = world.tenants[0].attachment()
  const grown = { ...medium, geometry: { ...medium.geometry, sectorCount: 2 * medium.geometry.sectorCount } }
  world.worker.receive({ kind: 'mediumOpened', name, plan: grown, renewal: 1 })
  world.run(2, false)
  expect([core.syncLost, core.disk.sectorCount]).toEqual([true, grown.geometry.sectorCount])
  world.worker.receive({ kind: 'mediumOpened', name, plan: { kind: 'null', layers: [], geometry: medium.geometry }, renewal: 2 })
  world.run(2, false)
  expect([core.syncLost, core.disk.sectorCount]).toEqual([false, medium.geometry.sectorCount])
})

test('an arena without room for a reserve refuses the queue with a sentence, and nothing of it is left', () => {
  const world = new SimWorker({ tenants: 3, arenaChunks: 2 })
  for (const tenant of world.tenants) world.attach(tenant)
  expect(world.posted.map(({ kind }) => kind)).toEqual(['attached', 'attached', 'refused'])
  const refusal = world.posted[2]
  expect(refusal.kind === 'refused' && refusal.sentence).toMatch(/raise arena.size or workers/)
  expect(world.open).toBe(2 * 4)
})

test('an abandoned queue answers nothing more and is drained when its last I/O has ended', () => {
  const world = new SimWorker({ tenants: 1, delayMax: 50 })
  const [tenant] = world.tenants
  world.attach(tenant)
  world.run(30)
  const before = tenant.ring.sharedRspProd
  world.worker.receive({ kind: 'abandon', name: tenant.name })
  expect(world.kinds(tenant.name)).not.toContain('drained')
  world.run(80, false)
  expect(world.kinds(tenant.name)).toContain('drained')
  expect(tenant.ring.sharedRspProd).toBe(before)
  expect(tenant.disk?.inFlight).toBe(0)
})

test('S15: a full medium is tried again after pauses that double to five seconds; a reload tries at once', () => {
  const world = new SimWorker({ tenants: 2 })
  const [tenant, other] = world.tenants
  world.attach(tenant, { onEnospc: 'wait' })
  world.attach(other)
  world.run(20)
  if (tenant.disk) tenant.disk.full = true
  world.run(60)
  expect(world.clock.pending).toBe(1)
  const stalls = () => new Float64Array(tenant.statistics)[COUNTER.stalls]
  const before = stalls()
  const tries = [250, 500, 1000, 2000, 4000, 5000, 5000].map((pause) => {
    world.clock.advance(pause - 1)
    world.run(10)
    const early = stalls()
    world.clock.advance(1)
    world.run(10)
    return [early > before, stalls() > early]
  })
  expect(tries[0]).toEqual([false, true])
  expect(tries.every(([, tried]) => tried)).toBe(true)
  const sofar = stalls()
  world.worker.receive({ kind: 'retry', name: tenant.name })
  world.run(10)
  expect(stalls()).toBeGreaterThan(sofar)
  if (tenant.disk) tenant.disk.full = false
  world.clock.advance(5000)
  world.run(40)
  expect(world.clock.pending).toBe(0)
  expect(complaints(world)).toEqual([])
  // The neighbour on the same Worker was served all the while.
  expect(other.front.answered).toBeGreaterThan(tenant.front.answered + 50)
})

test.each(['abandon', 'drain'] as const)('%s while requests wait for space: no timer is left behind', (kind) => {
  const world = new SimWorker({ tenants: 1 })
  const [tenant] = world.tenants
  world.attach(tenant, { onEnospc: 'wait' })
  world.run(10)
  if (tenant.disk) tenant.disk.full = true
  world.run(60)
  expect(world.clock.pending).toBe(1)
  world.worker.receive(kind === 'drain' ? { kind, name: tenant.name, onEnospc: 'error' } : { kind, name: tenant.name })
  world.run(40, false)
  world.worker.receive({ kind: 'detach', name: tenant.name })
  expect([world.kinds(tenant.name).at(-1), world.clock.pending, world.open]).toEqual(['detached', 0, 0])
})
