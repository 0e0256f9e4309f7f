/**
 * @packageDocumentation
 * Connecting and closing: the XenBus dance of one front end, with the undo of every step. What it holds (ring pages,
 * data pages, grants, port, watch, keys) it gives back in the opposite order, also when a later step fails.
 *
 *   1 Initialising   wait for the back end's InitWait (or later)
 *   3 Initialised    ring granted, port allocated, keys written, in one transaction with the state
 *   4 Connected      once the back end is
 *   5 Closing, 6 Closed, then the back end's Closed (or that it is gone), then everything is given back
 */
import type { Clock } from '../../ports/clock.js'
import type { BlkifAbiName } from '../../ports/host.js'
import type { XenStore } from '../../ports/xenstore.js'
import { abiLayout, ringEntries } from '../../protocol/abi.js'
import type { AbiLayout } from '../../protocol/abi.js'
import { blockSegmentsLimit } from '../../protocol/blocks.js'
import { XbbdError } from '../../protocol/errors.js'
import type { Guest, GuestPort } from '../guest/guest.js'
import * as features from './features.js'
import { FrontRing } from './front-ring.js'
import { Peer, STATE } from './peer.js'
import { RequestSlots, type GrantMode } from './slots.js'
import { Submitter } from './submitter.js'

/** What connecting needs; blkfront.ts explains the fields. */
export interface TransportOptions {
  readonly guest: Guest
  readonly store: XenStore
  readonly frontend: string
  readonly clock: Clock
  readonly abi?: BlkifAbiName
  /** What the layout is called, where it has another name than `…-abi`. */
  readonly protocol?: string
  /** Agrees to grants that stay mapped, as far as they are offered; only with `standing` ones. */
  readonly persistent?: boolean
  readonly ringPages?: number
  readonly scheme?: features.RingScheme
  readonly grants?: GrantMode
  readonly requests?: number
  readonly segments?: number
  /** Long requests in several entries of the ring, as in 2010, and not by indirect descriptors. */
  readonly inBlocks?: boolean
  readonly queues?: number
  readonly timeoutMs?: number
}

/** As many as Linux's front end takes, whatever it is offered. */
const SEGMENTS_WANTED = 32

/** One queue: its ring, the pages of its requests, and who puts them. */
export interface FrontQueue {
  readonly slots: RequestSlots
  /** Who uses the ring; whoever drives the ring himself leaves this alone. */
  readonly submitter: Submitter
  readonly ring: FrontRing
  readonly port: GuestPort
}

/** What connecting has made. */
interface TransportParts {
  readonly backend: string
  readonly peer: Peer
  readonly queues: readonly FrontQueue[]
  readonly layout: AbiLayout
  readonly pages: number
}

/** What is held, to be given back newest first. */
class Undo {
  /** The dance has come to its end; what follows is an orderly close. */
  done = false
  listener: (state: number) => void = () => undefined
  readonly #steps: (() => void | Promise<void>)[] = []

  push(step: () => void | Promise<void>): void {
    this.#steps.push(step)
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      const current = step
      // A step that fails has lost its other side (store or host): what it would give back is gone with that.
      await Promise.resolve()
        .then(() => current())
        .catch(() => undefined)
    }
  }
}

const over = (state: number) => state === STATE.Closed || state === STATE.Unknown

export class Transport {
  readonly backend: string
  readonly peer: Peer
  readonly queues: readonly FrontQueue[]
  readonly layout: AbiLayout
  /** Ring pages of each queue. */
  readonly pages: number
  readonly #options: TransportOptions
  readonly #undo: Undo

  constructor(parts: TransportParts, options: TransportOptions, undo: Undo) {
    this.backend = parts.backend
    this.peer = parts.peer
    this.queues = parts.queues
    this.layout = parts.layout
    this.pages = parts.pages
    this.#options = options
    this.#undo = undo
  }

  /** For whoever has but one queue. */
  get slots(): RequestSlots {
    return this.queues[0].slots
  }
  get ring(): FrontRing {
    return this.queues[0].ring
  }
  get port(): GuestPort {
    return this.queues[0].port
  }

  /** From now on `changed` hears of the back end's state. */
  onPeer(changed: (state: number) => void): void {
    this.#undo.listener = changed
  }

  /** Tells the back end that we want to close; it stops taking requests, and answers those it has. */
  async announceClosing(): Promise<void> {
    await this.#options.store.write(`${this.#options.frontend}/state`, String(STATE.Closing)).catch(() => undefined)
  }

  /** Closed on both sides, then everything is given back. Resolves even if the back end never follows. */
  close(): Promise<void> {
    return this.#undo.run()
  }
}

/** States 5 and 6, each followed by the back end if it still follows anything. */
async function farewell(peer: Peer, { store, frontend, clock }: TransportOptions, timeoutMs: number): Promise<void> {
  await store.write(`${frontend}/state`, String(STATE.Closing)).catch(() => undefined)
  await peer.until((state) => state === STATE.Closing || over(state), clock, timeoutMs)
  await store.write(`${frontend}/state`, String(STATE.Closed)).catch(() => undefined)
  await peer.until(over, clock, timeoutMs)
}

/** Runs the dance up to Connected. Rejects with an {@link XbbdError}, with everything given back. */
export async function openTransport(
  options: TransportOptions,
): Promise<{ transport: Transport; disk: features.DiskOffer }> {
  const undo = new Undo()
  try {
    return await dance(options, undo)
  } catch (error) {
    await undo.run()
    throw error
  }
}

