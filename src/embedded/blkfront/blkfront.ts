/**
 * @packageDocumentation
 * A front end: what xen-blkfront is to a Linux guest, as a library. It negotiates with any back end, keeps a ring of
 * 1 to 16 pages full, checks every answer, and closes as the protocol asks. It implements {@link BlockDevice}, so the
 * NBD server or the verifying load can sit on it.
 *
 *   connect   wait for InitWait · read offers · ring, grants, port · keys and state 3 · wait for Connected · state 4
 *   run       calls ► Submitter ► ring ► notify        eventfd ► answers ► promises
 *   close     wait for what is in flight · states 5 and 6 · wait for Closed · take everything back
 *
 * It has no time-outs on I/O: a back end that pauses, parks or restarts is waited for. One that closes first is
 * followed: new calls are refused, what is in flight is awaited while it still answers.
 */
import * as blkif from '../../protocol/blkif.js'
import { XbbdError } from '../../protocol/errors.js'
import type { BlockDevice } from '../block-device.js'
import { type DiskOffer, readDiskOffer } from './features.js'
import { STATE } from './peer.js'
import { DIRECT_BYTES } from './slots.js'
import { JOB_BROKEN, JOB_CLOSED, type BlkfrontCounters, type Job } from './submitter.js'
import { openTransport, type FrontQueue, type Transport, type TransportOptions } from './transport.js'

/**
 * `frontend` is the directory that the toolstack made, `/local/domain/5/device/vbd/51712`. Defaults: `abi` x86_64,
 * `ringPages` 16 (as far as the back end offers them), `scheme` ring-page-order, `grants` standing, `requests` the
 * ring's entries, `segments` 32 (as Linux; as far as the back end and the guest's memory go), `inBlocks` false,
 * `queues` 1, `timeoutMs` 30 000 for each step of connecting and closing. With several queues calls go to them in
 * turn; a barrier then orders its own queue alone.
 */
export interface BlkfrontOptions extends TransportOptions {
  /** Look for answers in every turn of the event loop while any are due, instead of sleeping until notified. */
  readonly poll?: boolean
  /** The back end closes, has broken the protocol, or the disk has another size. */
  readonly onEvent?: (event: BlkfrontEvent) => void
}

export type BlkfrontEvent =
  | { readonly kind: 'backend-closing' }
  | { readonly kind: 'broken'; readonly sentence: string }
  | { readonly kind: 'resized'; readonly sizeBytes: number }

const failure = (code: string, sentence: string) => new XbbdError(code, sentence, { exitCode: 74 })

export class Blkfront implements BlockDevice {
  readonly #options: BlkfrontOptions
  readonly #transport: Transport
  #disk: DiskOffer
  #scheduled = false
  #polling = false
  #closing = false
  #told = false
  /** Whose turn it is. */
  #turn = 0
  #ended: Promise<void> | undefined
  /** Called when close() should look again whether anything is in flight. */
  #stirred: () => void = () => undefined

