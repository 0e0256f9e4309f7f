/**
 * S9: everything that requests need is made when the queue is made. A hundred thousand of them go through a plane whose
 * ring, grants and disk are no more than arithmetic, and neither the arrays nor the heap tell of it.
 */
import { QueuePlane } from '../../src/actors/queue-plane.js'
import { QueueCore } from '../../src/core/queue-core.js'
import { COMMAND_ATTACH } from '../../src/core/records.js'
import { COUNTER } from '../../src/core/statistics.js'
import { compiledSteppers } from '../../src/core/steppers.js'
import { COPY_WORDS, IO_WORDS, RESULT_WORDS } from '../../src/ports/data-path.js'
import { abiLayout } from '../../src/protocol/abi.js'
import { BLKIF_OP_READ } from '../../src/protocol/blkif.js'
import { encodeEntry } from '../../src/protocol/entry.js'

const SLOTS = 64
const REQUESTS = 100_000
const layout = abiLayout('x86_64')

/** A ring that is always full of one read, and consumes every answer at once. */
function endlessRing() {
  const entries = new Int32Array(SLOTS * layout.entryWords)
  const segments = [{ gref: 1, firstSect: 0, lastSect: 7 }, { gref: 2, firstSect: 0, lastSect: 7 }]
  for (let index = 0; index < SLOTS; index++)
    encodeEntry({ op: BLKIF_OP_READ, idLow: index, segments }, layout, entries, index * layout.entryWords)
  return {
    size: SLOTS, entries, entryWords: layout.entryWords, reqProd: 0,
    take(_: number, rspProd: number, max: number) {
      this.reqProd = (rspProd + SLOTS) | 0
      return max
    },
    peek: () => 0, answer: () => false, arm: () => false, published: () => 0, close: () => undefined,
  }
}

/** A disk that is done at once. */
function instantMedium() {
  const done = new Int32Array(SLOTS * RESULT_WORDS)
  return {
    inFlight: 0,
    submit(requests: Int32Array, count: number) {
      for (let index = 0; index < count; index++, this.inFlight++) {
        done[this.inFlight * RESULT_WORDS] = requests[index * IO_WORDS + 1]
        done[this.inFlight * RESULT_WORDS + 1] = requests[index * IO_WORDS + 3]
      }
      return count
    },
    reap(results: Int32Array) {
      const count = this.inFlight
      for (let word = 0; word < count * RESULT_WORDS; word++) results[word] = done[word]
      this.inFlight = 0
      return count
    },
    onReady: () => undefined, arm: () => true, close: () => undefined,
  }
}

function nullPlane(): QueuePlane {
  const disk = {
    sectorCount: 4096, sectorSize: 512, readOnly: false, offersFlush: true, offersBarrier: true, offersDiscard: true,
    maxSegments: 11,
  }
  const settings = { slots: SLOTS, batch: 16, disk, buffered: false, arenaChunks: 16, reserveChunks: 1 }
  const sink = {
    words: new Int32Array(1 << 14), at: 0, dirty: true,
    begin() {
      this.at = 0
    },
    seal: () => undefined,
  }
  const copy = (copies: Int32Array, count: number) => {
    for (let index = 0; index < count; index++) copies[index * COPY_WORDS + 3] = 0
    return 0
  }
  return new QueuePlane({
    core: new QueueCore(settings, compiledSteppers),
    ring: endlessRing(),
    layout,
    grants: { copy, close: () => undefined },
    channel: { notify: () => undefined, onNotified: () => undefined, unmask: () => undefined, close: () => undefined },
    medium: instantMedium(),
    sink,
    chunks: { borrow: () => [], giveBack: () => undefined },
    nowNs: () => 0,
  })
}

/** Every array that hangs on an object, by name. */
function arraysOf(owner: object): [string, unknown][] {
  return Object.entries(owner).filter(([, value]) => ArrayBuffer.isView(value))
}

test('S9: a hundred thousand requests allocate nothing', () => {
  const plane = nullPlane()
  const { core } = plane
  plane.lend([0, 1, 2, 3])
  plane.command(COMMAND_ATTACH)
  const serve = (requests: number) => {
    const until = core.statistics[COUNTER.answeredOkay] + requests
    for (let round = 0; round < requests && core.statistics[COUNTER.answeredOkay] < until; round++) plane.round()
  }
  serve(20_000)
  const owners = [core, core.effects, core.extents, plane]
  const before = owners.map(arraysOf)
  expect(before.flat().length).toBeGreaterThan(25)
  const collect = globalThis.gc
  if (collect === undefined) throw new Error('this test needs node --expose-gc: run it by npm test')
  collect()
  const heap = process.memoryUsage().heapUsed
  serve(REQUESTS)
  const grown = process.memoryUsage().heapUsed - heap
  collect()
  const kept = process.memoryUsage().heapUsed - heap
  expect(core.statistics[COUNTER.answeredOkay]).toBeGreaterThanOrEqual(REQUESTS + 20_000)
  expect(core.statistics[COUNTER.answeredError]).toBe(0)
  for (const [index, owner] of owners.entries())
    for (const [name, array] of before[index]) expect([name, owner[name as never] === array]).toEqual([name, true])
  // What the engine itself writes down while it runs is less than a byte per request kept, and a few not yet collected.
  expect(grown).toBeLessThan(REQUESTS * 12)
  expect(kept).toBeLessThan(REQUESTS * 2)
})
