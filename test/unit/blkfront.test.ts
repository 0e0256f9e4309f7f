/** The front end against an honest back end, a lying one, and one that goes away. */
import { RESERVED_GREFS } from '../../src/embedded/guest/grant-table.js'
import type { BlkfrontEvent } from '../../src/embedded/blkfront/blkfront.js'
import * as blkif from '../../src/protocol/blkif.js'
import { owned } from '../../src/io/native/owners.js'
import { EmbeddedRig, eventually } from '../integration/embedded-rig.js'

let rig: EmbeddedRig
/** The table of owners is the process's, and other test files may have run in it. */
const handles = () => owned().map((entry) => entry.handle).sort((a, b) => a - b)
let before: number[]
beforeEach(() => {
  before = handles()
})
afterEach(async () => {
  await rig.close()
  expect(handles()).toEqual(before)
})

function pattern(bytes: number, seed: number): Buffer {
  const data = Buffer.alloc(bytes)
  for (let word = 0; word < bytes / 4; word++) data.writeUInt32LE(Math.imul(word + seed, 0x9e3779b1) >>> 0, word * 4)
  return data
}

describe('an honest back end', () => {
  const rings = [
    ['x86_64', 16, 'ring-page-order', 512],
    ['x86_64', 1, 'ring-page-order', 32],
    ['x86_32', 4, 'num-ring-pages', 128],
    ['x86_32', 1, 'num-ring-pages', 32],
    ['x86_64', 8, '2010', 256],
    ['x86_64', 1, '2010', 32],
  ] as const
  test.each(rings)('%s, %i pages by %s', async (abi, ringPages, scheme, entries) => {
    rig = await EmbeddedRig.start()
    const front = await rig.connect({ abi, ringPages, scheme })
    expect(rig.backend.ring).toMatchObject({ pages: ringPages, abi, entries })
    expect(front.ringPages).toBe(ringPages)
    expect(front.depth).toBe(entries)
    const data = pattern(300_032, 7)
    await Promise.all([front.write(512, data), front.write(1 << 20, data)])
    expect(rig.backend.disk.subarray(512, 512 + data.length).equals(data)).toBe(true)
    expect((await front.read(1 << 20, data.length)).equals(data)).toBe(true)
    expect((await front.read(512 + 4096, 512)).equals(data.subarray(4096, 4608))).toBe(true)
    await front.close()
    expect(rig.backend.states).toEqual([2, 4, 5, 6])
    expect(rig.guest.memory.freePages).toBe(18_432)
    expect(rig.guest.grants.free).toBe(20_480 - RESERVED_GREFS)
    expect(await rig.store.list(rig.paths.frontend)).not.toContain('event-channel')
  })

  test.each(['standing', 'revoking'] as const)('a thousand requests with %s grants, sleeping', async (grants) => {
    rig = await EmbeddedRig.start()
    const front = await rig.connect({ grants, ringPages: 1 })
    const data = pattern(4096, 3)
    await Promise.all(Array.from({ length: 1000 }, (_, index) => front.write((index % 256) * 4096, data)))
    const reads = await Promise.all(Array.from({ length: 256 }, (_, index) => front.read(index * 4096, 4096)))
    expect(reads.every((read) => read.equals(data))).toBe(true)
    expect(front.counters).toMatchObject({ requests: 1256, answers: 1256, violations: 0, errors: 0 })
    expect(front.grantsHeldTooLong).toBe(0)
    await front.close()
  })

  test('polling finds the answers without being told', async () => {
    rig = await EmbeddedRig.start()
    const front = await rig.connect({ poll: true })
    for (let index = 0; index < 50; index++) await front.write(index * 512, pattern(512, index))
    expect((await front.read(49 * 512, 512)).equals(pattern(512, 49))).toBe(true)
    await front.close()
  })

  test('flush, barrier with and without data, flush with data, discard: each in its own form', async () => {
    rig = await EmbeddedRig.start()
    const front = await rig.connect()
    expect(front.disk).toMatchObject({ flush: true, barrier: true, discard: true, discardGranularity: 4096 })
    await front.flush()
    await front.barrier()
    await front.barrier(512, pattern(1024, 1))
    await front.flushWith(8192, pattern(4096, 2))
    await front.trim(5000, 100)
    await front.trim(12_000, 20_000)
    expect(rig.backend.ops).toEqual([3, 2, 2, 3, 5])
    expect(rig.backend.disk.subarray(512, 1536).equals(pattern(1024, 1))).toBe(true)
    expect(rig.backend.disk.subarray(8192, 12_288).equals(pattern(4096, 2))).toBe(true)
    expect(rig.backend.disk[12_287]).not.toBe(0xdd)
    expect(rig.backend.disk[12_288]).toBe(0xdd)
    expect(rig.backend.disk[28_671]).toBe(0xdd)
    expect(rig.backend.disk[28_672]).toBe(0)
    await expect(front.barrier(0, pattern(12 * 4096, 1))).rejects.toMatchObject({ code: 'EINVAL' })
    await front.close()
  })

  test('what is refused once is not asked for again; an error is an error of its request', async () => {
    rig = await EmbeddedRig.start()
    const front = await rig.connect()
    rig.backend.refused.add(blkif.BLKIF_OP_FLUSH_DISKCACHE)
    await expect(front.flush()).rejects.toMatchObject({ code: 'ENOTSUP' })
    await front.flush()
    expect(rig.backend.ops).toEqual([3, 2])
    rig.backend.failing = true
    await expect(front.read(0, 4096)).rejects.toMatchObject({ code: 'EIO' })
    rig.backend.failing = false
    await front.read(0, 4096)
    await front.close()
  })

  test('a resize is seen and told', async () => {
    rig = await EmbeddedRig.start()
    const events: BlkfrontEvent[] = []
    const front = await rig.connect({ onEvent: (event) => events.push(event) })
    await rig.store.write(`${rig.paths.backend}/sectors`, '16384')
    await rig.backend.setState(4)
    await eventually(() => events.length > 0)
    expect(events).toEqual([{ kind: 'resized', sizeBytes: 8 << 20 }])
    await front.close()
  })
})

