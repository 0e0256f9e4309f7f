/**
 * @packageDocumentation
 * The front end's side of one device, as mechanics: its nodes in XenStore, its rings and channels, and the requests on
 * them, by honest-front.ts, whose answers are judged against the model of the disk. What it does when, is the part of
 * whoever drives it (linux.ts, firmware.ts, sloppy.ts …).
 *
 *   publish: rings ─ grants, ports ─ keys, state        serve: put now and then ─ kick ─ … ─ event ─ consume
 */
import { abiLayout, ringEntries, type BlkifAbiName } from '../../protocol/abi.js'
import {
  BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_READ, BLKIF_OP_WRITE_BARRIER,
} from '../../protocol/blkif.js'
import { queueKey } from '../../protocol/keys.js'
import { HonestFront, frontPages, type Outstanding } from '../honest-front.js'
import type { Random } from '../random.js'
import { SimRing } from '../sim-ring.js'
import type { SimDevice } from './device.js'
import type { SimDomain } from './hypervisor.js'
import type { Kernel } from './kernel.js'
import type { Blame } from './laws.js'
import type { Life } from './life.js'
import type { StoreClient } from './store-link.js'

/** What kind of rings a front end makes. */
export interface RingShape {
  readonly abi: BlkifAbiName
  /** log2 of the pages of each ring. */
  readonly order: number
  readonly queues: number
  readonly indirect: number
  readonly discards: boolean
  /** Looks at its ring by itself, instead of waiting for events. */
  readonly polls: boolean
}

export interface FrontEndParts {
  readonly kernel: Kernel
  readonly random: Random
  readonly device: SimDevice
  readonly domain: SimDomain
  readonly life: Life
  readonly store: StoreClient
  readonly firstPage: number
  /** Most nanoseconds between two batches of requests. */
  readonly paceNs: number
  readonly blame: Blame
  /** When the world was last disturbed, nanoseconds: what was to come in time may be late. */
  readonly disturbedNs: () => number
}

/** Requests of one front end in a world: what has not shown by then will not. */
const ENOUGH = 400
export const DEPTH = 6
const QUEUES_MAX = 2
const SEGMENTS = 11
const SHAPE = { depth: DEPTH, maxSegments: SEGMENTS, maxIndirect: 16 }
const { data, descriptors } = frontPages(SHAPE)
const PAGES = data + descriptors
/** Pages that one front end may use: the next connection never uses those of the one before. */
export const FRONT_PAGES = 2 * QUEUES_MAX * PAGES
/** What anyone is waited for while nothing disturbs. */
const PATIENCE_MS = 30_000

export interface Queue {
  readonly ring: SimRing
  readonly grefs: readonly number[]
  readonly port: number
  readonly front: HonestFront
}

export class FrontEnd {
  readonly parts: FrontEndParts
  /** The back end's state, as it was read last; 0: it is not there. */
  backend = 0
  queues: Queue[] = []
  /** Of the rings as they are. */
  shape: RingShape | undefined
  /** The world is coming to its end: close, and do not come back. */
  finishing = false
  /** Requests are put. */
  working = false
  answered = 0
  /** Waits that must come to their end. */
  owed = 0
  /** It has closed for good. */
  ended = false
  /** Hostile ones. */
  deeds = 0
  #connections = 0
  readonly #waiting = new Set<() => void>()
  readonly #flushes = new Map<string, number>()

  constructor(parts: FrontEndParts) {
    this.parts = parts
  }

  /** Follows the back end's state from now on. */
  async begin(): Promise<void> {
    const { store, device: { place } } = this.parts
    let reading = false
    let again = false
    const read = async () => {
      reading = true
      do {
        again = false
        this.backend = Number((await store.read(`${place.backend}/state`).catch(() => undefined)) ?? 0)
        this.look()
      } while (again)
      reading = false
    }
    await store.watch(`${place.backend}/state`, () => {
      if (reading) again = true
      else void read()
    })
  }

  /** Whether the back end is in this state. */
  is(state: number): boolean {
    return this.backend === state
  }

