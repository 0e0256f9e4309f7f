/**
 * A disk that grows and shrinks while its guest uses it: told at once by `xbbd resize`, found by a successor that was not
 * there, and what lies beyond the new end answered with an error and never with what is no more.
 */
import { truncateSync } from 'node:fs'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { RANGE_BEYOND_END } from '../../src/protocol/validate.js'
import { loopDevice } from '../support/loop-device.js'
import { RealWorld, until, type GuestHere } from '../support/processes.js'
import { xbbd } from '../support/xbbd-process.js'

const MiB = 1 << 20
const nothing = { rings: 0, channels: 0, grants: 0 }
let world: RealWorld
let guest: GuestHere
beforeAll(async () => {
  world = await RealWorld.start()
  guest = await world.guest({ pages: 16_384 })
})
afterAll(() => world.close())

const disk = ['-v', 'xvda', '--domain']

async function growsAndShrinks(target: string, resizeTo: (bytes: number) => void): Promise<void> {
  const daemon = await world.daemon()
  await daemon.attach({ domid: guest.domid, target })
  const front = await guest.connect()
  const resized = async () =>
    (await xbbd('resize', ...disk, String(guest.domid), '--socket', daemon.socket)).stdout.replace(/^\S+ \(xvda\): /, '').trim()
  // Something is always in flight, below where it will shrink to.
  const load = runWorkload({ device: front, clock: systemClock, seed: 9, count: 1200, depth: 24, maxBytes: 16_384, spanBytes: MiB })
  expect(await resized()).toBe('4 MiB, as before')
  resizeTo(8 * MiB)
  expect(await resized()).toBe('8 MiB, up from 4 MiB')
  await until('the guest knows', () => front.sizeBytes === 8 * MiB)
  await front.write(7 * MiB, Buffer.alloc(8192, 7))
  expect(await front.read(7 * MiB, 8192)).toEqual(Buffer.alloc(8192, 7))
  resizeTo(2 * MiB)
  expect(await resized()).toBe('2 MiB, down from 8 MiB')
  const refusals = async () => (await daemon.statistics(guest.domid)).histograms['rejectedByReason'][RANGE_BEYOND_END]
  const before = await refusals()
  await expect(front.read(7 * MiB, 4096)).rejects.toMatchObject({ code: 'EIO' })
  await expect(front.write(2 * MiB - 4096, Buffer.alloc(8192, 1))).rejects.toMatchObject({ code: 'EIO' })
  expect(await refusals() - before).toBe(2)
  await until('the guest knows', () => front.sizeBytes === 2 * MiB)
  expect(await load).toMatchObject({ ok: true, errors: 0 })
  // Nobody looks while the daemon is dead: the next one finds it, tells the guest, and goes on.
  daemon.signal('SIGKILL')
  await daemon.ended
  resizeTo(6 * MiB)
  const next = await world.daemon()
  await until('the guest knows', () => front.sizeBytes === 6 * MiB)
  await front.write(5 * MiB, Buffer.alloc(4096, 5))
  expect(await front.read(5 * MiB, 4096)).toEqual(Buffer.alloc(4096, 5))
  expect(front.counters).toMatchObject({ violations: 0 })
  await front.close()
  expect(await next.stop('close')).toMatchObject({ left: [], held: nothing })
  await world.store.remove(`/local/domain/0/backend/vbd/${guest.domid}`)
  await world.store.remove(`/local/domain/${guest.domid}/device/vbd`)
}

test('resize: a file grows and shrinks under load; beyond its end is an error; a killed daemon\'s successor finds the new size', async () => {
  const image = world.image(4 * MiB)
  await growsAndShrinks(image, (bytes) => truncateSync(image, bytes))
}, 60_000)

test('resize: and so does a block device', async () => {
  const image = world.image(4 * MiB)
  const loop = loopDevice(image)
  if (loop === undefined) return void process.stderr.write('skipped: no loop device: losetup needs root and a free one\n')
  try {
    await growsAndShrinks(loop.path, (bytes) => {
      truncateSync(image, bytes)
      loop.resized()
    })
  } finally {
    loop.detach()
  }
}, 60_000)

test('resize: what is not attached says so', async () => {
  const daemon = await world.daemon()
  const answer = await xbbd('resize', '-v', 'xvdz', '--domain', String(guest.domid), '--socket', daemon.socket)
  expect(answer).toMatchObject({ status: 69, stderr: expect.stringMatching(/is not attached/) as unknown })
})
