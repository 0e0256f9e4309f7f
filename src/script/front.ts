/**
 * @packageDocumentation
 * The front end that a script drives: it knows what was put on which ring under which name, copies each answer once and
 * gives it to the request that it is for. It believes nobody: an answer that nobody waits for ends the script.
 *
 *   stage ─► entry ─► publish (req_prod, notify if asked) ─► … ─► collect: rsp_prod ─► answer ─► by id ─► by name
 */
import { BLKIF_OP_DISCARD, BLKIF_OP_INDIRECT, PAGE_BYTES, SECTORS_PER_PAGE, SECTOR_BYTES } from '../protocol/blkif.js'
import type { BlkifSegment } from '../protocol/entry.js'
import { XbbdError } from '../protocol/errors.js'
import { encodeDescriptors, pagesOfDescriptors } from '../protocol/indirect.js'
import { ringAdd, ringDistance, ringNotify, ringSlot } from '../protocol/ring-index.js'
import { u64ToDouble, u64ToString } from '../protocol/u64.js'
import type { IndexName, PageOrGref, ScriptRequest } from './ast.js'
import { answeredOp, entryOf, idIn } from './encode.js'
import type { ScriptPage, ScriptPort, ScriptRing } from './port.js'

/** A request that was put. */
export interface Put {
  readonly request: ScriptRequest
  readonly id: string
  readonly queue: number
  readonly place: number
  readonly op: number
  /** Pages and sectors of its data, in order; what is only a reference has no bytes to look at. */
  readonly data: readonly { readonly page: ScriptPage | undefined; readonly first: number; readonly last: number }[]
  /** Pages that were made for it. */
  readonly own: readonly ScriptPage[]
  status: number | undefined
}

interface Queue {
  readonly ring: ScriptRing
  staged: number
  published: number
  rspCons: number
  /** By id, oldest first: ids may be the same on purpose; then the operation tells, and what is older. */
  readonly outstanding: Map<string, Put[]>
  /** The script wrote an index itself: how much is answered says nothing any more. */
  lies: boolean
}

/** Most fresh pages of one request. */
const PAGES_MAX = 4096

export class ScriptFront {
  requests = 0
  answers = 0
  readonly pages = new Map<string, ScriptPage>()
  readonly puts = new Map<string, Put>()
  onAnswer: (put: Put) => void = () => undefined
  private readonly port: ScriptPort
  private queues: Queue[] = []
  private nextId = 1
  private readonly answer = new Int32Array(4)

  constructor(port: ScriptPort) {
    this.port = port
  }

  /** New rings: what was outstanding on older ones never will be answered. */
  use(rings: readonly ScriptRing[]): void {
    this.queues = rings.map((ring) => {
      return { ring, staged: 0, published: 0, rspCons: 0, outstanding: new Map<string, Put[]>(), lies: false }
    })
  }

  get unanswered(): number {
    const of = ({ outstanding }: Queue) => [...outstanding.values()].reduce((sum, puts) => sum + puts.length, 0)
    return this.queues.reduce((sum, queue) => sum + of(queue), 0)
  }

  /** Makes or remakes a page under a name. */
  makePage(name: string, grant: 'read-write' | 'read-only' | 'none'): void {
    this.pages.set(name, this.port.makePage(grant))
  }

  /** Writes the request's entry behind what was staged before. */
  stage(request: ScriptRequest): Put {
    const index = request.queue ?? 0
    const queue = this.queueOf(index)
    const own: ScriptPage[] = []
    const data = this.dataOf(request, own)
    const segments = data.map(({ gref, first, last }): BlkifSegment => ({ gref, firstSect: first, lastSect: last }))
    const descriptors = this.descriptorsOf(request, segments, own)
    const id = request.id ?? ([this.nextId++, 0] as const)
    const words = entryOf(request, { id, segments, descriptors }, queue.ring.layout)
    const place = ringSlot(queue.staged, queue.ring.size)
    queue.ring.entry(place).set(words)
    queue.staged = ringAdd(queue.staged, 1)
    const name = u64ToString(...idIn(words, queue.ring.layout))
    const put: Put = { request, id: name, queue: index, place, op: answeredOp(words), data, own, status: undefined }
    queue.outstanding.set(name, [...(queue.outstanding.get(name) ?? []), put])
    if (request.name !== undefined) this.rename(request.name, put)
    this.requests++
    return put
  }

  /** Shows everything that was staged. Notifies when the back end asked for it, unless `quietly`. */
  publish(index: number, quietly = false): void {
    const queue = this.queueOf(index)
    const old = queue.published
    queue.published = queue.staged
    queue.ring.setIndex('req_prod', queue.published)
    if (!quietly && ringNotify(queue.published, old, queue.ring.index('req_event'))) queue.ring.notify()
  }

  notify(index: number): void {
    this.queueOf(index).ring.notify()
  }

  index(name: IndexName, index: number): number {
    return this.queueOf(index).ring.index(name)
  }

  setIndex(name: IndexName, value: number, relative: boolean, index: number): void {
    const queue = this.queueOf(index)
    queue.lies = true
    queue.ring.setIndex(name, (relative ? queue.ring.index(name) + value : value) >>> 0)
  }

  poke(put: Put, word: number, value: number): void {
    const entry = this.queueOf(put.queue).ring.entry(put.place)
    if (word < entry.length) entry[word] = value | 0
  }

