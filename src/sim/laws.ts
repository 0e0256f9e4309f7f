/**
 * @packageDocumentation
 * The laws of the data path (DESIGN: «The data path, in order»), as observers that stand between the plane and its
 * world. They see what crosses the borders (entries taken, copies, I/Os, results, answers, seals) and nothing of the
 * plane's inside, so that a fault anywhere inside cannot hide from them.
 *
 *   answered-once        every answer is for a request taken and not yet answered; at the end none is missing
 *   no-grant-kept        a grant is touched only between the taking and the answer of the request that names it
 *   flush-is-durable     when a flush is answered, every write answered before it was taken is on the platter
 *   barrier-orders       a barrier's I/O starts after all taken before it has completed, nothing taken later starts
 *                        before it has completed, and all of it is durable when it is answered
 *   lost-sync-sticks     on a buffered medium nothing that promises durability succeeds after one has failed
 *   only-own-read        what is copied to a guest was filled by this request's own, whole read
 *   journal-first        no answer and no I/O leaves while a batch is open
 *   closed-is-empty      drained means: nothing in flight, nothing mapped
 */
import {
  ANSWER_WORDS, COPY_TO_GUEST, COPY_WORDS, IO_READ, IO_SYNC, IO_WORDS, RESULT_WORDS,
} from '../ports/data-path.js'
import type { BackRing, GrantCopier, MediumPort } from '../ports/data-path.js'
import type { BatchSink } from '../actors/queue-plane.js'
import type { AbiLayout } from '../protocol/abi.js'
import { BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER } from '../protocol/blkif.js'
import { canonicalise } from '../protocol/entry.js'
import { segmentGref, recordOp, recordedSegments, requestSectors } from '../protocol/record.js'
import { u64ToDouble } from '../protocol/u64.js'
import type { SimDisk } from './sim-disk.js'

export const LAWS = [
  'answered-once', 'no-grant-kept', 'flush-is-durable', 'barrier-orders', 'lost-sync-sticks', 'only-own-read',
  'journal-first', 'closed-is-empty',
] as const
export type Law = (typeof LAWS)[number]

interface Taken {
  readonly order: number
  readonly key: string
  readonly op: number
  readonly sector: number
  readonly sectors: number
  readonly grefs: ReadonlySet<number>
  /** Writes that were answered well before this was taken. */
  readonly answeredWrites: number
  /** Its I/O tokens that were submitted and have not come back. */
  readonly tokens: Set<number>
  submitted: boolean
  completed: boolean
}

interface AnsweredWrite {
  readonly order: number
  readonly offset: number
  readonly bytes: Uint8Array
  /** A later overlapping write or discard makes this content obsolete. */
  superseded: boolean
}

export class LawBook {
  readonly violations: { law: Law; text: string }[] = []
  private readonly layout: AbiLayout
  private readonly disk: SimDisk
  private readonly buffered: boolean
  private readonly record = new Int32Array(32)
  private readonly outstanding = new Map<string, Taken>()
  private readonly byOrder: Taken[] = []
  private readonly writes: AnsweredWrite[] = []
  private readonly tokens = new Map<number, { taken: Taken | undefined; op: number; arenaAt: number; length: number }>()
  /** Arena ranges filled by a whole read: start → end and token. */
  private readonly filled = new Map<number, number>()
  private taken = 0
  private open = false
  private syncLost = false

  constructor(layout: AbiLayout, disk: SimDisk, buffered: boolean) {
    this.layout = layout
    this.disk = disk
    this.buffered = buffered
  }

  private blame(law: Law, text: string): void {
    if (this.violations.length < 100) this.violations.push({ law, text })
  }

  watchRing(ring: BackRing): BackRing {
    return {
      size: ring.size,
      entries: ring.entries,
      entryWords: ring.entryWords,
      get reqProd() {
        return ring.reqProd
      },
      set reqProd(value) {
        ring.reqProd = value
      },
      take: (reqCons, rspProd, max) => {
        const count = ring.take(reqCons, rspProd, max)
        for (let index = 0; index < count; index++) this.noteTaken(ring, index)
        return count
      },
      peek: (reqCons) => ring.peek(reqCons),
      answer: (answers, count, rspProd) => {
        if (this.open) this.blame('journal-first', 'an answer was published while its batch was open')
        for (let index = 0; index < count; index++) this.noteAnswer(answers, index * ANSWER_WORDS)
        return ring.answer(answers, count, rspProd)
      },
      arm: (reqCons) => ring.arm(reqCons),
      published: () => ring.published(),
      close: () => ring.close(),
    }
  }

