import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blockDiscard } from '../../src/io/media/block-queue.js'
import { mediumOpener } from '../../src/io/media/open-medium.js'
import { parseTarget } from '../../src/io/media/parse-target.js'
import { owned } from '../../src/io/native/owners.js'
import type { Medium, MediumSpec } from '../../src/ports/medium.js'
import { testWith } from '../support/clients.js'

const dir = mkdtempSync(join(tmpdir(), 'xbbd-open-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function image(name: string, bytes = 65536): string {
  const path = join(dir, name)
  writeFileSync(path, new Uint8Array(bytes))
  return path
}

function opened(spec: Partial<MediumSpec> & { target: string }): Medium {
  const result = mediumOpener.open({ readOnly: false, ...spec })
  if (!result.ok) throw new Error(result.error.sentence)
  return result.medium
}

/** The error's code and sentence; fails when there is none. */
function refused(target: string, readOnly = false): { code: string; sentence: string } {
  const before = owned().length
  const result = mediumOpener.open({ target, readOnly })
  if (result.ok) throw new Error(`${target} was opened`)
  expect(owned()).toHaveLength(before)
  return result.error
}

describe('what cannot be a medium (SEED S5)', () => {
  test('B30: a directory, a FIFO, a character device, a missing name, a file shorter than a sector', () => {
    mkdirSync(join(dir, 'folder'))
    execFileSync('mkfifo', [join(dir, 'fifo')])
    expect(refused(join(dir, 'folder'))).toMatchObject({ code: 'directory' })
    expect(refused(join(dir, 'fifo'))).toMatchObject({ code: 'special' })
    expect(refused('/dev/null')).toMatchObject({ code: 'special' })
    expect(refused(join(dir, 'absent'))).toMatchObject({ code: 'missing' })
    expect(refused(join(image('plain'), 'below'))).toMatchObject({ code: 'missing' })
    expect(refused(image('tiny', 511))).toMatchObject({ code: 'too-small' })
    expect(refused(image('empty', 0), true)).toMatchObject({ code: 'too-small' })
  })

  test('a bare name is looked for below /dev as well, and the sentence says so', () => {
    expect(refused('null')).toMatchObject({ code: 'special', sentence: expect.stringContaining('/dev/null') as string })
    expect(refused('no-such-disk').sentence).toContain('/dev/no-such-disk')
    expect(parseTarget('xvda')).toEqual({ kind: 'path', paths: ['xvda', '/dev/xvda'] })
    expect(parseTarget('./xvda')).toEqual({ kind: 'path', paths: ['./xvda'] })
  })

  test('sizes of memory and null disks', () => {
    expect(parseTarget('memory:64M')).toEqual({ kind: 'memory', sectorCount: 131072 })
    expect(parseTarget('null:1g')).toEqual({ kind: 'null', sectorCount: 2097152 })
    expect(parseTarget('memory:1000')).toEqual({ kind: 'memory', sectorCount: 1 })
    for (const target of ['memory:', 'memory:-1', 'null:1.5G', 'null:16X', 'null:9000000000T', '']) {
      expect(parseTarget(target)).toMatchObject({ kind: 'error', error: { code: 'bad-spec' } })
    }
    expect(parseTarget('null:100')).toMatchObject({ kind: 'error', error: { code: 'too-small' } })
  })
})

test('an odd size is rounded down and the rounding is stated', () => {
  const medium = opened({ target: image('odd', 65536 + 100) })
  expect(medium.geometry).toMatchObject({ sectorCount: 128, sectorSize: 512, canFlush: true, canDiscard: true })
  expect(medium.notes).toEqual([expect.stringContaining('100 bytes')])
  medium.close()
})

test('the size is asked again, so a file may grow while it is open', () => {
  const path = image('grows')
  const medium = opened({ target: path, direct: false })
  expect([medium.currentSectorCount(), medium.geometry.buffered]).toEqual([128, true])
  truncateSync(path, 131072 + 511)
  expect(medium.currentSectorCount()).toBe(256)
  medium.close()
})

test('O_DIRECT is used where the file system takes it, and said when it does not', () => {
  const direct = opened({ target: image('direct') })
  if (direct.geometry.buffered) expect(direct.notes.join()).toContain('page cache')
  else expect(direct.notes).toEqual([])
  direct.close()
  // procfs has files that are regular and take neither O_DIRECT nor a size: too small, not an exception.
  expect(refused('/proc/version', true).code).toBe('too-small')
})

describe('the lock', () => {
  test('a second writer is refused with the name of the holder; readers share; a link is the same file', () => {
    const path = image('locked')
    symlinkSync(path, join(dir, 'link'))
    const writer = opened({ target: path })
    const error = refused(join(dir, 'link'))
    expect(error.code).toBe('locked')
    expect(error.sentence).toContain(`process ${process.pid} (`)
    expect(refused(path, true).code).toBe('locked')
    writer.close()
    const readers = [opened({ target: path, readOnly: true }), opened({ target: path, readOnly: true })]
    expect(refused(path).code).toBe('locked')
    for (const reader of readers) reader.close()
    opened({ target: path }).close()
  })

  test('a holder in another process is found by its lock', async () => {
    const path = image('foreign')
    const script = `import fcntl, struct, sys
f = open(sys.argv[1], 'r+b')
fcntl.fcntl(f, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))
print('locked', flush=True)
sys.stdin.read()`
    const holder = spawn('python3', ['-c', script, path], { stdio: ['pipe', 'pipe', 'inherit'] })
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    expect(refused(path).sentence).toContain(`process ${holder.pid} (python3`)
    holder.stdin.end()
    await new Promise((resolve) => holder.once('exit', resolve))
    opened({ target: path }).close()
  })

  testWith(['qemu-io', 'qemu-img'], 'qemu-io and qemu-img refuse an attached image, and take it later', async () => {
    const path = image('qemu', 1 << 20)
    const medium = opened({ target: path })
    const qemuIo = () => execFileSync('qemu-io', ['-f', 'raw', '-c', 'write 0 4k', path], { stdio: 'pipe' })
    const copy = join(dir, 'copy')
    const qemuImg = () => execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', path, copy], { stdio: 'pipe' })
    expect(qemuIo).toThrow(/lock/)
    expect(qemuImg).toThrow(/lock/)
    medium.close()
    expect(qemuIo().toString()).toContain('wrote 4096/4096')
    qemuImg()
    await Promise.resolve()
  })
})

test('a discard is promised of what can deallocate alone, and never of what is only read', () => {
  const medium = opened({ target: image('discards') })
  expect(medium.geometry).toMatchObject({ canDiscard: true, canSecureDiscard: false })
  medium.close()
  const reader = opened({ target: image('read'), readOnly: true })
  expect(reader.geometry).toMatchObject({ canDiscard: false, canSecureDiscard: false })
  reader.close()
})

test('discard abilities come from sysfs; a partition asks its disk; what is not said cannot be done', () => {
  const root = join(dir, 'sys')
  const put = (path: string, value: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), `${value}\n`)
  }
  put('8:0/queue/discard_max_bytes', '2147450880')
  put('8:0/queue/discard_granularity', '4096')
  put('8:0/discard_alignment', '512')
  put('9:0/queue/discard_max_bytes', '0')
  put('8:0/queue/write_zeroes_max_bytes', '65536')
  expect(blockDiscard(8, 0, root)).toEqual({ possible: true, zeroes: true, granularity: 4096, alignment: 512 })
  expect(blockDiscard(9, 0, root).possible).toBe(false)
  expect(blockDiscard(10, 0, root)).toEqual({ possible: false, zeroes: false, granularity: 0, alignment: 0 })
  put('disk/queue/discard_max_bytes', '1048576')
  put('disk/queue/discard_granularity', '512')
  mkdirSync(join(root, 'disk/part'))
  symlinkSync(join(root, 'disk/part'), join(root, '8:1'))
  expect(blockDiscard(8, 1, root)).toEqual({ possible: true, zeroes: false, granularity: 512, alignment: 0 })
})
