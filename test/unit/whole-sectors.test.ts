/**
 * Sectors of 512 bytes on a medium of whole ones of 4096 (512e), where it is hardest: many small changes of the same
 * whole sectors at once, on a medium that carries out what it has in any order.
 */
import fc from 'fast-check'
import { geometryBelow, withLayers } from '../../src/io/media/layers.js'
import { createMemoryPort, memoryGeometry } from '../../src/io/media/memory-port.js'
import { BOUNCE_BYTES } from '../../src/io/media/bounce-pool.js'
import { IO_DISCARD, IO_READ, IO_SYNC, IO_WORDS, IO_WRITE, IO_WRITE_ZEROES, RESULT_WORDS } from '../../src/ports/data-path.js'
import type { BufferArena, MediumPort } from '../../src/ports/data-path.js'
import type { MediumGeometry, MediumLayer } from '../../src/ports/medium.js'
import { MediumDriver } from '../contract/medium-driver.js'
import type { TestRequest } from '../contract/medium-driver.js'
import { mulberry } from '../chart/mulberry.js'

const SECTOR = 512
const WHOLE = 4096
const SECTORS = 64
const ROOM = 1 << 18

/** Holds what it was given, and carries it out at reap, in an order of its own; refuses what is no whole sector. */
class UnrulyPort implements MediumPort {
  readonly seen: { op: number; offset: number; length: number }[] = []
  private readonly held: Int32Array[] = []
  private readonly inner: MediumPort
  private readonly random: (below: number) => number
  private readonly depth: number

  constructor(inner: MediumPort, random: (below: number) => number, depth: number) {
    this.inner = inner
    this.random = random
    this.depth = depth
  }

  get inFlight(): number {
    return this.held.length
  }

  submit(requests: Int32Array, count: number): number {
    const taken = Math.min(count, this.depth - this.held.length)
    for (let index = 0; index < taken; index++) {
      const words = requests.slice(index * IO_WORDS, (index + 1) * IO_WORDS)
      this.seen.push({ op: words[0], offset: words[4] >>> 0, length: words[3] >>> 0 })
      this.held.push(words)
    }
    return taken
  }

  reap(results: Int32Array, max: number): number {
    const count = Math.min(max, 1 + this.random(Math.max(1, this.held.length)), this.held.length)
    const one = new Int32Array(RESULT_WORDS)
    for (let index = 0; index < count; index++) {
      const [words] = this.held.splice(this.random(this.held.length), 1)
      this.inner.submit(words, 1)
      this.inner.reap(one, 1)
      results.set(one, index * RESULT_WORDS)
    }
    return count
  }

  onReady(): void {
    // It has something to reap as long as it holds something.
  }

  arm(): boolean {
    return this.held.length > 0
  }

  close(): void {
    this.inner.close()
  }
}

interface Stage {
  readonly driver: MediumDriver
  readonly store: Uint8Array
  readonly unruly: UnrulyPort
}

const EMULATION: MediumLayer = { kind: 'whole-sectors', bytes: WHOLE }

/** `pages`: bounce pages of the arena. `below`: layers between emulation and medium. */
function stage(seed: number, { pages = 16, depth = 64, below = [] as MediumLayer[] } = {}): Stage {
  const arena: BufferArena = { bytes: new Uint8Array(ROOM + pages * BOUNCE_BYTES), bounceAt: ROOM, handle: 0 }
  const geometry: MediumGeometry = { ...memoryGeometry(SECTORS), wholeSectorSize: WHOLE }
  const store = new Uint8Array(SECTORS * SECTOR)
  const layers = [EMULATION, ...below]
  const memory = createMemoryPort(store, geometryBelow(layers, geometry), arena)
  const unruly = new UnrulyPort(memory, mulberry(seed), depth)
  const clock = { nowNs: () => 0, wallMs: () => 0, after: () => () => undefined }
  const port = withLayers(unruly, layers, { geometry, arena, clock })
  const seen = { bytes: arena.bytes.subarray(0, ROOM), handle: 0 }
  return { driver: new MediumDriver({ port, arena: seen, geometry, dispose: () => undefined }), store, unruly }
}

