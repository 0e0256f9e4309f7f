/**
 * @packageDocumentation
 * Sectors of 512 bytes on a medium that takes whole ones of 4096 only (512e): what a guest asks for in parts of them is
 * read, changed and written back. Everything that reaches the medium is made of whole sectors.
 *
 *   submit ─► job ─(earlier change of that sector, bounce pages)─► READING ─► MOVING ─► own results ─► reap
 *                                             a write's ends are read first ┘     └ all three parts at once
 *
 * - A job's place among those before it is settled when it is taken, so neighbours in one whole sector are both right
 *   in whatever order their I/O comes back; a write that fails has not touched its neighbours (what was written back
 *   beside it is what stood there).
 * - A request that is redone after a crash reads its sectors anew: it changes its own bytes, and no others.
 * - A discard gives up only the whole sectors within it, perhaps none: it is advice. Secure ones are not promised.
 * - Order is kept within one port, so such a medium has one queue (protocol/features.ts, queuesOffered).
 *
 * What must never happen: two changes of one whole sector under way at once, of which one is a part.
 */
import {
  IO_DISCARD, IO_READ, IO_SYNC, IO_WORDS, IO_WRITE, RESULT_WORDS,
} from '../../ports/data-path.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { MediumGeometry } from '../../ports/medium.js'
import { assert } from '../../protocol/errors.js'
import { bouncePoolOf } from './bounce-pool.js'
import type { BouncePool } from './bounce-pool.js'
import { EIO, ResultQueue, movesBytes, refusalOf } from './requests.js'
import { HEAD, IDLE, MIDDLE, MOVING, PARTS, READING, SectorJob, TAIL, WAITING } from './sector-job.js'

/** Requests that are taken at a time. */
const JOBS = 256
/** A turn of reading and writing at most, before the caller has its own again. */
const ROUNDS = 4

export class WholeSectorPort implements MediumPort {
  readonly pace?: number
  private readonly inner: MediumPort
  private readonly geometry: MediumGeometry
  private readonly whole: number
  private readonly bytes: Uint8Array
  /** Bytes of the arena that requests may use. */
  private readonly room: number
  private readonly pool: BouncePool
  private readonly jobs = Array.from({ length: JOBS }, (_, index) => new SectorJob(index))
  private readonly free = this.jobs.slice()
  /** Those that were begun and have not ended, oldest first. */
  private readonly order: SectorJob[] = []
  private readonly own = new ResultQueue(JOBS)
  /** I/Os that the inner port has had no room for yet. */
  private readonly outbox = new Int32Array(JOBS * PARTS * IO_WORDS)
  private outgoing = 0
  private readonly results = new Int32Array(JOBS * RESULT_WORDS)
  private listener: () => void = () => undefined
  private armed = false

  /** `geometry` is what the guest sees; `inner` takes whole sectors of `whole` bytes. */
  constructor(inner: MediumPort, whole: number, geometry: MediumGeometry, arena: BufferArena) {
    this.inner = inner
    if (inner.pace !== undefined) this.pace = inner.pace
    this.whole = whole
    this.geometry = geometry
    this.bytes = arena.bytes
    this.room = arena.bounceAt ?? arena.bytes.length
    this.pool = bouncePoolOf(arena)
    inner.onReady(() => this.wake())
  }

  get operations(): number | undefined {
    return this.inner.operations
  }

  get inFlight(): number {
    return this.order.length + this.own.count
  }

  submit(requests: Int32Array, count: number): number {
    let taken = 0
    for (; taken < count && this.inFlight < JOBS; taken++) this.accept(requests, taken * IO_WORDS)
    this.flush()
    return taken
  }

  reap(results: Int32Array, max: number): number {
    for (let round = 0; round < ROUNDS && this.advance() > 0; round++) this.flush()
    this.flush()
    return this.own.drain(results, max)
  }

  onReady(listener: () => void): void {
    this.listener = listener
  }

  arm(): boolean {
    this.flush()
    this.armed = !(this.own.count > 0 || this.inner.arm())
    return !this.armed
  }

  close(): void {
    assert(this.inFlight === 0, 'a medium is closed with requests in flight')
    this.inner.close()
  }

  private accept(requests: Int32Array, base: number): void {
    const refusal = refusalOf(requests, base, this.geometry, this.room)
    if (refusal !== 0) return this.own.push(requests[base + 1], refusal)
    const job = this.free.pop()
    assert(job !== undefined, 'there are as many jobs as requests may be taken')
    job.begin(requests, base, this.whole)
    if (job.op === IO_DISCARD) this.shrink(job)
    for (const earlier of this.order) if (job.mustWaitFor(earlier)) job.blockers++
    this.order.push(job)
    job.stage = WAITING
    this.tryToStart(job)
  }

  /** To the whole sectors within it. */
  private shrink(job: SectorJob): void {
    job.offset += job.bytes[HEAD]
    job.length = job.bytes[MIDDLE]
    job.bytes[HEAD] = job.bytes[TAIL] = 0
  }

