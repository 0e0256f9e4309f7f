/**
 * @packageDocumentation
 * A front end that lies. It knows the protocol well, so that its entries come far: each begins as a request that would
 * be right, and then some of what it says is made a lie, each kind with a probability of its own. Beside that it does
 * what it likes with all that is shared: it writes into entries that it has put and into pages that are being copied,
 * takes grants back while they are used, and moves the indices of both sides.
 *
 *   right request ─ lies (operation, count, sector, range, reference, descriptors, discard, id) ─► ring
 *   between rounds: scribble · rewrite pages · revoke and grant · rsp_prod · events · req_prod
 *
 * What must never happen: that it needs an answer, or gets the back end to do what a right request would not have.
 */
import type { AbiLayout } from '../protocol/abi.js'
import {
  BLKIF_MAX_SEGMENTS_PER_REQUEST, BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_INDIRECT, BLKIF_OP_READ,
  BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER, PAGE_BYTES,
} from '../protocol/blkif.js'
import { encodeEntry } from '../protocol/entry.js'
import type { BlkifRequest, BlkifSegment } from '../protocol/entry.js'
import { encodeDescriptors, pagesOfDescriptors } from '../protocol/indirect.js'
import { ANSWER_WORDS } from '../ports/data-path.js'
import { RunDigest } from './digest.js'
import type { Random } from './random.js'
import type { SimFront } from './sim-front.js'
import type { FrontParts } from './world-options.js'
import type { SimGuest } from './sim-guest.js'
import type { SimRing } from './sim-ring.js'

/** Probabilities: of an entry's lies, and per step of what is done beside them. Absent: never. */
export interface Lies {
  readonly op?: number
  readonly count?: number
  readonly sector?: number
  readonly range?: number
  readonly gref?: number
  readonly descriptors?: number
  readonly discard?: number
  /** One id for several requests. */
  readonly id?: number
  readonly scribble?: number
  readonly memory?: number
  readonly revoke?: number
  readonly rspProd?: number
  readonly events?: number
  /** req_prod moves within the ring: what stood there is taken once more. */
  readonly replay?: number
  /** req_prod leaves the ring. */
  readonly producer?: number
}

/** Kinds after which two requests that are outstanding may have the same id. */
export const CONFUSING: readonly (keyof Lies)[] = ['id', 'replay']

const OPS = [
  BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER,
  BLKIF_OP_DISCARD, BLKIF_OP_INDIRECT,
] as const

/** Numbers near where arithmetic goes wrong. */
const EDGES = [0, 1, 7, 8, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff]

export class HostileFront implements SimFront {
  readonly complaints: readonly string[] = []
  readonly outstanding = { size: 0 }
  readonly digest = new RunDigest()
  answered = 0
  errors = 0
  entries = 0
  lies = 0
  private lied = false
  private reqProd = 0
  private rspCons = 0
  private sectors: number
  private readonly ring: SimRing
  private readonly guest: SimGuest
  private readonly layout: AbiLayout
  private readonly random: Random
  private readonly pages: number
  private readonly maxIndirect: number
  private readonly will: Lies

  constructor(parts: FrontParts, pages: number, maxIndirect: number, will: Lies) {
    this.ring = parts.ring
    this.guest = parts.guest
    this.layout = parts.layout
    this.random = parts.random
    this.sectors = parts.sectorCount
    this.pages = pages
    this.maxIndirect = maxIndirect
    this.will = will
    for (let gref = 0; gref < pages; gref++) this.guest.grant(gref, gref, this.random.chance(0.8))
  }

  put(count: number): boolean {
    const before = this.reqProd
    const { ring } = this
    for (let index = 0; index < count && ((this.reqProd - ring.answeredTo) >>> 0) < ring.size; index++)
      this.putOne()
    ring.sharedReqProd = this.reqProd
    this.meddle()
    return (ring.sharedReqProd - ring.reqEvent) >>> 0 < (ring.sharedReqProd - before) >>> 0
  }

  consume(): number {
    let count = 0
    for (; this.rspCons !== this.ring.answeredTo && count < this.ring.size; count++) {
      const at = (this.rspCons & (this.ring.size - 1)) * ANSWER_WORDS
      this.digest.words(this.ring.sharedAnswers, at, at + ANSWER_WORDS)
      if (this.ring.sharedAnswers[at + 3] !== 0) this.errors++
      this.rspCons = (this.rspCons + 1) | 0
    }
    this.rspCons = this.ring.answeredTo
    this.answered += count
    this.ring.rspEvent = (this.rspCons + 1) | 0
    return count
  }

  resized(sectors: number): void {
    this.sectors = sectors
  }

  /** Whether to lie about this. */
  private lie(kind: keyof Lies): boolean {
    const share = this.will[kind]
    if (share === undefined || !this.random.chance(share)) return false
    this.lied = true
    return true
  }