async function dance(options: TransportOptions, undo: Undo) {
  const { store, frontend, clock, guest, timeoutMs = 30_000, abi = 'x86_64' } = options
  const backend = await store.read(`${frontend}/backend`)
  const backendId = await features.readNumber(store, `${frontend}/backend-id`, -1)
  if (!backend || backendId < 0)
    throw new XbbdError('XBBD_NO_DISK', `there is no disk at ${frontend}: attach one first`, { exitCode: 66 })
  const handle = (await features.readNumber(store, `${frontend}/virtual-device`, 0)) & 0xffff
  await store.write(`${frontend}/state`, String(STATE.Initialising))
  const peer = await Peer.watch(store, backend, (state) => undo.listener(state))
  undo.push(() => peer.close())
  // A back end that is Closed here is only at the end of an earlier connection: our Initialising opens it anew.
  const ready = (state: number) => state >= STATE.InitWait && state <= STATE.Connected
  await reached(peer, 'InitWait', await peer.until(ready, clock, timeoutMs), ready, timeoutMs)

  const offer = await features.readTransportOffer(store, backend)
  const scheme = options.scheme ?? 'ring-page-order'
  const pages = features.choosePages(offer, scheme, options.ringPages ?? features.MAX_RING_PAGES)
  const count = Math.max(1, Math.min(offer.maxQueues, options.queues ?? 1))
  const made: (FrontQueue & { readonly grefs: readonly number[] })[] = []
  for (let left = count; left > 0; left--) {
    const share = { ...offer, maxQueues: left }
    made.push(await allocate(guest, backendId, pages, abi, handle, share, options, undo))
  }
  undo.push(() => removeKeys(store, frontend))
  const named = made.map(({ grefs, port }) => ({ grefs, port: port.port }))
  const wishes = {
    blockSegments: options.inBlocks === true ? made[0].slots.segments : 0,
    persistent: options.persistent === true && offer.persistent,
    protocol: options.protocol,
  }
  await store.transaction(async (ops) => {
    for (const [key, value] of features.transportKeys(scheme, named, abi, wishes))
      await ops.write(`${frontend}/${key}`, value)
    await ops.write(`${frontend}/state`, String(STATE.Initialised))
  })
  // From here on the back end may have our pages mapped: it must let go first. One that never came is not waited for.
  undo.push(() => farewell(peer, options, peer.state === STATE.Connected || undo.done ? timeoutMs : 2000))
  const connected = (state: number) => state === STATE.Connected
  const ended = (state: number) => state === STATE.Closing || over(state)
  const state = await peer.until((now) => connected(now) || ended(now), clock, timeoutMs)
  await reached(peer, 'Connected', state, connected, timeoutMs)
  const disk = await features.readDiskOffer(store, backend)
  if (!disk) throw new XbbdError('XBBD_NO_DISK', `the back end at ${backend} is connected but offers no disk`)
  await store.write(`${frontend}/state`, String(STATE.Connected))
  undo.done = true
  const parts = { backend, peer, queues: made, layout: abiLayout(abi), pages }
  return { transport: new Transport(parts, options, undo), disk }
}

/** Ring, data pages, grants and the port of one queue; `offer.maxQueues` are to be made yet, this one included. */
async function allocate(
  guest: Guest, backendId: number, pages: number, abi: BlkifAbiName, handle: number,
  offer: features.TransportOffer, options: TransportOptions, undo: Undo,
) {
  const layout = abiLayout(abi)
  const entries = ringEntries(pages, abi)
  const run = guest.memory.allocate(pages)
  const firstGref = guest.grants.claim(pages)
  guest.grants.grantRun(firstGref, backendId, run)
  undo.push(() => {
    if (guest.grants.end(firstGref, pages) === 0) guest.memory.release(run)
  })
  const ring = new FrontRing(run.words, entries, layout)
  const count = Math.min(options.requests ?? entries, entries)
  const { inBlocks = false, segments: wanted = SEGMENTS_WANTED } = options
  const most = inBlocks ? Math.min(wanted, blockSegmentsLimit(layout)) : wanted
  const segments = features.chooseSegments(offer, guest, count * offer.maxQueues, most, inBlocks)
  const slots = new RequestSlots(guest, backendId, count, options.grants ?? 'standing', segments)
  undo.push(() => slots.close())
  const port = await guest.allocatePort(backendId)
  undo.push(() => port.close())
  const grefs = Array.from({ length: pages }, (_, page) => firstGref + page)
  return { slots, port, grefs, ring, submitter: new Submitter(ring, slots, layout, handle, inBlocks) }
}

/** A back end that closes instead, or does nothing in time, is an error with its own words. */
async function reached(
  peer: Peer, name: string, state: number | undefined, wanted: (state: number) => boolean, timeoutMs: number,
): Promise<void> {
  if (state !== undefined && wanted(state)) return
  const what = state === undefined ? `has not reached ${name} within ${timeoutMs / 1000} s` : 'closed the disk'
  const sentence = `the back end ${what} (its state is ${peer.state}): ${await peer.complaint()}`
  throw new XbbdError('XBBD_BACKEND', sentence, { exitCode: 69 })
}

async function removeKeys(store: XenStore, frontend: string): Promise<void> {
  for (const key of features.TRANSPORT_KEYS) await store.remove(`${frontend}/${key}`)
}
