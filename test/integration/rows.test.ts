/**
 * Rows of SEED.md that only whole processes can show: media through the daemon, every way to lay out a ring, what an
 * operator sees of a mistake. One host, one daemon, many guests.
 */
import { execFileSync } from 'node:child_process'
import { constants, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { backendNode, RealWorld, until, type DaemonProcess, type GuestHere } from '../support/processes.js'
import { xbbd } from '../support/xbbd-process.js'

let world: RealWorld
let daemon: DaemonProcess
let guest: GuestHere
beforeAll(async () => {
  world = await RealWorld.start()
  daemon = await world.daemon({ plant: 'error=6:8000-8008@vbd/1/51936,error=5:4000-4008@vbd/1/51920' })
  guest = await world.guest()
  expect(guest.domid).toBe(1)
})
afterAll(() => world.close())

const verified = (device: Parameters<typeof runWorkload>[0]['device'], count = 150) =>
  runWorkload({ device, clock: systemClock, seed: count, count, depth: 32, maxBytes: 131_072, spanBytes: 4 << 20 })

test('S1: a node that a toolstack writes below backend/vbd becomes a device, and ends with it', async () => {
  const node = `/local/domain/0/backend/vbd/${guest.domid}/51952`
  const frontend = `/local/domain/${guest.domid}/device/vbd/51952`
  await world.store.transaction(async (ops) => {
    const nodes = { frontend, 'frontend-id': guest.domid, online: 1, mode: 'w', params: 'memory:1M', state: 1 }
    for (const [key, value] of Object.entries(nodes)) await ops.write(`${node}/${key}`, String(value))
    await ops.write(`${frontend}/state`, '1')
  })
  await until('it is offered', async () => (await world.store.read(`${node}/state`)) === '2')
  expect((await daemon.device(guest.domid, 'xvdp'))?.state).toMatch(/^InitWait/)
  await world.store.remove(node)
  await until('it is forgotten', async () => (await daemon.list()).length === 0)
})

test('S4 S5: what cannot be opened is one sentence for the operator and hotplug-error in XenStore', async () => {
  const [directory, fifo, short] = ['a-directory', 'a-fifo', 'short'].map((name) => join(world.dir, name))
  mkdirSync(directory)
  execFileSync('mkfifo', [fifo])
  writeFileSync(short, 'less than a sector')
  await daemon.attach({ domid: guest.domid, vdev: 'xvdb', target: 'memory:1M' })
  const cases: readonly [string, RegExp][] = [
    [directory, /directory/], [fifo, /FIFO|fifo|pipe/i], [join(world.dir, 'missing'), /no such|does not exist|missing/i],
    [short, /sector/],
  ]
  for (const [target, sentence] of cases) {
    const disk = ['-d', String(guest.domid), '-v', 'xvdc', '-t', target]
    const { status, stderr, stdout } = await xbbd('attach', ...disk, '--wait', '20s', '--socket', daemon.socket)
    expect({ status, stdout }).toEqual({ status: 66, stdout: '' })
    expect(stderr).toMatch(sentence)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    const node = (key: string) => backendNode(world, guest.domid, key, 'xvdc')
    expect(await node('hotplug-error')).toMatch(sentence)
    expect(await Promise.all(['hotplug-status', 'online', 'state'].map(node))).toEqual(['error', '0', '6'])
    expect(await daemon.device(guest.domid, 'xvdc')).toMatchObject({ state: 'Failed' })
    expect((await daemon.device(guest.domid, 'xvdb'))?.state).toMatch(/^InitWait/)
    await daemon.detach({ domid: guest.domid, vdev: 'xvdc' })
  }
  await daemon.detach({ domid: guest.domid, vdev: 'xvdb' })
}, 60_000)

test('S4: an image that another disk has locked: who holds it is said, and it is had as soon as it is free', async () => {
  const { domid } = guest
  const target = world.image(1 << 20)
  await daemon.attach({ domid, vdev: 'xvdb', target })
  await daemon.attach({ domid, vdev: 'xvdc', target, waitMs: 1 }).catch(() => undefined)
  const holder = new RegExp(`^waiting for the lock: .* is in use by process ${daemon.pid} `)
  await until('it is said', async () => (await daemon.device(domid, 'xvdc'))?.notes.some((note) => holder.test(note)))
  expect((await daemon.device(domid, 'xvdb'))?.state).toMatch(/^InitWait/)
  await daemon.detach({ domid, vdev: 'xvdb' })
  await until('it is offered', async () => (await daemon.device(domid, 'xvdc'))?.backendState === 'InitWait')
  await daemon.detach({ domid, vdev: 'xvdc' })
})

test('S6: hotplug-status says connected before InitWait', async () => {
  const seen: string[] = []
  const path = `/local/domain/0/backend/vbd/${guest.domid}/51712`
  const stop = await world.store.watch(path, () => {
    void world.store.transaction(async (ops) => {
      const state = await ops.read(`${path}/state`)
      if (state === '2') seen.push((await ops.read(`${path}/hotplug-status`)) ?? 'absent')
    })
  })
  await daemon.attach({ domid: guest.domid, target: 'memory:1M' })
  await until('InitWait was seen', () => seen.length > 0)
  await stop()
  expect(new Set(seen)).toEqual(new Set(['connected']))
  await daemon.detach({ domid: guest.domid })
})

const schemes = ['ring-page-order', 'num-ring-pages', '2010'] as const
test.each([
  ...schemes.flatMap((scheme) => [1, 2, 4, 8, 16].map((pages) => [scheme, pages, 'x86_64'] as const)),
  ['ring-page-order', 16, 'x86_32'], ['ring-page-order', 1, 'x86_32'],
] as const)('S7 S8 S13 S25: a ring by %s of %d pages in the layout of %s', async (scheme, ringPages, abi) => {
  await daemon.attach({ domid: guest.domid, target: 'memory:4M' })
  const front = await guest.connect({ scheme, ringPages, abi })
  expect(front.ringPages).toBe(ringPages)
  const connection = (await daemon.device(guest.domid))?.connection
  expect(connection).toMatchObject({ abi, ringPages, ringEntries: front.depth })
  expect(await verified(front)).toMatchObject({ ok: true })
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
  expect(front.counters.wakeUps).toBeGreaterThan(0)
  await front.close()
  expect(front.grantsHeldTooLong).toBe(0)
  await daemon.detach({ domid: guest.domid })
})

test('a read-only disk: writes are refused, and the daemon itself has the file open for reading alone', async () => {
  const image = world.image(1 << 20)
  writeFileSync(image, Buffer.alloc(1 << 20, 7))
  await daemon.attach({ domid: guest.domid, target: image, mode: 'r' })
  const front = await guest.connect()
  expect(front.readOnly).toBe(true)
  expect(daemon.openFlags(image).map((flags) => flags & 3)).toEqual([constants.O_RDONLY])
  await expect(front.write(0, Buffer.alloc(4096, 1))).rejects.toMatchObject({ code: 'EIO' })
  expect(await front.read(0, 4096)).toEqual(Buffer.alloc(4096, 7))
  const { counters } = await daemon.statistics(guest.domid)
  expect(counters).toMatchObject({ answeredError: 1, writtenBytes: 0 })
  await front.close()
  await daemon.detach({ domid: guest.domid })
  expect(readFileSync(image).every((byte) => byte === 7)).toBe(true)
})

test('a cdrom is offered as removable, and read', async () => {
  const image = world.image(1 << 20)
  await daemon.attach({ domid: guest.domid, vdev: 'xvdd', target: image, mode: 'r', deviceType: 'cdrom' })
  const front = await guest.connect({}, 'xvdd')
  // VDISK_CDROM, VDISK_REMOVABLE, VDISK_READONLY (xen/include/public/io/blkif.h)
  expect(Number(await backendNode(world, guest.domid, 'info', 'xvdd')) & 7).toBe(7)
  expect(await front.read(0, 2048)).toEqual(Buffer.alloc(2048))
  await front.close()
  await daemon.detach({ domid: guest.domid, vdev: 'xvdd' })
})

test('S3 S5: discs come and go in a drive of a running guest; an empty drive answers errors', async () => {
  const [first, second] = [world.image(1 << 20), world.image(2 << 20)]
  writeFileSync(first, Buffer.alloc(1 << 20, 1))
  writeFileSync(second, Buffer.alloc(2 << 20, 2))
  const disk = ['-d', String(guest.domid), '-v', 'xvdd', '--socket', daemon.socket]
  expect(await xbbd('attach', ...disk, '--device-type', 'cdrom', '-t', '')).toMatchObject({ status: 0 })
  const front = await guest.connect({}, 'xvdd')
  const sectors = () => backendNode(world, guest.domid, 'sectors', 'xvdd')
  expect(await sectors()).toBe('0')
  await expect(front.read(0, 2048)).rejects.toMatchObject({ code: expect.stringMatching(/EIO|EINVAL/) as unknown })
  expect(await xbbd('insert', ...disk, '-t', first)).toMatchObject({ status: 0, stdout: expect.stringContaining(first) as unknown })
  await until('the guest knows', () => front.sizeBytes === 1 << 20)
  expect(await front.read(4096, 2048)).toEqual(Buffer.alloc(2048, 1))
  expect(await xbbd('insert', ...disk, '-t', second)).toMatchObject({ status: 0 })
  await until('the guest knows', () => front.sizeBytes === 2 << 20)
  expect(await front.read(1 << 20, 2048)).toEqual(Buffer.alloc(2048, 2))
  expect(daemon.openFlags(first)).toEqual([])
  const missing = await xbbd('insert', ...disk, '-t', '/no/such/disc')
  expect(missing).toMatchObject({ status: 66, stderr: expect.stringMatching(/drive is empty: .*does not exist/) as unknown })
  expect([await sectors(), daemon.openFlags(second)]).toEqual(['0', []])
  expect(await xbbd('eject', ...disk, '--json')).toMatchObject({ status: 0, stdout: expect.stringContaining('"target":') as unknown })
  await front.close()
  await daemon.detach({ domid: guest.domid, vdev: 'xvdd' })
})

test('S5 S31 S32: several guests with several disks of every medium at once', async () => {
  const guests = [guest, await world.guest({ pages: 16_384 }), await world.guest({ pages: 16_384 })]
  const targets = [() => world.image(4 << 20), () => 'memory:4M', () => world.image((4 << 20) + 700)]
  const fronts = await Promise.all(guests.slice(1).flatMap(({ domid }, index) =>
    targets.map(async (target, disk) => {
      const vdev = `xvd${'efg'[disk]}`
      const { device } = await daemon.attach({ domid, vdev, target: target() })
      if (disk === 2) expect(device.notes.join()).toMatch(/round|whole|size/i)
      return guests[index + 1].connect({ ringPages: 1 }, vdev)
    }),
  ))
  const results = await Promise.all(fronts.map((front) => verified(front, 300)))
  for (const result of results) expect(result).toMatchObject({ ok: true, errors: 0 })
  expect((await daemon.list()).filter(({ backendState }) => backendState === 'Connected')).toHaveLength(6)
  await Promise.all(fronts.map((front) => front.close()))
  for (const { domid } of guests.slice(1))
    for (const vdev of ['xvde', 'xvdf', 'xvdg']) await daemon.detach({ domid, vdev })
  for (const one of guests.slice(1)) one.close()
})

test('a null medium answers and moves nothing', async () => {
  await daemon.attach({ domid: guest.domid, target: 'null:1G' })
  const front = await guest.connect()
  expect(front.sizeBytes).toBe(2 ** 30)
  await Promise.all(Array.from({ length: 300 }, (_, index) => front.write(index * 45_056, Buffer.alloc(45_056))))
  expect((await daemon.statistics(guest.domid)).counters).toMatchObject({ answeredOkay: 300, answeredError: 0 })
  await front.close()
  await daemon.detach({ domid: guest.domid })
})

test('a medium that fails in the middle: those requests alone end with an error, the disk stays', async () => {
  const vdev = 'xvdn' // 51920, planted: EIO in sectors 4000 to 4008
  await daemon.attach({ domid: guest.domid, vdev, target: world.image(4 << 20) })
  const front = await guest.connect({}, vdev)
  await expect(front.read(4000 * 512, 4096)).rejects.toMatchObject({ code: 'EIO' })
  await expect(front.write(3992 * 512, Buffer.alloc(8192))).rejects.toMatchObject({ code: 'EIO' })
  await front.write(0, Buffer.alloc(4096, 3))
  expect(await front.read(0, 4096)).toEqual(Buffer.alloc(4096, 3))
  expect((await daemon.statistics(guest.domid, vdev)).counters).toMatchObject({ answeredError: 2, mediumErrors: 2 })
  expect((await daemon.device(guest.domid, vdev))?.state).toMatch(/^Connected/)
  await front.close()
  await daemon.detach({ domid: guest.domid, vdev })
})

test('S24: a medium that is gone (ENXIO): the device asks its front end to close, and says why', async () => {
  const vdev = 'xvdo' // 51936, planted: ENXIO in sectors 8000 to 8008
  await daemon.attach({ domid: guest.domid, vdev, target: world.image(8 << 20) })
  const events: unknown[] = []
  const front = await guest.connect({ onEvent: (event) => events.push(event) }, vdev)
  await front.write(0, Buffer.alloc(4096, 1))
  await expect(front.read(8000 * 512, 4096)).rejects.toMatchObject({ code: 'EIO' })
  await until('the front end was asked to close', () => events.length > 0)
  await front.close()
  await until('it is closed', async () => (await backendNode(world, guest.domid, 'state', vdev)) === '6')
  const error = expect.stringMatching(/ENXIO|gone/) as unknown
  expect(await daemon.device(guest.domid, vdev)).toMatchObject({ error })
  expect((await daemon.status()).held).toEqual({ rings: 0, channels: 0, grants: 0 })
  await daemon.detach({ domid: guest.domid, vdev })
})

test('a file that grows while it is used: at a reload the front end hears of the new size, and can use it', async () => {
  const image = world.image(1 << 20)
  await daemon.attach({ domid: guest.domid, target: image })
  const events: unknown[] = []
  const front = await guest.connect({ onEvent: (event) => events.push(event) })
  truncateSync(image, 2 << 20)
  await daemon.control.call('reload')
  await until('it was told', () => events.length > 0)
  expect(events).toEqual([{ kind: 'resized', sizeBytes: 2 << 20 }])
  await front.write((2 << 20) - 4096, Buffer.alloc(4096, 9))
  expect(await front.read((2 << 20) - 4096, 4096)).toEqual(Buffer.alloc(4096, 9))
  await front.close()
  await daemon.detach({ domid: guest.domid })
})

test('S30: xbbd list --statistics shows requests, bytes and latency of each kind', async () => {
  await daemon.attach({ domid: guest.domid, target: world.image(4 << 20) })
  const front = await guest.connect()
  for (let index = 0; index < 10; index++) await front.write(index * 8192, Buffer.alloc(8192))
  for (let index = 0; index < 20; index++) await front.read(index * 4096, 4096)
  await front.flush()
  const listed = await xbbd('list', '--statistics', '--socket', daemon.socket)
  expect(listed.status).toBe(0)
  expect(listed.stdout).toMatch(/reads +20\n/)
  expect(listed.stdout).toMatch(/writtenBytes +81920\n/)
  const { counters, histograms } = await daemon.statistics(guest.domid)
  expect(counters).toMatchObject({ reads: 20, writes: 10, flushes: 1, readBytes: 81_920, writtenBytes: 81_920 })
  const sum = (name: string) => histograms[name].reduce((total, count) => total + count, 0)
  expect([sum('readLatency'), sum('writeLatency'), sum('otherLatency')]).toEqual([20, 10, 1])
  await front.close()
  await daemon.detach({ domid: guest.domid })
})