  /** Something may be as somebody waits for it. */
  look(): void {
    for (const look of [...this.#waiting]) look()
  }

  /**
   * Waits until `condition`. @returns false when it does not come true within `milliseconds`, if given; otherwise it
   * must come true in the end, and in good time while nothing disturbs.
   */
  until(condition: () => boolean, what: string, milliseconds?: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true)
    const { kernel, blame, disturbedNs, device } = this.parts
    const { frontend } = device.place
    const began = kernel.nowNs
    const owed = milliseconds === undefined ? 1 : 0
    this.owed += owed
    return new Promise((resolve) => {
      const end = (came: boolean) => {
        this.#waiting.delete(look)
        this.owed -= owed
        resolve(came)
      }
      const look = () => condition() && end(true)
      const late = () => {
        if (!this.#waiting.has(look) || !this.parts.life.alive) return
        const quietMs = (kernel.nowNs - Math.max(began, disturbedNs())) / 1e6
        if (milliseconds !== undefined) return end(condition())
        // Without a device, or with one that was ended for good, there is nobody to wait for.
        if (!device.attached || device.sloppy || device.reasons.size > 0) return kernel.after(PATIENCE_MS * 1e6, late)
        if (quietMs < PATIENCE_MS) return kernel.after((PATIENCE_MS - quietMs) * 1e6 + 1, late)
        if (!condition()) blame('progress', `${frontend}: ${what} does not come (the back end is in ${this.backend})`)
        end(condition())
      }
      this.#waiting.add(look)
      kernel.after((milliseconds ?? PATIENCE_MS) * 1e6, late)
    })
  }

  async says(state: number, keys: Readonly<Record<string, string>> = {}): Promise<void> {
    const { store, device: { place } } = this.parts
    // A front end that was taken away has nothing to say.
    const write = store.transaction(async (ops) => {
      for (const [key, value] of Object.entries({ ...keys, state: String(state) }))
        await ops.write(`${place.frontend}/${key}`, value)
    }, 1000)
    await write.catch(() => undefined)
  }

  /** The keys of earlier rings, whatever they were. */
  async forgetKeys(): Promise<void> {
    const { store, device: { place } } = this.parts
    for (const key of (await store.list(place.frontend).catch(() => undefined)) ?? [])
      if (/^(ring-|event-channel|queue-|multi-queue|num-ring)/.test(key)) 
        await store.remove(`${place.frontend}/${key}`).catch(() => undefined)
  }

  /** Fresh rings; with `resume` the requests that were not answered are put on them again. @returns their keys. */
  makeRings(shape: RingShape, resume = false): Record<string, string> {
    this.#connections++
    this.shape = shape
    const old = this.queues
    if (!resume) for (const { front } of old) front.forget()
    const fresh = resume ? old.length : shape.queues
    this.queues = Array.from({ length: fresh }, (_, index) =>
      this.#queue(shape, index, fresh, resume ? old[index] : undefined))
    for (const { grefs, port } of old) this.#giveUp(grefs, port)
    return this.keys(shape)
  }

  keys({ abi, order }: RingShape): Record<string, string> {
    const many = this.queues.length
    const keys: Record<string, string> = { protocol: `${abi}-abi` }
    if (order > 0) keys['ring-page-order'] = String(order)
    if (many > 1) keys['multi-queue-num-queues'] = String(many)
    this.queues.forEach(({ grefs, port }, queue) => {
      keys[queueKey(queue, many, 'event-channel')] = String(port)
      grefs.forEach((gref, page) =>
        (keys[queueKey(queue, many, order === 0 ? 'ring-ref' : `ring-ref${page}`)] = String(gref)))
    })
    return keys
  }

  /** Puts requests, now and then, until it is told to stop. */
  work(): void {
    if (this.working) return
    this.working = true
    for (let index = 0; index < this.queues.length; index++) this.#pump(this.#connections, index)
  }

  get outstanding(): number {
    return this.queues.reduce((sum, { front }) => sum + front.outstanding.size, 0)
  }

  /** Stops putting, and waits for what is owed. */
  async rest(): Promise<void> {
    this.working = false
    // One that is taken away, or made anew, answers nothing more.
    await this.until(() => this.outstanding === 0 || ![4, 5].includes(this.backend), 'the last answer')
  }

  /** Its domain is dead: nothing of it waits any more. */
  dead(): void {
    this.working = false
    for (const { front } of this.queues) front.forget()
    this.queues = []
    this.#waiting.clear()
  }

  /** The rings are taken back: whatever was not answered is forgotten. */
  dropRings(): void {
    this.working = false
    for (const { grefs, port, front } of this.queues) {
      front.forget()
      this.#giveUp(grefs, port)
    }
    this.queues = []
  }

  #giveUp(grefs: readonly number[], port: number): void {
    const { domain } = this.parts
    for (const gref of grefs) domain.ringPages.delete(gref)
    domain.ports.delete(port)
  }

  #queue({ abi, order, indirect, discards, polls }: RingShape, index: number, of: number, resumed?: Queue): Queue {
    const { domain, kernel, random, device: { model, store }, firstPage } = this.parts
    const layout = abiLayout(abi)
    const ring = new SimRing(ringEntries(2 ** order, abi), layout)
    const share = Math.floor(store.sectorsAtFirst / of)
    const place = (this.#connections % 2) * QUEUES_MAX + index
    const flushes = (request: Outstanding) => `${this.#connections}/${index}/${request.id}`
    const front = resumed?.front ?? new HonestFront(ring, domain.guest, layout, random, {
      ...SHAPE, maxIndirect: indirect, sectorCount: share, firstSector: share * index, discards,
      firstPage: firstPage + place * PAGES, contents: model.contents, stamps: model.stamp, errorsExpected: true,
      put: (request) => {
        if (promises(request)) this.#flushes.set(flushes(request), model.answered)
        if (changes(request)) model.begun(request.sector, request.sectors)
      },
      answered: (request, status) => this.#judge(request, status, flushes(request)),
    })
    front.moveTo(ring)
    const port = domain.newPort(() => kernel.after(5000 + random.below(20_000), () => this.#consume(front)))
    if (polls) this.#poll(front)
    return { ring, grefs: domain.grantRing(ring, 2 ** order), port, front }
  }

  #judge(request: Outstanding, status: number, flush: string): void {
    const { device, blame } = this.parts
    this.answered++
    const since = this.#flushes.get(flush)
    this.#flushes.delete(flush)
    if (status !== 0) {
      if (device.honest && !device.errors)
        blame('answered', `${device.place.frontend}: request ${request.id} fails (${status})`)
      return
    }
    if (since !== undefined) {
      const lost = device.model.flushed(since)
      if (lost !== undefined) blame('durable', `a flush is answered, but ${lost}`)
    }
    if (changes(request) && request.op !== BLKIF_OP_DISCARD) device.model.wrote(request.sector, request.sectors)
  }

  #consume(front: HonestFront): void {
    if (!this.parts.life.alive || !this.queues.some((queue) => queue.front === front)) return
    if (front.consume() === 0) return
    const { blame, device: { place, honest } } = this.parts
    for (const complaint of front.complaints.splice(0))
      if (honest) blame(/holds/.test(complaint) ? 'contents' : 'answered', `${place.frontend}: ${complaint}`)
    this.look()
  }

  #poll(front: HonestFront): void {
    this.parts.kernel.after(1_000_000, () => {
      if (!this.parts.life.alive || !this.queues.some((queue) => queue.front === front)) return
      this.#consume(front)
      this.#poll(front)
    })
  }

  #pump(connection: number, index: number): void {
    const { kernel, random, life, domain, paceNs } = this.parts
    kernel.after(20_000 + random.below(paceNs), () => {
      if (!life.alive || !this.working || connection !== this.#connections) return
      const { front, port } = this.queues[index]
      if (this.answered < ENOUGH && front.put(1 + random.below(4))) domain.notify(port)
      this.#pump(connection, index)
    })
  }
}

function promises({ op }: Outstanding): boolean {
  return op === BLKIF_OP_FLUSH_DISKCACHE || op === BLKIF_OP_WRITE_BARRIER
}

function changes({ op, sectors }: Outstanding): boolean {
  return op !== BLKIF_OP_READ && sectors > 0
}
