/**
 * Every feature both ways: offered and taken, offered and refused, not offered; with one and with four queues, over the
 * three layouts that have a name; what was agreed is seen on both sides, and every byte that went through it is right.
 */
import type { Blkfront, BlkfrontOptions } from '../../src/embedded/blkfront/blkfront.js'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import type { Vetoable } from '../../src/protocol/keys.js'
import { backendNode, RealWorld, type DaemonProcess, type GuestHere } from '../support/processes.js'

const SIZE = 2 << 20
const SETTINGS = ['--workers', '2', '--ring-max-queues', '4', '--grants-mode', 'persistent', '--journal-size', '32M']
let world: RealWorld
let daemon: DaemonProcess
let guest: GuestHere
beforeAll(async () => {
  world = await RealWorld.start()
  daemon = await world.daemon({ flags: SETTINGS })
  guest = await world.guest({ pages: 40_000 })
})
afterAll(() => world.close())

/** What came of it, as both sides see it. */
interface Agreed {
  readonly flushes: boolean
  readonly barriers: boolean
  readonly discards: boolean
  readonly persistent: boolean
  readonly indirect: boolean
  readonly several: boolean
}

type Feature = keyof Agreed

/** By feature: what forbids it, and how a front end does without. */
const FEATURES: Readonly<Record<Feature, { readonly veto: Vetoable; readonly refusal: Partial<BlkfrontOptions> }>> = {
  flushes: { veto: 'flush', refusal: {} },
  barriers: { veto: 'barrier', refusal: {} },
  discards: { veto: 'discard', refusal: {} },
  persistent: { veto: 'persistent', refusal: { persistent: false } },
  indirect: { veto: 'indirect', refusal: { segments: 11 } },
  several: { veto: 'multi-queue', refusal: { queues: 1 } },
}
const NAMES = Object.keys(FEATURES) as Feature[]
const LAYOUTS = [
  ['x86_64-abi', { abi: 'x86_64' }], ['x86_32-abi', { abi: 'x86_32' }], ['arm-abi', { abi: 'x86_64', protocol: 'arm-abi' }],
] as const

const state = (on: boolean) => (on ? '1' : '0')

/** Reads, writes and, as far as they are taken, the other operations. */
async function exercise(front: Blkfront, { flushes, barriers, discards }: Agreed, seed: number): Promise<void> {
  const mix = { read: 45, write: 45, flush: flushes ? 6 : 0, trim: discards ? 4 : 0 }
  const load = { device: front, clock: systemClock, seed, count: 40, depth: 8, maxBytes: 131_072, spanBytes: SIZE / 2, mix }
  expect(await runWorkload(load)).toMatchObject({ ok: true, errors: 0 })
  const bytes = new Uint8Array(4096).fill(seed)
  if (barriers) await front.barrier(SIZE - 4096, bytes)
  if (flushes) await front.flushWith(SIZE - 8192, bytes)
  if (discards) await front.trim(SIZE - 65_536, 32_768)
  if (barriers) expect(await front.read(SIZE - 4096, 4096)).toEqual(Buffer.from(bytes))
}

/** One device with `without` vetoed, in front of it a front end with these options that takes what `wants` says. */
async function connection(without: Vetoable[], options: Partial<BlkfrontOptions>, wants: Agreed, seed: number) {
  await daemon.attach({ domid: guest.domid, target: `memory:${SIZE}`, ...(without.length > 0 && { without }) })
  const node = (key: string) => backendNode(world, guest.domid, key)
  const offered = (feature: Feature) => !without.includes(FEATURES[feature].veto)
  expect(await Promise.all(['feature-flush-cache', 'feature-barrier', 'feature-discard', 'feature-persistent'].map(node)))
    .toEqual((['flushes', 'barriers', 'discards', 'persistent'] as const).map((name) => state(offered(name))))
  expect([await node('feature-max-indirect-segments'), await node('multi-queue-max-queues')])
    .toEqual([offered('indirect') ? '32' : undefined, offered('several') ? '4' : undefined])
  const front = await guest.connect({ requests: 16, ...options })
  await exercise(front, wants, seed)
  const { counters } = await daemon.statistics(guest.domid)
  const device = await daemon.device(guest.domid)
  const had = (name: string) => (counters[name] ?? 0) > 0
  const agreed: Agreed = {
    flushes: had('flushes'), barriers: had('barriers'), discards: had('discards'), indirect: had('indirects'),
    persistent: (await world.store.read(`${guest.frontend()}/feature-persistent`)) === '1',
    several: (device?.connection?.queues.length ?? 0) > 1,
  }
  expect(counters).toMatchObject({ answeredError: 0, answeredUnsupported: 0, taken: front.counters.requests })
  await front.close()
  expect([front.counters.violations, front.grantsHeldTooLong]).toEqual([0, 0])
  await daemon.detach({ domid: guest.domid })
  return agreed
}

describe.each(LAYOUTS)('%s', (_protocol, layout) => {
  describe.each([1, 4])('with %i queues', (queues) => {
    const all = { ...layout, queues, persistent: true, ringPages: queues }
    const everything: Agreed = { flushes: true, barriers: true, discards: true, persistent: true, indirect: true, several: queues > 1 }
    const expected = (feature: Feature) => ({ ...everything, [feature]: false })

    test('all offered, all taken', async () => {
      expect(await connection([], all, everything, 1)).toEqual(everything)
    })
    test('all offered, all refused; nothing offered', async () => {
      const nothing: Agreed = { flushes: false, barriers: false, discards: false, persistent: false, indirect: false, several: false }
      const plain = { ...layout, queues: 1, segments: 11 }
      expect(await connection([], plain, nothing, 2)).toEqual(nothing)
      expect(await connection(NAMES.map((name) => FEATURES[name].veto), all, nothing, 3)).toEqual(nothing)
    })
    test.each(NAMES)('%s: offered and refused, and not offered', async (feature) => {
      const { veto, refusal } = FEATURES[feature]
      expect(await connection([], { ...all, ...refusal }, expected(feature), 4)).toEqual(expected(feature))
      expect(await connection([veto], all, expected(feature), 5)).toEqual(expected(feature))
    })
  })
})
