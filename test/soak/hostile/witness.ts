/**
 * @packageDocumentation
 * Stands at the borders of a queue and believes nobody. It counts what was taken and answered by id, in tables of fixed
 * size, and holds every copy and every I/O against image, arena, and what the requests at work have named.
 *
 *   ring ─► taken, answered ─► owed by id       copies ─► in a page, in the arena, named by a request at work
 *                                                I/Os   ─► in the image, in the arena
 *
 * A request whose id is unique lends its references from its taking to its answer, exactly. What is named by others, by
 * twins of one id, or by descriptors is lent for the whole life of the queue.
 */
import { DESCRIPTOR_AREA_BYTES } from '../../../src/actors/descriptor-reader.js'
import {
  ANSWER_WORDS, COPY_FROM_GUEST, COPY_WORDS, IO_READ, IO_SYNC, IO_WORDS, IO_WRITE,
} from '../../../src/ports/data-path.js'
import type { BackRing, GrantCopier, MediumPort } from '../../../src/ports/data-path.js'
import type { AbiLayout } from '../../../src/protocol/abi.js'
import { GREFS, UNIQUE } from './entries.js'

const KEYS = 1 << 20
const MOST_NAMED = 11
const FAULTS_KEPT = 8

export class Witness {
  readonly faults: string[] = []
  taken = 0
  answered = 0
  readonly statuses = { okay: 0, error: 0, unsupported: 0 }
  private readonly owed = new Int32Array(KEYS)
  /** By the low word of a unique id: 0 = it is not at work, else one more than the references it lends; then they. */
  private readonly lent = new Int32Array(0x10000 * (1 + MOST_NAMED))
  private readonly named = new Int32Array(GREFS.absent)
  private readonly forGood = new Uint8Array(GREFS.absent)
  private readonly layout: AbiLayout
  private readonly bounds: { readonly arenaBytes: number; readonly imageBytes: number }

  constructor(layout: AbiLayout, bounds: { readonly arenaBytes: number; readonly imageBytes: number }) {
    this.layout = layout
    this.bounds = bounds
  }

  /** Taken and neither answered nor forgotten. */
  get outstanding(): number {
    return this.taken - this.answered
  }

  private blame(sentence: string): void {
    if (this.faults.length < FAULTS_KEPT) this.faults.push(sentence)
  }

  ring(ring: BackRing): BackRing {
    return {
      size: ring.size,
      entries: ring.entries,
      entryWords: ring.entryWords,
      get reqProd() {
        return ring.reqProd
      },
      set reqProd(value: number) {
        ring.reqProd = value
      },
      take: (reqCons, rspProd, max) => this.take(ring, reqCons, rspProd, max),
      peek: (reqCons) => ring.peek(reqCons),
      answer: (answers, count, rspProd) => this.answer(ring, answers, count, rspProd),
      arm: (reqCons) => ring.arm(reqCons),
      published: () => ring.published(),
      close: () => { ring.close() },
    }
  }

  private take(ring: BackRing, reqCons: number, rspProd: number, max: number): number {
    const taken = ring.take(reqCons, rspProd, max)
    const { entries, entryWords } = ring
    for (let index = 0, at = 0; index < taken; index++, at += entryWords) this.takeOne(entries, at)
    if (((reqCons - rspProd) | 0) + Math.max(0, taken) > ring.size) this.blame('more than a ring was taken')
    this.taken += Math.max(0, taken)
    return taken
  }

  private takeOne(entries: Int32Array, at: number): void {
    const { layout } = this
    const low = entries[at + layout.idWord]
    const high = entries[at + layout.idWord + 1]
    const head = entries[at]
    // An indirect request is answered as its inner operation.
    const op = (head & 0xff) === 6 ? (head >>> 8) & 0xff : head & 0xff
    this.owed[keyOf(low, high, op)]++
    const direct = (head & 0xff) <= 3
    const count = direct ? Math.min(MOST_NAMED, (head >>> 8) & 0xff) : (head & 0xff) === 6 ? 8 : 0
    const from = at + layout.segmentWord + (direct ? 0 : 1)
    const stride = direct ? 2 : 1
    const row = (low & 0xffff) * (1 + MOST_NAMED)
    const unique = high === UNIQUE && low === (low & 0xffff) && this.lent[row] === 0
    if (high === UNIQUE && !unique) this.keepForGood(row)
    if (unique) this.lent[row] = 1 + (direct ? count : 0)
    for (let index = 0; index < count; index++) {
      const gref = entries[from + index * stride] >>> 0
      if (unique && direct) this.lent[row + 1 + index] = gref
      if (gref >= GREFS.absent) continue
      if (unique && direct) this.named[gref]++
      else this.forGood[gref] = 1
    }
  }

