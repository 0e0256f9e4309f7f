import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BOUNCE_AREA_BYTES } from '../../src/io/media/bounce-pool.js'
import { mediumOpener } from '../../src/io/media/open-medium.js'
import { createOpenMediumPort } from '../../src/io/media/open-port.js'
import { mapMemory, owned, unmap, view } from '../../src/io/native/owners.js'
import { IO_READ, IO_WRITE } from '../../src/ports/data-path.js'
import type { Clock } from '../../src/ports/clock.js'
import type { Medium, MediumSpec } from '../../src/ports/medium.js'
import { present } from '../support/clients.js'
import { CONTRACT_ARENA, CONTRACT_SECTORS, mediumContract } from './medium.js'
import { MediumDriver } from './medium-driver.js'
import type { MediumUnderTest } from './medium-driver.js'

const clock: Clock = {
  nowNs: () => performance.now() * 1e6,
  wallMs: () => 0,
  after(milliseconds, fire) {
    const timer = setTimeout(fire, milliseconds)
    return () => clearTimeout(timer)
  },
}

const dir = mkdtempSync(join(tmpdir(), 'xbbd-media-'))
const image = join(dir, 'disk.img')
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** The medium, or a failed test with the sentence. */
function opened(spec: MediumSpec): Medium {
  const result = mediumOpener.open(spec)
  if (!result.ok) throw new Error(result.error.sentence)
  return result.medium
}

/** Medium, arena and port of this thread. `dispose` after the port's close. */
function underTest(spec: MediumSpec): MediumUnderTest {
  const medium = opened(spec)
  const handle = mapMemory(CONTRACT_ARENA + (spec.sectorFormat === '512e' ? BOUNCE_AREA_BYTES : 0))
  const whole = view(handle)
  const arena = { bytes: new Uint8Array(whole), bounceAt: CONTRACT_ARENA, handle }
  const port = createOpenMediumPort(clock)(medium.plan, arena)
  return {
    port,
    // What requests may use, and what a test looks at.
    arena: { ...arena, bytes: new Uint8Array(whole, 0, CONTRACT_ARENA) },
    geometry: medium.geometry,
    dispose() {
      medium.close()
      unmap(handle)
    },
  }
}

/** A fresh image full of zeroes, every byte of it allocated. */
function freshImage(): void {
  writeFileSync(image, new Uint8Array(CONTRACT_SECTORS * 512))
}

function openImage(spec: Partial<MediumSpec>) {
  return ({ readOnly }: { readOnly: boolean }) => {
    freshImage()
    return underTest({ target: image, readOnly, depth: 64, ...spec })
  }
}

for (const engine of ['io_uring', 'threads', 'inline'] as const) {
  for (const direct of [true, false]) {
    mediumContract(`file, ${engine}, ${direct ? 'O_DIRECT' : 'buffered'}`, openImage({ engine, direct }))
  }
}
for (const engine of ['io_uring', 'threads', 'inline'] as const)
  mediumContract(`file, ${engine}, neighbours together`, openImage({ engine, mergeBytes: 65_536 }))
mediumContract('memory over a mapping', ({ readOnly }) =>
  underTest({ target: `memory:${CONTRACT_SECTORS * 512}`, readOnly }),
)
mediumContract('null by its name', ({ readOnly }) => underTest({ target: `null:${CONTRACT_SECTORS * 512}`, readOnly }), {
  keepsData: false,
})
mediumContract(
  'file, delayed',
  openImage({ engine: 'io_uring', layers: [{ kind: 'delay', milliseconds: 1, op: 'write' }] }),
)

