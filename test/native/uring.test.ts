import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { mediaAddon, reapOrphans } from '../../src/io/media/native-engine.js'
import { FilePort } from '../../src/io/media/file-port.js'
import { memoryGeometry } from '../../src/io/media/memory-port.js'
import { adopt, closeDescriptor, mapMemory, unmap, view } from '../../src/io/native/owners.js'
import { eventfdCreate } from '../../src/io/native/shm.js'
import { IO_READ, IO_SYNC, IO_WORDS } from '../../src/ports/data-path.js'
import type { IoEngineKind } from '../../src/ports/medium.js'
import { codeOf } from '../../src/protocol/errors.js'

const dir = mkdtempSync(join(tmpdir(), 'xbbd-uring-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function codeThrown(body: () => void): string | undefined {
  try {
    body()
  } catch (error) {
    return codeOf(error)
  }
  return undefined
}

/** A medium whose reads end when someone writes to it: a FIFO in the place of a file. */
function fifo(name: string): { path: string; handle: number } {
  const path = join(dir, name)
  execFileSync('mkfifo', [path])
  return { path, handle: adopt(openSync(path, 'r+')) }
}

async function untilOrphansAreGone(): Promise<void> {
  while (reapOrphans() > 0) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Starts a Worker that submits, waits until it has, and ends it. @returns how many requests were taken. */
async function submitAndEnd(workerData: Record<string, unknown>): Promise<number> {
  const worker = new Worker(new URL('./uring-worker.js', import.meta.url), { workerData })
  const taken = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  await worker.terminate()
  return taken
}

test('a Worker that ends with I/O in flight leaves it to the orphans, with arena and descriptor', async () => {
  const { path, handle } = fifo('orphan')
  const arenaHandle = mapMemory(65536)
  const taken = await submitAndEnd({ handle, arenaHandle, engine: 'io_uring', requests: 3, length: 512 })
  expect(taken).toBe(3)
  const owed = reapOrphans()
  // The kernel may cancel what its dying thread had asked for; what it has not, it still owes.
  expect(owed).toBeLessThanOrEqual(3)
  if (owed > 0) {
    expect(codeThrown(() => unmap(arenaHandle))).toBe('EBUSY')
    expect(codeThrown(() => closeDescriptor(handle))).toBe('EBUSY')
  }
  const writer = openSync(path, 'r+')
  writeSync(writer, new Uint8Array(2048))
  await untilOrphansAreGone()
  closeSync(writer)
  unmap(arenaHandle)
  closeDescriptor(handle)
})

test.each(['io_uring', 'threads'] as const)('Workers that end under load crash nothing: %s', async (engine) => {
  const image = join(dir, `load-${engine}`)
  writeFileSync(image, new Uint8Array(1 << 22))
  for (let round = 0; round < 4; round++) {
    const handle = mediaAddon.fileOpen(image, false, true)
    const arenaHandle = mapMemory(1 << 22)
    expect(await submitAndEnd({ handle, arenaHandle, engine, requests: 64, length: 65536 })).toBe(64)
    await untilOrphansAreGone()
    unmap(arenaHandle)
    closeDescriptor(handle)
  }
})

function openEngine(handle: number, arenaHandle: number, engine: IoEngineKind = 'io_uring'): FilePort {
  const arena = { bytes: new Uint8Array(view(arenaHandle)), handle: arenaHandle }
  const geometry = memoryGeometry(8)
  return new FilePort({ kind: 'file', geometry, layers: [], handle, engine, depth: 4, blockDevice: false }, arena)
}

test('a completion after arm wakes once; the engine is not closed before it was reaped', async () => {
  const { path, handle } = fifo('wake')
  const arenaHandle = mapMemory(4096)
  const port = openEngine(handle, arenaHandle)
  expect(port.traits).toEqual({ engine: 'io_uring', fixedBuffers: true, fixedFile: true })
  const request = new Int32Array(IO_WORDS)
  request.set([IO_READ, -7, 0, 512])
  expect(port.submit(request, 1)).toBe(1)
  let wakes = 0
  const woken = new Promise<void>((resolve) => {
    port.onReady(() => {
      wakes++
      resolve()
    })
  })
  expect(port.arm()).toBe(false)
  const writer = openSync(path, 'r+')
  writeSync(writer, 'x'.repeat(100))
  await woken
  await new Promise((resolve) => setImmediate(resolve))
  expect(wakes).toBe(1)
  expect(codeThrown(() => port.close())).toBe('XBBD_ASSERTION')
  const results = new Int32Array(2)
  expect(port.reap(results, 1)).toBe(1)
  // 100 bytes are no whole sector: what came is handed up, not continued.
  expect([...results]).toEqual([-7, 100])
  port.close()
  closeSync(writer)
  unmap(arenaHandle)
  closeDescriptor(handle)
})

test('arrays too small, counts too large and stale ids throw before anything happens', () => {
  const image = join(dir, 'arguments')
  writeFileSync(image, new Uint8Array(4096))
  const handle = mediaAddon.fileOpen(image, false, false)
  const arena = mapMemory(4096)
  const eventfd = eventfdCreate()
  const open = (depth: number, sectorSize: number) =>
    mediaAddon.engineOpen(0, handle, eventfd, arena, depth, 4096, sectorSize, 0, 0)
  expect(codeThrown(() => open(0, 512))).toBe('EINVAL')
  expect(codeThrown(() => open(100_000, 512))).toBe('EINVAL')
  expect(codeThrown(() => open(4, 513))).toBe('EINVAL')
  expect(codeThrown(() => mediaAddon.engineOpen(0, 99_999, eventfd, arena, 4, 4096, 512, 0, 0))).toBe('EBADF')
  const id = open(4, 512)
  const words = new Int32Array(IO_WORDS)
  words[0] = IO_SYNC
  expect(codeThrown(() => mediaAddon.engineSubmit(id, words, 2))).toBe('EINVAL')
  expect(codeThrown(() => mediaAddon.engineSubmit(id, words, -1))).toBe('EINVAL')
  expect(codeThrown(() => mediaAddon.engineReap(id, words, 5))).toBe('EINVAL')
  expect(mediaAddon.engineInFlight(id)).toBe(0)
  expect(codeThrown(() => closeDescriptor(handle))).toBe('EBUSY')
  mediaAddon.engineClose(id)
  expect(codeThrown(() => mediaAddon.engineSubmit(id, words, 1))).toBe('EBADF')
  closeDescriptor(handle)
  closeDescriptor(eventfd)
  unmap(arena)
})
