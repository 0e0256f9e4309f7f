/**
 * @packageDocumentation
 * The laws of the data path (DESIGN: «The data path, in order»), as observers that stand between the plane and its
 * world. They see what crosses the borders (entries taken, copies, I/Os, results, answers, seals) and nothing of the
 * plane's inside, so that a fault anywhere inside cannot hide from them.
 *
 *   answered-once        every answer is for a request taken and not yet answered; at the end none is missing; once
 *                        the front end is gone nothing is answered, and what was owed is counted as abandoned
 *   no-grant-kept        a grant is touched only between the taking and the answer of the request that names it, and
 *                        only the bytes that it names
 *   descriptors-once     the descriptors of an INDIRECT request are read once, from the pages that its entry names
 *   flush-is-durable     when a flush is answered, every write answered before it was taken is on the platter
 *   barrier-orders       a barrier's I/O starts after all taken before it has completed, nothing taken later starts
 *                        before it has completed, and all of it is durable when it is answered
 *   lost-sync-sticks     on a buffered medium nothing that promises durability succeeds after one has failed
 *   only-own-read        what is copied to a guest was filled by this request's own, whole read, and is still that; no
 *                        buffer serves two at once
 *   only-what-was-asked  an I/O is for a request that is unanswered, touches the sectors that it names, and no others
 *   journal-first        no answer and no new I/O leaves unless the batch that holds its cause was sealed
 *   closed-is-empty      drained means: nothing in flight, nothing mapped; and it comes as soon as that is so
 *   inside-image, bounded: border-laws.ts
 *
 * Requests are told apart by their id: no two that are outstanding may have the same; else only border-laws.ts watches.
 */
import {
  ANSWER_WORDS, COPY_WORDS, IO_READ, IO_SYNC, IO_WORDS, IO_WRITE, RESULT_WORDS,
} from '../ports/data-path.js'
import type { BackRing, BufferArena, GrantCopier, MediumPort } from '../ports/data-path.js'
import { layered } from '../actors/port-layer.js'
import type { BatchSink } from '../actors/queue-plane.js'
import type { AbiLayout } from '../protocol/abi.js'
import { BLKIF_OP_DISCARD, BLKIF_OP_READ, BLKIF_OP_WRITE_BARRIER, SECTOR_BYTES } from '../protocol/blkif.js'
import { COMMAND_MEDIUM_OPENED, RECORD_COMMAND, recordWords } from '../core/records.js'
import { canonicalise } from '../protocol/entry.js'
import { isTaken } from '../protocol/record.js'
import { AnsweredWrites } from './answered-writes.js'
import { isFull, names, promises, takenFrom, wantsSync } from './law-facts.js'
import { GrantLaws } from './law-grants.js'
import type { Filled, Flight, Taken } from './law-facts.js'
import type { SimDisk } from './sim-disk.js'

export const LAWS = [
  'answered-once', 'no-grant-kept', 'descriptors-once', 'flush-is-durable', 'barrier-orders', 'lost-sync-sticks',
  'only-own-read', 'only-what-was-asked', 'journal-first', 'closed-is-empty', 'inside-image', 'bounded',
] as const
export type Law = (typeof LAWS)[number]

/** A violation of a law. */
export interface Violation {
  readonly law: Law
  readonly text: string
}

export class LawBook {
  readonly violations: Violation[] = []
  private readonly layout: AbiLayout
  private readonly buffered: boolean
  private readonly waitsForSpace: boolean
  private readonly disk: SimDisk
  private readonly writes: AnsweredWrites
  private readonly record = new Int32Array(32)
  private readonly outstanding = new Map<string, Taken>()
  private readonly grants: GrantLaws
  private readonly flights = new Map<number, Flight>()
  private readonly tokenOwners = new Map<number, Taken>()
  private readonly slotOwners = new Map<number, Taken>()
  private taken = 0
  /** I/Os that the medium did not take: they may be offered again without a new batch. */
  private backlog = 0
  /** Where the open batch's first record goes; whether one was written; whether the round's batch was sealed. */
  private recordsFrom = 0
  private open = false
  private sealed = false
  private syncLost = false
  private frontEndGone = false
  /** Of the round that is open: it is in the journal, or it never happened. */
  private readonly unsealed: Taken[] = []
  private syncLostSealed = false
  private goneSealed = false

  constructor(layout: AbiLayout, disk: SimDisk, buffered: boolean, waitsForSpace = false) {
    this.layout = layout
    this.waitsForSpace = waitsForSpace
    this.disk = disk
    this.buffered = buffered
    this.writes = new AnsweredWrites(disk)
    this.grants = new GrantLaws({
      blame: (law, text) => this.blame(law, text),
      spoil: (start, length) => this.spoil(start, length),
    })
  }