/** A loop device over a fresh image, or undefined when this machine has none to give. */
function loopDevice(...options: string[]): string | undefined {
  if (process.getuid?.() !== 0 || !present('losetup')) return undefined
  const backing = join(dir, `loop${options.length}.img`)
  writeFileSync(backing, new Uint8Array(CONTRACT_SECTORS * 512))
  try {
    return execFileSync('losetup', [...options, '--find', '--show', backing], { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return undefined
  }
}

const device = loopDevice()
if (device === undefined) {
  process.stderr.write('skipped: medium contract: block device: losetup needs root and a free loop device\n')
  test.skip('medium contract: block device', () => undefined)
} else {
  afterAll(() => execFileSync('losetup', ['--detach', device]))
  for (const engine of ['io_uring', 'threads', 'inline'] as const) {
    mediumContract(
      `block device, ${engine}`,
      ({ readOnly }) => {
        execFileSync('blkdiscard', ['--zeroout', device])
        return underTest({ target: device, readOnly, engine, depth: 64 })
      },
      { zeroesAfterDiscard: false },
    )
  }
}

mediumContract(
  'file, sectors of 512 emulated (512e)',
  openImage({ sectorFormat: '512e' }),
  { unit: 1, discardUnit: 8 },
)

if (device !== undefined) {
  for (const engine of ['io_uring', 'threads'] as const) {
    mediumContract(`block device, ${engine}, whose discards leave zeroes`, ({ readOnly }) => {
      execFileSync('blkdiscard', ['--zeroout', device])
      const medium = underTest({ target: device, readOnly, engine, depth: 64, discard: 'zeroes' })
      expect(medium.geometry.canDiscard).toBe(!readOnly)
      return medium
    })
  }
}

const large = loopDevice('--sector-size', '4096')
const testLarge = large === undefined ? test.skip : test
if (large === undefined) {
  process.stderr.write('skipped: media of 4096-byte sectors: losetup needs root and a free loop device\n')
} else {
  afterAll(() => execFileSync('losetup', ['--detach', large]))
  for (const engine of ['io_uring', 'threads'] as const) {
    mediumContract(
      `block device of 4096-byte sectors, ${engine}, 512 emulated (512e)`,
      ({ readOnly }) => {
        execFileSync('blkdiscard', ['--zeroout', large])
        return underTest({ target: large, readOnly, engine, depth: 64, sectorFormat: '512e' })
      },
      { zeroesAfterDiscard: false, unit: 1, discardUnit: 8 },
    )
  }
}

testLarge('a device of 4096-byte sectors says so, and less than a sector is refused', async () => {
  const driver = new MediumDriver(underTest({ target: large ?? '', readOnly: false }))
  expect(driver.medium.geometry).toMatchObject({ sectorSize: 4096, sectorCount: CONTRACT_SECTORS, buffered: false })
  const write = { op: IO_WRITE, at: 0, length: 4096, offset: 8192 }
  expect(await driver.run([write, { ...write, length: 512 }, { ...write, offset: 512 }])).toEqual([4096, -22, -22])
  driver.close()
})

testLarge('a read-only device is refused to a writer, with the cure, and given to a reader', () => {
  execFileSync('blockdev', ['--setro', large ?? ''])
  try {
    const refused = mediumOpener.open({ target: large ?? '', readOnly: false })
    expect(refused).toMatchObject({ ok: false, error: { code: 'denied' } })
    expect(opened({ target: large ?? '', readOnly: true }).close()).toBeUndefined()
  } finally {
    // The next device of this number would be read-only as well.
    execFileSync('blockdev', ['--setrw', large ?? ''])
  }
})

describe.each(['io_uring', 'threads', 'inline'] as const)('files, %s', (engine) => {
  test('a file that became shorter gives short results, then nothing, and no error', async () => {
    const driver = new MediumDriver(openImage({ engine, direct: false })({ readOnly: false }))
    truncateSync(image, 65536 + 1024)
    const read = { op: IO_READ, at: 0, length: 4096 }
    const results = await driver.run([
      { ...read, offset: 65536 },
      { ...read, offset: 65536 + 8192 },
      { ...read, offset: 0 },
    ])
    expect(results).toEqual([1024, 0, 4096])
    driver.close()
  })

  test('everything is given back at the end, and the file can be opened again at once', async () => {
    const before = owned().length
    for (let round = 0; round < 5; round++) {
      const driver = new MediumDriver(openImage({ engine })({ readOnly: false }))
      expect(await driver.run([{ op: IO_WRITE, at: 0, length: 4096, offset: 0 }])).toEqual([4096])
      driver.close()
    }
    expect(owned()).toHaveLength(before)
  })
})

test('a file that lies in memory is served inline, unless the operator says otherwise', () => {
  if (!existsSync('/dev/shm')) throw new Error('this machine has no /dev/shm to put a file in')
  const inMemory = mkdtempSync('/dev/shm/xbbd-medium-')
  const path = join(inMemory, 'image')
  writeFileSync(path, new Uint8Array(65536))
  const engineOf = (engine?: MediumSpec['engine']) => {
    const medium = opened({ target: path, readOnly: false, ...(engine && { engine }) })
    medium.close()
    return medium.plan.kind === 'file' ? medium.plan.engine : undefined
  }
  expect([engineOf(), engineOf('auto'), engineOf('threads')]).toEqual(['inline', 'inline', 'threads'])
  rmSync(inMemory, { recursive: true })
})
