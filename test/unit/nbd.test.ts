/** The NBD server against real clients, and against clients that lie. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { NbdServer } from '../../src/embedded/nbd/server.js'
import * as nbd from '../../src/protocol/nbd.js'
import { testWith } from '../support/clients.js'
import { RawNbdClient } from './nbd-client.js'
import { MemoryDisk } from './nbd-memory-disk.js'

const run = promisify(execFile)
const MIB = 1 << 20

let dir: string
let path: string
let server: NbdServer
let reasons: string[]

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'xbbd-nbd-'))
  path = join(dir, 'nbd')
  reasons = []
})
afterEach(async () => {
  await server.close()
  rmSync(dir, { recursive: true })
})

async function serve(device: MemoryDisk, maxConnections = 16): Promise<MemoryDisk> {
  server = await NbdServer.listen({ path, device, maxConnections, onClosed: (reason) => reasons.push(reason) })
  return device
}

/** Bytes in which no two sectors are alike. */
function patterned(bytes: number): Buffer {
  const data = Buffer.alloc(bytes)
  for (let word = 0; word < bytes / 4; word++) data.writeUInt32LE(Math.imul(word + 1, 0x9e3779b1) >>> 0, word * 4)
  return data
}

describe('real clients', () => {
  testWith(['nbdinfo'], 'nbdinfo sees size, block sizes and abilities', async () => {
    await serve(new MemoryDisk(8 * MIB, { sectorSize: 4096 }))
    const { stdout } = await run('nbdinfo', ['--json', '--no-content', server.uri])
    const info = JSON.parse(stdout) as { exports: Record<string, unknown>[] }
    expect(info.exports[0]).toMatchObject({
      'export-name': 'disk', 'export-size': 8 * MIB, is_read_only: false, can_flush: true, can_fua: true,
      can_trim: true, can_zero: true, can_multi_conn: true, block_size_minimum: 4096,
      block_size_preferred: 4096, block_size_maximum: 32 * MIB,
    })
    const list = await run('nbdinfo', ['--list', '--json', '--no-content', `nbd+unix:///?socket=${path}`])
    expect(list.stdout).toContain('"disk"')
  })

  testWith(['nbdcopy'], 'nbdcopy brings an image in and out unchanged', async () => {
    const disk = await serve(new MemoryDisk(24 * MIB))
    const image = patterned(24 * MIB)
    writeFileSync(join(dir, 'in'), image)
    await run('nbdcopy', ['--flush', '--request-size=262144', join(dir, 'in'), server.uri])
    expect(disk.bytes.equals(image)).toBe(true)
    expect(disk.calls.flush).toBeGreaterThan(0)
    await run('nbdcopy', [server.uri, join(dir, 'out')])
    expect(readFileSync(join(dir, 'out')).equals(image)).toBe(true)
    expect(disk.mostInFlight).toBeGreaterThan(1)
  })

  testWith(['qemu-io'], 'qemu-io writes, zeroes, discards, flushes and verifies', async () => {
    const disk = await serve(new MemoryDisk(4 * MIB))
    const commands = ['write -P 0xa5 0 1M', 'write -f -P 0x5a 1M 64k', 'write -z 64k 64k', 'discard 128k 64k', 'flush',
      'read -P 0xa5 0 64k', 'read -P 0 64k 128k', 'read -P 0xa5 192k 832k', 'read -P 0x5a 1M 64k']
    const { stdout } = await run('qemu-io', ['-f', 'raw', ...commands.flatMap((command) => ['-c', command]), server.uri])
    expect(stdout).not.toMatch(/fail|error/i)
    expect(disk.calls.trim).toBe(1)
    expect(disk.bytes[192 * 1024]).toBe(0xa5)
  })

  testWith(['fio'], 'fio verifies a random mix at depth 32', async () => {
    await serve(new MemoryDisk(16 * MIB))
    const { stdout } = await run('fio', ['--name=mix', '--ioengine=nbd', `--uri=${server.uri}`, '--rw=randrw', '--bs=4k-64k',
      '--iodepth=32', '--size=16M', '--verify=crc32c', '--verify_fatal=1', '--output-format=json'], { cwd: dir })
    const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { jobs: { error: number }[] }
    expect(report.jobs.map((job) => job.error)).toEqual([0])
  }, 60_000)

  testWith(['qemu-io'], 'a read-only disk is offered as one', async () => {
    const disk = await serve(new MemoryDisk(MIB, { readOnly: true }))
    const failed = await run('qemu-io', ['-f', 'raw', '-c', 'write 0 4k', server.uri]).then(() => 'it was written', String)
    expect(failed).toMatch(/permission denied|read-only/i)
    expect(disk.calls.write).toBe(0)
  })
})