  /** What copies go into and come from, and I/O too. */
  serve(arena: BufferArena): void {
    this.grants.arena = arena
  }

  /** A law was broken; the world may find that too. Only the first hundred are kept. */
  blame(law: Law, text: string): void {
    if (this.violations.length < 100) this.violations.push({ law, text })
  }

  watchRing(ring: BackRing): BackRing {
    return layered(ring, {
      take: (reqCons, rspProd, max) => {
        const count = ring.take(reqCons, rspProd, max)
        if (count < 0) this.noticeGone()
        for (let index = 0; index < count; index++) this.noteTaken(ring, index)
        return count
      },
      peek: (reqCons) => {
        const waiting = ring.peek(reqCons)
        if (waiting > ring.size) this.noticeGone()
        return waiting
      },
      answer: (answers, count, rspProd) => {
        if (this.open || !this.sealed) this.blame('journal-first', 'an answer left before its batch was sealed')
        for (let index = 0; index < count; index++) this.noteAnswer(answers, index * ANSWER_WORDS)
        return ring.answer(answers, count, rspProd)
      },
    })
  }

  watchGrants(grants: GrantCopier): GrantCopier {
    return layered(grants, {
      copy: (copies, count) => {
        const seen = Array.from({ length: count }, (_, index) => this.grants.noteCopy(copies, index * COPY_WORDS))
        const failed = grants.copy(copies, count)
        seen.forEach((read, index) => read && this.grants.noteRead(read, copies, index * COPY_WORDS))
        return failed
      },
    })
  }

  watchMedium(medium: MediumPort): MediumPort {
    return layered(medium, {
      submit: (requests, count) => {
        if (this.open || (count > this.backlog && !this.sealed))
          this.blame('journal-first', 'an I/O was submitted before its batch was sealed')
        const taken = medium.submit(requests, count)
        for (let index = 0; index < taken; index++) this.noteSubmit(requests, index * IO_WORDS)
        this.backlog = count - taken
        return taken
      },
      reap: (results, max) => {
        const count = medium.reap(results, max)
        for (let index = 0; index < count; index++) this.noteResult(results, index * RESULT_WORDS)
        return count
      },
    })
  }

  /** A batch is open from its first record to its seal. */
  watchSink(sink: BatchSink): BatchSink {
    const wrote = (at: number) => {
      if (at > this.recordsFrom) this.open = true
    }
    return layered(sink, {
      get at() {
        return sink.at
      },
      set at(value) {
        sink.at = value
        wrote(value)
      },
      begin: (room, now) => {
        sink.begin(room, now)
        this.recordsFrom = sink.at
        this.open = false
        this.sealed = false
      },
      seal: (time, digest) => {
        this.learnSlots(sink.words, this.recordsFrom, sink.at)
        sink.seal(time, digest)
        this.open = false
        this.sealed = true
        this.unsealed.length = 0
        this.syncLostSealed = this.syncLost
        this.goneSealed = this.frontEndGone
      },
    })
  }

  /** The front end has vanished: from now on it gets no answer, and its pages are not touched. */
  gone(): void {
    this.goneSealed = true
    this.noticeGone()
  }

  /** Its ring is broken; who dies before that is in the journal has not noticed. */
  private noticeGone(gone = true): void {
    this.frontEndGone = this.grants.frontEndGone = gone
  }

  /** The medium was opened anew, by a process that had none before: a lost sync is forgiven. */
  mediumOpened(): void {
    this.syncLost = this.syncLostSealed = false
  }

  /** The back end died, and its I/O has ended: what it owes is owed by its successor, which begins it anew. */
  crashed(): void {
    for (const taken of this.unsealed.splice(0)) this.forget(taken)
    this.flights.clear()
    this.tokenOwners.clear()
    for (const taken of this.outstanding.values()) {
      taken.tokens.clear()
      taken.submitted = taken.completed = false
      taken.filled = []
    }
    this.backlog = 0
    this.open = false
    this.sealed = true
    this.syncLost = this.syncLostSealed
    this.noticeGone(this.goneSealed)
  }

  /** Whether nothing is with the medium, and no answer is owed. */
  get quiet(): boolean {
    return this.flights.size === 0 && this.backlog === 0 && (this.frontEndGone || this.outstanding.size === 0)
  }

