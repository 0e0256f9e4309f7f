/**
 * @packageDocumentation
 * One process' view of the hypervisor: the Host that its supervisor's thread asks, and the DataPath that its Workers
 * use. Everything held is in a book of its own, which the kernel closes when the process is dead.
 *
 * It also watches: a ring is mapped once, nothing is unmapped under a queue that borrows it, and nothing is given back
 * twice. What a domain granted is looked up page by page: references that make no ring together are a page of junk, as
 * on a real machine.
 */
import type { BackRing, BufferArena, EventPort, GrantCopier } from '../../ports/data-path.js'
import type {
  ChannelPlan, DataPath, GrantMode, GrantPlan, Host, HostFailure, RingLook, RingPlan, RingRequest,
} from '../../ports/host.js'
import { abiLayout, ringEntries } from '../../protocol/abi.js'
import { SimRing } from '../sim-ring.js'
import type { Random } from '../random.js'
import { BoundEnd, type Hypervisor, type SimDomain } from './hypervisor.js'
import type { Blame } from './laws.js'
import { never, type Life } from './life.js'

/** Something held, and how many queues borrow it. */
interface Held<Thing> {
  readonly thing: Thing
  readonly domid: number
  borrowed: number
}

export interface SimHostParts {
  readonly hypervisor: Hypervisor
  readonly life: Life
  readonly random: Random
  /** Probability that a step fails for want of memory. */
  readonly failShare: number
  readonly blame: Blame
}

const STEP_NS = 30_000

export class SimHost implements Host {
  readonly world = 'sim'
  readonly #parts: SimHostParts
  readonly #rings = new Map<number, Held<{ readonly ring: SimRing; readonly grefs: readonly number[] }>>()
  readonly #channels = new Map<number, Held<BoundEnd>>()
  readonly #grants = new Map<number, Held<SimDomain | undefined>>()
  readonly #until = new Map<number, number>()
  #next = 1

  constructor(parts: SimHostParts) {
    this.#parts = parts
  }

