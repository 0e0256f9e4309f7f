/**
 * The contract of media on Ceph RBD images behind qemu-nbd. `npm run test:ceph` starts a Ceph and runs it; by itself it
 * finds none.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IO_READ, IO_SYNC, IO_WRITE } from '../../src/ports/data-path.js'
import { CONTRACT_SECTORS, mediumContract } from './medium.js'
import { MediumDriver } from './medium-driver.js'
import { ServerProcess, openNbd } from './nbd-medium.js'

const pool = process.env.XBBD_CEPH_POOL
if (pool === undefined) throw new Error('no Ceph is there: use npm run test:ceph, which starts one')
const dir = mkdtempSync(join(tmpdir(), 'xbbd-ceph-suite-'))
const servers: ServerProcess[] = []
afterAll(async () => {
  for (const server of servers) await server.kill()
  rmSync(dir, { recursive: true, force: true })
})

/** A new image of zeroes, and a server for it. */
async function image(): Promise<ServerProcess> {
  const name = `image-${servers.length}`
  execFileSync('rbd', ['create', '--size', `${CONTRACT_SECTORS * 512}B`, `${pool}/${name}`])
  const socket = join(dir, name)
  const options = ['--persistent', '--shared=4', '--format=raw', '--discard=unmap', `--socket=${socket}`]
  const server = new ServerProcess(socket, ['qemu-nbd', ...options, `rbd:${pool}/${name}:conf=${process.env.CEPH_CONF}`])
  servers.push(server)
  return server.start()
}

mediumContract('nbd, qemu-nbd on Ceph RBD', async ({ readOnly }) => {
  const server = await image()
  const medium = await openNbd(`nbd+unix:///?socket=${server.socket}`, { readOnly })
  return { ...medium, dispose: () => (medium.dispose(), void server.kill()) }
}, { zeroesAfterDiscard: false })

test('a qemu-nbd before Ceph that is killed and started again loses nothing', async () => {
  const server = await image()
  const medium = await openNbd(`nbd+unix:///?socket=${server.socket}`)
  const driver = new MediumDriver(medium)
  for (let round = 1; round <= 4; round++) {
    driver.bytes.fill(round, 0, 262_144)
    const writes = Array.from({ length: 64 }, (_, index) =>
      ({ op: IO_WRITE, at: index * 4096, length: 4096, offset: index * 8192 }))
    const running = driver.run(writes)
    await server.kill()
    await server.start()
    expect(new Set(await running)).toEqual(new Set([4096]))
    expect(await driver.run([{ op: IO_SYNC }])).toEqual([0])
    driver.bytes.fill(0, 0, 4096)
    for (let index = 0; index < 64; index++) {
      await driver.run([{ op: IO_READ, at: 0, length: 4096, offset: index * 8192 }])
      expect([index, ...new Set(driver.bytes.subarray(0, 4096))]).toEqual([index, round])
    }
  }
  driver.close()
}, 300_000)