  /** The queue says that it is drained. `abandoned`: how many requests it counted as ended without an answer. */
  drained(inFlightIo: number, mapped: number, abandoned: number): void {
    if (inFlightIo > 0 || this.flights.size > 0)
      this.blame('closed-is-empty', `${this.flights.size} I/Os in flight at Drained`)
    if (mapped > 0) this.blame('closed-is-empty', `${mapped} mappings at Drained`)
    if (this.outstanding.size === abandoned) return
    const missing = [...this.outstanding.keys()].slice(0, 4).join(' ')
    this.blame('answered-once', `${this.outstanding.size} not answered (${missing}), ${abandoned} counted as abandoned`)
  }

  private noteTaken(ring: BackRing, index: number): void {
    const at = index * ring.entryWords
    canonicalise(ring.entries, at, this.layout, this.record, 0, 0)
    const taken = takenFrom(this.record, ring.entries, at, this.layout, this.taken++, this.writes.count)
    if (this.outstanding.has(taken.key)) this.blame('answered-once', `${taken.key} is taken although it is outstanding`)
    this.outstanding.set(taken.key, taken)
    this.unsealed.push(taken)
    this.grants.own(taken, [...taken.segments, ...taken.descriptors])
  }

  /** Something else goes into this part of the arena: what reads had put there is there no more. */
  private spoil(start: number, length: number): void {
    const overlaps = (part: Filled) => part.arenaAt < start + length && start < part.arenaAt + part.length
    for (const taken of this.outstanding.values()) if (taken.filled.some(overlaps)) taken.filled = []
    for (const { op, parts, taken } of this.flights.values())
      if ((op === IO_READ || op === IO_WRITE) && parts.some(overlaps))
        this.blame('only-own-read', `the buffer of ${taken?.key ?? 'an I/O'}, in flight, is given to another`)
  }

  private noteSubmit(requests: Int32Array, at: number): void {
    const op = requests[at]
    const token = requests[at + 1]
    const arenaAt = requests[at + 2]
    const length = (requests[at + 3] >>> 0) + (requests[at + 6] >>> 0) * 4294967296
    const sector = ((requests[at + 4] >>> 0) + (requests[at + 5] >>> 0) * 4294967296) / 512
    if (op === IO_READ) this.spoil(arenaAt, length)
    else if (op !== IO_SYNC) this.writes.forgive(sector, length / 512)
    const taken = this.ownerOf(op, sector, token)
    if (op !== IO_SYNC) this.judgeAim(op, taken, sector, length)
    const flight = this.flights.get(token) ?? { taken, op, parts: [], left: 0, moved: 0, worst: 0 }
    flight.left++
    flight.parts.push({ at: taken ? (sector - taken.sector) * 512 : 0, arenaAt, length })
    this.flights.set(token, flight)
    if (taken === undefined) return
    taken.submitted = true
    taken.tokens.add(token)
    for (const other of this.outstanding.values())
      if (other !== taken && !other.completed) this.judgeOrder(taken, other)
  }

  private judgeAim(op: number, taken: Taken | undefined, sector: number, length: number): void {
    const what = `I/O ${op} of sectors ${sector}+${length / SECTOR_BYTES}`
    if (taken === undefined)
      return this.blame('only-what-was-asked', `${what} is for no request that is unanswered`)
    const within = sector >= taken.sector && sector + length / SECTOR_BYTES <= taken.sector + taken.sectors
    if (!within || (op === IO_READ) !== (taken.op === BLKIF_OP_READ))
      this.blame('only-what-was-asked', `${what} is for ${taken.key}, operation ${taken.op}, which names others`)
  }

  private judgeOrder(taken: Taken, other: Taken): void {
    // Nobody is there to whom order is owed.
    if (other.order > taken.order || this.frontEndGone) return
    if (taken.op === BLKIF_OP_WRITE_BARRIER)
      this.blame('barrier-orders', `barrier ${taken.key} starts before ${other.key}, taken earlier, has completed`)
    if (other.op === BLKIF_OP_WRITE_BARRIER)
      this.blame('barrier-orders', `${taken.key} starts before barrier ${other.key}, taken earlier, has completed`)
  }

  /** Which request went to which slot stands in the batch, before anything is done for it; and what was forgiven. */
  private learnSlots(words: Int32Array, from: number, to: number): void {
    for (let at = from; at < to; at += recordWords(words, at, to - at) || Infinity) {
      if ((words[at] & 0xffff) === (RECORD_COMMAND | (COMMAND_MEDIUM_OPENED << 8))) this.syncLost = false
      if (!isTaken(words, at)) continue
      const taken = this.outstanding.get(`${words[at + 2] >>> 0}:${words[at + 3] >>> 0}`)
      if (taken !== undefined) this.slotOwners.set(words[at + 1] & 0xffff, taken)
    }
  }

