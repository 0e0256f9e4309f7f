/**
 * @packageDocumentation
 * A guest that only loads: a domain of the pocket host with one ring, its event channel and pages for every slot of a
 * fixed depth, driven by native/front-load.cc. No XenStore, no negotiation: for benchmarks that want to know what a
 * plane can do, and therefore need a front end that costs next to nothing.
 *
 *   createDomain ─► memory: [ ring pages ][ data pages: slot 0, slot 1 … ][ descriptors: a page for each slot ]
 *                   grefs: in the same order
 *
 * `run` blocks its thread until it is done, so it belongs into a process of its own. What must never happen: a plan
 * that is changed while requests of the last one are in flight; native code refuses that.
 */
import { loadAddon } from '../io/native/load.js'
import { closeDescriptor, map, unmap, view } from '../io/native/owners.js'
import { BLKIF_MAX_SEGMENTS_PER_REQUEST, PAGE_BYTES, SECTORS_PER_PAGE } from '../protocol/blkif.js'
import { XbbdError } from '../protocol/errors.js'
import { encodeDescriptors } from '../protocol/indirect.js'
import { GRANT_WORDS, GrantTable } from './guest/grant-table.js'
import { GuestGrants, GuestMemory } from './guest/guest.js'
import type { HostOutcome } from './host/wire.js'
import { HypervisorClient } from './hypervisor-client.js'

interface FrontLoadAddon {
  frontLoadOpen(memory: number, offset: number, pages: number, tell: number, hear: number): number
  frontLoadPlan(id: number, plan: Int32Array, grefs: Int32Array): void
  frontLoadRun(id: number, milliseconds: number, requests: number, sleep: boolean, out: Float64Array): void
  frontLoadStep(id: number, more: boolean): number
  frontLoadEcho(id: number, milliseconds: number): number
  frontLoadClose(id: number): void
  threadCpuNs(): number
}

const addon = loadAddon<FrontLoadAddon>()

/** CPU time of the calling thread so far, nanoseconds. */
export const threadCpuNs: () => number = addon.threadCpuNs

/** What every request of a run is. `op`: BLKIF_OP_READ, WRITE, FLUSH_DISKCACHE or DISCARD; these two have no data. */
export interface LoadPlan {
  /** Requests in flight; at most the ring's entries. */
  readonly depth: number
  readonly op: number
  /** Segments of one page each, 1 to 11, up to 512 by indirect descriptors; 0 for operations without data. */
  readonly segments: number
  /** Size of the disk, or of the part of it that is used, in sectors of 512 bytes. */
  readonly sectors: number
  readonly random: boolean
  readonly seed: number
}

/** How long to run: until the time is over or so many requests are put; 0 = no such end. */
export interface LoadRun {
  readonly milliseconds: number
  readonly requests?: number
  /** Sleep on the event channel instead of polling the ring. */
  readonly sleep?: boolean
}

/** What a run came to. Times in nanoseconds; `cpuNs` is the front end's own thread. */
export interface LoadResult {
  readonly requests: number
  /** Answers that were not OKAY. */
  readonly errors: number
  /** Answers that fit no request, or none at all for ten seconds: the run ended there. */
  readonly lies: number
  readonly wallNs: number
  readonly cpuNs: number
  readonly p50Ns: number
  readonly p99Ns: number
  /** Groups of answers that were found together. */
  readonly batches: number
  readonly sleeps: number
  readonly notifications: number
}

export interface FrontLoadOptions {
  /** The host's directory. */
  readonly dir: string
  /** A power of two, 1 to 16. */
  readonly ringPages: number
  /** Most requests in flight, and most segments of each, of any plan. */
  readonly depth: number
  readonly segments: number
}

/** What a back end must be told, as XenStore would tell it. */
export interface FrontLoadAddress {
  readonly domid: number
  readonly grefs: readonly number[]
  readonly port: number
}

function granted(outcome: HostOutcome) {
  if (outcome.ok) return outcome
  throw new XbbdError(outcome.code, outcome.sentence, { exitCode: 69 })
}

/** A page of descriptors for every slot. */
interface DescriptorPages {
  readonly grefs: Int32Array
  readonly words: Int32Array
}

export class FrontLoad {
  readonly address: FrontLoadAddress
  readonly #client: HypervisorClient
  readonly #dataGrefs: Int32Array
  /** Of every slot: the page of its descriptors, and what grants it; none where all segments stand in entries. */
  readonly #descriptors: DescriptorPages
  readonly #mappings: readonly number[]
  readonly #eventfds: readonly number[]
  readonly #id: number

  private constructor(
    client: HypervisorClient, address: FrontLoadAddress, dataGrefs: Int32Array,
    descriptors: DescriptorPages, mappings: readonly number[], eventfds: readonly number[], ringPages: number,
  ) {
    this.#client = client
    this.address = address
    this.#dataGrefs = dataGrefs
    this.#descriptors = descriptors
    this.#mappings = mappings
    this.#eventfds = eventfds
    const [hear, tell] = eventfds
    this.#id = addon.frontLoadOpen(mappings[0], 0, ringPages, tell, hear)
  }

