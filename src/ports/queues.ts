/**
 * @packageDocumentation
 * The seam between a device's actor (main thread, rare events) and its queue (a Worker, a million events a second).
 * Commands go down as plain objects; up come *edges* only. Per-request facts never cross: whoever wants them reads
 * the queue's shared counters or its journal.
 *
 *   device shell ── attach · drain · abandon · detach · yield · medium-opened ──► queue
 *                ◄── attached · refused · drained · detached · yielded · crashed · levels ──
 */
import type { Observable } from 'rxjs'
import type { BlkifAbiName, ChannelPlan, GrantPlan, RingPlan } from './host.js'
import type { ConnectionOrder, ConnectionReport } from './data-path.js'
import type { MediumPlan } from './medium.js'
import type { RateLimit } from '../protocol/rate-limit.js'

/** `vbd/5/51712/q0`: names the queue in journals, lists and logs. */
export type QueueName = string

/** Faults that `xbbd demo --break` and tests plant in a queue; never set otherwise. */
export type QueuePlant = 'throw' | 'die' | 'hang' | 'answer' | 'journal'

/** Answer BLKIF_RSP_ERROR, or hold the request until there is space. */
export type OnEnospc = 'error' | 'wait'

/** Which ring of its domain this is: what the front end wrote into XenStore, and how its entries are read. */
export interface RingIdentity {
  readonly grefs: readonly number[]
  readonly evtchn: number
  readonly abi: BlkifAbiName
}

/** What is known of whoever served a ring before; the sentences are for people. */
export type QueueLegacy =
  /** It was let go in good order: nothing was in flight, the ring goes on at rsp_prod. */
  | { readonly kind: 'rested' }
  /** Its journal is whole: the queue can be gone on with, on this very ring. */
  | {
      readonly kind: 'recoverable'; readonly connection: RingIdentity
      /** It was left to a successor on purpose: an upgrade, no death. */
      readonly yielded?: true
    }
  /** No journal tells: only a ring with nothing unanswered can be taken over. */
  | { readonly kind: 'unknown'; readonly sentence: string }
  /** It must not be gone on with; `lost`: nor would whoever serves it, for its front end or its ring is lost. */
  | { readonly kind: 'refused'; readonly sentence: string; readonly lost?: true }
  /** It was gone on with again and again, and nobody survived it. */
  | { readonly kind: 'hopeless'; readonly sentence: string }

/** Attempts, by queue; kept where the next process finds them. */
export interface RecoveryLedger {
  /** Attempts within the period that nobody is known to have survived. */
  attempts(queue: QueueName): number
  begun(queue: QueueName): void
  survived(queue: QueueName): void
}

/** How a queue begins on a ring that was served before; absent for a ring that is new. */
export type QueueTakeover = 'rested' | 'unknown' | 'journal'

/** All that a queue must know; plain data, journalled as it is. */
export interface QueueSettings {
  readonly name: QueueName
  /** Slots of the request pool: at most the ring's entries; fewer means Shortage under depth. */
  readonly slots: number
  /** Most segments that the entry of one request may have, 1 to 11. */
  readonly maxSegments: number
  /** Most segments of an INDIRECT request, as offered; absent or 0 = not offered. */
  readonly maxIndirectSegments?: number
  /** Most segments of a request in several entries, as negotiated; absent = none is taken. */
  readonly maxBlockSegments?: number
  /** Most sectors of a request, where fewer were negotiated than its segments hold. */
  readonly maxRequestSectors?: number
  /** Entries consumed in one turn, before the Worker goes on to its next queue. */
  readonly batch: number
  readonly readOnly: boolean
  /** Operations that were offered to the front end; others are answered EOPNOTSUPP. */
  readonly offersFlush: boolean
  readonly offersBarrier: boolean
  readonly offersDiscard: boolean
  /** Absent = no. */
  readonly offersSecureDiscard?: boolean
  /** What becomes of a write that finds the medium full: an error for the guest, or a wait for space. */
  readonly onEnospc: OnEnospc
  /** 'compiled' is the generated step function, 'xstate' runs every slot as a real XState actor. */
  readonly requests: 'compiled' | 'xstate'
  /** 'inputs' is the normal journal, 'full' adds every transition, 'off' is for measurements only. */
  readonly journal: 'inputs' | 'full' | 'off'
  /** Absent where nobody will go on from the journal (measurements). */
  readonly connection?: RingIdentity
  readonly plant?: { readonly kind: QueuePlant; readonly after: number }
  /** Where the process is to die (actors/kill-points.ts); tests only. */
  readonly kill?: { readonly at: string; readonly visit: number }
}