/** A write of `fill` to one sector each; data of request i stands at i KiB. */
function writes(driver: MediumDriver, sectors: readonly number[], fill: (index: number) => number): TestRequest[] {
  return sectors.map((sector, index) => {
    driver.bytes.fill(fill(index), index * 1024, index * 1024 + SECTOR)
    return { op: IO_WRITE, at: index * 1024, length: SECTOR, offset: sector * SECTOR }
  })
}

const firstBytes = (store: Uint8Array) => Array.from({ length: SECTORS }, (_, sector) => store[sector * SECTOR])

test('4 KiB sectors, 512e: concurrent neighbours within one whole sector are both right, in any order of the medium', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { driver, store } = stage(seed)
    const all = Array.from({ length: SECTORS }, (_, sector) => sector)
    expect(await driver.run(writes(driver, all, (index) => index + 1))).toEqual(all.map(() => SECTOR))
    expect(firstBytes(store)).toEqual(all.map((sector) => sector + 1))
    driver.close()
  }
})

test('4 KiB sectors, 512e: a whole write, a part of it and a zeroing at once each keep the neighbours of the others', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { driver, store } = stage(seed)
    store.fill(9)
    driver.bytes.fill(1, 0, WHOLE).fill(2, WHOLE, 2 * WHOLE)
    await driver.run([
      { op: IO_WRITE, at: WHOLE, length: SECTOR, offset: 3 * SECTOR },
      { op: IO_WRITE, at: 0, length: WHOLE, offset: 0 },
      { op: IO_WRITE_ZEROES, length: 10 * SECTOR, offset: 7 * SECTOR },
    ])
    const found = firstBytes(store)
    // Those that two of them wrote hold what the later one did; nothing of either was lost.
    expect(found.slice(0, 3)).toEqual([1, 1, 1])
    expect([1, 2]).toContain(found[3])
    expect(found.slice(4, 7)).toEqual([1, 1, 1])
    expect([0, 1]).toContain(found[7])
    expect(found.slice(8, 17)).toEqual(new Array(9).fill(0))
    expect(found.slice(17)).toEqual(new Array(SECTORS - 17).fill(9))
    driver.close()
  }
})

const step = fc.record({
  op: fc.constantFrom(IO_READ, IO_WRITE, IO_WRITE, IO_WRITE_ZEROES, IO_DISCARD, IO_SYNC),
  sector: fc.nat({ max: SECTORS - 1 }),
  sectors: fc.integer({ min: 1, max: 20 }),
})

test('512e: any mix of requests, also such as overlap, leaves in each sector what one of those wrote who may have been last', async () => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 48 }), fc.nat(), fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 9 }),
    async (steps, seed, pages, depth) => {
      const { driver, store, unruly } = stage(seed, { pages, depth })
      store.fill(255)
      const possible = Array.from({ length: SECTORS }, () => new Set([255]))
      const requests = steps.map(({ op, sector, sectors }, index): TestRequest => {
        const length = Math.min(sectors, SECTORS - sector)
        const at = 16384 + index * 4096
        const fitting = Math.min(length, 8)
        if (op === IO_WRITE) driver.bytes.fill(index + 1, at, at + fitting * SECTOR)
        const touched = op === IO_READ || op === IO_WRITE ? fitting : length
        for (let at = sector; at < sector + touched; at++) {
          if (op === IO_WRITE) possible[at].add(index + 1)
          if (op === IO_WRITE_ZEROES || op === IO_DISCARD) possible[at].add(0)
        }
        return { op, at, length: touched * SECTOR, offset: sector * SECTOR }
      })
      const results = await driver.run(requests)
      steps.forEach(({ op }, index) => {
        expect(results[index]).toBe(op === IO_READ || op === IO_WRITE ? requests[index].length : 0)
      })
      for (let sector = 0; sector < SECTORS; sector++) {
        const bytes = new Set(store.subarray(sector * SECTOR, (sector + 1) * SECTOR))
        expect(bytes.size).toBe(1)
        const touched = steps.some(({ op, sector: from }, index) =>
          (op === IO_WRITE || op === IO_WRITE_ZEROES) && from <= sector && sector < from + (requests[index].length ?? 0) / SECTOR)
        if (touched) possible[sector].delete(255)
        expect([...possible[sector]]).toContain([...bytes][0])
      }
      for (const { op, offset, length } of unruly.seen) expect(op === IO_SYNC ? 0 : (offset | length) % WHOLE).toBe(0)
      driver.close()
    },
  )
  await fc.assert(property, { numRuns: 100 })
})

