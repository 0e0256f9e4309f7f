/**
 * @packageDocumentation
 * A queue's port onto a file or block device: one native engine (io_uring, threads or inline) over a borrowed
 * descriptor and a borrowed arena, and one eventfd that wakes this thread.
 *
 *   submit, reap ──► engine (one native call per batch; reap makes no system call)
 *   arm ──► the engine may write the eventfd once ──► poller ──► listener
 *
 * While the queue polls, notifications are off and the eventfd costs nothing. What must never happen: a port closed
 * with requests in flight; a Worker that dies instead leaves its engine to the orphans (native-engine.ts).
 */
import { eventfdCreate } from '../native/shm.js'
import { closeDescriptor } from '../native/owners.js'
import { Poller } from '../native/poller.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { IoEngineKind, MediumPlan } from '../../ports/medium.js'
import { assert } from '../../protocol/errors.js'
import {
  ENGINE_BLOCK_DEVICE,
  ENGINE_CAN_DISCARD,
  ENGINE_CAN_SECURE_DISCARD,
  ENGINE_DISCARD_ZEROES,
  ENGINE_INLINE,
  ENGINE_READ_ONLY,
  ENGINE_THREADS,
  ENGINE_URING,
  TRAIT_FIXED_BUFFERS,
  TRAIT_FIXED_FILE,
  mediaAddon,
} from './native-engine.js'

type FilePlan = Extract<MediumPlan, { kind: 'file' }>

/** Measured on virtio-blk at depth 32: 0.76 of fio's rate when all are taken at once, 0.88 with 8, no more with 4. */
const RESULTS_PER_ROUND = 8

/** How the engine came out, for doctor and list. */
export interface FilePortTraits {
  readonly engine: IoEngineKind
  /** The arena is registered with the kernel; false when the memlock limit forbids it (and always with threads). */
  readonly fixedBuffers: boolean
  readonly fixedFile: boolean
}

export class FilePort implements MediumPort {
  readonly traits: FilePortTraits
  /** Inline, everything that was submitted has ended. */
  readonly pace?: number
  operations = 0
  private readonly engine: number
  private readonly eventHandle: number
  private readonly poller: Poller
  private listener: () => void = () => undefined
  private armed = false
  private held = 0

  /** Opens engine and eventfd. Throws EPERM or ENOSYS where io_uring is forbidden, EBADF for unknown handles. */
  constructor(plan: FilePlan, arena: BufferArena) {
    this.eventHandle = eventfdCreate()
    try {
      this.engine = openEngine(plan, arena, this.eventHandle)
    } catch (error) {
      closeDescriptor(this.eventHandle)
      throw error
    }
    if (plan.engine !== 'inline') this.pace = RESULTS_PER_ROUND
    const traits = mediaAddon.engineTraits(this.engine)
    this.traits = {
      engine: plan.engine,
      fixedBuffers: (traits & TRAIT_FIXED_BUFFERS) !== 0,
      fixedFile: (traits & TRAIT_FIXED_FILE) !== 0,
    }
    this.poller = new Poller(this.eventHandle, 'eventfd', () => this.woken())
  }

  /** Counted here: it is asked in every look of a spinning queue, and a native call would cost as much as the look. */
  get inFlight(): number {
    return this.held
  }

  submit(requests: Int32Array, count: number): number {
    const answer = mediaAddon.engineSubmit(this.engine, requests, count)
    const taken = answer & 0xffff
    this.held += taken
    this.operations += answer >>> 16
    return taken
  }

  reap(results: Int32Array, max: number): number {
    const reaped = mediaAddon.engineReap(this.engine, results, max)
    this.held -= reaped
    return reaped
  }

  onReady(listener: () => void): void {
    this.listener = listener
  }

  arm(): boolean {
    const ready = mediaAddon.engineArm(this.engine)
    this.armed = !ready
    return ready
  }

  close(): void {
    assert(this.inFlight === 0, 'a medium is closed with requests in flight')
    this.poller.close()
    mediaAddon.engineClose(this.engine)
    closeDescriptor(this.eventHandle)
  }

  /** The eventfd was written. Results may have been reaped since: then the wish is renewed and nobody is called. */
  private woken(): void {
    if (!this.armed || !mediaAddon.engineArm(this.engine)) return
    this.armed = false
    this.listener()
  }
}

/** As native/engine.cc numbers them. */
const ENGINES = { io_uring: ENGINE_URING, threads: ENGINE_THREADS, inline: ENGINE_INLINE } as const

function openEngine(plan: FilePlan, arena: BufferArena, eventHandle: number): number {
  const { geometry } = plan
  const flags =
    (geometry.readOnly ? ENGINE_READ_ONLY : 0) |
    (geometry.canDiscard ? ENGINE_CAN_DISCARD : 0) |
    (plan.blockDevice ? ENGINE_BLOCK_DEVICE : 0) |
    (geometry.canSecureDiscard ? ENGINE_CAN_SECURE_DISCARD : 0) |
    (plan.discardZeroes === true ? ENGINE_DISCARD_ZEROES : 0)
  return mediaAddon.engineOpen(
    ENGINES[plan.engine],
    plan.handle,
    eventHandle,
    arena.handle,
    plan.depth,
    geometry.sectorCount * 512,
    geometry.sectorSize,
    flags,
    plan.mergeBytes ?? 0,
  )
}