  watchGrants(grants: GrantCopier): GrantCopier {
    return {
      copy: (copies, count) => {
        for (let index = 0; index < count; index++) this.noteCopy(copies, index * COPY_WORDS)
        return grants.copy(copies, count)
      },
      close: () => grants.close(),
    }
  }

  watchMedium(medium: MediumPort): MediumPort {
    return {
      submit: (requests, count) => {
        const taken = medium.submit(requests, count)
        for (let index = 0; index < taken; index++) this.noteSubmit(requests, index * IO_WORDS)
        return taken
      },
      reap: (results, max) => {
        const count = medium.reap(results, max)
        for (let index = 0; index < count; index++) this.noteResult(results, index * RESULT_WORDS)
        return count
      },
      get inFlight() {
        return medium.inFlight
      },
      onReady: (listener) => medium.onReady(listener),
      arm: () => medium.arm(),
      close: () => medium.close(),
    }
  }

  watchSink(sink: BatchSink): BatchSink {
    return {
      get words() {
        return sink.words
      },
      set words(value) {
        sink.words = value
      },
      get at() {
        return sink.at
      },
      set at(value) {
        sink.at = value
      },
      get dirty() {
        return sink.dirty
      },
      begin: (room, now) => {
        sink.begin(room, now)
        this.open = false
      },
      seal: (time, digest) => {
        sink.seal(time, digest)
        this.open = false
      },
    }
  }

  /** Whether the plane has written records that are not sealed; asked by the plane's world before effects. */
  noteOpen(dirty: boolean): void {
    this.open = dirty
  }

  /** The queue says that it is drained. `abandoned`: the front end was gone, answers are not owed. */
  drained(inFlightIo: number, mapped: number, abandoned: boolean): void {
    if (inFlightIo > 0 || this.tokens.size > 0)
      this.blame('closed-is-empty', `${this.tokens.size} I/Os in flight at Drained`)
    if (mapped > 0) this.blame('closed-is-empty', `${mapped} mappings at Drained`)
    if (abandoned) return
    for (const { key } of this.outstanding.values()) this.blame('answered-once', `request ${key} was never answered`)
  }

  private noteTaken(ring: BackRing, index: number): void {
    canonicalise(ring.entries, index * ring.entryWords, this.layout, this.record, 0, 0)
    const words = this.record
    const key = `${words[2] >>> 0}:${words[3] >>> 0}`
    const taken: Taken = {
      order: this.taken++,
      key,
      op: recordOp(words, 0),
      sector: u64ToDouble(words[4], words[5]),
      sectors: requestSectors(words, 0),
      grefs: new Set(Array.from({ length: recordedSegments(words, 0) }, (_, at) => segmentGref(words, 0, at))),
      answeredWrites: this.writes.length,
      tokens: new Set(),
      submitted: false,
      completed: false,
    }
    this.outstanding.set(key, taken)
    this.byOrder.push(taken)
  }

  private noteCopy(copies: Int32Array, at: number): void {
    const gref = copies[at] >>> 0
    const owner = [...this.outstanding.values()].find(({ grefs }) => grefs.has(gref))
    if (owner === undefined)
      return this.blame('no-grant-kept', `gref ${gref} is touched, no unanswered request names it`)
    if (copies[at + 3] !== COPY_TO_GUEST) return
    const start = copies[at + 2]
    const length = copies[at + 1] >>> 16
    const whole = [...this.filled].some(([from, end]) => start >= from && start + length <= end)
    if (!whole) this.blame('only-own-read', `bytes at ${start} go to gref ${gref}, no whole read filled them`)
  }

  private noteSubmit(requests: Int32Array, at: number): void {
    if (this.open) this.blame('journal-first', 'an I/O was submitted while its batch was open')
    const op = requests[at]
    const offset = (requests[at + 4] >>> 0) + (requests[at + 5] >>> 0) * 4294967296
    const arenaAt = requests[at + 2]
    const length = requests[at + 3] >>> 0
    for (const from of [...this.filled.keys()]) if (from >= arenaAt && from < arenaAt + length) this.filled.delete(from)
    if (op !== IO_READ && op !== IO_SYNC) this.supersede(offset, length)
    const taken = this.ownerOf(op, offset / 512, requests[at + 1])
    this.tokens.set(requests[at + 1], { taken, op, arenaAt, length })
    if (taken === undefined) return
    taken.submitted = true
    taken.tokens.add(requests[at + 1])
    for (const other of this.byOrder) {
      if (other === taken || other.completed || !this.outstanding.has(other.key)) continue
      if (taken.op === BLKIF_OP_WRITE_BARRIER && other.order < taken.order)
        this.blame('barrier-orders', `barrier ${taken.key} starts before ${other.key}, taken earlier, has completed`)
      if (other.op === BLKIF_OP_WRITE_BARRIER && other.order < taken.order)
        this.blame('barrier-orders', `${taken.key} starts before barrier ${other.key}, taken earlier, has completed`)
    }
  }

