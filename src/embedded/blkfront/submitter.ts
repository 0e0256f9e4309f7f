/**
 * @packageDocumentation
 * The front end's data path: jobs (what a caller asked for) become requests (what the ring carries), answers become
 * settled promises. Synchronous inside; the owner calls {@link Submitter.complete} when answers may wait and is told by
 * `published` when the back end is to be notified.
 *
 *   job 0 ┬ request ► slot, pages, ring entry ┐                 ┌ answer: known? pending? same operation? ► slot free
 *         └ request ►                         ├─ publish once ──┤
 *   job 1 ─ request ►                         ┘  per tick       └ last of its job ► resolve, or reject with the code
 *
 * Every answer is checked as Linux checks it; one that names no pending request, or another operation, breaks the
 * device: nothing of the ring is believed any more, and all jobs end with EIO.
 */
import type { AbiLayout } from '../../protocol/abi.js'
import * as blkif from '../../protocol/blkif.js'
import { SEGMENTS_PER_BLOCK, entriesFor } from '../../protocol/blocks.js'
import { u64High, u64Low } from '../../protocol/u64.js'
import { TAKEN_WORDS, type FrontRing } from './front-ring.js'
import { DIRECT_BYTES, type RequestSlots } from './slots.js'

/** Jobs that may wait for slots; more are refused with EAGAIN. */
const MAX_JOBS = 65_536
const TAKE = 64
const DIRECT_SEGMENTS = blkif.BLKIF_MAX_SEGMENTS_PER_REQUEST

/** One call of a user. `sector` and `sectors` are 512-byte units. */
export interface Job {
  readonly op: number
  readonly sector: number
  readonly sectors: number
  /** Of a write: its data. Of a read: where it goes. */
  readonly buffer: Uint8Array | undefined
  /** Bytes handed to the ring so far. */
  started: number
  /** Whether a request without data has been handed over. */
  bare: boolean
  outstanding: number
  /** The worst status of its requests. */
  status: number
  settle(status: number): void
}

export interface BlkfrontCounters {
  /** Requests put into the ring, answers taken from it, answers by status. */
  requests: number
  /** Of the requests, those whose segments stood in pages of descriptors. */
  indirect: number
  /** Of the requests, those in several entries. */
  inBlocks: number
  answers: number
  errors: number
  unsupported: number
  notificationsSent: number
  wakeUps: number
  /** Answers that no honest back end gives. */
  violations: number
}

/** Job statuses beyond those of the wire. */
export const JOB_BROKEN = -1000
export const JOB_CLOSED = -1001

export class Submitter {
  readonly counters: BlkfrontCounters = {
    requests: 0, indirect: 0, inBlocks: 0, answers: 0, errors: 0, unsupported: 0, notificationsSent: 0, wakeUps: 0,
    violations: 0,
  }
  /** One sentence, once the back end has broken the protocol. */
  broken: string | undefined
  readonly #ring: FrontRing
  readonly #slots: RequestSlots
  readonly #layout: AbiLayout
  readonly #handle: number
  readonly #jobs: Job[] = []
  #head = 0
  readonly #jobOf: (Job | undefined)[]
  /** Per slot: where its part of the job's buffer begins, and its length. */
  readonly #partAt: Float64Array
  readonly #partBytes: Int32Array
  readonly #taken = new Int32Array(TAKE * TAKEN_WORDS)
  readonly #inBlocks: boolean
  /** Places of the ring that belong to the answer before them. */
  #skip = 0

  /** `inBlocks`: more than eleven segments go in several entries, and not by indirect descriptors. */
  constructor(ring: FrontRing, slots: RequestSlots, layout: AbiLayout, handle: number, inBlocks = false) {
    this.#ring = ring
    this.#inBlocks = inBlocks
    this.#slots = slots
    this.#layout = layout
    this.#handle = handle
    this.#jobOf = new Array<Job | undefined>(slots.count)
    this.#partAt = new Float64Array(slots.count)
    this.#partBytes = new Int32Array(slots.count)
  }

  /** Requests in the ring that are not answered. */
  get inFlight(): number {
    return this.#slots.count - this.#slots.free
  }

