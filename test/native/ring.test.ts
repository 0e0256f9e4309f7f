import { owned, mapMemory, unmap, view } from '../../src/io/native/owners.js'
import { NativeBackRing, NativeFrontRing, entryBytes } from '../../src/io/native/ring.js'
import type { BlkifAbiName } from '../../src/ports/host.js'

/** One ring page set with both sides on it, and the raw words as a guest could write them. */
function bench(pages = 1, abi: BlkifAbiName = 'x86_64') {
  const mapping = mapMemory(pages * 4096)
  const back = new NativeBackRing(mapping, pages, abi)
  const front = new NativeFrontRing(mapping, pages, abi)
  const shared = new Uint32Array(view(mapping))
  front.init()
  const close = () => {
    back.close()
    front.close()
    unmap(mapping)
  }
  /** Both indices of a fresh ring moved to `index`, as after so many requests. */
  const startAt = (index: number) => {
    shared[0] = index
    shared[2] = index
    shared[1] = index + 1
    shared[3] = index + 1
  }
  return { mapping, back, front, shared, close, startAt, words: entryBytes(abi) / 4 }
}

/** The first word of an entry that uses all of its place: a read of eleven segments. */
const FULL = 0x0b00
const u32 = (n: number) => n >>> 0
const abis: BlkifAbiName[] = ['x86_64', 'x86_32']
const REQ_PROD = 0
const REQ_EVENT = 1
const RSP_PROD = 2
const RSP_EVENT = 3
const leftover = () => owned().length

let before = 0
beforeEach(() => {
  before = leftover()
})
afterEach(() => {
  expect(leftover()).toBe(before)
})

test.each(abis)('a fresh ring of the ABI %s has the header that SHARED_RING_INIT writes', (abi) => {
  const { shared, close } = bench(1, abi)
  expect([...shared.slice(0, 4)]).toEqual([0, 1, 0, 1])
  close()
})

test.each([
  [1, 32],
  [2, 64],
  [4, 128],
  [8, 256],
  [16, 512],
])('a ring of %i pages has %i entries in both ABIs', (pages, size) => {
  for (const abi of abis) {
    const { back, front, close } = bench(pages, abi)
    expect([back.size, front.size, back.entries.length]).toEqual([size, size, (size * entryBytes(abi)) / 4])
    close()
  }
})

describe.each(abis)('indices wrap in the ABI %s', (abi) => {
  test.each([0, 2 ** 31 - 7, 2 ** 32 - 7])('entries and answers cross %i whole and in order', (start) => {
    for (const pages of [1, 2, 4, 8, 16]) {
      const { back, front, close, startAt, words } = bench(pages, abi)
      startAt(start)
      const size = back.size
      const entries = new Int32Array(size * words)
      const answers = new Int32Array(size * 4)
      const got = new Int32Array(size * 4)
      let index = start
      // Three rounds of differing length, so that the slots shift against the wrap.
      for (const count of [size, 5, size]) {
        for (let i = 0; i < entries.length; i++) entries[i] = i % words === 0 ? FULL : (index + i * 2654435761) | 0
        expect(front.put(entries, count, index)).toBe(true)
        expect(back.peek(index)).toBe(count)
        expect(back.take(index, index, size)).toBe(count)
        expect(back.reqProd).toBe(u32(index + count))
        expect(back.entries.slice(0, count * words)).toEqual(entries.slice(0, count * words))
        for (let i = 0; i < count; i++) answers.set([index + i, ~i, i % 3, -(i % 3)], i * 4)
        expect(back.answer(answers, count, index)).toBe(true)
        expect(back.published()).toBe(u32(index + count))
        expect(front.take(index, got, size)).toBe(count)
        expect(got.slice(0, count * 4)).toEqual(answers.slice(0, count * 4))
        index = u32(index + count)
        expect([back.arm(index), front.arm(index)]).toEqual([false, false])
      }
      close()
    }
  })

  test('the very bytes of the entry, at the very place, in both directions', () => {
    const { back, front, shared, close, words } = bench(2, abi)
    const entries = Int32Array.from({ length: words * 2 }, (_, i) => i + 1)
    front.put(entries, 2, 0)
    expect([...shared.slice(16, 16 + words * 2)]).toEqual([...entries])
    back.answer(Int32Array.of(7, 8, 0x1ff, -2), 1, 1)
    const slot = new Uint8Array(shared.buffer, 64 + entryBytes(abi), 16)
    const answer = [7, 0, 0, 0, 8, 0, 0, 0, 0xff, 0, 0xfe, 0xff]
    // Padding is zeroed where the response has padding (16 bytes); in the 12-byte one there is none.
    const next = abi === 'x86_64' ? [0, 0, 0, 0] : [words + 4, 0, 0, 0]
    expect([...slot]).toEqual([...answer, ...next])
    close()
  })
})

