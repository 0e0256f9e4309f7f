/** The contract of media on NBD exports of real servers: nbdkit, qemu-nbd on a qcow2 image, and our own. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NbdServer } from '../../src/embedded/nbd/server.js'
import { IO_READ, IO_SYNC, IO_WRITE } from '../../src/ports/data-path.js'
import { testWith } from '../support/clients.js'
import { MemoryDisk } from '../unit/nbd-memory-disk.js'
import { CONTRACT_SECTORS, mediumContract } from './medium.js'
import { MediumDriver } from './medium-driver.js'
import { ServerProcess, openNbd, type NbdOptions } from './nbd-medium.js'

const dir = mkdtempSync(join(tmpdir(), 'xbbd-medium-nbd-'))
const servers: ServerProcess[] = []
let numbers = 0
afterAll(async () => {
  for (const server of servers) await server.kill()
  rmSync(dir, { recursive: true, force: true })
})

const BYTES = CONTRACT_SECTORS * 512
const uriOf = (socket: string, name = '') => `nbd+unix:///${name}?socket=${socket}`

async function nbdkit(...args: string[]): Promise<ServerProcess> {
  const socket = join(dir, `nbdkit-${numbers++}`)
  const server = new ServerProcess(socket, ['nbdkit', '--foreground', '--exit-with-parent', '-U', socket, ...args])
  servers.push(server)
  return server.start()
}

function qcow2(): string {
  const image = join(dir, `image-${numbers++}.qcow2`)
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(BYTES)])
  return image
}

async function qemuNbd(image: string, ...args: string[]): Promise<ServerProcess> {
  const socket = join(dir, `qemu-${numbers++}`)
  const options = ['--persistent', '--shared=4', '--format=qcow2', '--discard=unmap', `--socket=${socket}`, ...args]
  const server = new ServerProcess(socket, ['qemu-nbd', ...options, image])
  servers.push(server)
  return server.start()
}

/** One export of our own server, with abilities to choose. */
async function ownServer(disk: MemoryDisk): Promise<NbdServer> {
  return NbdServer.listen({ path: join(dir, `own-${numbers++}`), device: disk })
}

async function overOwn(disk: MemoryDisk, options: NbdOptions) {
  const server = await ownServer(disk)
  const medium = await openNbd(server.uri, options)
  return { ...medium, dispose: () => (medium.dispose(), void server.close()) }
}

async function overProcess(starting: Promise<ServerProcess>, options: NbdOptions) {
  const server = await starting
  const medium = await openNbd(uriOf(server.socket), options)
  return { ...medium, dispose: () => (medium.dispose(), void server.kill()) }
}

/** nbdkit's memory in blocks of 512 to 4096 bytes, every request answered a millisecond late. */
function sluggish({ readOnly }: { readOnly: boolean }) {
  const filters = ['--filter=blocksize-policy', '--filter=delay', 'memory', String(BYTES)]
  const sizes = ['blocksize-minimum=512', 'blocksize-preferred=4096', 'blocksize-maximum=4096']
  const server = nbdkit(...only(readOnly), ...filters, ...sizes, 'blocksize-error-policy=error', 'delay-write=1ms')
  return overProcess(server, { readOnly })
}