  /** Whether any job waits or is in flight. */
  get busy(): boolean {
    return this.#ring.outstanding > 0 || this.#head < this.#jobs.length
  }

  /** Takes a job; it is settled later, never from within this call. @returns false when there are too many. */
  accept(job: Job): boolean {
    if (this.#jobs.length - this.#head >= MAX_JOBS) return false
    this.#jobs.push(job)
    return true
  }

  /** Turns waiting jobs into ring entries as far as slots go, and publishes them. @returns whether to notify. */
  submit(): boolean {
    while (this.#head < this.#jobs.length && this.#slots.free > 0) {
      const job = this.#jobs[this.#head]
      if (this.#ring.free < this.#entriesOf(this.#nextBytes(job))) break
      this.#startPart(job)
      if (job.bare || job.started === (job.buffer?.length ?? 0)) this.#head++
    }
    if (this.#head > 1024 || this.#head === this.#jobs.length) {
      this.#jobs.splice(0, this.#head)
      this.#head = 0
    }
    const notify = this.#ring.publish()
    if (notify) this.counters.notificationsSent++
    return notify
  }

  /** Takes all answers that wait. @returns how many. */
  complete(): number {
    let total = 0
    while (this.broken === undefined) {
      const count = this.#ring.take(this.#taken, TAKE)
      if (count < 0) this.#break('the back end has published answers to requests that were never made')
      if (count <= 0) break
      total += count
      for (let index = 0; index < count && this.broken === undefined; index++) this.#answer(index * TAKEN_WORDS)
    }
    return total
  }

  arm(): boolean {
    return this.#ring.arm()
  }

  /** Settles everything that waits or is in flight with `status`. */
  abandon(status: number): void {
    const jobs = new Set<Job>(this.#jobs.slice(this.#head))
    for (const job of this.#jobOf) if (job) jobs.add(job)
    this.#jobs.length = 0
    this.#head = 0
    this.#jobOf.fill(undefined)
    for (const job of jobs) job.settle(status)
  }

  /** Of the job's next request. Only reads and writes can have indirect descriptors. */
  #nextBytes({ op, buffer, started }: Job): number {
    const long = this.#inBlocks || op === blkif.BLKIF_OP_READ || op === blkif.BLKIF_OP_WRITE
    return buffer ? Math.min(long ? this.#slots.requestBytes : DIRECT_BYTES, buffer.length - started) : 0
  }

  #entriesOf(bytes: number): number {
    return this.#inBlocks ? entriesFor(Math.ceil(bytes / blkif.PAGE_BYTES)) : 1
  }

  #startPart(job: Job): void {
    const { op, buffer } = job
    const bytes = this.#nextBytes(job)
    const pages = Math.ceil(bytes / blkif.PAGE_BYTES)
    const slot = this.#slots.take(op, pages, bytes > DIRECT_BYTES && !this.#inBlocks)
    if (buffer && op !== blkif.BLKIF_OP_READ)
      this.#slots.bytes.set(buffer.subarray(job.started, job.started + bytes), this.#slots.offset(slot))
    this.#writeEntry(job, slot, bytes, pages)
    this.#jobOf[slot] = job
    this.#partAt[slot] = job.started
    this.#partBytes[slot] = bytes
    job.started += bytes
    job.bare = bytes === 0
    job.outstanding++
    this.counters.requests++
  }

  #writeEntry(job: Job, slot: number, bytes: number, pages: number): void {
    const { words } = this.#ring
    const at = this.#ring.nextEntry()
    const layout = this.#layout
    const sector = job.sector + job.started / blkif.SECTOR_BYTES
    const indirect = bytes > DIRECT_BYTES && !this.#inBlocks
    words[at] = indirect
      ? blkif.BLKIF_OP_INDIRECT | (job.op << 8) | (pages << 16)
      : job.op | (pages << 8) | (this.#handle << 16)
    words[at + 1] = 0
    words[at + layout.idWord] = slot
    words[at + layout.idWord + 1] = this.#slots.generation[slot] | 0
    words[at + layout.sectorWord] = u64Low(sector)
    words[at + layout.sectorWord + 1] = u64High(sector)
    if (job.op === blkif.BLKIF_OP_DISCARD) {
      words[at + layout.nrSectorsWord] = u64Low(job.sectors)
      words[at + layout.nrSectorsWord + 1] = u64High(job.sectors)
    }
    if (indirect) {
      words[at + layout.segmentWord] = this.#handle
      for (let page = 0; page < blkif.BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; page++)
        words[at + layout.segmentWord + 1 + page] =
          page < this.#slots.descriptorPages ? this.#slots.descriptorGref(slot, page) : 0
      this.#writeSegments(this.#slots.words, this.#slots.descriptorsAt(slot), slot, bytes)
      this.counters.indirect++
    } else this.#writeSegments(words, at + layout.segmentWord, slot, bytes, 0, DIRECT_SEGMENTS)
    this.#ring.wrote()
    if (bytes > DIRECT_BYTES && !indirect) this.#writeBlocks(slot, bytes)
  }

  #writeBlocks(slot: number, bytes: number): void {
    const pages = Math.ceil(bytes / blkif.PAGE_BYTES)
    for (let page = DIRECT_SEGMENTS; page < pages; page += SEGMENTS_PER_BLOCK) {
      this.#writeSegments(this.#ring.words, this.#ring.nextEntry(), slot, bytes, page, SEGMENTS_PER_BLOCK)
      this.#ring.wrote()
    }
    this.counters.inBlocks++
  }

  /** At most `count` segments, from that of page `first` on. */
  #writeSegments(words: Int32Array, at: number, slot: number, bytes: number, first = 0, count = Infinity): void {
    const pages = Math.min(Math.ceil(bytes / blkif.PAGE_BYTES), first + count)
    for (let page = first; page < pages; page++) {
      const sectors = Math.min(blkif.SECTORS_PER_PAGE, (bytes - page * blkif.PAGE_BYTES) / blkif.SECTOR_BYTES)
      words[at + 2 * (page - first)] = this.#slots.gref(slot, page)
      words[at + 2 * (page - first) + 1] = (sectors - 1) << 8
    }
  }

