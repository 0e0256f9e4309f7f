/**
 * The core's pools against models that are too simple to be wrong: extents against a set of pages, the slot queue
 * against an array, the lender against sums; and the length of a record against any bytes.
 */
import fc from 'fast-check'
import { ArenaLender } from '../../src/core/arena-lender.js'
import { ExtentPool, PAGES_PER_CHUNK, chunksForRequest } from '../../src/core/extent-pool.js'
import { RECORD_EVENT, RECORD_STATE, recordWords } from '../../src/core/records.js'
import { SlotQueue } from '../../src/core/slot-queue.js'

const CHUNKS = 5
const RUNS = 300

type PoolStep =
  | { readonly do: 'lend'; readonly chunk: number }
  | { readonly do: 'allocate'; readonly pages: number }
  | { readonly do: 'release'; readonly which: number }
  | { readonly do: 'takeBack'; readonly keep: number }

const poolStep: fc.Arbitrary<PoolStep> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lend' as const), chunk: fc.nat(CHUNKS - 1) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('allocate' as const), pages: fc.integer({ min: 1, max: PAGES_PER_CHUNK }) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('takeBack' as const), keep: fc.nat(2) }) },
)

/** Pages one by one. */
class NaivePool {
  readonly chunks = new Set<number>()
  readonly used = new Set<number>()

  hasRun(pages: number): boolean {
    for (const chunk of this.chunks)
      for (let bit = 0; bit + pages <= PAGES_PER_CHUNK; bit++)
        if (this.isFree(chunk * PAGES_PER_CHUNK + bit, pages)) return true
    return false
  }

  isFree(page: number, pages: number): boolean {
    const chunk = Math.floor(page / PAGES_PER_CHUNK)
    if (!this.chunks.has(chunk) || Math.floor((page + pages - 1) / PAGES_PER_CHUNK) !== chunk) return false
    for (let index = page; index < page + pages; index++) if (this.used.has(index)) return false
    return true
  }

  idle(): number[] {
    return [...this.chunks].filter((chunk) => this.isFree(chunk * PAGES_PER_CHUNK, PAGES_PER_CHUNK))
  }
}

function playPool(steps: readonly PoolStep[]): void {
  const pool = new ExtentPool(CHUNKS)
  const model = new NaivePool()
  const held: { page: number; pages: number }[] = []
  for (const step of steps) {
    if (step.do === 'lend') {
      if (model.chunks.has(step.chunk)) expect(() => pool.lend(step.chunk)).toThrow('lent twice')
      else pool.lend(step.chunk)
      model.chunks.add(step.chunk)
    } else if (step.do === 'allocate') {
      const page = pool.allocate(step.pages)
      expect(page >= 0).toBe(model.hasRun(step.pages))
      if (page < 0) continue
      expect(model.isFree(page, step.pages)).toBe(true)
      for (let index = page; index < page + step.pages; index++) model.used.add(index)
      held.push({ page, pages: step.pages })
    } else if (step.do === 'release') {
      const [extent] = held.splice(step.which % Math.max(1, held.length), 1)
      if (extent === undefined) continue
      pool.release(extent.page, extent.pages)
      expect(() => pool.release(extent.page, extent.pages)).toThrow('released once')
      for (let index = extent.page; index < extent.page + extent.pages; index++) model.used.delete(index)
    } else {
      const idle = model.idle()
      const chunk = pool.takeBack(step.keep)
      expect(chunk).toBe(model.chunks.size <= step.keep || idle.length === 0 ? -1 : Math.max(...idle))
      model.chunks.delete(chunk)
    }
    expect([pool.used, pool.count]).toEqual([model.used.size, model.chunks.size])
    expect([...pool.chunks.subarray(0, pool.count)]).toEqual([...model.chunks].sort((one, two) => one - two))
  }
}

test('S20: extents are never given twice, found whenever there is one, and stay within one chunk', () => {
  fc.assert(fc.property(fc.array(poolStep, { maxLength: 80 }), playPool), { numRuns: RUNS })
})

test('S20: a pool restored by claims gives the same pages as the one it was copied from', () => {
  const pages = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(pages, pages, (before, after) => {
      const [first, second] = [new ExtentPool(CHUNKS), new ExtentPool(CHUNKS)]
      for (let chunk = 0; chunk < CHUNKS; chunk++) first.lend(chunk)
      for (let chunk = CHUNKS - 1; chunk >= 0; chunk--) second.lend(chunk)
      const extents = before.map((count) => ({ page: first.allocate(count), count })).filter(({ page }) => page >= 0)
      for (const { page, count } of extents.filter((_, index) => index % 3 === 0)) first.release(page, count)
      for (const { page, count } of extents.filter((_, index) => index % 3 !== 0)) second.claim(page, count)
      for (const count of after) expect(second.allocate(count)).toBe(first.allocate(count))
      expect(second.used).toBe(first.used)
    }),
    { numRuns: RUNS },
  )
})