  /** Takes all answers that are there. @throws XbbdError for one that cannot be. */
  collect(): void {
    this.queues.forEach((queue, index) => {
      const { ring } = queue
      const waiting = ringDistance(ring.index('rsp_prod'), queue.rspCons)
      if (waiting > ringDistance(queue.staged, queue.rspCons)) {
        if (queue.lies) return
        throw lie(`rsp_prod of queue ${index} is ${ring.index('rsp_prod')}: more than was ever asked`)
      }
      for (let count = 0; count < waiting; count++) {
        ring.answer(queue.rspCons, this.answer)
        queue.rspCons = ringAdd(queue.rspCons, 1)
        this.take(queue, index)
      }
      if (waiting > 0 && !queue.lies) ring.setIndex('rsp_event', ringAdd(queue.rspCons, 1))
    })
  }

  /** The bytes that a page, or a request's pages, hold. */
  bytesOf(name: string): Uint8Array {
    const put = this.puts.get(name)
    if (put === undefined) return this.pages.get(name)?.bytes ?? new Uint8Array()
    const parts = put.data.map(({ page, first, last }) => {
      return page?.bytes.subarray(first * SECTOR_BYTES, (last + 1) * SECTOR_BYTES) ?? new Uint8Array()
    })
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0)
    return whole
  }

  private take(queue: Queue, index: number): void {
    const [low, high, op, status] = this.answer
    const id = u64ToString(low, high)
    const puts = queue.outstanding.get(id)
    if (puts === undefined) throw lie(`queue ${index} was answered id ${id}, which is not outstanding`)
    const put = puts.find((one) => one.op === op)
    if (put === undefined) throw lie(`id ${id} was answered as operation ${op}; it is ${puts[0].op}`)
    const others = puts.filter((one) => one !== put)
    if (others.length === 0) queue.outstanding.delete(id)
    else queue.outstanding.set(id, others)
    put.status = status
    this.answers++
    if (put.request.name === undefined) this.drop(put)
    this.onAnswer(put)
  }

  /** A name goes on to another request: what the one before had is needed no more, once it is answered. */
  private rename(name: string, put: Put): void {
    const before = this.puts.get(name)
    if (before?.status !== undefined) this.drop(before)
    this.puts.set(name, put)
  }

  private drop({ own }: Put): void {
    for (const page of own) this.port.dropPage(page)
  }

  private dataOf(request: ScriptRequest, own: ScriptPage[]) {
    if (request.segments) {
      return request.segments.map((segment) => {
        const page = this.pageOf(segment)
        const { first, last } = segment
        return { gref: page?.gref ?? ('gref' in segment ? segment.gref : 0), page, first, last }
      })
    }
    if (request.sectors === undefined || request.op === BLKIF_OP_DISCARD) return []
    const sectors = u64ToDouble(...request.sectors)
    if (sectors > PAGES_MAX * SECTORS_PER_PAGE) {
      const sentence = `at most ${PAGES_MAX * SECTORS_PER_PAGE} sectors are put at once: use nr-segments to lie`
      throw new XbbdError('XBBD_SCRIPT', sentence, { exitCode: 65 })
    }
    return Array.from({ length: Math.ceil(sectors / SECTORS_PER_PAGE) }, (_, number) => {
      const page = this.freshPage(own)
      if (request.fill !== undefined) page.bytes.fill(request.fill)
      const last = Math.min(SECTORS_PER_PAGE, sectors - number * SECTORS_PER_PAGE) - 1
      return { gref: page.gref, page, first: 0, last }
    })
  }

  /** Pages with the descriptors: those that are named, or fresh ones, or only references. */
  private descriptorsOf(request: ScriptRequest, segments: readonly BlkifSegment[], own: ScriptPage[]): number[] {
    if (request.op !== BLKIF_OP_INDIRECT || request.inner === undefined) return []
    const perPage = PAGE_BYTES / 8
    const pages: readonly (ScriptPage | number)[] =
      request.descriptors?.map((page) => this.pageOf(page) ?? ('gref' in page ? page.gref : 0)) ??
      Array.from({ length: pagesOfDescriptors(segments.length) }, () => this.freshPage(own))
    pages.forEach((page, index) => {
      if (typeof page === 'number') return
      const words = new Int32Array(page.bytes.buffer, page.bytes.byteOffset, PAGE_BYTES / 4)
      encodeDescriptors(segments.slice(index * perPage, (index + 1) * perPage), words)
    })
    return pages.map((page) => (typeof page === 'number' ? page : page.gref))
  }

  private freshPage(own: ScriptPage[]): ScriptPage {
    const page = this.port.makePage('read-write')
    own.push(page)
    return page
  }

  private pageOf(page: PageOrGref): ScriptPage | undefined {
    return 'page' in page ? this.pages.get(page.page) : undefined
  }

  private queueOf(index: number): Queue {
    const queue = this.queues.at(index)
    if (queue) return queue
    const cure = this.queues.length === 0 ? 'connect first' : `there are ${this.queues.length}, counted from 0`
    throw new XbbdError('XBBD_SCRIPT', `there is no queue ${index}: ${cure}`, { exitCode: 65 })
  }
}

function lie(what: string): XbbdError {
  return new XbbdError('XBBD_BACKEND', `the back end lies: ${what}`, { exitCode: 1 })
}