  #answer(at: number): void {
    if (this.#skip > 0) return void this.#skip--
    const slot = this.#taken[at]
    const op = this.#taken[at + 2]
    const status = this.#taken[at + 3]
    if (!this.#slots.pending(slot, this.#taken[at + 1]))
      return this.#break(`an answer names request ${slot >>> 0}, which is not pending`)
    if (op !== this.#slots.op[slot])
      return this.#break(`an answer to a ${blkif.opName(this.#slots.op[slot])} says ${blkif.opName(op)}`)
    if (status !== blkif.BLKIF_RSP_OKAY && status !== blkif.BLKIF_RSP_ERROR && status !== blkif.BLKIF_RSP_EOPNOTSUPP)
      return this.#break(`an answer has status ${status}`)
    this.counters.answers++
    this.#skip = this.#inBlocks ? entriesFor(this.#slots.pages[slot]) - 1 : 0
    if (status === blkif.BLKIF_RSP_ERROR) this.counters.errors++
    if (status === blkif.BLKIF_RSP_EOPNOTSUPP) this.counters.unsupported++
    const job = this.#jobOf[slot]
    this.#jobOf[slot] = undefined
    if (job) this.#finishPart(job, slot, op, status)
    this.#slots.release(slot)
  }

  #finishPart(job: Job, slot: number, op: number, status: number): void {
    if (op === blkif.BLKIF_OP_READ && status === blkif.BLKIF_RSP_OKAY && job.buffer) {
      const from = this.#slots.offset(slot)
      job.buffer.set(this.#slots.bytes.subarray(from, from + this.#partBytes[slot]), this.#partAt[slot])
    }
    job.outstanding--
    job.status = Math.min(job.status, status)
    if (job.outstanding === 0 && (job.bare || job.started === job.buffer?.length)) job.settle(job.status)
  }

  #break(sentence: string): void {
    this.counters.violations++
    this.broken = sentence
    this.abandon(JOB_BROKEN)
  }
}
