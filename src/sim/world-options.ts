/**
 * @packageDocumentation
 * What a simulated world of one queue may be like, and what its queue is told. Everything that is absent is as in a
 * world in which nothing goes wrong.
 */
import { DESCRIPTOR_AREA_BYTES, batchFor } from '../actors/descriptor-reader.js'
import type { BatchSink, QueuePlane } from '../actors/queue-plane.js'
import type { Takeover } from '../actors/takeover.js'
import { CHUNK_BYTES, chunksForRequest } from '../core/extent-pool.js'
import type { CoreSettings, QueueCore } from '../core/queue-core.js'
import type { Steppers } from '../core/steppers.js'
import type { BackRing, BufferArena, GrantCopier, MediumPort } from '../ports/data-path.js'
import type { OnEnospc } from '../ports/queues.js'
import type { AbiLayout, BlkifAbiName } from '../protocol/abi.js'
import type { RateLimit } from '../protocol/rate-limit.js'
import type { DiskLimits } from '../protocol/validate.js'
import type { FrontOptions } from './honest-front.js'
import type { Random } from './random.js'
import type { SimFront } from './sim-front.js'
import type { SimGuest } from './sim-guest.js'
import type { SimRing } from './sim-ring.js'

/** Sectors of a disk of which nothing else is said. */
export const SECTORS = 4096

/** What a front end is made with. */
export interface FrontParts {
  readonly ring: SimRing
  readonly guest: SimGuest
  readonly layout: AbiLayout
  readonly random: Random
  readonly sectorCount: number
}

export interface WorldOptions {
  readonly seed: number
  readonly steps: number
  readonly abi?: BlkifAbiName
  readonly ringEntries?: number
  readonly slots?: number
  readonly depth?: number
  readonly arenaChunks?: number
  readonly delayMax?: number
  readonly errorShare?: number
  readonly shortShare?: number
  readonly syncErrorShare?: number
  readonly lagShare?: number
  /** Most requests that are put at a time; default 8. */
  readonly putsMax?: number
  /** Probability per step that the disk becomes full, or is so no more; and what then becomes of a write. */
  readonly fillShare?: number
  readonly onEnospc?: OnEnospc
  /** I/Os that the disk takes at a time. */
  readonly diskDepth?: number
  readonly buffered?: boolean
  readonly segmentWords?: number
  /** `journal = full`: every transition is recorded. */
  readonly trace?: boolean
  readonly steppers?: Steppers
  /** Most segments of an INDIRECT request; absent: they are not offered. */
  readonly indirect?: number
  /** Size of the disk. */
  readonly sectors?: number
  /** What the disk offers, where it is not the usual. */
  readonly limits?: Partial<DiskLimits>
  /** Virtual time of a step, nanoseconds; default 1000. */
  readonly stepNs?: number
  /** The rate limit from the beginning; {@link World.limit} changes it. */
  readonly limit?: RateLimit
  /** What the front end asks for, where it is not everything. */
  readonly asks?: Partial<FrontOptions>
  /** Another front end than an honest one, with so many pages. */
  readonly front?: { readonly pages: number; readonly make: (parts: FrontParts) => SimFront }
  /** Both ends sleep until they are woken. */
  readonly sleeps?: boolean
  /** Of the front end's notifications, those that it does not send. */
  readonly forgets?: number
  /** The front end does not keep the rules by which the laws tell requests apart: they do not watch. */
  readonly lawless?: boolean
  /** Changes the plane's inside before it runs: how tests plant faults. */
  readonly sabotage?: (plane: QueuePlane) => void
  /** Layers between the plane and what the laws watch: how tests plant faults at the borders. */
  readonly seams?: Seams
}

export interface Seams {
  readonly ring?: (ring: BackRing) => BackRing
  readonly grants?: (grants: GrantCopier) => GrantCopier
  readonly medium?: (medium: MediumPort) => MediumPort
  readonly sink?: (sink: BatchSink) => BatchSink
  /** Called when the journal takes a segment. */
  readonly segment?: () => void
}

/** What a successor does wrong: how tests plant faults in recovery. */
export interface BadSuccessor {
  /** It does not wait until the dead one's I/O has ended. */
  readonly unfenced?: boolean
  /** Changes what was inherited, before its queue goes on. */
  readonly sabotage?: (core: QueueCore) => void
  /** Something else than `publish`. */
  readonly publish?: (takeover: Takeover, ring: BackRing) => void
}

/** Memory for `chunks`, and behind it for descriptors. */
export function makeArena(chunks: number): BufferArena {
  const dataBytes = chunks * CHUNK_BYTES
  return { bytes: new Uint8Array(dataBytes + DESCRIPTOR_AREA_BYTES), dataBytes, handle: 0 }
}

/** Of a world's queue. */
export function worldSettings(options: WorldOptions, slots: number, arenaChunks: number): CoreSettings {
  return {
    trace: options.trace ?? false,
    waitsForSpace: options.onEnospc === 'wait',
    buffered: options.buffered ?? false,
    slots,
    batch: batchFor(16, options.indirect ?? 0),
    arenaChunks,
    reserveChunks: chunksForRequest(Math.max(11, options.indirect ?? 0)),
    disk: {
      sectorCount: options.sectors ?? SECTORS,
      sectorSize: 512,
      readOnly: false,
      offersFlush: true,
      offersBarrier: true,
      offersDiscard: true,
      maxSegments: 11,
      ...(options.indirect ? { maxIndirectSegments: options.indirect } : {}),
      ...options.limits,
    },
  }
}