  /** A number that is not meant well: at an edge, or anything. */
  private wild(): number {
    const { random } = this
    return random.chance(0.7) ? (random.pick(EDGES) + random.below(3) - 1) >>> 0 : random.next()
  }

  private putOne(): void {
    const { random, ring } = this
    this.lied = false
    const place = (this.reqProd & (ring.size - 1)) * ring.entryWords
    const op = random.pick(OPS)
    encodeEntry(this.request(op), this.layout, ring.shared, place)
    if (this.lie('op')) ring.shared[place] = (ring.shared[place] & ~0xff) | random.below(256)
    this.reqProd = (this.reqProd + 1) | 0
    this.entries++
    if (this.lied) this.lies++
  }

  private request(op: number): BlkifRequest {
    const { random } = this
    const ids = this.lie('id') ? { idLow: random.below(4), idHigh: 0 } : { idLow: random.next(), idHigh: this.entries }
    const flush = op === BLKIF_OP_FLUSH_DISKCACHE || op === BLKIF_OP_WRITE_BARRIER
    const most = op === BLKIF_OP_INDIRECT ? Math.max(1, this.maxIndirect) : BLKIF_MAX_SEGMENTS_PER_REQUEST
    const empty = op === BLKIF_OP_DISCARD || (flush && random.chance(0.5))
    const segments = empty ? [] : this.segments(1 + random.below(most))
    const sectors = segments.reduce((sum, { firstSect, lastSect }) => sum + lastSect - firstSect + 1, 0)
    const [sectorLow, sectorHigh] = this.lie('sector')
      ? [this.wild(), random.chance(0.5) ? 0 : this.wild()]
      : [random.below(Math.max(1, this.sectors - Math.max(0, sectors))), 0]
    const base = { op, ...ids, handle: random.below(65536), sectorLow, sectorHigh, segments }
    const count = this.lie('count') ? { nrSegments: this.wild() & 0xffff } : {}
    if (op === BLKIF_OP_DISCARD) return { ...base, ...this.discard() }
    if (op === BLKIF_OP_INDIRECT) return { ...base, ...count, ...this.descriptors(segments) }
    return { ...base, ...count }
  }

  private discard(): Partial<BlkifRequest> {
    const { random } = this
    const flag = random.below(2)
    if (!this.lie('discard')) return { nrSectorsLow: 1 + random.below(16), flag }
    return { nrSectorsLow: this.wild(), nrSectorsHigh: random.chance(0.5) ? 0 : this.wild(), flag }
  }

  private segments(count: number): BlkifSegment[] {
    return Array.from({ length: count }, () => {
      const { random } = this
      const gref = this.lie('gref') ? this.wild() : random.below(this.pages)
      if (this.lie('range')) return { gref, firstSect: this.wild() & 0xff, lastSect: this.wild() & 0xff }
      const firstSect = random.below(8)
      return { gref, firstSect, lastSect: firstSect + random.below(8 - firstSect) }
    })
  }

  /** Its pages may be anybody's, also those of its own data. */
  private descriptors(segments: readonly BlkifSegment[]): Partial<BlkifRequest> {
    const { random } = this
    const indirectOp = this.lie('op') ? random.below(256) : random.below(2)
    const needed = pagesOfDescriptors(segments.length)
    const first = random.below(this.pages - needed + 1)
    encodeDescriptors(segments, new Int32Array(this.guest.memory.buffer, first * PAGE_BYTES))
    const descriptorGrefs = Array.from({ length: needed }, (_, page) => first + page)
    if (this.lie('descriptors')) descriptorGrefs[random.below(needed)] = random.chance(0.5) ? this.wild() : first
    return { indirectOp, descriptorGrefs }
  }

  /** What is shared is ours to write, whenever we like. */
  private meddle(): void {
    const { random, ring, guest, pages } = this
    if (this.lie('scribble')) ring.shared[random.below(ring.shared.length)] = this.wild()
    if (this.lie('memory')) guest.page(random.below(pages)).fill(random.below(256), random.below(PAGE_BYTES))
    if (this.lie('revoke')) guest.revoke(random.below(pages))
    else if (random.chance(0.5)) guest.grant(random.below(pages), random.below(pages), random.chance(0.8))
    if (this.lie('rspProd')) ring.sharedRspProd = (ring.sharedRspProd + this.wild()) | 0
    if (this.lie('events')) ring.rspEvent = this.wild()
    if (this.lie('replay')) {
      const room = ring.size - ((this.reqProd - ring.answeredTo) >>> 0)
      if (room > 0) this.reqProd = ring.sharedReqProd = (this.reqProd + 1 + random.below(room)) | 0
    }
    if (this.lie('producer')) ring.sharedReqProd = (this.reqProd + ring.size + 1 + (this.wild() & 0x7fffff)) | 0
  }
}
