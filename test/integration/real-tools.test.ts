/**
 * A real file system by real tools, against the real daemon in its own process: NBD client ► front end ► ring ► daemon
 * ► io_uring ► O_DIRECT file, and back. What was written is also read behind the daemon's back, from the file itself.
 */
import { execFile } from 'node:child_process'
import { constants, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { NbdServer } from '../../src/embedded/nbd/server.js'
import { testWith } from '../support/clients.js'
import { RealWorld, type DaemonProcess, type GuestHere } from '../support/processes.js'

const run = promisify(execFile)
const SIZE = 64 << 20
let world: RealWorld
let daemon: DaemonProcess
let guest: GuestHere

beforeAll(async () => {
  world = await RealWorld.start()
  daemon = await world.daemon()
  guest = await world.guest()
})
afterAll(() => world.close())

/** The guest's disk on an NBD socket while `body` runs; afterwards it is detached, and no answer was wrong. */
async function served(target: string, body: (uri: string) => Promise<void>): Promise<void> {
  await daemon.attach({ domid: guest.domid, target })
  const front = await guest.connect()
  const server = await NbdServer.listen({ path: join(world.dir, 'nbd'), device: front })
  try {
    await body(server.uri)
  } finally {
    await server.close()
    await front.close()
  }
  expect(front.counters).toMatchObject({ violations: 0, errors: 0, unsupported: 0 })
  expect(await daemon.detach({ domid: guest.domid })).toEqual({ existed: true, removed: true })
}

async function ext4Image(): Promise<string> {
  const path = world.image(SIZE)
  const folder = join(world.dir, 'tree')
  await run('cp', ['-r', join(import.meta.dirname, '../../src'), folder])
  await run('mkfs.ext4', ['-q', '-F', '-d', folder, path])
  return path
}

const tools = ['nbdcopy', 'mkfs.ext4', 'e2fsck']
testWith(tools, 'S5 S20: an ext4 image goes in with nbdcopy, comes back byte for byte, and is clean', async () => {
  const [image, disk, back] = [await ext4Image(), world.image(SIZE), join(world.dir, 'back')]
  await served(disk, async (uri) => {
    const flags = daemon.openFlags(disk)
    expect(flags.length).toBeGreaterThan(0)
    for (const flag of flags) expect(flag & constants.O_DIRECT).toBe(constants.O_DIRECT)
    await run('nbdcopy', ['--flush', image, uri])
    await run('nbdcopy', [uri, back])
    const { counters } = await daemon.statistics(guest.domid)
    expect(counters['readBytes']).toBeGreaterThanOrEqual(SIZE)
    expect(counters['flushes']).toBeGreaterThan(0)
  })
  const original = readFileSync(image)
  expect(readFileSync(back).equals(original)).toBe(true)
  expect(readFileSync(disk).equals(original)).toBe(true)
  await run('e2fsck', ['-fn', back])
  await run('e2fsck', ['-fn', disk])
}, 60_000)

testWith(['qemu-img'], 'S5 S22: qemu-img convert writes an image many requests at a time, and finds it identical', async () => {
  const [source, disk] = [world.image(SIZE), world.image(SIZE)]
  const bytes = Buffer.from(Int32Array.from({ length: SIZE / 8 }, (_, index) => Math.imul(index + 1, 0x9e3779b1)).buffer)
  writeFileSync(source, bytes, { flag: 'r+' })
  await served(disk, async (uri) => {
    await run('qemu-img', ['convert', '-n', '-m', '16', '-W', '-f', 'raw', '-O', 'raw', source, uri])
    await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', source, uri])
    const { counters } = await daemon.statistics(guest.domid)
    expect(counters['inFlightMax']).toBeGreaterThan(8)
  })
  expect(readFileSync(disk).subarray(0, bytes.length).equals(bytes)).toBe(true)
}, 60_000)

testWith(['fio'], 'fio --ioengine=nbd --verify=crc32c finds nothing wrong in a random mix', async () => {
  await served(world.image(SIZE), async (uri) => {
    const job = ['--name=mix', '--ioengine=nbd', `--uri=${uri}`, '--rw=randrw', '--bsrange=4k-128k', '--iodepth=32']
    await run('fio', [...job, '--size=64M', '--io_size=96M', '--verify=crc32c', '--verify_fatal=1'], { cwd: world.dir })
    const { counters } = await daemon.statistics(guest.domid)
    expect(counters['answeredError']).toBe(0)
    expect(counters['readBytes']).toBeGreaterThan(SIZE / 2)
  })
}, 60_000)
