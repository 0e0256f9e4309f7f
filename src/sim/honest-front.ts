/**
 * @packageDocumentation
 * A front end that keeps the rules and checks that the back end does: it knows what every sector must hold, matches
 * every answer to a request it has outstanding, and complains in words. It never has two requests with overlapping
 * sectors in flight, so every read has exactly one right content. Manners differ, as those of living front ends do: how
 * ids are chosen, what is asked for, how much at a time.
 *
 *   contents: one stamp per sector (a write fills each sector with its stamp); a failed write leaves either
 */
import type { AbiLayout } from '../protocol/abi.js'
import {
  BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_INDIRECT, BLKIF_OP_READ,
  BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER, BLKIF_RSP_OKAY, PAGE_BYTES, SECTOR_BYTES,
} from '../protocol/blkif.js'
import { encodeEntry } from '../protocol/entry.js'
import type { BlkifSegment } from '../protocol/entry.js'
import { encodeDescriptors, pagesOfDescriptors } from '../protocol/indirect.js'
import { u64High, u64Low } from '../protocol/u64.js'
import { ANSWER_WORDS } from '../ports/data-path.js'
import { RunDigest } from './digest.js'
import { Promised } from './promised.js'
import type { StampedWrite } from './promised.js'
import type { Random } from './random.js'
import type { SimFront } from './sim-front.js'
import type { SimGuest } from './sim-guest.js'
import type { SimRing } from './sim-ring.js'

/** One request that waits for its answer. */
export interface Outstanding {
  readonly id: number
  readonly op: number
  readonly sector: number
  readonly sectors: number
  readonly segments: readonly BlkifSegment[]
  /** Pages with the descriptors of an INDIRECT request, by their references. */
  readonly descriptors: readonly number[]
  readonly stamp: number
  /** How many answers had been consumed when it was put on the ring. */
  readonly putAfter: number
  /** What it changes; undefined when that is nothing. */
  readonly write: StampedWrite | undefined
  /** Its place in the order of what was put. */
  readonly put: number
}

/** `counted`: always a new one; `reused`: the one that became free last; `zero`: 0, so there is but one at a time. */
export type IdManner = 'counted' | 'reused' | 'zero'

export interface FrontOptions {
  readonly sectorCount: number
  readonly depth: number
  readonly maxSegments: number
  /** Most segments of an INDIRECT request; 0 or absent: none is put. */
  readonly maxIndirect?: number
  readonly discards?: boolean
  /** Whether errors are to be expected (a failing disk): they are then counted, not complained of. */
  readonly errorsExpected?: boolean
  readonly barrierShare?: number
  readonly flushShare?: number
  /** Among reads and writes. */
  readonly readShare?: number
  /** Of flushes and barriers, those without data. */
  readonly emptyShare?: number
  /** Of those with data, those of 16 sectors at most; default none. */
  readonly smallShare?: number
  readonly ids?: IdManner
  /** How often in one go it looks for sectors that nobody else is at; default once. */
  readonly tries?: number
  /** Never asks to be notified. */
  readonly polls?: boolean
  /** Only whole pages, from their beginning. */
  readonly wholePages?: boolean
  /** Where several front ends share a guest or a disk: which pages and sectors are this one's. */
  readonly firstPage?: number
  readonly firstSector?: number
  /** What is known of the disk from earlier connections, a stamp for each of its sectors. */
  readonly contents?: Int32Array
  /** Gives every write of a disk its own stamp, whoever makes it. */
  readonly stamps?: () => number
  readonly put?: (request: Outstanding) => void
  /** Hears of each answer before its pages are taken back. */
  readonly answered?: (request: Outstanding, status: number) => void
}

/** Pages that a front end needs: for data, and behind them for descriptors. */
export function frontPages(
  { depth, maxSegments, maxIndirect = 0 }: Pick<FrontOptions, 'depth' | 'maxSegments' | 'maxIndirect'>,
) {
  const perRequest = pagesOfDescriptors(maxIndirect)
  return { data: depth * Math.max(maxSegments, maxIndirect), descriptors: depth * perRequest, perRequest }
}