describe('answers', () => {
  const cases: [string, number, bigint, number, number][] = [
    ['an unknown command', 9, 0n, 512, 22],
    ['a read beyond the end', nbd.CMD_READ, BigInt(MIB), 512, 22],
    ['a write of zeroes beyond the end', nbd.CMD_WRITE_ZEROES, BigInt(MIB - 512), 1024, 28],
    ['an offset near 2^64', nbd.CMD_TRIM, 0xffff_ffff_ffff_fe00n, 512, 28],
    ['an offset between sectors', nbd.CMD_READ, 100n, 512, 22],
    ['a length of no whole sectors', nbd.CMD_READ, 0n, 513, 22],
    ['no length at all', nbd.CMD_READ, 0n, 0, 22],
    ['a flush with a length', nbd.CMD_FLUSH, 0n, 512, 22],
  ]
  test.each(cases)('%s is refused, and the connection lives on', async (_title, command, offset, length, error) => {
    const disk = await serve(new MemoryDisk(MIB))
    const client = await RawNbdClient.ready(path)
    client.request(command, offset, length, 0x1234_5678_9abc_def0n)
    expect(await client.answer()).toEqual({ error, cookie: 0x1234_5678_9abc_def0n })
    client.request(nbd.CMD_READ, 0n, 512, 2n)
    expect(await client.answer()).toEqual({ error: 0, cookie: 2n })
    expect(disk.calls).toEqual({ read: 1, write: 0, flush: 0, trim: 0 })
    client.socket.destroy()
  })

  test('a failing disk is an error of that request, by its name where NBD has one', async () => {
    const disk = await serve(new MemoryDisk(MIB))
    const client = await RawNbdClient.ready(path)
    for (const [code, error] of [['ENOSPC', 28], ['EIO', 5], ['EREMOTEIO', 5]] as const) {
      disk.failing = code
      client.request(nbd.CMD_WRITE, 0n, 512, 7n, 0, Buffer.alloc(512))
      expect(await client.answer()).toEqual({ error, cookie: 7n })
    }
    client.socket.destroy()
  })

  test('a write with FUA is flushed before it is answered', async () => {
    const disk = await serve(new MemoryDisk(MIB))
    const client = await RawNbdClient.ready(path)
    client.request(nbd.CMD_WRITE, 0n, 512, 7n, nbd.CMD_FLAG_FUA, Buffer.alloc(512, 9))
    expect(await client.answer()).toEqual({ error: 0, cookie: 7n })
    expect(disk.calls).toEqual({ read: 0, write: 1, flush: 1, trim: 0 })
    client.socket.destroy()
  })

  test('EXPORT_NAME starts the transmission without a reply', async () => {
    await serve(new MemoryDisk(MIB))
    const client = await RawNbdClient.connect(path)
    await client.greet()
    client.option(nbd.OPT_EXPORT_NAME, Buffer.from('disk'))
    const answer = await client.exactly(10)
    expect(answer.readBigUInt64BE(0)).toBe(BigInt(MIB))
    client.request(nbd.CMD_READ, 0n, 512, 2n)
    expect(await client.answer()).toEqual({ error: 0, cookie: 2n })
    client.socket.destroy()
  })

  test('what we do not speak is refused by name, and the handshake goes on', async () => {
    await serve(new MemoryDisk(MIB))
    const client = await RawNbdClient.connect(path)
    await client.greet()
    for (const option of [5, 8, 10, 4711]) {
      client.option(option, Buffer.alloc(0))
      expect(await client.optionReply()).toMatchObject({ option, kind: nbd.REP_ERR_UNSUP })
    }
    client.option(nbd.OPT_GO, Buffer.from([0, 0, 0, 1, 0x78, 0, 0]))
    expect(await client.optionReply()).toMatchObject({ kind: nbd.REP_ERR_UNKNOWN })
    client.option(nbd.OPT_INFO, Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0]))
    expect(await client.optionReply()).toMatchObject({ kind: nbd.REP_ERR_INVALID })
    client.option(nbd.OPT_ABORT, Buffer.alloc(0))
    expect(await client.optionReply()).toMatchObject({ kind: nbd.REP_ACK })
    await client.gone()
    expect(reasons).toEqual(['the client aborted the handshake'])
  })
})