test.each(abis)('XSA-216: an answer is written whole, its padding zeroed, and nothing beside it (%s)', (abi) => {
  const { back, shared, close, words } = bench(1, abi)
  shared.fill(0xdeadbeef, 16)
  back.answer(Int32Array.of(1, 2, 0x7fffff00, 0x7fff0000), 1, 0)
  const answer = abi === 'x86_64' ? [1, 2, 0, 0] : [1, 2, 0]
  expect([...shared.slice(16, 16 + answer.length)]).toEqual(answer)
  expect(shared.slice(16 + answer.length, 16 + 32 * words).every((word) => word === 0xdeadbeef)).toBe(true)
  close()
})

test('take stops at max and at the producer, and goes on from there', () => {
  const { back, front, close, words } = bench()
  front.put(new Int32Array(words * 10), 10, 0)
  expect(back.take(0, 0, 4)).toBe(4)
  expect(back.take(4, 0, 32)).toBe(6)
  expect(back.take(10, 0, 32)).toBe(0)
  close()
})

test('a producer more than a ring ahead of the answers is a lie, one exactly a ring ahead is not', () => {
  for (const rspProd of [0, 2 ** 31 - 1, 2 ** 32 - 3]) {
    const { back, shared, close } = bench()
    shared[REQ_PROD] = u32(rspProd + 32)
    expect(back.take(rspProd, rspProd, 32)).toBe(32)
    shared[REQ_PROD] = u32(rspProd + 33)
    expect(back.take(u32(rspProd + 32), rspProd, 32)).toBe(-1)
    expect(back.reqProd).toBe(u32(rspProd + 33))
    expect(back.peek(rspProd)).toBe(33)
    shared[REQ_PROD] = u32(rspProd + 0x80000000)
    expect(back.take(rspProd, rspProd, 32)).toBe(-1)
    close()
  }
})

test('a producer that went back behind what was consumed is a lie', () => {
  const { back, shared, close } = bench()
  shared[REQ_PROD] = 9
  expect(back.take(10, 5, 32)).toBe(-1)
  shared[REQ_PROD] = 10
  expect(back.take(10, 5, 32)).toBe(0)
  close()
})

test('a back end that claims more answers than the ring holds is a lie', () => {
  const { front, shared, close } = bench()
  const got = new Int32Array(4 * 32)
  shared[RSP_PROD] = 33
  expect(front.take(0, got, 32)).toBe(-1)
  shared[RSP_PROD] = 32
  expect(front.take(0, got, 32)).toBe(32)
  close()
})

test('what the guest changes after the take is not seen', () => {
  const { back, front, shared, close, words } = bench()
  front.put(new Int32Array(words).fill(0x11111111).fill(FULL, 0, 1), 1, 0)
  back.take(0, 0, 1)
  shared.fill(0x22222222, 16)
  expect([...new Set(back.entries.slice(0, words))]).toEqual([FULL, 0x11111111])
  back.entries.fill(0x33333333)
  expect(shared[16]).toBe(0x22222222)
  close()
})

test.each([
  ['a read of one segment', 0x0100, 8],
  ['a write of three', 0x0301, 12],
  ['a flush without any', 0x0003, 8],
  ['a discard with its flag', 0x0105, 8],
  ['an operation nobody knows', 0xffff, 8],
  ['a read that lies about its segments', 0xff00, 28],
])('of %s only the words that it has are copied', (_, head, used) => {
  const { back, front, close, words } = bench()
  back.entries.fill(-1)
  front.put(new Int32Array(words).fill(7).fill(head, 0, 1), 1, 0)
  back.take(0, 0, 1)
  const expected = new Int32Array(words).fill(-1).fill(7, 0, used).fill(head, 0, 1)
  expect(back.entries.slice(0, words)).toEqual(expected)
  close()
})

test('XSA-391: notify exactly when the other side asked for one of the entries that were pushed', () => {
  // The macro: (u32)(new - event) < (u32)(new - old), here over every event around a push of three.
  for (const old of [0, 2 ** 31 - 2, 2 ** 32 - 2]) {
    for (let ask = -3; ask <= 6; ask++) {
      const { back, front, shared, close, words } = bench()
      const wanted = ask >= 1 && ask <= 3
      shared[REQ_EVENT] = u32(old + ask)
      shared[RSP_EVENT] = u32(old + ask)
      expect({ ask, put: front.put(new Int32Array(words * 3), 3, old) }).toEqual({ ask, put: wanted })
      expect({ ask, answer: back.answer(new Int32Array(12), 3, old) }).toEqual({ ask, answer: wanted })
      close()
    }
  }
})