export class HonestFront implements SimFront {
  readonly outstanding = new Map<number, Outstanding>()
  readonly complaints: string[] = []
  /** What each sector holds: a stamp, or -1 when a failed write left it unknown. */
  readonly contents: Int32Array
  readonly promised: Promised
  readonly digest = new RunDigest()
  readonly lies = 0
  answered = 0
  errors = 0
  entries = 0
  private sectorCount: number
  private reqProd = 0
  private rspCons = 0
  private nextStamp = 1
  private readonly freeIds: number[]
  private readonly freePages: number[]
  /** Neighbours for the descriptors of one request each, by the first. */
  private readonly freeDescriptors: number[]
  private ring: SimRing
  private readonly guest: SimGuest
  private readonly layout: AbiLayout
  private readonly random: Random
  private readonly options: FrontOptions

  constructor(ring: SimRing, guest: SimGuest, layout: AbiLayout, random: Random, options: FrontOptions) {
    this.ring = ring
    this.guest = guest
    this.layout = layout
    this.random = random
    this.options = options
    this.sectorCount = options.sectorCount
    this.contents = options.contents ?? new Int32Array(options.sectorCount)
    this.promised = new Promised(this.contents.length)
    this.freeIds = Array.from({ length: options.depth }, (_, index) => options.depth - 1 - index)
    const { data, descriptors, perRequest } = frontPages(options)
    const { firstPage = 0 } = options
    this.freePages = Array.from({ length: data }, (_, page) => firstPage + page)
    const count = perRequest === 0 ? 0 : descriptors / perRequest
    this.freeDescriptors = Array.from({ length: count }, (_, index) => firstPage + data + index * perRequest)
  }

  /** Puts up to `count` requests on the ring. @returns whether the back end wants to be told. */
  put(count: number): boolean {
    const before = this.reqProd
    const most = this.options.ids === 'zero' ? 1 : Math.min(this.options.depth, this.ring.size)
    let tries = this.options.tries ?? 1
    for (let index = 0; index < count && this.outstanding.size < most; )
      if (this.putOne()) index++
      else if (--tries <= 0) break
    this.ring.sharedReqProd = this.reqProd
    return (this.reqProd - this.ring.reqEvent) >>> 0 < (this.reqProd - before) >>> 0
  }

  /** Consumes answers and judges them. */
  consume(): number {
    let count = 0
    const published = (this.ring.sharedRspProd - this.rspCons) >>> 0
    if (published > this.ring.size) {
      // As front ends do that look before they believe: nothing of it is read.
      this.complaints.push(`rsp_prod is ${published} answers ahead, more than the ring holds`)
      this.rspCons = this.ring.sharedRspProd
    }
    while (this.rspCons !== this.ring.sharedRspProd) {
      const at = (this.rspCons & (this.ring.size - 1)) * ANSWER_WORDS
      this.rspCons = (this.rspCons + 1) | 0
      this.judge(this.ring.sharedAnswers[at], this.ring.sharedAnswers[at + 2], this.ring.sharedAnswers[at + 3])
      count++
    }
    if (this.options.polls !== true) this.ring.rspEvent = (this.rspCons + 1) | 0
    return count
  }

  resized(sectors: number): void {
    this.sectorCount = sectors
  }

  /** Another ring, as after a resume: what was not answered on the old one is put again, in order. */
  moveTo(ring: SimRing): void {
    this.ring = ring
    this.reqProd = this.rspCons = 0
    for (const request of this.outstanding.values()) this.encode(request)
    ring.sharedReqProd = this.reqProd
  }

  /** Nobody waits for the answers any more: what was to be written may have been, or not. */
  forget(): void {
    for (const request of this.outstanding.values()) this.settle(request, -1)
    this.outstanding.clear()
  }