  async mapRing({ domid, grefs, abi }: RingRequest): Promise<{ ok: true; plan: RingPlan } | HostFailure> {
    const failed = await this.#step('mapRing')
    if (failed) return failed
    const domain = this.#parts.hypervisor.domains.get(domid)
    if (domain === undefined) return { ok: false, code: 'ENOENT', sentence: `domain ${domid} is gone` }
    const missing = grefs.find((gref) => !domain.ringPages.has(gref) && !domain.guest.granted(gref))
    if (missing !== undefined)
      return { ok: false, code: 'EINVAL', sentence: `page ${missing} of domain ${domid} cannot be mapped` }
    for (const { thing, domid: owner } of this.#rings.values())
      if (owner === domid && thing.grefs.some((gref) => grefs.includes(gref)))
        this.#parts.blame('released', `ring page ${grefs[0]} of domain ${domid} is mapped twice`)
    const ring = this.#ringOf(domain, grefs) ?? this.#junk(ringEntries(grefs.length, abi), abi)
    const ringHandle = this.#next++
    this.#rings.set(ringHandle, { thing: { ring, grefs }, domid, borrowed: 0 })
    this.#parts.life.did('mapRing')
    return { ok: true, plan: { world: 'embedded', domid, abi, pages: grefs.length, ringHandle } }
  }

  unmapRing({ ringHandle }: RingPlan): Promise<void> {
    return this.#giveBack('unmapRing', this.#rings, ringHandle)
  }

  async bindChannel(domid: number, port: number): Promise<{ ok: true; plan: ChannelPlan } | HostFailure> {
    const failed = await this.#step('bindChannel')
    if (failed) return failed
    const { hypervisor, life } = this.#parts
    const guestPort = hypervisor.domains.get(domid)?.ports.get(port)
    if (guestPort === undefined || guestPort.bound !== undefined)
      return { ok: false, code: 'EINVAL', sentence: `port ${port} of domain ${domid} cannot be bound` }
    const end = new BoundEnd(hypervisor.kernel, life, guestPort)
    guestPort.bound = end
    const handle = this.#next++
    this.#channels.set(handle, { thing: end, domid, borrowed: 0 })
    life.did('bindChannel')
    return { ok: true, plan: { world: 'embedded', domid, port, eventHandle: handle, notifyHandle: handle } }
  }

  async unbindChannel({ eventHandle }: ChannelPlan): Promise<void> {
    const end = this.#channels.get(eventHandle)?.thing
    await this.#giveBack('unbindChannel', this.#channels, eventHandle)
    if (end) unbind(end)
  }

  async openGrants(domid: number, mode: GrantMode): Promise<{ ok: true; plan: GrantPlan } | HostFailure> {
    const failed = await this.#step('openGrants')
    if (failed) return failed
    const handle = this.#next++
    this.#grants.set(handle, { thing: this.#parts.hypervisor.domains.get(domid), domid, borrowed: 0 })
    this.#parts.life.did('openGrants')
    return { ok: true, plan: { world: 'embedded', domid, mode, memoryHandle: handle, tableHandle: 0 } }
  }

  closeGrants({ memoryHandle }: GrantPlan): Promise<void> {
    return this.#giveBack('closeGrants', this.#grants, memoryHandle)
  }

  rings(): readonly RingLook[] {
    return []
  }

  held(): { readonly rings: number; readonly channels: number; readonly grants: number } {
    return { rings: this.#rings.size, channels: this.#channels.size, grants: this.#grants.size }
  }

  /** Whether anything of this domain is held. */
  holdsOf(domid: number): boolean {
    return [this.#rings, this.#channels, this.#grants].some((book) =>
      [...book.values()].some((held) => held.domid === domid))
  }

  /** When something of this domain was given back last. */
  heldUntilNs(domid: number): number {
    return this.#until.get(domid) ?? 0
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** The process is dead: the kernel unmaps and unbinds. */
  died(): void {
    for (const { thing } of this.#channels.values()) unbind(thing)
    this.#channels.clear()
    this.#rings.clear()
    this.#grants.clear()
  }

  /** What one Worker of this process borrows; it is dead when `life` says so. */
  dataPath(life: Life): DataPath {
    return {
      openRing: ({ ringHandle }) =>
        this.#borrow(this.#rings, ringHandle, ({ ring }, back) => guardRing(ring, life, back)),
      openGrants: ({ memoryHandle }, arena) =>
        this.#borrow(this.#grants, memoryHandle, (domain, back) => guardCopier(domain, arena, life, back)),
      openChannel: ({ eventHandle }) =>
        this.#borrow(this.#channels, eventHandle, (end, back) => guardChannel(end, life, back)),
    }
  }

  /** A Worker is dead: what it borrowed is not borrowed any more. */
  returnAll(): void {
    for (const book of [this.#rings, this.#channels, this.#grants]) for (const held of book.values()) held.borrowed = 0
  }

  #borrow<Thing, Port>(
    book: Map<number, Held<Thing>>, handle: number, open: (thing: Thing, back: () => void) => Port,
  ): Port {
    const held = book.get(handle)
    if (held === undefined) throw new Error(`handle ${handle} is not held`)
    held.borrowed++
    return open(held.thing, () => void held.borrowed--)
  }

  async #step(what: string): Promise<HostFailure | undefined> {
    const { life, random, failShare, hypervisor } = this.#parts
    if (!life.acts(what)) return never()
    await hypervisor.kernel.pause((STEP_NS * (1 + random.below(4))) / 1e6)
    if (!life.alive) return never()
    return random.chance(failShare) ? { ok: false, code: 'ENOMEM', sentence: 'no memory is left' } : undefined
  }

  async #giveBack<Thing>(what: string, book: Map<number, Held<Thing>>, handle: number): Promise<void> {
    const { life, hypervisor, blame } = this.#parts
    if (!life.acts(what)) return never()
    await hypervisor.kernel.pause(STEP_NS / 1e6)
    if (!life.alive) return never()
    const held = book.get(handle)
    if (held === undefined) blame('released', `${what} of what is not held`)
    else if (held.borrowed > 0) blame('released', `${what} under a queue that borrows it`)
    book.delete(handle)
    if (held) this.#until.set(held.domid, hypervisor.kernel.nowNs)
    life.did(what)
  }

  #ringOf({ ringPages }: SimDomain, grefs: readonly number[]): SimRing | undefined {
    const pages = grefs.map((gref) => ringPages.get(gref))
    const ring = pages[0]?.ring
    const whole = pages.every((page, index) => page?.ring === ring && page?.page === index)
    return whole && pages[0]?.pages === grefs.length ? ring : undefined
  }

  /** Pages that are no ring: what stands in them means nothing. */
  #junk(entries: number, abi: RingRequest['abi']): SimRing {
    const { random } = this.#parts
    const ring = new SimRing(entries, abiLayout(abi))
    for (let word = 0; word < ring.shared.length; word++) ring.shared[word] = random.next()
    ring.sharedReqProd = random.chance(0.5) ? random.below(entries) : random.next() | 0
    ring.sharedRspProd = random.chance(0.5) ? 0 : random.next() | 0
    return ring
  }
}

function unbind(end: BoundEnd): void {
  end.closed = true
  end.port.bound = undefined
}

/** Through it a dead Worker reads an empty ring and writes nothing. */
function guardRing(ring: SimRing, life: Life, back: () => void): BackRing {
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
    take: (reqCons, rspProd, max) => (life.alive ? ring.take(reqCons, rspProd, max) : 0),
    peek: (reqCons) => (life.alive ? ring.peek(reqCons) : 0),
    answer: (answers, count, rspProd) => {
      if (!life.acts('answer')) return false
      const notify = ring.answer(answers, count, rspProd)
      life.did('answer')
      return notify
    },
    write: (answers, count, rspProd) => {
      if (life.alive) ring.writeAnswers(answers, count, rspProd)
    },
    arm: (reqCons) => life.alive && ring.arm(reqCons),
    published: () => ring.published(),
    close: back,
  }
}

function guardCopier(domain: SimDomain | undefined, arena: BufferArena, life: Life, back: () => void): GrantCopier {
  const copier = domain?.guest.copier(arena)
  return {
    copy: (copies, count) => {
      if (!life.acts('copy')) return 0
      if (copier) return copier.copy(copies, count)
      for (let index = 0; index < count; index++) copies[index * 4 + 3] = -3
      return count
    },
    close: back,
  }
}

function guardChannel(end: BoundEnd, life: Life, back: () => void): EventPort {
  return {
    notify: () => {
      if (!life.acts('notify')) return
      end.port.onEvent()
      life.did('notify')
    },
    onNotified: (listener) => end.listen(() => life.alive && listener()),
    unmask: () => end.unmask(),
    close: () => {
      end.listen(undefined)
      back()
    },
  }
}
