/** Chunks that the Worker wants back: each is returned once, and never more in a batch than the batch can note. */
import { PAGES_PER_CHUNK } from '../../src/core/extent-pool.js'
import { QueueCore } from '../../src/core/queue-core.js'
import { RECORD_LENT, RECORD_RECALLED } from '../../src/core/records.js'
import { compiledSteppers } from '../../src/core/steppers.js'

const CHUNKS = 256

function coreWith(lent: number): QueueCore {
  const limits = { readOnly: false, offersFlush: true, offersBarrier: true, offersDiscard: true, maxSegments: 11 }
  const disk = { sectorCount: 2048, sectorSize: 512, ...limits }
  const settings = { slots: 32, batch: 32, buffered: false, arenaChunks: CHUNKS, reserveChunks: 1, disk }
  const core = new QueueCore(settings, compiledSteppers)
  core.beginBatch(0)
  const record = new Int32Array(2 + lent + (lent & 1))
  record[0] = RECORD_LENT | (lent << 16)
  for (let chunk = 0; chunk < lent; chunk++) record[2 + chunk] = chunk
  core.apply(record, 0, record.length)
  return core
}

/** One batch with a recall of so many. @returns the chunks that came back. */
function recall(core: QueueCore, wanted: number): number[] {
  core.beginBatch(1)
  core.apply(Int32Array.of(RECORD_RECALLED, wanted), 0, 2)
  core.endInputs()
  core.settle(new Int32Array(4096), 0)
  return [...core.effects.returned.subarray(0, core.effects.returnedCount)]
}

test('more than one batch can note comes back over several batches, each chunk once, the reserve stays', () => {
  const core = coreWith(CHUNKS)
  const returned: number[] = []
  for (let batch = 0; batch < 8; batch++) {
    const chunks = recall(core, CHUNKS)
    expect(core.effects.returnedCount).toBe(chunks.length)
    returned.push(...chunks)
  }
  expect(returned).toHaveLength(CHUNKS - 1)
  expect(new Set(returned).size).toBe(returned.length)
  expect(core.extents.count).toBe(1)
})

test('a chunk with a page in use stays', () => {
  const core = coreWith(3)
  expect(core.extents.allocate(PAGES_PER_CHUNK)).toBe(0)
  expect(core.extents.allocate(1)).toBe(PAGES_PER_CHUNK)
  expect(recall(core, 3)).toEqual([2])
})