/**
 * A rate limit, and where its use is counted for all queues of a device (actors/rate-bucket.ts); plain data, to be
 * posted. The memory is made anew with every new limit.
 */
export interface SharedRateLimit {
  readonly limit: RateLimit
  readonly spoken: SharedArrayBuffer
}

export interface QueueAttachment {
  readonly settings: QueueSettings
  readonly ring: RingPlan
  readonly channel: ChannelPlan
  readonly grants: GrantPlan
  readonly medium: MediumPlan
  readonly takeover?: QueueTakeover
  readonly limit?: SharedRateLimit
  /** It takes nothing before `serve`: what was answered before its state was Connected would be answered again. */
  readonly held?: boolean
}

/** Levels, as bits of one shared word per queue; `levels` events carry the word. */
export const LEVEL_BUSY = 1
export const LEVEL_SHORTAGE = 2
export const LEVEL_BROKEN = 4
export const LEVEL_MEDIUM_GONE = 8
/** Requests wait for space on the medium. */
export const LEVEL_MEDIUM_FULL = 16
/** Requests wait for the device's rate limit. */
export const LEVEL_THROTTLED = 32

export type QueueEvent =
  | { readonly kind: 'attached'; readonly name: QueueName }
  /** The queue could not be set up; nothing of it is left. */
  | { readonly kind: 'refused'; readonly name: QueueName; readonly sentence: string }
  /** After `drain` or `abandon`: nothing is in flight, everything answered was published. */
  | { readonly kind: 'drained'; readonly name: QueueName; readonly abandoned: number }
  /** After `detach`: ring, channel, grants, medium and arena are no longer borrowed by the Worker. */
  | { readonly kind: 'detached'; readonly name: QueueName }
  /** The plane threw; its I/O has been awaited and its borrowings are given back. Other queues go on. */
  | { readonly kind: 'crashed'; readonly name: QueueName; readonly sentence: string }
  | { readonly kind: 'mediumRenewed'; readonly name: QueueName; readonly renewal: number }
  | { readonly kind: 'levels'; readonly name: QueueName; readonly levels: number }
  /** What became of the connection to the server behind its medium. */
  | { readonly kind: 'connection'; readonly name: QueueName; readonly report: ConnectionReport }
  /** It goes on from a journal: its first batch was sealed then, nanoseconds of the monotonic clock. */
  | { readonly kind: 'resumed'; readonly name: QueueName; readonly atNs: number }
  /** It went on from a journal, and has answered as many as were owed. */
  | { readonly kind: 'recovered'; readonly name: QueueName }
  /** After `yield`: since then nothing was taken, no I/O is in flight, and nothing is borrowed any more. */
  | { readonly kind: 'yielded'; readonly name: QueueName; readonly atNs: number }

/** What the device actors see of all Workers together. */
export interface QueuePool {
  readonly event$: Observable<QueueEvent>
  /** What is known of whoever served this queue's ring before, in this process or an earlier one. */
  legacy(name: QueueName): QueueLegacy
  attach(attachment: QueueAttachment): void
  /** From now on a queue that was attached `held` takes what is in its ring. */
  serve(name: QueueName): void
  /**
   * Take nothing more, answer everything taken; then `drained`. What waits for space on the medium is waited for
   * (`wait`), or answered with an error (`error`).
   */
  drain(name: QueueName, onEnospc: OnEnospc): void
  /** There may be space on the medium: what waits for it is tried at once. */
  retry(name: QueueName): void
  /** The front end is gone or its ring is broken: answer nothing more, wait for the I/O; then `drained`. */
  abandon(name: QueueName): void
  /** Only after `drained`; then `detached`. */
  detach(name: QueueName): void
  /**
   * Another process takes over as things are: nothing more is taken or begun, I/O in flight is awaited and answered;
   * then `yielded`. A queue that is coming to rest by itself says `drained` instead.
   */
  yield(name: QueueName): void
  /**
   * Another medium, or the same with another size: replaces the port once nothing is in flight, closes the old one, and
   * then says `mediumRenewed` with the same number.
   */
  mediumOpened(name: QueueName, plan: MediumPlan, renewal: number): void
  /** An order for the connection of the queue's port; of no effect where it has none. */
  orderConnection(name: QueueName, order: ConnectionOrder): void
  /** Another rate limit for its device, or none. */
  limit(name: QueueName, limit: SharedRateLimit | undefined): void
  /** A copy of the queue's counters (layout: core/statistics.ts), undefined when it is not attached. */
  statistics(name: QueueName): Float64Array | undefined
  /** Resolves when every Worker that runs has answered a question asked now: none of them hangs. */
  ping(): Promise<void>
  close(): Promise<void>
}
