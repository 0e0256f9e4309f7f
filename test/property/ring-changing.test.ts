/**
 * The addon's ring against bytes that change between any two looks: what is taken is what stood there at that moment, each
 * word that the entry uses; it stays as it is whatever is written afterwards; and how many are taken is what a model says
 * that works in unbounded integers. (A second thread that writes during the look: native/hostile-lives.test.ts.)
 */
import fc from 'fast-check'
import { mapMemory, unmap, view } from '../../src/io/native/owners.js'
import { NativeBackRing, entryBytes } from '../../src/io/native/ring.js'

const u32 = fc.nat({ max: 0xffffffff })
const HEADER_WORDS = 16

const action = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), at: fc.nat(2047), value: fc.integer() }),
  fc.record({ kind: fc.constant('produce' as const), by: fc.oneof(fc.nat(40), u32) }),
  fc.record({ kind: fc.constant('take' as const), max: fc.nat(64), whole: fc.boolean() }),
)

/** Words of an entry that mean something, by its first one. */
function usedWords(head: number, entryWords: number): number {
  const first = entryWords === 28 ? 6 : 5
  const [op, count] = [head & 0xff, (head >>> 8) & 0xff]
  if (op === 6) return first + 10
  return first + 2 * (op > 3 || count === 0 ? 1 : Math.min(11, count))
}

test.each(['x86_64', 'x86_32'] as const)('XSA-155, B5, B6, B11: what is taken is what stood there, once (%s)', (abi) => {
  const mapping = mapMemory(2 * 4096)
  const shared = new Uint32Array(view(mapping))
  const ring = new NativeBackRing(mapping, 2, abi)
  const entryWords = entryBytes(abi) / 4
  fc.assert(fc.property(u32, fc.array(action, { maxLength: 40 }), (start, actions) => {
    shared[0] = start
    let [cons, broken] = [start, false]
    for (const one of actions) {
      if (one.kind === 'write' && one.at >= HEADER_WORDS) shared[one.at] = one.value
      else if (one.kind === 'produce') shared[0] = (shared[0] + one.by) >>> 0
      if (one.kind !== 'take' || broken) continue
      const produced = Number((BigInt(shared[0]) - BigInt(cons) + 2n ** 32n) % 2n ** 32n)
      const before = shared.slice()
      const taken = ring.take(cons, cons, Math.min(one.max, ring.size), one.whole)
      expect(taken).toBe(produced > ring.size ? -1 : Math.min(produced, one.max, ring.size))
      broken = taken < 0
      for (let index = 0; index < taken; index++) {
        const slot = HEADER_WORDS + ((cons + index) % ring.size) * entryWords
        const used = one.whole ? entryWords : usedWords(before[slot], entryWords)
        shared.fill(0xbadbad, slot, slot + entryWords)
        const entry = Uint32Array.from(ring.entries.subarray(index * entryWords, index * entryWords + used))
        expect(entry).toEqual(before.slice(slot, slot + used))
      }
      cons = (cons + Math.max(0, taken)) >>> 0
    }
  }))
  ring.close()
  unmap(mapping)
})
