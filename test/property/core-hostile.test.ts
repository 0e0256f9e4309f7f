/**
 * A front end that writes what it likes: random words in the ring, random jumps of its producer index, grants that come
 * and go. Whatever it does, the queue does not throw, touches nothing but what is its, and owes every entry taken
 * exactly one answer or one count of abandonment.
 * The laws of src/sim tell requests apart by their ids and do not watch here; what is watched is below.
 */
import fc from 'fast-check'
import { COUNTER } from '../../src/core/statistics.js'
import { QueueState } from '../../src/machines/generated/queue.js'
import { DESCRIPTOR_AREA_BYTES } from '../../src/actors/descriptor-reader.js'
import { ANSWER_WORDS, COPY_WORDS, IO_READ, IO_SYNC, IO_WORDS, IO_WRITE } from '../../src/ports/data-path.js'
import type { BackRing, GrantCopier, MediumPort } from '../../src/ports/data-path.js'
import type { AbiLayout } from '../../src/protocol/abi.js'
import { World } from '../../src/sim/world.js'

const word = fc.integer({ min: -0x80000000, max: 0x7fffffff })

/** An entry that is mostly nonsense, but often enough gets as far as the grants or the disk. */
const entry = fc.record({
  head: fc.oneof(
    word,
    fc.tuple(fc.nat(6), fc.oneof(fc.nat(12), fc.nat(255)), fc.oneof(fc.nat(0xffff), fc.nat(50))).map(
      ([op, count, handle]) => op | (count << 8) | (handle << 16),
    ),
  ),
  id: fc.tuple(fc.nat(3), fc.nat(1)),
  sector: fc.oneof(fc.tuple(fc.nat(4200), fc.constant(0)), fc.tuple(word, word)),
  ranges: fc.array(
    fc.oneof(
      fc.tuple(fc.nat(40), fc.tuple(fc.nat(7), fc.nat(8)).map(([first, more]) => first | ((first + more) << 8))),
      fc.tuple(word, word),
    ),
    { minLength: 11, maxLength: 11 },
  ),
})
type Entry = typeof entry extends fc.Arbitrary<infer Value> ? Value : never

const step = fc.record({
  entries: fc.array(entry, { maxLength: 12 }),
  /** What the producer index is moved by besides; mostly honest. */
  jump: fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: word }, { weight: 1, arbitrary: fc.nat(40) }),
  revoked: fc.nat(60),
  ticks: fc.nat(3),
})
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** What the borders saw, and what was wrong there. */
class Witness {
  readonly wrong: string[] = []
  /** Ids taken and not answered, with how often. */
  readonly owed = new Map<string, number>()
  taken = 0
  answered = 0
  private readonly layout: () => AbiLayout
  private readonly limits: { readonly arena: number; readonly disk: number }

  constructor(layout: () => AbiLayout, limits: { readonly arena: number; readonly disk: number }) {
    this.layout = layout
    this.limits = limits
  }

  ring(ring: BackRing): BackRing {
    const count = (key: string, by: number) => {
      const owed = (this.owed.get(key) ?? 0) + by
      if (owed < 0) this.wrong.push(`${key} was answered and never taken`)
      this.owed.set(key, owed)
    }
    return Object.defineProperties(Object.create(ring) as BackRing, {
      take: {
        value: (reqCons: number, rspProd: number, max: number) => {
          const taken = ring.take(reqCons, rspProd, max)
          const { idWord } = this.layout()
          for (let index = 0; index < taken; index++) {
            const at = index * ring.entryWords
            // An indirect request is answered as its inner operation.
            const op = (ring.entries[at] & 0xff) === 6 ? (ring.entries[at] >>> 8) & 0xff : ring.entries[at] & 0xff
            count(`${ring.entries[at + idWord]}:${ring.entries[at + idWord + 1]}:${op}`, 1)
          }
          this.taken += Math.max(0, taken)
          if (((reqCons - rspProd) | 0) + Math.max(0, taken) > ring.size) this.wrong.push('more than a ring was taken')
          return taken
        },
      },
      answer: {
        value: (answers: Int32Array, answered: number, rspProd: number) => {
          for (let at = 0; at < answered * ANSWER_WORDS; at += ANSWER_WORDS) {
            count(`${answers[at]}:${answers[at + 1]}:${answers[at + 2]}`, -1)
            if (![0, -1, -2].includes(answers[at + 3])) this.wrong.push(`status ${answers[at + 3]}`)
          }
          this.answered += answered
          return ring.answer(answers, answered, rspProd)
        },
      },
    })
  }

