/**
 * @packageDocumentation
 * What goes wrong in a world, each by its name: a plan says which of these there are at all and how often one comes.
 * A trouble says whom it gives a reason to end, and whose requests may fail by it: everyone else must not notice.
 *
 *   toolstack   detach · force · pull · offline · destroy      guest's domain and device come and go
 *               limit                                          how much it may do in a second
 *   disks       errors · slow · full · refuse · gone · grow
 *   daemon      worker · store · park · upgrade                besides the deaths at an effect
 */
import type { DaemonWorld } from './daemon-world.js'
import { drawLimit } from '../queue/plan.js'
import { goodMood } from './disks.js'
import type { SimDevice } from './device.js'

/** How often within a minute a queue that died is gone on with. */
export const REJOINS = 3

export const TROUBLES = [
  'detach', 'force', 'pull', 'offline', 'destroy', 'errors', 'slow', 'full', 'refuse', 'gone', 'grow', 'limit',
  'worker', 'store', 'park', 'upgrade',
] as const
export type Trouble = (typeof TROUBLES)[number]

const ACTS: Readonly<Record<Trouble, (world: DaemonWorld, device: SimDevice) => Promise<void> | void>> = {
  detach: (world, device) => again(world, device, () => world.toolstack.detach(device, 100 + world.random.below(5000))),
  force: (world, device) => again(world, device, () => world.toolstack.detachByForce(device)),
  pull: (world, device) => again(world, device, () => world.toolstack.pull(device)),
  offline: (world, device) => again(world, device, () => world.toolstack.takeOffline(device)),
  destroy: (world, { place: { domid } }) => world.destroy(domid),
  errors: (world, device) => spoil(world, device, () => {
    device.store.mood.errorShare = 0.1
    device.store.mood.shortShare = 0.1
    device.store.mood.syncErrorShare = 0.2
  }),
  slow: (world, { store: { mood } }) => {
    mood.delayNs = 1e6 + world.random.below(50e6)
  },
  full: (world, device) => spoil(world, device, () => {
    device.store.mood.full = true
  }),
  refuse: (world, device) => spoil(world, device, () => {
    device.reasons.add('its disk is refused')
    device.store.mood.refuses = { code: 'denied', sentence: 'it may not be opened: change its rights' }
  }),
  gone: (world, device) => spoil(world, device, () => {
    device.reasons.add('its disk is gone')
    device.store.mood.gone = true
  }),
  grow: (_, { store }) => {
    store.sectorCount = Math.min(store.sectorCount + 64, store.cache.length / 512)
  },
  limit: (world, device) => world.toolstack.limit(device, world.random.chance(0.3) ? {} : drawLimit(world.random)),
  worker: (world) => {
    // A queue that dies more often than the operator allows is given up, and rightly.
    if (world.shots++ >= REJOINS) return
    world.disturbed()
    world.process?.loseWorker(world.random.below(4))
  },
  store: (world) => world.process?.loseStore(),
  park: (world) => world.leave('park'),
  upgrade: (world) => world.leave('yield'),
}

/** One trouble, now. */
export async function trouble(world: DaemonWorld, kind: Trouble): Promise<void> {
  const devices = world.devices.filter(({ attached, busy }) => attached && !busy)
  if (devices.length === 0) return
  const device = world.random.pick(devices)
  world.log(`trouble: ${kind} for ${device.place.domid}/${device.place.devid}`)
  await ACTS[kind](world, device)
}

/** Taken away, and, if its guest lives, attached again after a while. */
async function again(world: DaemonWorld, device: SimDevice, away: () => Promise<void>): Promise<void> {
  const { kernel, random, hypervisor } = world
  device.busy = true
  await away()
  world.disturbed()
  await kernel.pause(random.below(30))
  const lives = hypervisor.domains.has(device.place.domid)
  if (!world.calm && lives)
    await world.toolstack.attach(device).catch((error: unknown) => {
      // It died meanwhile: there is nothing to attach to.
      if (hypervisor.domains.has(device.place.domid)) throw error
      device.attached = false
    })
  device.busy = false
}

/** A disk has a mood, and is well again after a while. */
async function spoil(world: DaemonWorld, device: SimDevice, begin: () => void): Promise<void> {
  device.errors = true
  begin()
  await world.kernel.pause(1 + world.random.below(100))
  heal(device)
  world.disturbed()
}

export function heal({ store: { mood } }: SimDevice): void {
  Object.assign(mood, goodMood())
}