test('512e: what is aligned goes to the medium as it is, and a discard gives up whole sectors only', async () => {
  const { driver, unruly } = stage(1)
  await driver.run([
    { op: IO_WRITE, at: 0, length: 2 * WHOLE, offset: WHOLE },
    { op: IO_READ, at: 0, length: WHOLE, offset: 0 },
    { op: IO_DISCARD, length: 20 * SECTOR, offset: 4 * SECTOR },
    { op: IO_DISCARD, length: 5 * SECTOR, offset: SECTOR },
  ])
  expect(unruly.seen).toEqual([
    { op: IO_WRITE, offset: WHOLE, length: 2 * WHOLE },
    { op: IO_READ, offset: 0, length: WHOLE },
    { op: IO_DISCARD, offset: WHOLE, length: 2 * WHOLE },
  ])
  driver.close()
})

test('512e: a read of parts brings them, whatever stands beside them', async () => {
  const { driver, store } = stage(3)
  for (let sector = 0; sector < SECTORS; sector++) store.fill(sector + 1, sector * SECTOR, (sector + 1) * SECTOR)
  driver.bytes.fill(0xee)
  const read = { op: IO_READ, at: 2048, length: 20 * SECTOR, offset: 6 * SECTOR }
  expect(await driver.run([read, { op: IO_READ, at: 0, length: SECTOR, offset: 9 * SECTOR }])).toEqual([20 * SECTOR, SECTOR])
  expect([...driver.bytes.subarray(0, SECTOR)]).toEqual(new Array(SECTOR).fill(10))
  for (let sector = 0; sector < 20; sector++) expect(driver.bytes[2048 + sector * SECTOR]).toBe(sector + 7)
  expect(new Set([...driver.bytes.subarray(SECTOR, 2048), ...driver.bytes.subarray(2048 + 20 * SECTOR)])).toEqual(new Set([0xee]))
  driver.close()
})

describe('512e on a medium that fails', () => {
  const failing = (layer: Partial<Extract<MediumLayer, { kind: 'error' }>>) =>
    stage(5, { below: [{ kind: 'error', errno: 5, ...layer }] })

  test('a whole sector that cannot be read is not written, and the next one is none the worse', async () => {
    const { driver, store } = failing({ op: 'read', times: 1 })
    store.fill(7)
    const both = writes(driver, [1, 2], (index) => index + 1)
    expect(await driver.run(both)).toEqual([-5, SECTOR])
    expect(firstBytes(store).slice(0, 4)).toEqual([7, 7, 2, 7])
    driver.close()
  })

  test('the first part that fails is what a request says, and it is told once', async () => {
    const { driver } = failing({ errno: 28, op: 'write', from: 8, to: 16 })
    driver.bytes.fill(1, 0, 8 * SECTOR)
    expect(await driver.run([{ op: IO_WRITE, at: 0, length: 8 * SECTOR, offset: 4 * SECTOR }])).toEqual([-28])
    driver.close()
  })

  test('a sector that is there in part only is an error to who would write it, and short to who reads it', async () => {
    const { driver } = stage(5, { below: [{ kind: 'short' }] })
    const read = { op: IO_READ, at: 0, length: 8 * SECTOR, offset: 4 * SECTOR }
    expect(await driver.run([read, ...writes(driver, [3], () => 1)])).toEqual([0, -5])
    driver.close()
  })
})
