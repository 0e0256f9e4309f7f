/**
 * Sectors that are not of 512 bytes, through the whole of it: media of 4 KiB sectors, aligned and unaligned guests,
 * sectors of 512 emulated on them (512e), discs of other sectors than the one before.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { runWorkload } from '../../src/embedded/workload.js'
import type { Blkfront } from '../../src/embedded/blkfront/blkfront.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { SECTOR_MISALIGNED, SEGMENT_MISALIGNED } from '../../src/protocol/validate.js'
import { loopDevice, type LoopDevice } from '../support/loop-device.js'
import { backendNode, RealWorld, until, type DaemonProcess, type GuestHere } from '../support/processes.js'
import { xbbd } from '../support/xbbd-process.js'

const MiB = 1 << 20
const nothing = { rings: 0, channels: 0, grants: 0 }
let world: RealWorld
let daemon: DaemonProcess
let guest: GuestHere
const loops: LoopDevice[] = []
beforeAll(async () => {
  world = await RealWorld.start()
  daemon = await world.daemon({ flags: ['--workers', '2', '--journal-size', '32M'] })
  guest = await world.guest({ pages: 32_768 })
})
afterAll(async () => {
  await world.close()
  for (const loop of loops) loop.detach()
})

const load = (device: Blkfront, count = 300, seed = 5) =>
  runWorkload({
    device, clock: systemClock, seed, count, depth: 48, maxBytes: 32_768, spanBytes: 2 * MiB,
    mix: { read: 40, write: 48, flush: 6, trim: 6 },
  })
const node = (key: string, vdev = 'xvda') => backendNode(world, guest.domid, key, vdev)
const nodes = (...keys: string[]) => Promise.all(keys.map((key) => node(key)))
const refusals = async (verdict: number) => (await daemon.statistics(guest.domid)).histograms['rejectedByReason'][verdict]

/** A medium of 4 KiB sectors: the setting over a file, and a device that has them. */
function media(): readonly (readonly [string, string, string | undefined])[] {
  const image = world.image(4 * MiB)
  const loop = loopDevice(image, 4096)
  if (loop === undefined) {
    process.stderr.write('skipped: a device of 4 KiB sectors: losetup needs root and a free loop device\n')
    return [['a file', world.image(4 * MiB), '4096']]
  }
  loops.push(loop)
  return [['a file', world.image(4 * MiB), '4096'], ['a block device', loop.path, undefined]]
}

async function attach(target: string, sectorSize: string | undefined, ...more: string[]): Promise<void> {
  const disk = ['-d', String(guest.domid), '-v', 'xvda', '-t', target, '--socket', daemon.socket]
  const size = sectorSize === undefined ? [] : ['--sector-size', sectorSize]
  expect(await xbbd('attach', ...disk, ...size, ...more)).toMatchObject({ status: 0 })
}

test('4 KiB sectors: an aligned guest finds all its bytes, an unaligned one is refused and counted', async () => {
  for (const [what, target, size] of media()) {
    await attach(target, size)
    for (const abi of ['x86_64', 'x86_32'] as const) {
      const front = await guest.connect({ abi, ringPages: 4 })
      expect([what, ...await nodes('sectors', 'sector-size', 'physical-sector-size', 'discard-granularity')])
        .toEqual([what, '8192', '4096', '4096', '4096'])
      expect(front.sectorSize).toBe(4096)
      expect(await load(front)).toMatchObject({ ok: true, errors: 0 })
      await front.write(8192, Buffer.alloc(4096, 7))
      const before = await Promise.all([SEGMENT_MISALIGNED, SECTOR_MISALIGNED].map(refusals))
      await expect(front.write(8192, Buffer.alloc(512, 8))).rejects.toMatchObject({ code: 'EIO' })
      await expect(front.read(8192 + 512, 4096)).rejects.toMatchObject({ code: 'EIO' })
      expect(await front.read(8192, 4096)).toEqual(Buffer.alloc(4096, 7))
      const after = await Promise.all([SEGMENT_MISALIGNED, SECTOR_MISALIGNED].map(refusals))
      expect(after.map((count, index) => count - before[index])).toEqual([1, 1])
      await front.close()
    }
    await daemon.detach({ domid: guest.domid })
  }
}, 120_000)