  /** Two requests of one id: which of them an answer means cannot be told. */
  private keepForGood(row: number): void {
    for (let index = 1; index < this.lent[row]; index++)
      if (this.lent[row + index] >>> 0 < GREFS.absent) this.forGood[this.lent[row + index]] = 1
  }

  private answer(ring: BackRing, answers: Int32Array, count: number, rspProd: number): boolean {
    for (let index = 0, at = 0; index < count; index++, at += ANSWER_WORDS) {
      const low = answers[at]
      const high = answers[at + 1]
      const status = answers[at + 3]
      if (--this.owed[keyOf(low, high, answers[at + 2])] < 0) this.blame(`${low}:${high} was answered and never taken`)
      if (status === 0) this.statuses.okay++
      else if (status === -1) this.statuses.error++
      else if (status === -2) this.statuses.unsupported++
      else this.blame(`status ${status}`)
      if (high === UNIQUE && low === (low & 0xffff)) this.giveBack(low * (1 + MOST_NAMED))
    }
    this.answered += count
    return ring.answer(answers, count, rspProd)
  }

  private giveBack(row: number): void {
    const { lent } = this
    for (let index = 1; index < lent[row]; index++)
      if (lent[row + index] >>> 0 < GREFS.absent) this.named[lent[row + index]]--
    lent[row] = 0
  }

  grants(grants: GrantCopier, arena: Int32Array): GrantCopier {
    return {
      copy: (copies, count) => {
        for (let at = 0; at < count * COPY_WORDS; at += COPY_WORDS) this.judgeCopy(copies, at)
        const reading = count > 0 && copies[2] >= this.bounds.arenaBytes
        const failed = grants.copy(copies, count)
        if (reading) for (let at = 0; at < count * COPY_WORDS; at += COPY_WORDS) this.readDescriptors(copies, at, arena)
        return failed
      },
      close: () => { grants.close() },
    }
  }

  private judgeCopy(copies: Int32Array, at: number): void {
    const gref = copies[at] >>> 0
    const offset = copies[at + 1] & 0xffff
    const length = copies[at + 1] >>> 16
    const place = copies[at + 2]
    if (length === 0 || offset + length > 4096) this.blame(`a copy of ${offset}+${length} in a page`)
    if (place < 0 || place + length > this.bounds.arenaBytes + DESCRIPTOR_AREA_BYTES) this.blame(`a copy at ${place}`)
    if (place >= this.bounds.arenaBytes && copies[at + 3] !== COPY_FROM_GUEST) this.blame('descriptors were written')
    if (gref < GREFS.absent && this.named[gref] <= 0 && this.forGood[gref] === 0)
      this.blame(`a copy with reference ${gref}, which no request at work has named`)
  }

  /** What a descriptor names may be touched from now on. */
  private readDescriptors(copies: Int32Array, at: number, arena: Int32Array): void {
    if (copies[at + 3] !== 0) return
    const from = copies[at + 2] >>> 2
    const to = from + (copies[at + 1] >>> 18)
    for (let word = from; word < to; word += 2) {
      const gref = arena[word] >>> 0
      if (gref < GREFS.absent) this.forGood[gref] = 1
    }
  }

  medium(medium: MediumPort): MediumPort {
    return {
      submit: (requests, count) => {
        for (let at = 0; at < count * IO_WORDS; at += IO_WORDS) this.judgeIo(requests, at)
        return medium.submit(requests, count)
      },
      reap: (results, max) => medium.reap(results, max),
      get inFlight() {
        return medium.inFlight
      },
      onReady: (listener) => { medium.onReady(listener) },
      arm: () => medium.arm(),
      close: () => { medium.close() },
    }
  }

  private judgeIo(io: Int32Array, at: number): void {
    const op = io[at]
    const offset = (io[at + 4] >>> 0) + (io[at + 5] >>> 0) * 4294967296
    const length = (io[at + 3] >>> 0) + (io[at + 6] >>> 0) * 4294967296
    if (op === IO_SYNC) return
    if (length === 0 || offset + length > this.bounds.imageBytes) this.blame(`I/O ${op} of ${length} at ${offset}`)
    if (op !== IO_READ && op !== IO_WRITE) return
    if (io[at + 2] < 0 || io[at + 2] + length > this.bounds.arenaBytes) this.blame(`a buffer of ${length} at ${io[at + 2]}`)
  }

  /** At the end of a life: what was taken and not answered must have been counted as abandoned. */
  ended(abandoned: number): void {
    let owed = 0
    for (const count of this.owed) owed += count
    if (owed !== abandoned) this.blame(`${owed} requests were never answered, ${abandoned} count as abandoned`)
  }
}

/** A million places for ids of 64 bits: seldom do two share one, and both would have to go wrong to hide each other. */
function keyOf(low: number, high: number, op: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(op + 1, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 15)) & (KEYS - 1)
}
