/**
 * S21: neighbouring requests go to the disk as one transfer, and are answered one by one, each with its own result also
 * where the transfer does not go whole. With each engine.
 */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FilePort } from '../../src/io/media/file-port.js'
import { memoryGeometry } from '../../src/io/media/memory-port.js'
import { mediaAddon } from '../../src/io/media/native-engine.js'
import { closeDescriptor, mapMemory, unmap, view } from '../../src/io/native/owners.js'
import { IO_READ, IO_SYNC, IO_WRITE } from '../../src/ports/data-path.js'
import type { IoEngineKind } from '../../src/ports/medium.js'
import { MediumDriver } from '../contract/medium-driver.js'
import type { TestRequest } from '../contract/medium-driver.js'

const PAGE = 4096
const BYTES = 1 << 20
const EBADF = 9
const dir = mkdtempSync(join(tmpdir(), 'xbbd-coalescing-'))
const image = join(dir, 'image')
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Options {
  readonly mergeBytes?: number
  readonly readOnlyDescriptor?: boolean
}

function driverFor(engine: IoEngineKind, { mergeBytes = 65_536, readOnlyDescriptor = false }: Options = {}): MediumDriver {
  writeFileSync(image, Uint8Array.from({ length: BYTES }, (_, at) => (at >>> 12) ^ at))
  const handle = mediaAddon.fileOpen(image, readOnlyDescriptor, false)
  const arenaHandle = mapMemory(BYTES)
  const arena = { bytes: new Uint8Array(view(arenaHandle)), handle: arenaHandle }
  const geometry = memoryGeometry(BYTES / 512)
  const plan = { kind: 'file', geometry, layers: [], handle, engine, depth: 128, blockDevice: false, mergeBytes } as const
  const dispose = () => {
    closeDescriptor(handle)
    unmap(arenaHandle)
  }
  return new MediumDriver({ port: new FilePort(plan, arena), arena, geometry, dispose })
}

/** `count` neighbours from page `from` on; their buffers lie in the order of `places`. */
function neighbours(op: number, from: number, count: number, place = (index: number) => index): TestRequest[] {
  return Array.from({ length: count }, (_, index) =>
    ({ op, at: place(index) * PAGE, length: PAGE, offset: (from + index) * PAGE }))
}

/** Operations that the disk was asked for by `requests`; what the threads begin is told of with the next call. */
async function operations(driver: MediumDriver, requests: readonly TestRequest[]): Promise<number> {
  await driver.run([{ op: IO_SYNC }])
  driver.port.submit(new Int32Array(0), 0)
  const before = driver.port.operations ?? NaN
  const results = await driver.run(requests)
  expect(results).toEqual(requests.map(({ length = 0 }) => length))
  driver.port.submit(new Int32Array(0), 0)
  return (driver.port.operations ?? NaN) - before
}

const page = (of: Uint8Array, index: number) => Buffer.from(of.subarray(index * PAGE, (index + 1) * PAGE))

describe.each(['io_uring', 'threads', 'inline'] as const)('neighbours, %s', (engine) => {
  test('S21: neighbours are one transfer, wherever their buffers lie', async () => {
    const driver = driverFor(engine)
    expect(await operations(driver, neighbours(IO_READ, 3, 8))).toBe(1)
    const scattered = (index: number) => 200 - 3 * index
    expect(await operations(driver, neighbours(IO_READ, 3, 8, scattered))).toBe(1)
    const file = readFileSync(image)
    for (let index = 0; index < 8; index++)
      for (const at of [index, scattered(index)])
        expect(page(driver.bytes, at).equals(page(file, 3 + index))).toBe(true)
    expect(await operations(driver, neighbours(IO_WRITE, 40, 8, scattered))).toBe(1)
    const written = readFileSync(image)
    for (let index = 0; index < 8; index++) expect(page(written, 40 + index).equals(page(file, 3 + index))).toBe(true)
    driver.close()
  })

  test('S21: what is no neighbour, or would be too long a transfer, goes by itself', async () => {
    const driver = driverFor(engine, { mergeBytes: 4 * PAGE })
    expect(await operations(driver, neighbours(IO_READ, 0, 8))).toBe(2)
    expect(await operations(driver, neighbours(IO_READ, 0, 9))).toBe(3)
    const apart = [...neighbours(IO_READ, 0, 2), ...neighbours(IO_READ, 3, 2), ...neighbours(IO_WRITE, 5, 2)]
    expect(await operations(driver, apart)).toBe(3)
    const backwards = neighbours(IO_READ, 0, 3).reverse()
    expect(await operations(driver, backwards)).toBe(3)
    driver.close()
  })

  test('S21: without the setting each request goes alone', async () => {
    const driver = driverFor(engine, { mergeBytes: 0 })
    expect(await operations(driver, neighbours(IO_READ, 0, 8))).toBe(8)
    driver.close()
  })

  test('S21: a transfer that is cut short falls apart: each request has the result it would have had alone', async () => {
    const driver = driverFor(engine)
    truncateSync(image, 5 * PAGE + 1024)
    const results = await driver.run(neighbours(IO_READ, 0, 8, (index) => 20 - index))
    expect(results).toEqual([PAGE, PAGE, PAGE, PAGE, PAGE, 1024, 0, 0])
    driver.close()
  })

  test('S21: a transfer that fails is tried again request by request, and each has its own error', async () => {
    const driver = driverFor(engine, { readOnlyDescriptor: true })
    expect(await driver.run(neighbours(IO_WRITE, 0, 4))).toEqual([-EBADF, -EBADF, -EBADF, -EBADF])
    expect(await driver.run(neighbours(IO_READ, 0, 4))).toEqual([PAGE, PAGE, PAGE, PAGE])
    driver.close()
  })

  test('S21: a refused request among neighbours is refused alone', async () => {
    const driver = driverFor(engine)
    const requests = neighbours(IO_READ, 0, 4)
    const bad = { op: IO_READ, at: 0, length: 100, offset: 4 * PAGE }
    expect(await driver.run([...requests, bad, ...neighbours(IO_READ, 4, 2)])).toEqual(
      [PAGE, PAGE, PAGE, PAGE, -22, PAGE, PAGE],
    )
    driver.close()
  })
})
