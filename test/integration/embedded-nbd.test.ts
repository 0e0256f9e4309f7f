/** The whole way: a real NBD client, the NBD server, the front end, ring and grants, a back end, and back. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readFileSync, writeFileSync } from 'node:fs'
import { NbdServer } from '../../src/embedded/nbd/server.js'
import { runWorkload } from '../../src/embedded/workload.js'
import { testWith } from '../support/clients.js'
import { EmbeddedRig, realClock } from './embedded-rig.js'

const run = promisify(execFile)
let rig: EmbeddedRig
beforeEach(async () => {
  rig = await EmbeddedRig.start({ sizeBytes: 16 << 20 })
})
afterEach(() => rig.close())

testWith(['nbdcopy', 'mkfs.ext4', 'e2fsck'], 'a file system goes in and comes out, byte for byte, and is clean', async () => {
  const front = await rig.connect()
  const server = await NbdServer.listen({ path: join(rig.dir, 'nbd'), device: front })
  const [image, back] = [join(rig.dir, 'image'), join(rig.dir, 'back')]
  writeFileSync(image, Buffer.alloc(16 << 20))
  await run('mkfs.ext4', ['-q', '-F', image])
  await run('nbdcopy', ['--flush', image, server.uri])
  await run('nbdcopy', [server.uri, back])
  expect(readFileSync(back).equals(readFileSync(image))).toBe(true)
  expect(rig.backend.disk.equals(readFileSync(image))).toBe(true)
  await run('e2fsck', ['-fn', back])
  await server.close()
  await front.close()
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
}, 60_000)

testWith(['fio'], 'fio verifies a random mix through ring and grants', async () => {
  const front = await rig.connect({ ringPages: 4, grants: 'revoking' })
  const server = await NbdServer.listen({ path: join(rig.dir, 'nbd'), device: front })
  const job = ['--name=mix', '--ioengine=nbd', `--uri=${server.uri}`, '--rw=randrw', '--bs=4k-128k', '--iodepth=32']
  await run('fio', [...job, '--size=16M', '--verify=crc32c', '--verify_fatal=1'], { cwd: rig.dir })
  await server.close()
  await front.close()
  expect(front.grantsHeldTooLong).toBe(0)
}, 60_000)

test('the verifying load finds nothing wrong with an honest disk, and repeats itself by its seed', async () => {
  const front = await rig.connect()
  const mix = { read: 45, write: 45, flush: 5, trim: 5 }
  const result = await runWorkload({ device: front, clock: realClock, seed: 7, count: 3000, mix })
  expect(result).toMatchObject({ ok: true, errors: 0 })
  expect(result.finding).toBeUndefined()
  expect(result.reads + result.writes + result.flushes + result.trims).toBe(3000)
  expect(result.sectorsVerified).toBeGreaterThan(1000)
  await front.close()
})

test('the verifying load finds one flipped bit, and a disk that fails', async () => {
  const front = await rig.connect()
  const options = { device: front, clock: realClock, seed: 3, spanBytes: 65_536, maxBytes: 4096, depth: 4 }
  await runWorkload({ ...options, count: 500, mix: { read: 0, write: 100 } })
  const flip = setInterval(() => {
    for (let at = 100; at < 65_536; at += 512) rig.backend.disk[at] ^= 4
  }, 1)
  const result = await runWorkload({ ...options, durationMs: 20_000 })
  clearInterval(flip)
  expect(result.ok).toBe(false)
  expect(result.finding).toMatch(/^sector \d+ was written as version/)
  rig.backend.failing = true
  const failed = await runWorkload({ ...options, count: 10 })
  expect(failed).toMatchObject({ ok: false })
  expect(failed.finding).toMatch(/failed: EIO/)
  await front.close()
})
