/**
 * @packageDocumentation
 * What a grant copier owes its queue, in every world and every mode: exactly the bytes that were named, a status for
 * each element, and no failure that costs its neighbours. The world gives a guest's pages and Xen's word (or the pocket
 * host's) on which of them are mapped.
 *
 * Modes differ where they must: `persistent` maps every page writable, so a read-only grant gives it nothing, and what
 * it keeps stays the guest's no more until the copier closes.
 */
import { mapMemory, unmap, view } from '../../src/io/native/owners.js'
import type { GrantCopier } from '../../src/ports/data-path.js'
import { COPY_FROM_GUEST, COPY_TO_GUEST, COPY_WORDS } from '../../src/ports/data-path.js'
import type { GrantMode } from '../../src/ports/host.js'

const PAGE = 4096
const ARENA_PAGES = 64

export interface OpenCopier {
  readonly copier: GrantCopier
  /** Gives back whatever stands behind the copier, and the copier when it is open still. */
  close(): void
}

export interface GrantsWorld {
  readonly mode: GrantMode
  /** Fresh pages of the guest, full of zeroes, granted to domain 0. */
  grant(count: number, writable?: boolean): number[]
  /** The guest's own look at a page, and its pen. */
  read(gref: number): Uint8Array
  write(gref: number, bytes: Uint8Array): void
  /** Those of the references that somebody has mapped. */
  mapped(grefs: readonly number[]): number[]
  /** Takes pages back. @returns false while one of them is mapped. */
  revoke(grefs: readonly number[]): boolean
  readonly neverGranted: number
  /** `keep`: pages that stay mapped at most, in mode `persistent`. */
  open(arena: number, keep: number): OpenCopier
  destroyGuest(): Promise<void>
  close(): Promise<void>
}

/** One element in readable form. */
interface Element {
  readonly gref: number
  readonly offset?: number
  readonly length?: number
  readonly place?: number
  readonly toGuest?: boolean
  /** Instead of what `toGuest` says. */
  readonly direction?: number
}

/** Runs a batch. @returns each element's status; that the number returned is that of the failures was checked. */
function run(copier: GrantCopier, elements: readonly Element[]): number[] {
  const words = new Int32Array(elements.length * COPY_WORDS)
  elements.forEach(({ gref, offset = 0, length = PAGE, place = 0, toGuest, direction }, index) => {
    words.set([gref, offset | (length << 16), place], index * COPY_WORDS)
    words[index * COPY_WORDS + 3] = direction ?? (toGuest ? COPY_TO_GUEST : COPY_FROM_GUEST)
  })
  const failed = copier.copy(words, elements.length)
  const statuses = elements.map((_, index) => words[index * COPY_WORDS + 3])
  expect(failed).toBe(statuses.filter((status) => status !== 0).length)
  expect(statuses.every((status) => status <= 0)).toBe(true)
  return statuses
}

const patterns = new Map<number, Uint8Array>()

/** A page whose bytes tell where they belong; a copy is the caller's to change. */
function pattern(seed: number): Uint8Array {
  let page = patterns.get(seed)
  page ??= Uint8Array.from({ length: PAGE }, (_, at) => (at * 7 + seed * 131 + (at >> 8)) & 0xff)
  patterns.set(seed, page)
  return page.slice()
}

/** Equal bytes, told without printing four thousand of them: where they differ, or -1. */
const differs = (a: Uint8Array, b: Uint8Array): number =>
  a.length === b.length && Buffer.compare(a, b) === 0 ? -1 : a.findIndex((byte, at) => byte !== b[at])

const done = (count: number) => Array<number>(count).fill(0)
const succeeded = (statuses: readonly number[]) => statuses.map((status) => status === 0)