test('the slot queue is first in, first out, and overrun is an assertion', () => {
  const step = fc.option(fc.nat(1023), { freq: 3, nil: undefined })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 200 }), (capacity, steps) => {
      const queue = new SlotQueue(capacity)
      const model: number[] = []
      for (const slot of steps) {
        if (slot === undefined) {
          if (model.length > 0) expect(queue.shift()).toBe(model.shift())
        } else if (model.length < capacity) {
          queue.push(slot)
          model.push(slot)
        }
        expect(Array.from({ length: queue.length }, (_, index) => queue.at(index))).toEqual(model)
        if (model.length > 0) expect(queue.first()).toBe(model[0])
      }
      queue.clear()
      expect(queue.length).toBe(0)
      expect(() => {
        for (let index = 0; index <= 2 * capacity + 1; index++) queue.push(0)
      }).toThrow('overrun')
    }),
    { numRuns: RUNS },
  )
})

const lenderStep = fc.record({
  queue: fc.constantFrom('a', 'b', 'c', 'd'),
  do: fc.constantFrom('attach', 'borrow', 'borrow', 'borrow', 'giveBack', 'detach'),
  wanted: fc.integer({ min: 1, max: 12 }),
})

test('S14: the arena is lent by quota: chunks are conserved, nobody borrows beyond its share, reserves stand', () => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 40 }), fc.array(lenderStep, { maxLength: 60 }), (total, steps) => {
      const lender = new ArenaLender(total)
      const held = new Map<string, number[]>()
      const reserve = chunksForRequest(11)
      for (const { queue, do: what, wanted } of steps) {
        const mine = held.get(queue)
        if (mine === undefined) {
          if (what !== 'attach' || !lender.enter(queue, reserve)) continue
          const others = [...held].map(([name, chunks]) => ({ name, chunks, excess: lender.excess(name) }))
          // Until it has its own, nobody borrows; when everyone has returned what is too much, it has its own.
          if (lender.freeChunks < reserve) expect(lender.pay(queue)).toBeUndefined()
          expect(others.flatMap(({ name }) => lender.borrow(name, 1))).toEqual([])
          for (const { name, chunks, excess } of others)
            for (const chunk of chunks.splice(chunks.length - excess)) lender.giveBack(name, chunk)
          const chunks = lender.pay(queue)
          expect(chunks).toHaveLength(reserve)
          held.set(queue, chunks ?? [])
        } else if (what === 'borrow') {
          const quota = Math.floor((total - reserve * held.size) / held.size)
          const free = lender.freeChunks
          const chunks = lender.borrow(queue, wanted)
          expect(chunks.length).toBe(Math.max(0, Math.min(wanted, reserve + quota - mine.length, free)))
          mine.push(...chunks)
        } else if (what === 'giveBack' && mine.length > reserve) lender.giveBack(queue, mine.pop() ?? -1)
        else if (what === 'detach') {
          lender.detach(queue)
          held.delete(queue)
        }
        const out = [...held.values()].flat()
        expect(new Set(out).size).toBe(out.length)
        expect(out.length + lender.freeChunks).toBe(total)
      }
    }),
    { numRuns: RUNS },
  )
})

test('S14: a greedy queue is told to give back what a newcomer and its share need', () => {
  const lender = new ArenaLender(16)
  expect(lender.enter('greedy', 1)).toBe(true)
  const greedy = lender.pay('greedy') ?? []
  greedy.push(...lender.borrow('greedy', 100))
  expect([greedy.length, lender.freeChunks, lender.excess('greedy')]).toEqual([16, 0, 0])
  expect(lender.enter('modest', 1)).toBe(true)
  expect(lender.pay('modest')).toBeUndefined()
  expect(lender.excess('greedy')).toBe(16 - 1 - 7)
  lender.giveBack('greedy', greedy.pop() ?? -1)
  expect(lender.borrow('greedy', 1)).toEqual([])
  expect(lender.pay('modest')).toHaveLength(1)
  while (lender.excess('greedy') > 0) lender.giveBack('greedy', greedy.pop() ?? -1)
  expect(lender.borrow('greedy', 5)).toEqual([])
  expect(lender.borrow('modest', 100)).toHaveLength(7)
  expect([lender.enter('more than there is', 15), lender.enter('all that is left', 14)]).toEqual([false, true])
})

test('a record of any bytes has a length within what is there, a multiple of two words, and never none', () => {
  const word = fc.oneof(
    fc.integer({ min: -0x80000000, max: 0x7fffffff }),
    fc.tuple(fc.nat(40), fc.nat(255), fc.nat(0xffff)).map(([kind, op, count]) => kind | (op << 8) | (count << 16)),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 64 }), (list) => {
      const words = Int32Array.from(list)
      let at = 0
      for (;;) {
        const size = recordWords(words, at, words.length - at)
        expect([size >= 0, size & 1, at + size <= words.length]).toEqual([true, 0, true])
        if (size === 0) break
        const kind = words[at] & 0xff
        if (kind === RECORD_EVENT || kind === RECORD_STATE) {
          expect(words[at + 1]).toBeGreaterThanOrEqual(0)
          expect(words[at + 1]).toBeLessThanOrEqual((size - 2) * 4)
        }
        at += size
      }
    }),
    { numRuns: 2000 },
  )
})
