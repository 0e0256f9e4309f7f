/**
 * Which journal gets which segment: every living journal keeps its newest two, whatever the others do; what is older is
 * recycled oldest first; small first segments, large later ones.
 */
import fc from 'fast-check'
import { SegmentTable } from '../../src/journal/segment-table.js'

const shapes = (small: number, large: number) => [
  ...Array.from({ length: small }, () => ({ words: 16384 })),
  ...Array.from({ length: large }, () => ({ words: 65536 })),
]

test('a journal begins small and goes on large', () => {
  const table = new SegmentTable(shapes(2, 2))
  const journal = table.register()
  expect(table.next(journal, 1000)?.segment).toBe(0)
  expect(table.next(journal, 1000)?.segment).toBe(2)
  expect(table.next(journal, 1000)?.segment).toBe(3)
})

test('a batch that needs a large segment gets one, or none', () => {
  const table = new SegmentTable(shapes(4, 1))
  const journal = table.register()
  expect(table.next(journal, 20_000)?.segment).toBe(4)
  expect(table.next(journal, 70_000)).toBeUndefined()
})

test('the pool refuses a writer for which it could not keep two segments', () => {
  const table = new SegmentTable(shapes(4, 1))
  expect([table.register(), table.register(), table.register()]).toEqual([1, 2, 0])
  table.release(1)
  expect(table.register()).toBe(1)
})

test('segments of an earlier process are the first to be recycled, the oldest first', () => {
  const table = new SegmentTable(shapes(4, 0))
  for (const [segment, sequence] of [[0, 40], [1, 12], [2, 30], [3, 25]]) table.adopt(segment, sequence)
  const journal = table.register()
  const given = [1, 2, 3].map(() => table.next(journal, 100))
  expect(given.map((next) => next?.segment)).toEqual([1, 3, 2])
  expect(given.map((next) => next?.sequence)).toEqual([41, 42, 43])
})

test('two threads see one table', () => {
  const table = new SegmentTable(shapes(4, 4))
  const other = new SegmentTable(shapes(4, 4), table.shared)
  const journal = table.register()
  const first = table.next(journal, 100)
  const second = other.next(journal, 100)
  expect(second?.sequence).toBe((first?.sequence ?? 0) + 1)
  expect(second?.segment).not.toBe(first?.segment)
})

test('every living journal keeps its newest two, in any order of writers', () => {
  const step = fc.integer({ min: 0, max: 3 })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
      const table = new SegmentTable(shapes(4, 6))
      const journals = [0, 1, 2, 3].map(() => table.register())
      const kept = new Map<number, number[]>()
      for (const index of steps) {
        const journal = journals[index]
        const given = table.next(journal, 1000)
        expect(given).toBeDefined()
        const mustStay = [...kept].flatMap(([owner, list]) => list.slice(owner === journal ? -1 : -2))
        expect(mustStay).not.toContain(given?.segment)
        kept.set(journal, [...(kept.get(journal) ?? []), given?.segment ?? -1].slice(-2))
      }
    }),
  )
})