  grants(grants: GrantCopier): GrantCopier {
    return {
      copy: (copies, count) => {
        for (let at = 0; at < count * COPY_WORDS; at += COPY_WORDS) {
          const offset = copies[at + 1] & 0xffff
          const length = copies[at + 1] >>> 16
          const inPage = length > 0 && offset + length <= 4096
          const end = this.limits.arena + DESCRIPTOR_AREA_BYTES
          const inArena = copies[at + 2] >= 0 && copies[at + 2] + length <= end
          if (!inPage || !inArena) this.wrong.push(`a copy of ${offset}+${length} at ${copies[at + 2]}`)
        }
        return grants.copy(copies, count)
      },
      close: () => grants.close(),
    }
  }

  medium(medium: MediumPort): MediumPort {
    return Object.defineProperties(Object.create(medium) as MediumPort, {
      submit: {
        value: (requests: Int32Array, count: number) => {
          for (let at = 0; at < count * IO_WORDS; at += IO_WORDS) this.judge(requests.subarray(at, at + IO_WORDS))
          return medium.submit(requests, count)
        },
      },
    })
  }

  private judge(io: Int32Array): void {
    const [op, , arenaAt, lengthLow, offsetLow, offsetHigh, lengthHigh] = io
    const offset = (offsetLow >>> 0) + (offsetHigh >>> 0) * 4294967296
    const length = (lengthLow >>> 0) + (lengthHigh >>> 0) * 4294967296
    if (op !== IO_SYNC && (length === 0 || offset + length > this.limits.disk))
      this.wrong.push(`I/O of ${length} at ${offset}`)
    if ((op === IO_READ || op === IO_WRITE) && (arenaAt < 0 || arenaAt + length > this.limits.arena))
      this.wrong.push(`a buffer of ${length} at ${arenaAt}`)
  }
}

function write(world: World, index: number, { head, id, sector, ranges }: Entry): void {
  const { ring, layout } = world
  const at = (index & (ring.size - 1)) * ring.entryWords
  ring.shared.fill(-1, at, at + ring.entryWords)
  ring.shared[at] = head
  ring.shared.set(id, at + layout.idWord)
  ring.shared.set(sector, at + layout.sectorWord)
  ring.shared.set(ranges.flat(), at + layout.segmentWord)
  // Often enough its descriptors stand in a page that is granted.
  if ((head & 0xff) === 6) ring.shared[at + layout.segmentWord + 1] = ranges[0][0]
}

/** Half of the pages that are granted hold descriptors, some of them nonsense. */
function describe(world: World): void {
  for (let page = 0; page < 20; page++) {
    const words = new Int32Array(world.guest.memory.buffer, page * 4096, 1024)
    for (let index = 0; index < 512; index++) words.set([(index + page) % 40, index % 97 === 96 ? page : 0x700], 2 * index)
  }
}

function play(abi: 'x86_64' | 'x86_32', slots: number, steps: readonly Step[]): void {
  const limits = { arena: 2 * 32 * 4096, disk: 4096 * 512 }
  let world: World | undefined = undefined
  const witness = new Witness(() => (world as unknown as World).layout, limits)
  const seams = {
    ring: (ring: BackRing) => witness.ring(ring),
    grants: (grants: GrantCopier) => witness.grants(grants),
    medium: (medium: MediumPort) => witness.medium(medium),
  }
  const made = new World({ seed: steps.length, steps: 0, abi, slots, arenaChunks: 2, indirect: 40, errorShare: 0.05, seams, lawless: true })
  world = made
  describe(made)
  for (let gref = 0; gref < 40; gref++) made.guest.grant(gref, gref, gref % 4 !== 0)
  for (const { entries, jump, revoked, ticks } of steps) {
    for (const [index, one] of entries.entries()) write(made, made.ring.sharedReqProd + index, one)
    made.ring.sharedReqProd = (made.ring.sharedReqProd + entries.length + jump) | 0
    if (revoked < 40) made.guest.revoke(revoked)
    for (let tick = 0; tick < ticks; tick++) made.disk.tick()
    made.plane.round()
  }
  const { core } = made
  if (core.queueState !== QueueState.Drained) made.drain()
  for (let round = 0; round < 200 && core.queueState !== QueueState.Drained; round++) {
    made.disk.tick()
    made.plane.round()
  }
  const owed = [...witness.owed.values()].reduce((sum, count) => sum + count, 0)
  expect(witness.wrong).toEqual([])
  expect(core.queueState).toBe(QueueState.Drained)
  expect(owed).toBe(core.statistics[COUNTER.abandoned])
  expect(witness.taken).toBe(witness.answered + owed)
  expect([core.inFlight, core.extents.used, made.plane.inFlightIo]).toEqual([0, 0, 0])
}

test.each(['x86_64', 'x86_32'] as const)('XSA-155, B2, B8, B11, S14: any bytes, any producer index (%s)', (abi) => {
  fc.assert(
    fc.property(fc.constantFrom(3, 8, 32), fc.array(step, { maxLength: 25 }), (slots, steps) => play(abi, slots, steps)),
    { numRuns: 60 },
  )
})