test('pushing nothing publishes nothing and never notifies', () => {
  const { back, front, shared, close } = bench()
  shared[RSP_PROD] = 77
  expect(back.answer(new Int32Array(0), 0, 5)).toBe(false)
  expect(front.put(new Int32Array(0), 0, 5)).toBe(false)
  expect([shared[REQ_PROD], shared[RSP_PROD]]).toEqual([0, 77])
  close()
})

test('arming asks for the next one and looks again', () => {
  const { back, front, shared, close, words } = bench()
  expect(back.arm(0)).toBe(false)
  expect(shared[REQ_EVENT]).toBe(1)
  front.put(new Int32Array(words), 1, 0)
  expect(back.arm(0)).toBe(true)
  expect(back.arm(2 ** 32 - 1)).toBe(true)
  expect(shared[REQ_EVENT]).toBe(0)
  back.answer(new Int32Array(4), 1, 0)
  expect(front.arm(0)).toBe(true)
  expect(front.arm(1)).toBe(false)
  expect(shared[RSP_EVENT]).toBe(2)
  close()
})

test('arguments beyond the ring or the array are refused before anything is touched', () => {
  const { back, front, shared, close, words } = bench()
  const refused = expect.objectContaining({ code: 'EINVAL' }) as Error
  const answers = new Int32Array(4 * 40)
  const entries = new Int32Array(words * 40)
  const wrong: unknown[] = [new Uint8Array(999), [1, 2, 3], undefined, 'x', new Float64Array(400)]
  expect(() => back.take(0, 0, 33)).toThrow(refused)
  expect(() => back.take(0, 0, -1)).toThrow(refused)
  expect(() => back.take(undefined as unknown as number, 0, 1)).toThrow(refused)
  expect(() => back.answer(answers, 33, 0)).toThrow(refused)
  expect(() => back.answer(answers, 2 ** 30, 0)).toThrow(refused)
  expect(() => back.answer(answers.subarray(0, 7), 2, 0)).toThrow(refused)
  expect(() => front.put(entries, 33, 0)).toThrow(refused)
  expect(() => front.put(entries.subarray(0, words * 2 - 1), 2, 0)).toThrow(refused)
  expect(() => front.take(0, answers, 33)).toThrow(refused)
  expect(() => front.take(0, answers.subarray(0, 3), 1)).toThrow(refused)
  for (const array of wrong as Int32Array[]) {
    expect(() => back.answer(array, 1, 0)).toThrow(refused)
    expect(() => front.put(array, 1, 0)).toThrow(refused)
    expect(() => front.take(0, array, 1)).toThrow(refused)
  }
  expect([...shared.slice(0, 4)]).toEqual([0, 1, 0, 1])
  close()
})

test('a ring opens only over a writable mapping of just its pages', () => {
  const mapping = mapMemory(8192)
  const refused = expect.objectContaining({ code: 'EINVAL' }) as Error
  for (const pages of [0, 1, 3, 4, 64, -1, 1.5, NaN])
    expect(() => new NativeBackRing(mapping, pages, 'x86_64')).toThrow(refused)
  const unknown = expect.objectContaining({ code: 'EBADF' }) as Error
  expect(() => new NativeBackRing(mapping + 1000, 2, 'x86_64')).toThrow(unknown)
  unmap(mapping)
})

test('an open ring keeps its mapping; a closed one lets go, detaches its copy and refuses everything', () => {
  const mapping = mapMemory(4096)
  const ring = new NativeBackRing(mapping, 1, 'x86_64')
  expect(() => unmap(mapping)).toThrow(expect.objectContaining({ code: 'EBUSY' }) as Error)
  ring.close()
  ring.close()
  expect(ring.entries.length).toBe(0)
  expect(() => ring.take(0, 0, 1)).toThrow(expect.objectContaining({ code: 'EBADF' }) as Error)
  unmap(mapping)
})

test('an id kept after its ring was closed finds nothing, though the slot has a new tenant', () => {
  const one = mapMemory(4096)
  const old = new NativeBackRing(one, 1, 'x86_64')
  const take = () => old.take(0, 0, 1)
  old.close()
  const next = new NativeBackRing(one, 1, 'x86_64')
  expect(take).toThrow(expect.objectContaining({ code: 'EBADF' }) as Error)
  expect(next.take(0, 0, 1)).toBe(0)
  next.close()
  unmap(one)
})