/** The same server, reached over TCP: whatever comes in on a port of the loopback interface is handed on. */
async function overTcp(starting: Promise<ServerProcess>, options: NbdOptions) {
  const server = await starting
  const relay = createServer((near) => {
    const far = connect(server.socket)
    near.pipe(far).pipe(near)
    for (const [one, other] of [[near, far], [far, near]]) one.on('error', () => other.destroy())
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  const medium = await openNbd(`nbd://127.0.0.1:${(relay.address() as AddressInfo).port}`, options)
  return { ...medium, dispose: () => (medium.dispose(), relay.close(), void server.kill()) }
}

const only = (readOnly: boolean) => (readOnly ? ['-r'] : [])

mediumContract('nbd, simple replies, our own server', ({ readOnly }) => overOwn(new MemoryDisk(BYTES), { readOnly }))
mediumContract('nbd, every write through (FUA)', ({ readOnly }) =>
  overOwn(new MemoryDisk(BYTES), { readOnly, care: { replayBytes: 0 } }))
mediumContract('nbd, nbdkit memory', ({ readOnly }) =>
  overProcess(nbdkit(...only(readOnly), 'memory', String(BYTES)), { readOnly }), { needs: ['nbdkit'] })
mediumContract('nbd over TCP, nbdkit memory', ({ readOnly }) =>
  overTcp(nbdkit(...only(readOnly), 'memory', String(BYTES)), { readOnly }), { needs: ['nbdkit'] })
mediumContract('nbd, nbdkit in parts, late', sluggish, { needs: ['nbdkit'] })
mediumContract('nbd, qemu-nbd on qcow2', ({ readOnly }) => overProcess(qemuNbd(qcow2()), { readOnly }), {
  needs: ['qemu-nbd', 'qemu-img'], zeroesAfterDiscard: false,
})

describe('a server that is killed and started again', () => {
  const care = { reconnectMs: 20_000, replayBytes: 1 << 20 }
  /** A chance that is the same in every run. */
  const random = (seed: number) => () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32

  /** Batches of writes and flushes while `kill` runs; then everything is read back. @returns how often it was away. */
  async function load(server: ServerProcess, kill: (batch: number) => Promise<void>): Promise<number> {
    const medium = await openNbd(uriOf(server.socket), { care })
    const driver = new MediumDriver(medium)
    const chance = random(7)
    const expected = new Uint8Array(CONTRACT_SECTORS)
    for (let batch = 0; batch < 40; batch++) {
      const from = Math.floor(chance() * 480)
      const requests = Array.from({ length: 32 }, (_, index) => {
        const [unit, fill] = [from + index, 1 + Math.floor(chance() * 255)]
        expected[unit] = fill
        driver.bytes.fill(fill, index * 4096, (index + 1) * 4096)
        return { op: IO_WRITE, at: index * 4096, length: 4096, offset: unit * 4096 }
      })
      const running = driver.run(batch % 7 === 3 ? [...requests, { op: IO_SYNC }] : requests)
      await kill(batch)
      expect(new Set(await running)).toEqual(new Set(batch % 7 === 3 ? [4096, 0] : [4096]))
    }
    for (let unit = 0; unit < 512; unit++) {
      await driver.run([{ op: IO_READ, at: 0, length: 4096, offset: unit * 4096 }])
      expect([unit, ...new Set(driver.bytes.subarray(0, 4096))]).toEqual([unit, expected[unit]])
    }
    driver.close()
    return medium.told.filter((what) => what === 'tellBack').length - 1
  }

  async function killed(server: ServerProcess, batch: number): Promise<void> {
    if (batch % 8 !== 5) return
    await server.kill()
    await server.start()
  }

  testWith(['qemu-nbd', 'qemu-img'], 'qemu-nbd on qcow2: nothing that was acknowledged is lost', async () => {
    const server = await qemuNbd(qcow2())
    expect(await load(server, (batch) => killed(server, batch))).toBe(5)
  })

  testWith(['nbdkit'], 'nbdkit on a file, its answers late: what was under way is sent again', async () => {
    const image = join(dir, 'image.raw')
    writeFileSync(image, new Uint8Array(BYTES))
    const server = await nbdkit('--filter=delay', 'file', image, 'wdelay=2ms')
    expect(await load(server, (batch) => killed(server, batch))).toBe(5)
  })

  testWith(['nbdkit'], 'one that stays away: what is held fails when the time is up, and whatever comes', async () => {
    const server = await nbdkit('memory', String(BYTES))
    const medium = await openNbd(uriOf(server.socket), { care: { reconnectMs: 300 } })
    const driver = new MediumDriver(medium)
    const write = { op: IO_WRITE, at: 0, length: 4096, offset: 0 }
    expect(await driver.run([write])).toEqual([4096])
    await server.kill()
    expect(await driver.run([write, { op: IO_READ, at: 0, length: 512, offset: 0 }, { op: IO_SYNC }])).toEqual([-5, -5, -5])
    expect(await driver.run([write])).toEqual([-5])
    expect(medium.told.at(-1)).toContain('tellGone: nobody listens there')
    expect(medium.inputs).toEqual(expect.arrayContaining(['port.lost', 'port.refused', 'clock.elapsed']))
    driver.close()
  })

  testWith(['nbdkit'], 'one that comes back smaller is not taken for the same', async () => {
    const server = await nbdkit('memory', String(BYTES))
    const driver = new MediumDriver(await openNbd(uriOf(server.socket)))
    await driver.run([{ op: IO_SYNC }])
    await server.kill()
    const other = new ServerProcess(server.socket, ['nbdkit', '-f', '-U', server.socket, 'memory', String(BYTES / 2)])
    servers.push(await other.start())
    expect(await driver.run([{ op: IO_READ, at: 0, length: 512, offset: 0 }])).toEqual([-5])
    expect((driver.medium as { told?: string[] }).told?.at(-1)).toContain('shrank')
    driver.close()
  })
})

describe('errors of a server', () => {
  testWith(['nbdkit'], 'they go to whoever asked: EIO, no space, and a flush that failed loses the sync', async () => {
    const server = await nbdkit('--filter=error', 'memory', String(BYTES), 'error-pread=EIO', 'error-pread-rate=100%',
      'error-pwrite=ENOSPC', 'error-pwrite-rate=100%')
    const driver = new MediumDriver(await openNbd(uriOf(server.socket)))
    const part = { at: 0, length: 4096, offset: 0 }
    expect(await driver.run([{ op: IO_READ, ...part }, { op: IO_WRITE, ...part }, { op: IO_SYNC }])).toEqual([-5, -28, 0])
    expect((driver.medium as { told?: string[] }).told).toEqual(['tellBack'])
    driver.close()
    const disk = new MemoryDisk(BYTES)
    const own = new MediumDriver(await overOwn(disk, {}))
    await own.run([{ op: IO_SYNC }])
    disk.failing = 'EIO'
    expect(await own.run([{ op: IO_SYNC }])).toEqual([-5])
    disk.failing = undefined
    expect(await own.run([{ op: IO_SYNC }])).toEqual([-5])
    own.close()
  })
})

describe('how writes become durable', () => {
  test('with a log they are flushed before it is full, and again when another port takes over', async () => {
    const disk = new MemoryDisk(BYTES)
    const driver = new MediumDriver(await overOwn(disk, { care: { replayBytes: 1 << 20 } }))
    const write = { op: IO_WRITE, at: 0, length: 65536, offset: 0 }
    await driver.run([write])
    expect(disk.calls.flush).toBe(1)
    await driver.run(Array.from({ length: 40 }, () => write))
    expect(disk.calls.flush).toBeGreaterThan(3)
    expect(driver.medium.geometry.buffered).toBe(true)
    driver.close()
  })

  test('without one each is made durable by itself, and several connections may share the disk', async () => {
    const disk = new MemoryDisk(BYTES)
    const driver = new MediumDriver(await overOwn(disk, { care: { replayBytes: 0 } }))
    await driver.run([{ op: IO_SYNC }])
    const before = disk.calls.flush
    await driver.run(Array.from({ length: 5 }, () => ({ op: IO_WRITE, at: 0, length: 4096, offset: 0 })))
    expect([disk.calls.flush - before, driver.medium.geometry.buffered]).toEqual([5, false])
    driver.close()
  })
})