  private putOne(): boolean {
    const { random, options } = this
    const dice = random.below(1000) / 1000
    const flushes = options.flushShare ?? 0.05
    const barriers = options.barrierShare ?? 0.05
    const empty = options.emptyShare
    if (dice < flushes && random.chance(empty ?? 0.7)) return this.send(BLKIF_OP_FLUSH_DISKCACHE, 0, 0)
    if (dice < flushes + barriers && random.chance(empty ?? 0.3)) return this.send(BLKIF_OP_WRITE_BARRIER, 0, 0)
    const op =
      dice < flushes ? BLKIF_OP_FLUSH_DISKCACHE
      : dice < flushes + barriers ? BLKIF_OP_WRITE_BARRIER
      : options.discards && dice > 0.95 ? BLKIF_OP_DISCARD
      : random.chance(options.readShare ?? 0.5) ? BLKIF_OP_READ
      : BLKIF_OP_WRITE
    const { maxIndirect = 0, maxSegments } = options
    const plain = op === BLKIF_OP_READ || op === BLKIF_OP_WRITE
    const long = plain && maxIndirect > 0 && random.chance(0.4)
    const segments = long ? maxIndirect : maxSegments
    const sectors = this.length(segments)
    const sector = (options.firstSector ?? 0) + random.below(this.sectorCount - sectors)
    if (this.overlaps(sector, sectors)) return false
    return this.send(op, sector, sectors, segments, long)
  }

  private length(segments: number): number {
    const { random, options: { smallShare, wholePages } } = this
    const largest = Math.min(segments * 8, this.sectorCount >>> 2)
    const small = smallShare !== undefined && random.chance(smallShare)
    const most = small ? Math.min(largest, 16) : largest
    return wholePages ? 8 * (1 + random.below(most >>> 3)) : 1 + random.below(most)
  }

  private overlaps(sector: number, sectors: number): boolean {
    for (const other of this.outstanding.values())
      if (sector < other.sector + other.sectors && other.sector < sector + sectors) return true
    return false
  }

  /** With `indirect` its segments, perhaps as few as an entry would hold, go into a page of their own. */
  private send(
    op: number, sector: number, sectors: number, most = this.options.maxSegments, indirect = false,
  ): boolean {
    const segments = op === BLKIF_OP_DISCARD ? [] : this.grantPages(sectors, op === BLKIF_OP_READ, most)
    if (segments === undefined) return false
    const id = this.newId()
    const put = ++this.entries
    const stamp = op === BLKIF_OP_READ || sectors === 0 ? 0 : op === BLKIF_OP_DISCARD ? 0 : this.stamp()
    if (stamp !== 0) this.fill(segments, stamp)
    const descriptors = indirect ? this.describe(segments) : []
    const changes = op !== BLKIF_OP_READ && sectors > 0
    const write = changes ? { stamp, sector, sectors, put, answered: Infinity } : undefined
    if (write) this.promised.begin(write)
    const request = { id, op, sector, sectors, segments, descriptors, stamp, putAfter: this.answered, write, put }
    this.encode(request)
    this.outstanding.set(id, request)
    this.options.put?.(request)
    return true
  }

  private newId(): number {
    const { ids } = this.options
    return ids === 'zero' ? 0 : ids === 'reused' ? (this.freeIds.pop() ?? 0) : this.entries + 1
  }

  private stamp(): number {
    return this.options.stamps?.() ?? this.nextStamp++
  }

  private encode({ id, op, sector, sectors, segments, descriptors }: Outstanding): void {
    const indirect = descriptors.length > 0
    const named = indirect ? { op: BLKIF_OP_INDIRECT, indirectOp: op, descriptorGrefs: descriptors } : { op }
    const request = {
      ...named, idLow: id, idHigh: this.options.ids === 'zero' ? 0 : ~id, handle: 51712, segments,
      sectorLow: u64Low(sector), sectorHigh: u64High(sector), nrSectorsLow: sectors,
    }
    encodeEntry(request, this.layout, this.ring.shared, (this.reqProd & (this.ring.size - 1)) * this.ring.entryWords)
    this.reqProd = (this.reqProd + 1) | 0
  }

  /** One run of pages for each request that can be outstanding. */
  private describe(segments: readonly BlkifSegment[]): number[] {
    const first = this.freeDescriptors.pop() ?? 0
    const pages = Array.from({ length: pagesOfDescriptors(segments.length) }, (_, index) => first + index)
    for (const page of pages) this.guest.grant(page, page, false)
    encodeDescriptors(segments, new Int32Array(this.guest.memory.buffer, first * PAGE_BYTES))
    return pages
  }

