/**
 * @packageDocumentation
 * Guests that do not keep the rules, from careless to malign. Whatever they do, they may hurt nobody but themselves:
 * what is asked of the daemon is that everyone else is served, that nothing is kept of them, and that it lives.
 *
 *   states of nonsense · keys of any size · references and ports that are none, or another's · keys changed while they
 *   are read · connections that come and go · garbage on the ring, indices that jump · storms of events and of writes
 */
import { QUEUES_LIMIT, negotiationKeys, queueKeys } from '../../protocol/keys.js'
import type { FrontEnd } from './front-end.js'

const NONSENSE = ['', '-1', '4294967296', '99999999999999999999', 'x', '1e3', '0x10', ' 1', '7'.repeat(2000)]

type Deed = (front: FrontEnd) => Promise<void> | void

const KEYS = [
  'state', 'ring-ref', 'ring-ref0', 'ring-ref1', 'event-channel', 'protocol', 'ring-page-order', 'num-ring-pages',
  'multi-queue-num-queues', 'queue-0/ring-ref', 'queue-1/event-channel', 'feature-persistent', 'max-requests',
]

const DEEDS: Readonly<Record<string, Deed>> = {
  state: (front) => write(front, 'state', String(front.parts.random.below(9))),
  nonsense: (front) => write(front, front.parts.random.pick(KEYS), nonsense(front)),
  connect,
  lies: async (front) => {
    const { random } = front.parts
    const keys = ringsOf(front)
    const key = random.pick(Object.keys(keys))
    await front.says(3, { ...keys, [key]: random.chance(0.5) ? nonsense(front) : String(random.below(200_000)) })
  },
  change: async (front) => {
    await connect(front)
    const { random } = front.parts
    await write(front, random.pick(['ring-ref', 'event-channel', 'protocol']), String(random.below(9)))
  },
  flap: async (front) => {
    for (const state of [4, 5, 6, 1, 3]) await write(front, 'state', String(state))
  },
  /** Every key there is, as long as XenStore lets it be; hundreds of writes, so now and then only. */
  giant: async (front) => {
    if (!front.parts.random.chance(0.05)) return
    for (const key of [...negotiationKeys(), ...queueKeys(QUEUES_LIMIT)]) await write(front, key, '7'.repeat(2000))
    await write(front, 'multi-queue-num-queues', String(QUEUES_LIMIT))
    await write(front, 'state', '1')
    await write(front, 'state', '3')
  },
  flood: async (front) => {
    for (let time = 0; time < 30; time++) await write(front, `flood-${time % 4}`, 'x'.repeat(1 + time * 10))
  },
  forget: (front) => front.forgetKeys(),
  garbage: (front) => {
    const { random, domain } = front.parts
    for (const { ring, port } of front.queues) {
      for (let word = 0; word < 200; word++) ring.shared[random.below(ring.shared.length)] = random.next()
      ring.sharedReqProd = (ring.sharedReqProd + random.below(ring.size)) | 0
      domain.notify(port)
    }
  },
  jump: (front) => {
    const { random, domain } = front.parts
    for (const { ring, port } of front.queues) {
      ring.sharedReqProd = random.next() | 0
      if (random.chance(0.3)) ring.sharedRspProd = random.next() | 0
      domain.notify(port)
    }
  },
  storm: (front) => {
    for (let time = 0; time < 100; time++) for (const { port } of front.queues) front.parts.domain.notify(port)
  },
  revoke: (front) => {
    const { domain } = front.parts
    for (const { grefs, port } of front.queues) {
      for (const gref of grefs) domain.ringPages.delete(gref)
      domain.ports.delete(port)
    }
  },
  remove: async (front) => {
    const { store, device: { place } } = front.parts
    await store.remove(place.frontend).catch(() => undefined)
  },
}

export const HOSTILE_DEEDS = Object.keys(DEEDS)

/** Of one guest: what has not shown by then will not. */
const DEEDS_MAX = 150

/** Does such things until it is destroyed, or has done its worst. */
export async function liveHostilely(front: FrontEnd, deeds: readonly string[], pauseNs: number): Promise<void> {
  const { random, kernel, life } = front.parts
  await front.begin()
  await connect(front)
  while (life.alive && !front.finishing && front.deeds < DEEDS_MAX) {
    await kernel.pause(random.below(pauseNs) / 1e6)
    await DEEDS[random.pick(deeds)](front)
    front.deeds++
  }
}

async function connect(front: FrontEnd): Promise<void> {
  await write(front, 'state', '1')
  await front.until(() => front.is(2), 'InitWait', 5)
  const keys = ringsOf(front)
  for (const [key, value] of Object.entries(keys)) await write(front, key, value)
  await write(front, 'state', '3')
  await front.until(() => front.is(4), 'Connected', 5)
}

function ringsOf(front: FrontEnd): Record<string, string> {
  const { random } = front.parts
  const abi = random.pick(['x86_64', 'x86_32'] as const)
  const queues = 1 + random.below(2)
  return front.makeRings({ abi, order: random.below(3), queues, indirect: 0, discards: true, polls: false })
}

function nonsense({ parts: { random } }: FrontEnd): string {
  return random.pick(NONSENSE)
}

/** What it may not write, or no more, it does not write. */
async function write(front: FrontEnd, key: string, value: string): Promise<void> {
  const { store, device: { place } } = front.parts
  await store.write(`${place.frontend}/${key}`, value).catch(() => undefined)
}
