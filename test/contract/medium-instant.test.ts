import { memoryGeometry, createMemoryPort } from '../../src/io/media/memory-port.js'
import { createNullPort, nullGeometry } from '../../src/io/media/null-port.js'
import { withLayers } from '../../src/io/media/layers.js'
import { IO_DISCARD, IO_READ, IO_SYNC, IO_WRITE } from '../../src/ports/data-path.js'
import type { Clock } from '../../src/ports/clock.js'
import type { MediumLayer } from '../../src/ports/medium.js'
import { CONTRACT_ARENA, CONTRACT_SECTORS, mediumContract } from './medium.js'
import { MediumDriver, plainArena } from './medium-driver.js'
import type { MediumUnderTest } from './medium-driver.js'

const realClock: Clock = {
  nowNs: () => performance.now() * 1e6,
  wallMs: () => 0,
  after(milliseconds, fire) {
    const timer = setTimeout(fire, milliseconds)
    return () => clearTimeout(timer)
  },
}

/** Time that stands still until told otherwise. */
class HandClock implements Clock {
  private now = 0
  private timers: { due: number; fire: () => void }[] = []

  nowNs(): number {
    return this.now
  }

  wallMs(): number {
    return 0
  }

  after(milliseconds: number, fire: () => void): () => void {
    const timer = { due: this.now + milliseconds * 1e6, fire }
    this.timers.push(timer)
    return () => (this.timers = this.timers.filter((other) => other !== timer))
  }

  advance(milliseconds: number): void {
    this.now += milliseconds * 1e6
    const due = this.timers.filter((timer) => timer.due <= this.now)
    this.timers = this.timers.filter((timer) => timer.due > this.now)
    for (const timer of due) timer.fire()
  }
}

function openMemory(layers: readonly MediumLayer[] = [], clock: Clock = realClock) {
  return ({ readOnly }: { readOnly: boolean }): MediumUnderTest => {
    const geometry = memoryGeometry(CONTRACT_SECTORS, readOnly)
    const arena = plainArena(CONTRACT_ARENA)
    const memory = createMemoryPort(new Uint8Array(CONTRACT_SECTORS * 512), geometry, arena)
    const port = withLayers(memory, layers, { geometry, arena, clock })
    return { port, arena, geometry, dispose: () => undefined }
  }
}

mediumContract('memory', openMemory())
mediumContract(
  'null',
  ({ readOnly }) => {
    const arena = plainArena(CONTRACT_ARENA)
    const geometry = nullGeometry(CONTRACT_SECTORS, readOnly)
    return { port: createNullPort(geometry, arena), arena, geometry, dispose: () => undefined }
  },
  { keepsData: false },
)
mediumContract('memory, delayed', openMemory([{ kind: 'delay', milliseconds: 1 }]))
mediumContract('memory, delayed twice', openMemory([
  { kind: 'delay', milliseconds: 1, op: 'read' },
  { kind: 'delay', milliseconds: 1 },
]))
const never = { from: 2 ** 60, to: 2 ** 60 + 1 }
mediumContract('memory behind faults that do not fire', openMemory([
  { kind: 'error', errno: 5, ...never },
  { kind: 'short', ...never },
  { kind: 'corrupt', ...never },
]))

function faulty(...layers: MediumLayer[]): MediumDriver {
  return new MediumDriver(openMemory(layers)({ readOnly: false }))
}

const write = { op: IO_WRITE, at: 0, length: 4096, offset: 0 }
const read = { op: IO_READ, at: 8192, length: 4096, offset: 0 }

describe('layers', () => {
  test('an error fires as often as it says, in its range and operation only, and touches nothing', async () => {
    const driver = faulty({ kind: 'error', errno: 5, op: 'write', from: 4, to: 6, times: 2 })
    driver.bytes.fill(1, 0, 4096)
    const elsewhere = { ...write, offset: 6 * 512 }
    expect(await driver.run([write, elsewhere, read, write, write])).toEqual([-5, 4096, 4096, -5, 4096])
    expect(driver.bytes.subarray(8192, 8192 + 6 * 512).every((byte) => byte === 0)).toBe(true)
    expect(driver.bytes[8192 + 6 * 512]).toBe(1)
    driver.close()
  })

  test('a sync fails only when it is named, or when everything fails', async () => {
    const ranged = faulty({ kind: 'error', errno: 5, from: 0 })
    expect(await ranged.run([{ op: IO_SYNC }, write])).toEqual([0, -5])
    const named = faulty({ kind: 'error', errno: 28, op: 'sync' })
    expect(await named.run([{ op: IO_SYNC }, write])).toEqual([-28, 4096])
    const all = faulty({ kind: 'error', errno: 5 })
    expect(await all.run([{ op: IO_SYNC }, { ...write, op: IO_DISCARD }])).toEqual([-5, -5])
  })

  test('short moves half in whole sectors, none of a single sector, and never more than it may', async () => {
    const driver = faulty({ kind: 'short', times: 3 })
    driver.bytes.fill(9, 0, 4096)
    const single = { ...write, length: 512, offset: 65536 }
    expect(await driver.run([write, { ...write, length: 1536, offset: 8192 }, single])).toEqual([2048, 512, 0])
    expect(await driver.run([read, { ...write, offset: CONTRACT_SECTORS * 512 - 512 }])).toEqual([4096, -22])
    expect([driver.bytes[8192 + 2047], driver.bytes[8192 + 2048]]).toEqual([9, 0])
    driver.close()
  })

  test('corrupt flips exactly one bit of what a read filled, not of the medium', async () => {
    const driver = faulty({ kind: 'corrupt', times: 1 })
    driver.bytes.fill(0x40, 0, 4096)
    await driver.run([write])
    await driver.run([read])
    const wrong = [...driver.bytes.subarray(8192, 12288)].filter((byte) => byte !== 0x40)
    expect(wrong).toEqual([0x41])
    await driver.run([read])
    expect(new Set(driver.bytes.subarray(8192, 12288))).toEqual(new Set([0x40]))
    driver.close()
  })

  test('a delayed request reaches the medium when its time has come, not before', async () => {
    const clock = new HandClock()
    const open = openMemory([{ kind: 'delay', milliseconds: 5, op: 'write' }], clock)
    const driver = new MediumDriver(open({ readOnly: false }))
    driver.bytes.fill(3, 0, 4096)
    expect(driver.offer([write, read]).taken).toBe(2)
    expect(driver.reap()).toHaveLength(1)
    expect(driver.bytes[8192]).toBe(0)
    expect(driver.port.arm()).toBe(false)
    clock.advance(4)
    expect([driver.wakes.count, driver.port.inFlight]).toEqual([0, 1])
    clock.advance(1)
    expect(driver.wakes.count).toBe(1)
    expect(driver.reap()).toHaveLength(1)
    expect(await driver.run([read])).toEqual([4096])
    expect(driver.bytes[8192]).toBe(3)
    driver.close()
  })
})