test('4 KiB sectors, 512e: an unaligned guest finds all its bytes, neighbours in one whole sector are right, one queue is offered', async () => {
  for (const [what, target] of media()) {
    await attach(target, '512e')
    const front = await guest.connect({ ringPages: 4, queues: 2 })
    expect([what, ...await nodes('sector-size', 'physical-sector-size', 'multi-queue-max-queues', 'discard-granularity')])
      .toEqual([what, '512', '4096', undefined, '4096'])
    expect(front.queues).toBe(1)
    expect(await load(front, 600)).toMatchObject({ ok: true, errors: 0 })
    const sectors = Array.from({ length: 64 }, (_, index) => index)
    await Promise.all(sectors.map((index) => front.write(MiB + index * 512, Buffer.alloc(512, index + 1))))
    await front.flush()
    const expected = Buffer.concat(sectors.map((index) => Buffer.alloc(512, index + 1)))
    expect(await front.read(MiB, expected.length)).toEqual(expected)
    await front.close()
    await daemon.detach({ domid: guest.domid })
    if (statSync(target).isFile()) expect(readFileSync(target).subarray(MiB, MiB + expected.length)).toEqual(expected)
  }
}, 120_000)

test('4 KiB sectors: 512 is refused on a device that has no such sectors, with the cure', async () => {
  const [, device] = media()
  if (device === undefined) return
  const disk = ['-d', String(guest.domid), '-v', 'xvda', '-t', device[1], '--socket', daemon.socket]
  const refused = await xbbd('attach', ...disk, '--sector-size', '512')
  expect(refused).toMatchObject({ status: 66, stderr: expect.stringMatching(/sectors of 4096 bytes.*512e/) as unknown })
  await daemon.detach({ domid: guest.domid })
}, 120_000)

test('S3 S5: a disc of other sectors than the one before is judged by its own', async () => {
  const disc = world.image(MiB)
  writeFileSync(disc, Buffer.alloc(MiB, 5))
  await attach('', '2048', '--device-type', 'cdrom')
  const front = await guest.connect()
  expect(await node('sector-size')).toBe('512')
  const drive = ['-d', String(guest.domid), '-v', 'xvda', '--socket', daemon.socket]
  expect(await xbbd('insert', ...drive, '-t', disc)).toMatchObject({ status: 0 })
  await until('the guest knows', () => front.sizeBytes === MiB)
  expect(await node('sector-size')).toBe('2048')
  expect(await front.read(2048, 4096)).toEqual(Buffer.alloc(4096, 5))
  await expect(front.read(2048, 512)).rejects.toMatchObject({ code: 'EIO' })
  expect((await daemon.statistics(guest.domid)).counters['mediumErrors']).toBe(0)
  await front.close()
  await daemon.detach({ domid: guest.domid })
}, 120_000)

test('512e: killed in the middle of changes to parts of whole sectors; what was redone undid no neighbour', async () => {
  expect(await daemon.stop('close')).toMatchObject({ left: [], held: nothing })
  const other = await world.guest({ pages: 32_768 })
  const [, target] = media().at(-1) ?? ['', '']
  // A slow medium: between reading a whole sector and writing it back there is time to die in.
  const setting = { runDir: 'killed', plant: 'delay=3' }
  let life = await world.daemon(setting)
  await life.attach({ domid: other.domid, target, sectorFormat: '512e', vdev: 'xvdb' })
  const front = await other.connect({}, 'xvdb')
  const enough = new AbortController()
  const loads = (async () => {
    for (let seed = 1; !enough.signal.aborted; seed++) {
      const result = await runWorkload({
        device: front, clock: systemClock, seed, count: 300, depth: 32, maxBytes: 6144, spanBytes: 32_768,
      })
      expect(result).toMatchObject({ ok: true, errors: 0 })
    }
  })()
  for (let turn = 0; turn < 3; turn++) {
    await until('requests are in flight', async () => ((await life.statistics(other.domid, 'xvdb')).counters['inFlight'] ?? 0) > 3)
    life.signal('SIGKILL')
    await life.ended
    life = await world.daemon(setting)
  }
  enough.abort()
  await loads
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
  await front.close()
  expect(await life.stop('close')).toMatchObject({ left: [], held: nothing })
  other.close()
}, 120_000)