  private constructor(options: BlkfrontOptions, transport: Transport, disk: DiskOffer) {
    this.#options = options
    this.#transport = transport
    this.#disk = disk
    for (const queue of transport.queues) queue.port.onNotified(() => this.#notified(queue))
    transport.onPeer((state) => this.#peerChanged(state))
  }

  /** Negotiates. Rejects with an {@link XbbdError} when the back end closes, is missing or offers no disk. */
  static async connect(options: BlkfrontOptions): Promise<Blkfront> {
    const { transport, disk } = await openTransport(options)
    const front = new Blkfront(options, transport, disk)
    // What changed while nobody listened is seen now.
    front.#peerChanged(transport.peer.state)
    return front
  }

  get sizeBytes(): number {
    return this.#disk.sectorCount * blkif.SECTOR_BYTES
  }
  get sectorSize(): number {
    return this.#disk.sectorSize
  }
  get readOnly(): boolean {
    return this.#disk.readOnly
  }
  get canFlush(): boolean {
    return this.#disk.flush || this.#disk.barrier
  }
  get canTrim(): boolean {
    return this.#disk.discard
  }
  /** What the back end offers; an operation that it refused is taken out. */
  get disk(): DiskOffer {
    return this.#disk
  }
  /** Over all queues. */
  get counters(): Readonly<BlkfrontCounters> {
    const all = this.#transport.queues.map(({ submitter }) => submitter.counters)
    const names = Object.keys(all[0]) as (keyof BlkfrontCounters)[]
    const sums = names.map((name) => [name, all.reduce((sum, counters) => sum + counters[name], 0)] as const)
    return Object.fromEntries(sums) as unknown as BlkfrontCounters
  }
  get queues(): number {
    return this.#transport.queues.length
  }
  get ringPages(): number {
    return this.#transport.pages
  }
  /** The most segments of one read or write: more than eleven go by indirect descriptors, or in blocks. */
  get segments(): number {
    return this.#transport.slots.segments
  }
  /** The most requests that can be in flight. */
  get depth(): number {
    return this.#transport.queues.reduce((sum, { slots }) => sum + slots.count, 0)
  }
  get inFlight(): number {
    return this.#transport.queues.reduce((sum, { submitter }) => sum + submitter.inFlight, 0)
  }
  /** Pages that the back end had still mapped when it had answered ('revoking'), or when it had closed. */
  get grantsHeldTooLong(): number {
    return this.#transport.queues.reduce((sum, { slots }) => sum + slots.heldTooLong, 0)
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    await this.#job(blkif.BLKIF_OP_READ, offset, length, buffer)
    return buffer
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    return this.#job(blkif.BLKIF_OP_WRITE, offset, data.length, data)
  }

  /** FLUSH_DISKCACHE where it is offered, else a barrier without data, else nothing: the disk has no cache. */
  flush(): Promise<void> {
    if (this.#disk.flush) return this.#job(blkif.BLKIF_OP_FLUSH_DISKCACHE, 0, 0, undefined)
    return this.#disk.barrier ? this.barrier() : Promise.resolve()
  }

  /** A write that nothing overtakes, or with no data the barrier alone; at most one request's worth of data. */
  barrier(offset = 0, data?: Uint8Array): Promise<void> {
    return this.#single(blkif.BLKIF_OP_WRITE_BARRIER, offset, data)
  }

  /** A flush that carries data: makes durable what was answered before, then writes. */
  flushWith(offset: number, data: Uint8Array): Promise<void> {
    return this.#single(blkif.BLKIF_OP_FLUSH_DISKCACHE, offset, data)
  }

  /** Shrinks the range to whole extents of the disk; nothing is sent when none is left. */
  trim(offset: number, length: number): Promise<void> {
    const { discardGranularity: granularity, discardAlignment: alignment } = this.#disk
    const from = Math.ceil((offset - alignment) / granularity) * granularity + alignment
    const to = Math.floor((offset + length - alignment) / granularity) * granularity + alignment
    return to <= from ? Promise.resolve() : this.#job(blkif.BLKIF_OP_DISCARD, from, to - from, undefined)
  }

  /** Waits for what is in flight, closes, takes everything back. Idempotent. */
  close(): Promise<void> {
    this.#ended ??= this.#close()
    return this.#ended
  }

  /** One sentence, once the back end has broken the protocol on any queue. */
  get #broken(): string | undefined {
    return this.#transport.queues.find(({ submitter }) => submitter.broken !== undefined)?.submitter.broken
  }

  #single(op: number, offset: number, data: Uint8Array | undefined): Promise<void> {
    const most = this.#options.inBlocks === true ? this.#transport.slots.requestBytes : DIRECT_BYTES
    if ((data?.length ?? 0) > most)
      return Promise.reject(failure('EINVAL', `a ${blkif.opName(op)} carries at most ${most} bytes`))
    return this.#job(op, offset, data?.length ?? 0, data)
  }

  #job(op: number, offset: number, length: number, buffer: Uint8Array | undefined): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(failure('EIO', this.#broken))
    if (this.#closing) return Promise.reject(failure('ESHUTDOWN', 'the disk is closing'))
    if (length === 0 && buffer) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const job: Job = {
        op, sector: offset / blkif.SECTOR_BYTES, sectors: length / blkif.SECTOR_BYTES, buffer,
        started: 0, bare: false, outstanding: 0, status: blkif.BLKIF_RSP_OKAY,
        settle: (status) => (status === blkif.BLKIF_RSP_OKAY ? resolve() : reject(this.#failed(op, status))),
      }
      const { queues } = this.#transport
      const { submitter } = queues[this.#turn++ % queues.length]
      if (!submitter.accept(job)) return reject(failure('EAGAIN', 'too many calls wait for the disk'))
      this.#schedule()
    })
  }

  #failed(op: number, status: number): XbbdError {
    if (status === JOB_BROKEN) return failure('EIO', this.#broken ?? 'the back end is broken')
    if (status === JOB_CLOSED) return failure('ESHUTDOWN', 'the back end has closed the disk')
    if (status !== blkif.BLKIF_RSP_EOPNOTSUPP)
      return failure('EIO', `the back end answered a ${blkif.opName(op)} with an error`)
    // As Linux does: what was refused once is not asked for again.
    if (op === blkif.BLKIF_OP_FLUSH_DISKCACHE) this.#disk = { ...this.#disk, flush: false }
    if (op === blkif.BLKIF_OP_WRITE_BARRIER) this.#disk = { ...this.#disk, barrier: false }
    if (op === blkif.BLKIF_OP_DISCARD) this.#disk = { ...this.#disk, discard: false }
    return failure('ENOTSUP', `the back end does not support ${blkif.opName(op)}`)
  }

  /** Everything that is asked for in one tick is published together. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#submit()
    })
  }

  #submit(): void {
    if (this.#broken !== undefined) return
    for (const { submitter, port } of this.#transport.queues) if (submitter.submit()) port.notify()
    if (this.#options.poll === true && this.inFlight > 0) this.#poll()
  }

  #poll(): void {
    if (this.#polling) return
    this.#polling = true
    setImmediate(() => {
      this.#polling = false
      this.#collect()
      this.#submit()
    })
  }

  #notified({ submitter }: FrontQueue): void {
    submitter.counters.wakeUps++
    do this.#collect()
    while (submitter.broken === undefined && submitter.arm())
    this.#submit()
  }

  #collect(): void {
    for (const { submitter } of this.#transport.queues) submitter.complete()
    const broken = this.#broken
    if (broken !== undefined && !this.#told) {
      this.#told = true
      this.#options.onEvent?.({ kind: 'broken', sentence: broken })
    }
    this.#stirred()
  }

  #peerChanged(state: number): void {
    this.#stirred()
    if (this.#closing) return
    if (state === STATE.Connected) return void this.#reread()
    if (state < STATE.Connected && state !== STATE.Unknown) return
    this.#options.onEvent?.({ kind: 'backend-closing' })
    void this.close()
  }

  /** The back end has written its state again: the disk may have another size. */
  async #reread(): Promise<void> {
    const disk = await readDiskOffer(this.#options.store, this.#transport.backend).catch(() => undefined)
    if (!disk || disk.sectorCount === this.#disk.sectorCount) return
    this.#disk = { ...this.#disk, sectorCount: disk.sectorCount }
    this.#options.onEvent?.({ kind: 'resized', sizeBytes: this.sizeBytes })
  }

  /** No more calls from here on; those that were made are still served, as long as somebody answers. */
  async #close(): Promise<void> {
    this.#closing = true
    const { queues, peer } = this.#transport
    const busy = () => queues.some(({ submitter }) => submitter.busy)
    this.#submit()
    if (peer.state !== STATE.Connected) await this.#transport.announceClosing()
    const silent = () => peer.lost || peer.state === STATE.Closed || peer.state === STATE.Unknown
    while (busy() && !silent() && this.#broken === undefined)
      await new Promise<void>((resolve) => (this.#stirred = resolve))
    this.#stirred = () => undefined
    // A back end that closed on its own may have answered in its last moment.
    this.#collect()
    await this.#transport.announceClosing()
    for (const { submitter } of queues) submitter.abandon(JOB_CLOSED)
    await this.#transport.close()
  }
}