  /**
   * I/Os name no request, but a slot: data must also be of the place that its request named, a sync of one that wants
   * it. What fits nobody there is looked for by its place, or by who must want a sync next.
   */
  private ownerOf(op: number, sector: number, token: number): Taken | undefined {
    const known = this.tokenOwners.get(token)
    if (known !== undefined) return known
    const owner = this.slotOwners.get(token & 0xffff)
    const wants = owner && (op === IO_SYNC ? promises(owner) : names(owner, sector))
    if (wants && this.outstanding.get(owner.key) === owner) {
      this.tokenOwners.set(token, owner)
      return owner
    }
    for (const taken of this.outstanding.values()) {
      const fits = op === IO_SYNC ? wantsSync(taken) : names(taken, sector)
      if (!fits || taken.submitted) continue
      this.tokenOwners.set(token, taken)
      return taken
    }
    return undefined
  }

  private noteResult(results: Int32Array, at: number): void {
    const token = results[at]
    const flight = this.flights.get(token)
    if (flight === undefined) return
    const { op, parts, taken } = flight
    const moved = results[at + 1]
    if (op === IO_SYNC && moved < 0 && this.buffered) this.syncLost = true
    flight.left--
    flight.moved += Math.max(0, moved)
    flight.worst = Math.min(flight.worst, moved)
    if (flight.left > 0) return
    this.flights.delete(token)
    if (taken === undefined) return
    const result = flight.worst < 0 ? flight.worst : flight.moved
    if (op === IO_READ && result === parts.reduce((sum, { length }) => sum + length, 0)) taken.filled.push(...parts)
    taken.clean = !this.syncLost
    taken.tokens.delete(token)
    // A write that waits for space has not completed, however often the medium says so.
    if (this.waitsForSpace && op === IO_WRITE && isFull(result)) return
    const firstOp = taken.op === BLKIF_OP_WRITE_BARRIER ? op !== IO_SYNC : op === IO_SYNC
    const more = promises(taken) && taken.sectors > 0 && firstOp && result >= 0
    if (taken.tokens.size === 0 && !more) taken.completed = true
  }

  private noteAnswer(answers: Int32Array, at: number): void {
    const key = `${answers[at] >>> 0}:${answers[at + 1] >>> 0}`
    if (this.frontEndGone) return this.blame('answered-once', `request ${key} is answered, its front end is gone`)
    const taken = this.outstanding.get(key)
    if (taken === undefined) return this.blame('answered-once', `request ${key} is answered, but none is outstanding`)
    this.forget(taken)
    if (answers[at + 3] !== 0) return
    if (promises(taken)) this.judgePromise(taken)
    if (taken.sectors > 0 && taken.op !== BLKIF_OP_READ && taken.op !== BLKIF_OP_DISCARD)
      this.noteWritten(taken)
  }

  /** What others are changing at the same time may be either. */
  private noteWritten({ sector, sectors }: Taken): void {
    this.writes.answered(sector, sectors)
    for (const other of this.outstanding.values())
      if (other.submitted && !other.completed && other.op !== BLKIF_OP_READ)
        this.writes.forgive(other.sector, other.sectors)
  }

  /** A flush or barrier was answered with success. */
  private judgePromise(taken: Taken): void {
    if (this.syncLost && !taken.clean) this.blame('lost-sync-sticks', `${taken.key} succeeds after a sync was lost`)
    const barrier = taken.op === BLKIF_OP_WRITE_BARRIER
    const law: Law = barrier ? 'barrier-orders' : 'flush-is-durable'
    const lost = this.writes.findLost(barrier ? this.writes.count : taken.answeredWrites)
    if (lost >= 0) this.blame(law, `${taken.key} is answered, but sector ${lost}, written before, is not durable`)
    if (barrier && taken.sectors > 0 && !this.isOnPlatter(taken))
      this.blame(law, `barrier ${taken.key} is answered, but its own data is not durable`)
  }

  private isOnPlatter({ sector, sectors }: Taken): boolean {
    const from = sector * 512
    const to = from + sectors * 512
    return Buffer.compare(this.disk.cache.subarray(from, to), this.disk.platter.subarray(from, to)) === 0
  }

  private forget(taken: Taken): void {
    this.outstanding.delete(taken.key)
    this.grants.forget(taken)
    for (const [token, owner] of this.tokenOwners) if (owner === taken) this.tokenOwners.delete(token)
  }
}