  private tryToStart(job: SectorJob): void {
    if (job.stage !== WAITING || job.blockers > 0) return
    if (!this.pool.has(job.bounces, this.pagesCame)) return
    for (const part of [HEAD, TAIL]) if (job.bytes[part] > 0) job.pages[part] = this.pool.take()
    const readsFirst = job.partial && job.changes
    job.stage = readsFirst ? READING : MOVING
    if (readsFirst) this.bounce(job, IO_READ)
    else this.move(job)
  }

  private readonly pagesCame = (): void => {
    for (const job of [...this.order]) this.tryToStart(job)
    this.flush()
    // Media that finish at once have results now, and nobody else will say so.
    if (this.armed && this.arm()) {
      this.armed = true
      this.wake()
    }
  }

  /** Head and tail, as whole sectors. */
  private bounce(job: SectorJob, op: number): void {
    if (job.bytes[HEAD] > 0) this.send(job, HEAD, op, job.pages[HEAD], job.from * this.whole, this.whole)
    if (job.bytes[TAIL] > 0) this.send(job, TAIL, op, job.pages[TAIL], (job.to - 1) * this.whole, this.whole)
  }

  /** The request itself, in up to three I/Os. */
  private move(job: SectorJob): void {
    const { op } = job
    this.bounce(job, op === IO_READ ? IO_READ : IO_WRITE)
    const begin = job.beginOf(MIDDLE)
    if (job.bytes[MIDDLE] > 0 || op === IO_SYNC)
      this.send(job, MIDDLE, op, job.at + begin, job.offset + begin, job.bytes[MIDDLE])
    if (job.outstanding === 0) this.end(job)
  }

  private send(job: SectorJob, part: number, op: number, place: number, offset: number, length: number): void {
    const { outbox } = this
    const at = this.outgoing++ * IO_WORDS
    outbox[at] = op
    outbox[at + 1] = job.index * PARTS + part
    outbox[at + 2] = place
    outbox[at + 3] = length
    outbox[at + 4] = offset
    outbox[at + 5] = offset / 2 ** 32
    outbox[at + 6] = length / 2 ** 32
    outbox[at + 7] = 0
    job.outstanding++
  }

  private flush(): void {
    if (this.outgoing === 0) return
    const taken = this.inner.submit(this.outbox, this.outgoing)
    this.outbox.copyWithin(0, taken * IO_WORDS, this.outgoing * IO_WORDS)
    this.outgoing -= taken
  }

  /** Collects what the inner port has. @returns how much. */
  private advance(): number {
    const count = this.inner.inFlight > 0 ? this.inner.reap(this.results, JOBS) : 0
    for (let index = 0; index < count; index++) {
      const token = this.results[index * RESULT_WORDS]
      const job = this.jobs[Math.floor(token / PARTS)]
      job.results[token % PARTS] = this.results[index * RESULT_WORDS + 1]
      if (--job.outstanding > 0) continue
      if (job.stage === READING) this.change(job)
      else this.end(job)
    }
    return count
  }

  /** The sectors at its ends were read: its own bytes go into them, and all is written. */
  private change(job: SectorJob): void {
    for (const part of [HEAD, TAIL]) {
      if (job.bytes[part] === 0) continue
      const result = job.results[part]
      // A sector that is not there as a whole cannot be written back as it was.
      if (result !== this.whole) return this.end(job, result < 0 ? result : -EIO)
      const from = this.placeInPage(job, part)
      const own = job.at + job.beginOf(part)
      if (job.op === IO_WRITE) this.bytes.copyWithin(from, own, own + job.bytes[part])
      else this.bytes.fill(0, from, from + job.bytes[part])
    }
    job.stage = MOVING
    this.move(job)
  }

  private placeInPage(job: SectorJob, part: number): number {
    return job.pages[part] + (part === HEAD ? job.offset - job.from * this.whole : 0)
  }

  private end(job: SectorJob, failure = 0): void {
    if (failure === 0) this.settleEnds(job)
    const result = failure === 0 ? job.outcome() : failure
    let gaveBack = false
    for (const part of [HEAD, TAIL]) {
      if (job.bytes[part] === 0) continue
      this.pool.giveBack(job.pages[part])
      gaveBack = true
    }
    job.stage = IDLE
    const place = this.order.indexOf(job)
    this.order.splice(place, 1)
    this.own.push(job.token, result)
    this.free.push(job)
    for (const later of this.order.slice(place)) {
      if (!later.mustWaitFor(job)) continue
      later.blockers--
      this.tryToStart(later)
    }
    if (gaveBack) this.pool.tell()
  }

  /** What the whole sectors at both ends came to, in bytes of the request; what was read goes to where it belongs. */
  private settleEnds(job: SectorJob): void {
    for (const part of [HEAD, TAIL]) {
      if (job.bytes[part] === 0 || job.results[part] < 0) continue
      const whole = job.results[part] === this.whole
      const partly = movesBytes(job.op) ? 0 : -EIO
      job.results[part] = whole ? job.bytes[part] : partly
      if (!whole || job.op !== IO_READ) continue
      const from = this.placeInPage(job, part)
      this.bytes.copyWithin(job.at + job.beginOf(part), from, from + job.bytes[part])
    }
  }

  private wake(): void {
    if (!this.armed) return
    this.armed = false
    this.listener()
  }
}