  /** At most `most` segments of random shapes that hold `sectors` sectors; undefined when pages are short. */
  private grantPages(sectors: number, writable: boolean, most: number): BlkifSegment[] | undefined {
    const segments: BlkifSegment[] = []
    for (let left = sectors; left > 0; ) {
      const page = this.freePages.pop()
      if (page === undefined || segments.length === most) {
        if (page !== undefined) this.freePages.push(page)
        for (const { gref } of segments) this.takeBack(gref)
        return undefined
      }
      const whole = left >= 8 * (most - segments.length)
      const length = whole || this.options.wholePages ? 8 : Math.min(left, 1 + this.random.below(8))
      const firstSect = this.random.below(9 - length)
      this.guest.grant(page, page, writable)
      segments.push({ gref: page, firstSect, lastSect: firstSect + length - 1 })
      left -= length
    }
    return segments
  }

  private takeBack(gref: number): void {
    this.guest.revoke(gref)
    this.guest.page(gref).fill(0xee)
    this.freePages.push(gref)
  }

  private fill(segments: readonly BlkifSegment[], stamp: number): void {
    for (const { gref, firstSect, lastSect } of segments) {
      const words = new Int32Array(this.guest.memory.buffer, gref * 4096, 1024)
      words.fill(stamp, firstSect * 128, (lastSect + 1) * 128)
    }
  }

  private judge(id: number, op: number, status: number): void {
    const request = this.outstanding.get(id)
    if (request === undefined) return void this.complaints.push(`answer for id ${id}, which is not outstanding`)
    this.outstanding.delete(id)
    if (this.options.ids === 'reused') this.freeIds.push(id)
    this.answered++
    this.digest.word(id ^ (op << 16) ^ (status << 24))
    if (op !== request.op) this.complaints.push(`id ${id}: answered as operation ${op}, asked was ${request.op}`)
    if (status !== BLKIF_RSP_OKAY) this.errors++
    if (status !== BLKIF_RSP_OKAY && !this.options.errorsExpected) this.complaints.push(`id ${id}: status ${status}`)
    this.options.answered?.(request, status)
    if (request.op === BLKIF_OP_READ && status === BLKIF_RSP_OKAY) this.compare(request)
    if (status === BLKIF_RSP_OKAY) this.rely(request)
    this.settle(request, status === BLKIF_RSP_OKAY ? request.stamp : -1)
  }

  /** A success is a promise. */
  private rely({ op, write, put, putAfter }: Outstanding): void {
    if (write) write.answered = this.answered
    if (op === BLKIF_OP_FLUSH_DISKCACHE) this.promised.flushed(putAfter)
    if (op === BLKIF_OP_WRITE_BARRIER) this.promised.barred(put)
  }

  /** What its sectors hold from now on, and its pages are free. */
  private settle(request: Outstanding, stamp: number): void {
    const { op, sector, sectors, segments, descriptors } = request
    if (op !== BLKIF_OP_READ && sectors > 0) this.contents.fill(stamp, sector, sector + sectors)
    for (const { gref } of segments) this.takeBack(gref)
    for (const gref of descriptors) {
      this.guest.revoke(gref)
      this.guest.page(gref).fill(0xee)
    }
    if (descriptors.length > 0) this.freeDescriptors.push(descriptors[0])
  }

  private compare({ id, sector, segments }: Outstanding): void {
    let at = sector
    for (const { gref, firstSect, lastSect } of segments)
      for (let sect = firstSect; sect <= lastSect; sect++, at++) {
        const words = new Int32Array(this.guest.memory.buffer, gref * 4096 + sect * SECTOR_BYTES, 128)
        const expected = this.contents[at]
        this.digest.word(words[0])
        if (expected === -1 ? this.mayHold(at, words) : words.every((word) => word === expected)) continue
        this.complaints.push(`id ${id}: sector ${at} holds ${words[0]}, written was ${expected}`)
        return
      }
  }

  /** Of a sector of which nobody knows what it holds; where there were connections before, not even they. */
  private mayHold(sector: number, words: Int32Array): boolean {
    return this.options.contents !== undefined || this.promised.admits(sector, words)
  }
}