describe('a back end that goes away', () => {
  test('one that pauses is waited for, through close as well', async () => {
    rig = await EmbeddedRig.start()
    const front = await rig.connect()
    rig.backend.paused = true
    const writes = Array.from({ length: 100 }, (_, index) => front.write(index * 4096, pattern(4096, index)))
    const closing = front.close()
    await expect(front.read(0, 512)).rejects.toMatchObject({ code: 'ESHUTDOWN' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(front.inFlight).toBe(100)
    rig.backend.paused = false
    rig.backend.work()
    await Promise.all(writes)
    await closing
    expect(rig.backend.disk.subarray(99 * 4096, 100 * 4096).equals(pattern(4096, 99))).toBe(true)
  })

  test('a successor takes over the same ring, and the front end sees only time pass', async () => {
    rig = await EmbeddedRig.start()
    const front = await rig.connect({ ringPages: 2 })
    await front.write(0, pattern(8192, 5))
    await rig.backend.vanish()
    const pending = front.write(8192, pattern(4096, 6))
    const before = rig.backend.disk
    rig.backend = await rig.newBackend()
    before.copy(rig.backend.disk)
    await pending
    expect((await front.read(0, 8192)).equals(pattern(8192, 5))).toBe(true)
    await front.close()
  })

  test('one that closes first is followed', async () => {
    rig = await EmbeddedRig.start()
    const events: BlkfrontEvent[] = []
    const front = await rig.connect({ onEvent: (event) => events.push(event) })
    await rig.backend.setState(5)
    await eventually(() => rig.backend.states.at(-1) === 6)
    await front.close()
    expect(events).toEqual([{ kind: 'backend-closing' }])
    await expect(front.read(0, 512)).rejects.toMatchObject({ code: 'ESHUTDOWN' })
  })

  test('after a close the same disk connects again', async () => {
    rig = await EmbeddedRig.start()
    for (let round = 0; round < 3; round++) {
      const front = await rig.connect({ ringPages: 1 << round })
      await front.write(0, pattern(512, round))
      await front.close()
    }
    expect(rig.backend.states).toEqual([2, 4, 5, 6, 2, 4, 5, 6, 2, 4, 5, 6])
  })

  test('one that has no disk to offer, or never connects, is an error with everything given back', async () => {
    rig = await EmbeddedRig.start({ keys: { sectors: '0' } })
    await expect(rig.connect()).rejects.toMatchObject({ code: 'XBBD_NO_DISK' })
    await expect(rig.connect({ frontend: '/local/domain/1/device/vbd/1' })).rejects.toMatchObject({ code: 'XBBD_NO_DISK' })
    expect(rig.guest.memory.freePages).toBe(18_432)
  })
})

describe('a back end that lies', () => {
  const lies = ['id', 'generation', 'op', 'status', 'overflow'] as const
  test.each(lies)('about the %s is found out, and everything ends with EIO', async (lie) => {
    rig = await EmbeddedRig.start()
    const events: BlkfrontEvent[] = []
    const front = await rig.connect({ onEvent: (event) => events.push(event) })
    await front.write(0, pattern(4096, 1))
    rig.backend.lie = lie
    await expect(front.read(0, 4096)).rejects.toMatchObject({ code: 'EIO' })
    expect(front.counters.violations).toBe(1)
    expect(events.map((event) => event.kind)).toEqual(['broken'])
    await expect(front.read(0, 4096)).rejects.toMatchObject({ code: 'EIO' })
    await front.close()
  })
})