export function grantsContract(name: string, make: () => Promise<GrantsWorld>): void {
  describe(`grants contract: ${name}`, () => {
    let world: GrantsWorld
    let arenaHandle: number
    let arena: Uint8Array
    const open: OpenCopier[] = []
    const copierOf = (keep = 1056): GrantCopier => {
      const opened = world.open(arenaHandle, keep)
      open.push(opened)
      return opened.copier
    }
    const closeCopiers = () => {
      for (const opened of open.splice(0)) opened.close()
    }
    beforeEach(async () => {
      world = await make()
      arenaHandle = mapMemory(ARENA_PAGES * PAGE)
      arena = new Uint8Array(view(arenaHandle))
    })
    afterEach(async () => {
      closeCopiers()
      unmap(arenaHandle)
      await world.close()
    })

    test('one batch in both directions moves the bytes that were named and no others', () => {
      const grefs = world.grant(4)
      grefs.forEach((gref, index) => world.write(gref, pattern(index)))
      for (let page = 0; page < ARENA_PAGES; page++) arena.set(pattern(100 + page), page * PAGE)
      const before = arena.slice()
      const copier = copierOf()
      const statuses = run(copier, [
        { gref: grefs[0], offset: 512, length: 1024, place: 100 },
        { gref: grefs[1], offset: 3, length: 4093, place: 3 * PAGE - 7, toGuest: true },
        { gref: grefs[2], offset: 4095, length: 1, place: ARENA_PAGES * PAGE - 1 },
        { gref: grefs[3], toGuest: true, place: 5 * PAGE },
        { gref: grefs[2], length: 0, place: 9 * PAGE },
      ])
      expect(statuses).toEqual(done(5))
      const expected = before.slice()
      expected.set(pattern(0).subarray(512, 1536), 100)
      expected[ARENA_PAGES * PAGE - 1] = pattern(2)[4095]
      expect(differs(arena, expected)).toBe(-1)
      const second = pattern(1)
      second.set(before.subarray(3 * PAGE - 7, 4 * PAGE - 10), 3)
      expect([0, 1, 2, 3].map((index) => {
        const page = [pattern(0), second, pattern(2), before.subarray(5 * PAGE, 6 * PAGE)][index]
        return differs(world.read(grefs[index]), page)
      })).toEqual([-1, -1, -1, -1])
    })

    test('a bad reference fails alone, wherever it stands', () => {
      const grefs = world.grant(18)
      grefs.forEach((gref, index) => world.write(gref, pattern(index)))
      const bad = [world.neverGranted, 0x7fffffff, -1]
      const elements = grefs.map((gref, index): Element => ({ gref, length: 512, place: index * 512 }))
      for (const gref of bad) elements.splice(elements.length / 2, 0, { gref, length: 512, place: 40 * PAGE })
      elements.push({ gref: world.neverGranted, length: 512, toGuest: true })
      arena.fill(0xee)
      const copier = copierOf()
      expect(succeeded(run(copier, elements))).toEqual(elements.map(({ gref }) => grefs.includes(gref)))
      grefs.forEach((_, index) => {
        expect(differs(arena.subarray(index * 512, index * 512 + 512), pattern(index).subarray(0, 512))).toBe(-1)
      })
      expect(differs(arena.subarray(40 * PAGE), arena.slice(40 * PAGE).fill(0xee))).toBe(-1)
      expect(run(copier, bad.map((gref) => ({ gref }))).every((status) => status < 0)).toBe(true)
    })

    test('a read-only grant is not written, and read where every page need not be writable', () => {
      const [writable, [gref]] = [world.grant(2), world.grant(1, false)]
      world.write(gref, pattern(1))
      const copier = copierOf()
      const elements: Element[] = [
        { gref: writable[0] }, { gref, place: PAGE }, { gref, place: 2 * PAGE, toGuest: true },
        { gref: writable[1], toGuest: true },
      ]
      expect(succeeded(run(copier, elements))).toEqual([true, world.mode !== 'persistent', false, true])
      expect(differs(world.read(gref), pattern(1))).toBe(-1)
      if (world.mode !== 'persistent') expect(differs(arena.subarray(PAGE, 2 * PAGE), pattern(1))).toBe(-1)
    })

    test('what lies beyond a page, beyond the arena or in no direction fails alone', () => {
      const [gref, other] = world.grant(2)
      world.write(gref, pattern(1))
      const end = ARENA_PAGES * PAGE
      const bad: Element[] = [
        { gref, offset: 4096, length: 1 }, { gref, offset: 1 }, { gref, offset: 4095, length: 2 },
        { gref, length: 0xffff }, { gref, offset: 0xffff, length: 0xffff }, { gref, length: 2, place: end - 1 },
        { gref, length: 1, place: end }, { gref, place: -1 }, { gref, place: 0x7fffffff },
        { gref, direction: 2 }, { gref, direction: -1 }, { gref, direction: 0x600d },
      ]
      const toGuest = bad.slice(0, 9).map((element) => ({ ...element, toGuest: true }))
      const copier = copierOf()
      for (const element of [...bad, ...toGuest]) {
        arena.fill(0xee)
        const batch = [{ gref: other, place: PAGE }, element, { gref, length: 8, place: 0 }]
        expect([element, succeeded(run(copier, batch))]).toEqual([element, [true, false, true]])
        expect(differs(arena.subarray(0, 8), pattern(1))).toBe(-1)
        expect(differs(arena.subarray(2 * PAGE), arena.slice(2 * PAGE).fill(0xee))).toBe(-1)
      }
      expect(differs(world.read(gref), pattern(1))).toBe(-1)
      expect(run(copier, [{ gref, offset: 4096, length: 0, place: end }])).toEqual([0])
    })

    test('batches of 0, 1, 64, 704 and 2000, references named again and again', () => {
      const grefs = world.grant(32)
      grefs.forEach((gref, index) => world.write(gref, pattern(index)))
      const copier = copierOf()
      for (const count of [0, 1, 64, 704, 2000]) {
        arena.fill(0)
        const elements = Array.from({ length: count }, (_, index): Element => {
          return { gref: grefs[index % 32], offset: (index >> 5) * 64, length: 64, place: index * 128 + 1 }
        })
        expect(run(copier, elements)).toEqual(done(count))
        const expected = new Uint8Array(arena.length)
        elements.forEach(({ offset = 0, place = 0 }, index) => {
          expected.set(pattern(index % 32).subarray(offset, offset + 64), place)
        })
        expect([count, differs(arena, expected)]).toEqual([count, -1])
      }
    })

    test('the same page is read and written in one batch, at different places', () => {
      const [gref] = world.grant(1)
      world.write(gref, pattern(1))
      arena.set(pattern(2), PAGE)
      const halves: Element[] = [
        { gref, length: 2048 }, { gref, offset: 2048, length: 2048, place: PAGE, toGuest: true },
        { gref, length: 2048, place: 2048 },
      ]
      expect(run(copierOf(), halves)).toEqual(done(3))
      const half = pattern(1).subarray(0, 2048)
      expect([differs(arena.subarray(0, 2048), half), differs(arena.subarray(2048, 4096), half)]).toEqual([-1, -1])
      const page = world.read(gref)
      expect(differs(page.subarray(0, 2048), half)).toBe(-1)
      expect(differs(page.subarray(2048), pattern(2).subarray(0, 2048))).toBe(-1)
    })

    test('XSA-396: between batches nothing is mapped but what the mode keeps, and after the close nothing at all', () => {
      const grefs = world.grant(10)
      const copier = copierOf(4)
      const most = world.mode === 'persistent' ? 4 : 0
      for (let round = 0; round < 3; round++) {
        grefs.forEach((gref, index) => world.write(gref, pattern(index + round)))
        const elements = grefs.map((gref, index): Element => ({ gref, place: index * PAGE }))
        expect(run(copier, elements)).toEqual(done(10))
        grefs.forEach((_, index) => {
          expect(differs(arena.subarray(index * PAGE, (index + 1) * PAGE), pattern(index + round))).toBe(-1)
        })
        expect(world.mapped(grefs)).toHaveLength(most)
        expect(world.revoke(grefs)).toBe(most === 0)
        if (most === 0) grefs.splice(0, 10, ...world.grant(10))
      }
      // What is kept is what was used last, and is good without being mapped again.
      if (most > 0) expect(world.mapped(grefs).sort()).toEqual(grefs.slice(6).sort())
      world.write(grefs[9], pattern(77))
      expect(run(copier, [{ gref: grefs[9] }])).toEqual([0])
      expect(differs(arena.subarray(0, PAGE), pattern(77))).toBe(-1)
      closeCopiers()
      expect(world.mapped(grefs)).toEqual([])
      expect(world.revoke(grefs)).toBe(true)
    })

    test('a page that was taken back is a bad reference, and a page granted anew is a new one', () => {
      const [gref, other] = world.grant(2)
      const first = copierOf()
      expect(run(first, [{ gref }])).toEqual([0])
      closeCopiers()
      expect(world.revoke([gref])).toBe(true)
      const copier = copierOf()
      expect(succeeded(run(copier, [{ gref: other }, { gref }, { gref, toGuest: true }]))).toEqual([true, false, false])
      const [again] = world.grant(1)
      world.write(again, pattern(3))
      expect(run(copier, [{ gref: again }])).toEqual([0])
      expect(differs(arena.subarray(0, PAGE), pattern(3))).toBe(-1)
    })

    test('a guest that is gone fails every copy but those of pages that are kept, and a new copier all', async () => {
      const grefs = world.grant(3)
      grefs.forEach((gref, index) => world.write(gref, pattern(index)))
      const elements = grefs.map((gref, index): Element => ({ gref, place: index * PAGE }))
      const copier = copierOf()
      const kept = world.mode === 'persistent'
      expect(run(copier, elements.slice(0, 2))).toEqual([0, 0])
      await world.destroyGuest()
      expect(succeeded(run(copier, elements))).toEqual([kept, kept, false])
      closeCopiers()
      expect(succeeded(run(copierOf(), elements))).toEqual([false, false, false])
    })
  })
}