describe('clients that lie', () => {
  const lies: [string, RegExp, (client: RawNbdClient) => void][] = [
    ['unknown handshake flags', /handshake flags/, (c) => c.socket.write(Buffer.from([0xff, 0, 0, 0]))],
    ['a huge option', /option of 1073741824 bytes/, (c) => {
      c.socket.write(Buffer.alloc(4))
      c.option(nbd.OPT_GO, Buffer.alloc(0), 1 << 30)
    }],
    ['no option magic', /magic/, (c) => c.socket.write(Buffer.alloc(20))],
  ]
  test.each(lies)('%s end the connection', async (_title, reason, lie) => {
    await serve(new MemoryDisk(MIB))
    const client = await RawNbdClient.connect(path)
    lie(client)
    await client.gone()
    expect(reasons).toHaveLength(1)
    expect(reasons[0]).toMatch(reason)
  })

  test('a request without magic, and a write that is too long, end the connection', async () => {
    await serve(new MemoryDisk(MIB))
    const first = await RawNbdClient.ready(path)
    first.socket.write(Buffer.alloc(28))
    await first.gone()
    const second = await RawNbdClient.ready(path)
    second.request(nbd.CMD_WRITE, 0n, 0xffff_fe00)
    await second.gone()
    expect(reasons).toEqual(['a request without its magic number', 'a write of 4294966784 bytes'])
  })

  test('no more than 256 requests are taken before some are answered', async () => {
    const disk = await serve(new MemoryDisk(MIB))
    let open: () => void = () => undefined
    disk.gate = new Promise((resolve) => (open = resolve))
    const client = await RawNbdClient.ready(path)
    for (let cookie = 0; cookie < 300; cookie++) client.request(nbd.CMD_READ, 0n, 512, BigInt(cookie))
    while (disk.inFlight < 256) await new Promise((resolve) => setTimeout(resolve, 5))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(disk.inFlight).toBe(256)
    open()
    const cookies = new Set<bigint>()
    for (let count = 0; count < 300; count++) {
      const answer = await client.answer()
      await client.exactly(512)
      cookies.add(answer.cookie)
    }
    expect(cookies.size).toBe(300)
    client.socket.destroy()
  })

  test('one connection too many is closed, and closing waits for the device', async () => {
    const disk = await serve(new MemoryDisk(MIB), 1)
    let open: () => void = () => undefined
    disk.gate = new Promise((resolve) => (open = resolve))
    const client = await RawNbdClient.ready(path)
    const second = await RawNbdClient.connect(path)
    await second.gone()
    expect(reasons).toEqual(['too many connections'])
    client.request(nbd.CMD_WRITE, 0n, 512, 1n, 0, Buffer.alloc(512, 3))
    while (disk.inFlight < 1) await new Promise((resolve) => setTimeout(resolve, 5))
    const closing = server.close()
    setTimeout(open, 20)
    await closing
    expect(disk.inFlight).toBe(0)
    expect(disk.bytes[0]).toBe(3)
    await serve(disk)
  })
})