  /** I/Os name no request; data is recognised by its place, a sync by the slot that its token carries. */
  private ownerOf(op: number, sector: number, token: number): Taken | undefined {
    const bySlot = this.slotOwners.get(token)
    if (op === IO_SYNC) return bySlot ?? this.byOrder.find((t) => this.isSyncing(t) && this.outstanding.has(t.key))
    const data = this.byOrder.find((t) => this.outstanding.has(t.key) && t.sectors > 0 && t.sector === sector)
    if (data) this.slotOwners.set(token, data)
    return data
  }

  private readonly slotOwners = new Map<number, Taken>()

  private isSyncing(taken: Taken): boolean {
    return (taken.op === BLKIF_OP_FLUSH_DISKCACHE || taken.op === BLKIF_OP_WRITE_BARRIER) && !taken.submitted
  }

  private noteResult(results: Int32Array, at: number): void {
    const token = results[at]
    const io = this.tokens.get(token)
    this.tokens.delete(token)
    if (io === undefined) return
    if (io.op === IO_READ && results[at + 1] === io.length) this.filled.set(io.arenaAt, io.arenaAt + io.length)
    io.taken?.tokens.delete(token)
    const more = io.taken?.op === BLKIF_OP_WRITE_BARRIER && io.op !== IO_SYNC && results[at + 1] >= 0
    if (io.taken && io.taken.tokens.size === 0 && !more) io.taken.completed = true
  }

  private noteAnswer(answers: Int32Array, at: number): void {
    const key = `${answers[at] >>> 0}:${answers[at + 1] >>> 0}`
    const taken = this.outstanding.get(key)
    if (taken === undefined) return this.blame('answered-once', `request ${key} is answered, but none is outstanding`)
    this.outstanding.delete(key)
    taken.completed = true
    const okay = answers[at + 3] === 0
    this.forget()
    const promises = taken.op === BLKIF_OP_FLUSH_DISKCACHE || taken.op === BLKIF_OP_WRITE_BARRIER
    if (promises) this.judgePromise(taken, okay)
    if (okay && taken.sectors > 0 && taken.op !== 0) this.noteWrite(taken)
  }

  private judgePromise(taken: Taken, okay: boolean): void {
    if (!okay) {
      this.syncLost = this.syncLost || (this.buffered && taken.submitted)
      return
    }
    if (this.syncLost) this.blame('lost-sync-sticks', `${taken.key} succeeds after a sync was lost`)
    const barrier = taken.op === BLKIF_OP_WRITE_BARRIER
    const law: Law = barrier ? 'barrier-orders' : 'flush-is-durable'
    const until = barrier ? this.writes.length : taken.answeredWrites
    for (let index = 0; index < until; index++) {
      const write = this.writes[index]
      if (write.superseded || this.isOnPlatter(write)) continue
      this.blame(law, `${taken.key} is answered, but the write at ${write.offset} answered before is not durable`)
      return
    }
    if (barrier && taken.sectors > 0 && !this.sameOnPlatter(taken.sector * 512, taken.sectors * 512))
      this.blame(law, `barrier ${taken.key} is answered, but its own data is not durable`)
  }

  private isOnPlatter({ offset, bytes }: AnsweredWrite): boolean {
    return Buffer.compare(bytes, this.disk.platter.subarray(offset, offset + bytes.length)) === 0
  }

  private sameOnPlatter(offset: number, length: number): boolean {
    const cache = this.disk.cache.subarray(offset, offset + length)
    return Buffer.compare(cache, this.disk.platter.subarray(offset, offset + length)) === 0
  }

  private noteWrite(taken: Taken): void {
    const offset = taken.sector * 512
    const length = taken.sectors * 512
    if (taken.op === BLKIF_OP_DISCARD) return
    const bytes = this.disk.cache.slice(offset, offset + length)
    this.writes.push({ order: taken.order, offset, bytes, superseded: false })
  }

  /** What an I/O submitted later changes cannot be held against a flush. */
  private supersede(offset: number, length: number): void {
    for (const write of this.writes)
      if (write.offset < offset + length && offset < write.offset + write.bytes.length) write.superseded = true
  }

  private forget(): void {
    while (this.byOrder.length > 0 && !this.outstanding.has(this.byOrder[0].key)) this.byOrder.shift()
  }
}
