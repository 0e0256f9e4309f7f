import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import {
  closeDescriptor, environments, giveBack, mapMemory, owned, unmap, view,
} from '../../src/io/native/owners.js'
import { Poller } from '../../src/io/native/poller.js'
import { NativeFrontRing } from '../../src/io/native/ring.js'
import { eventfdCreate, eventfdWrite } from '../../src/io/native/shm.js'

const failing = (code: string) => expect.objectContaining({ code }) as Error

/** Everything one queue needs, made as the supervisor would, and a Worker that has borrowed all of it. */
async function queue() {
  const handles = { ring: mapMemory(4096), memory: mapMemory(4096), table: mapMemory(4096), arena: mapMemory(4096) }
  const [kick, answer] = [eventfdCreate(), eventfdCreate()]
  const front = new NativeFrontRing(handles.ring, 1, 'x86_64')
  front.init()
  new Uint8Array(view(handles.memory)).fill(5)
  new Uint32Array(view(handles.table))[0] = 1
  const both = { world: 'embedded', domid: 1 } as const
  const worker = new Worker(new URL('./borrowing-worker.js', import.meta.url), {
    workerData: {
      ring: { ...both, abi: 'x86_64', pages: 1, ringHandle: handles.ring },
      channel: { ...both, port: 1, eventHandle: kick, notifyHandle: answer },
      grants: { ...both, mode: 'copy', memoryHandle: handles.memory, tableHandle: handles.table },
      arena: handles.arena,
    },
  })
  expect(await said(worker)).toBe('ready')
  const release = () => {
    front.close()
    for (const handle of Object.values(handles)) unmap(handle)
    closeDescriptor(kick)
    closeDescriptor(answer)
  }
  return { handles, kick, answer, front, worker, release }
}

const said = async (worker: Worker): Promise<unknown> => ((await once(worker, 'message')) as unknown[])[0]

/** Puts `count` requests with ids from `first` on and waits for all answers. @returns their ids. */
async function roundTrip(bench: Awaited<ReturnType<typeof queue>>, at: number, count: number): Promise<number[]> {
  const entries = new Int32Array(28 * count)
  for (let i = 0; i < count; i++) entries[i * 28 + 2] = at + i
  const answers = new Int32Array(4 * 32)
  let poller: Poller | undefined
  const woken = new Promise<void>((resolve) => {
    poller = new Poller(bench.answer, 'eventfd', resolve)
  })
  if (bench.front.put(entries, count, at)) eventfdWrite(bench.kick)
  if (!bench.front.arm(at)) await woken
  let taken = 0
  while (taken < count) {
    const got = bench.front.take(at + taken, answers.subarray(taken * 4), 32 - taken)
    taken += got
    if (got === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  poller?.close()
  expect([...answers.filter((_, i) => i < count * 4 && i % 4 === 3)]).toEqual(new Array(count).fill(-7))
  return [...answers.filter((_, i) => i < count * 4 && i % 4 === 0)]
}

let before = 0
beforeEach(() => {
  before = owned().length
})
afterEach(() => {
  expect(owned().length).toBe(before)
})

test('two Workers serve two rings at once, and give back what they borrowed', async () => {
  const [one, two] = await Promise.all([queue(), queue()])
  for (let at = 0; at < 320; at += 8) {
    const expected = Array.from({ length: 8 }, (_, i) => at + i)
    expect(await Promise.all([roundTrip(one, at, 8), roundTrip(two, at, 8)])).toEqual([expected, expected])
  }
  for (const bench of [one, two]) {
    expect(new Uint8Array(view(bench.handles.arena)).every((byte) => byte === 5)).toBe(true)
    expect(() => unmap(bench.handles.memory)).toThrow(failing('EBUSY'))
    bench.worker.postMessage('close')
    expect(await said(bench.worker)).toBe('closed')
    // The Worker's own view of the arena is a borrow of its own, which ends with the Worker.
    expect(() => unmap(bench.handles.arena)).toThrow(failing('EBUSY'))
    expect(new Uint8Array(view(bench.handles.arena)).length).toBe(4096)
    await bench.worker.terminate()
    bench.release()
  }
})

test.each(['terminate while idle', 'terminate while it spins in native calls', 'process.exit inside'])(
  'a Worker that dies gives everything back: %s', async (how) => {
    const loaded = environments()
    const bench = await queue()
    expect(environments()).toBe(loaded + 1)
    expect(await roundTrip(bench, 0, 4)).toEqual([0, 1, 2, 3])
    for (const handle of Object.values(bench.handles)) expect(() => unmap(handle)).toThrow(failing('EBUSY'))
    expect(() => closeDescriptor(bench.kick)).toThrow(failing('EBUSY'))
    if (how.startsWith('terminate')) {
      if (how.includes('spins')) {
        bench.worker.postMessage('spin')
        expect(await said(bench.worker)).toBe('spinning')
      }
      await bench.worker.terminate()
    } else {
      bench.worker.postMessage('exit')
      expect((await once(bench.worker, 'exit'))[0]).toBe(3)
    }
    expect(environments()).toBe(loaded)
    bench.release()
  })

test('what a callback throws ends its Worker as an uncaught exception, and nothing else', async () => {
  const bench = await queue()
  bench.worker.postMessage('throw')
  expect(await said(bench.worker)).toBe('armed')
  const failed = once(bench.worker, 'error')
  const ended = new Promise((resolve) => bench.worker.once('exit', resolve))
  eventfdWrite(bench.kick)
  expect(((await failed) as Error[])[0].message).toBe('planted')
  expect(await ended).toBe(1)
  bench.release()
})

test('giving back a view here does not disturb the one of another thread', async () => {
  const bench = await queue()
  view(bench.handles.arena)
  giveBack(bench.handles.arena)
  expect(await roundTrip(bench, 0, 1)).toEqual([0])
  expect(new Uint8Array(view(bench.handles.arena))[4095]).toBe(5)
  await bench.worker.terminate()
  bench.release()
})