  /** Creates the domain. Rejects with an {@link XbbdError}. */
  static async create({ dir, ringPages, depth, segments }: FrontLoadOptions): Promise<FrontLoad> {
    const client = HypervisorClient.connect(dir)
    const described = segments > BLKIF_MAX_SEGMENTS_PER_REQUEST ? depth : 0
    const pages = ringPages + depth * segments + described
    const grantEntries = pages + 512
    const { answer, handles } = granted(await client.ask({ op: 'createDomain', name: 'load', pages, grantEntries }))
    const mappings = [
      map(handles[0], pages * PAGE_BYTES, 0, true),
      map(handles[1], grantEntries * GRANT_WORDS * 4, 0, true),
    ]
    handles.forEach(closeDescriptor)
    // The allocator hands out pages from the beginning: the ring lies at frame 0.
    const memory = new GuestMemory(new Uint8Array(view(mappings[0])))
    const grants = new GuestGrants(new GrantTable(new Int32Array(view(mappings[1]))))
    const ring = memory.allocate(ringPages)
    ring.words[1] = ring.words[3] = 1
    const first = grants.claim(pages)
    for (let page = 0; page < pages; page++) grants.table.grant(first + page, 0, page, false)
    const channel = granted(await client.ask({ op: 'allocatePort', remoteDomid: 0 }))
    const address = {
      domid: answer.domid ?? 0,
      grefs: Array.from({ length: ringPages }, (_, page) => first + page),
      port: channel.answer.port ?? 0,
    }
    const from = (page: number, length: number) => Int32Array.from({ length }, (_, index) => first + page + index)
    const dataGrefs = from(ringPages, depth * segments)
    const behind = ringPages + depth * segments
    const words = new Int32Array(view(mappings[0]), behind * PAGE_BYTES, (described * PAGE_BYTES) / 4)
    const descriptors = { grefs: from(behind, described), words }
    return new FrontLoad(client, address, dataGrefs, descriptors, mappings, channel.handles, ringPages)
  }

  /** From the next run or step on. Throws EBUSY while requests are in flight, EINVAL when it does not fit. */
  plan({ depth, op, segments, sectors, random, seed }: LoadPlan): void {
    const indirect = segments > BLKIF_MAX_SEGMENTS_PER_REQUEST
    if (indirect) this.#describe(depth, segments)
    const grefs = indirect ? this.#descriptors.grefs : this.#dataGrefs
    addon.frontLoadPlan(this.#id, Int32Array.of(depth, op, segments, sectors, Number(random), seed), grefs)
  }

  /** Whole pages, in the order of the slots; they stay as they are for every request of the plan. */
  #describe(depth: number, segments: number): void {
    const { words } = this.#descriptors
    const whole = (slot: number, index: number) =>
      ({ gref: this.#dataGrefs[slot * segments + index], firstSect: 0, lastSect: SECTORS_PER_PAGE - 1 })
    for (let slot = 0; slot < depth; slot++) {
      const described = Array.from({ length: segments }, (_, index) => whole(slot, index))
      encodeDescriptors(described, words, (slot * PAGE_BYTES) / 4)
    }
  }

  /** Blocks until done; every request put has been answered, unless `lies` says otherwise. */
  run({ milliseconds, requests = 0, sleep = false }: LoadRun): LoadResult {
    const out = new Float64Array(10)
    addon.frontLoadRun(this.#id, milliseconds, requests, sleep, out)
    const [count, errors, lies, wallNs, cpuNs, p50Ns, p99Ns, batches, sleeps, notifications] = out
    return { requests: count, errors, lies, wallNs, cpuNs, p50Ns, p99Ns, batches, sleeps, notifications }
  }

  /** Takes what was answered, puts it again if `more`. @returns answers taken, -1 when one was wrong. */
  step(more: boolean): number {
    return addon.frontLoadStep(this.#id, more)
  }

  /** The domain is destroyed. */
  close(): void {
    addon.frontLoadClose(this.#id)
    this.#client.close()
    this.#eventfds.forEach(closeDescriptor)
    this.#mappings.forEach(unmap)
  }
}

/**
 * A back end that answers at once, on the ring mapped by `ringHandle`: the ceiling of a front end. Blocks until nothing
 * has come for `idleMs`. @returns how many it answered, -1 when the producer lied.
 */
export function echo(ringHandle: number, ringPages: number, idleMs: number): number {
  const id = addon.frontLoadOpen(ringHandle, 0, ringPages, 0, 0)
  try {
    return addon.frontLoadEcho(id, idleMs)
  } finally {
    addon.frontLoadClose(id)
  }
}

/** {@link echo} for a front end on the same thread: answers what waits now. */
export class EchoStep {
  readonly #id: number

  constructor(ringHandle: number, ringPages: number) {
    this.#id = addon.frontLoadOpen(ringHandle, 0, ringPages, 0, 0)
  }

  /** @returns how many were answered. */
  answer(): number {
    return addon.frontLoadEcho(this.#id, 0)
  }

  close(): void {
    addon.frontLoadClose(this.#id)
  }
}
