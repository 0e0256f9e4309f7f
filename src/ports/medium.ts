/**
 * @packageDocumentation
 * A medium is what stands behind a virtual disk: a file, a block device, memory, nothing at all. The supervisor's
 * thread opens it (descriptor, lock, geometry); each queue's Worker opens a `MediumPort` on the same descriptor from
 * the plan, a plain object that can be posted and journalled. Decorators (delay, fault) are part of the plan, so that
 * they stand in the same place in all worlds.
 *
 *   MediumSpec (what the operator wrote) ── openMedium ──► Medium { geometry, plan } ── openMediumPort ──► MediumPort
 */
import type { BufferArena, MediumPort } from './data-path.js'
import type { SectorFormat } from '../protocol/sector-format.js'

/** What the medium is and can; sizes in 512-byte sectors as blkif counts them, the rest in bytes. */
export interface MediumGeometry {
  /** Capacity in 512-byte sectors, a multiple of sectorSize / 512, below 2^44. */
  readonly sectorCount: number
  /** Logical block size in bytes: a power of two from 512 to 4096. */
  readonly sectorSize: number
  readonly physicalSectorSize: number
  /** What reaches the medium in one piece where its guest may write less: sectors are emulated. Absent = sectorSize. */
  readonly wholeSectorSize?: number
  readonly readOnly: boolean
  readonly canFlush: boolean
  readonly canDiscard: boolean
  readonly canSecureDiscard: boolean
  readonly discardGranularity: number
  readonly discardAlignment: number
  /** Written data lies in a cache of the host until a sync: after a failed sync nothing is known to be durable. */
  readonly buffered: boolean
}

/** Which requests a planted fault or delay is for; absent = any. Ranges in 512-byte sectors, end exclusive. */
export interface FaultScope {
  readonly op?: 'read' | 'write' | 'sync' | 'discard' | 'write-zeroes'
  readonly from?: number
  readonly to?: number
}

/** One layer between the queue and the medium. `times`: how often it fires before it goes quiet; absent = always. */
export type MediumLayer =
  | ({ readonly kind: 'delay'; readonly milliseconds: number } & FaultScope)
  | ({ readonly kind: 'error'; readonly errno: number; readonly times?: number } & FaultScope)
  | ({ readonly kind: 'short'; readonly times?: number } & FaultScope)
  /** Emulates sectors smaller than those of `bytes`, which alone reach what lies below: reads, changes, writes back. */
  | { readonly kind: 'whole-sectors'; readonly bytes: number }
  /** Flips one bit of what a read returns: a disk that lies, for tests of everything that should notice. */
  | ({ readonly kind: 'corrupt'; readonly times?: number } & FaultScope)

/** The engines that can move a descriptor's bytes; inline is the Worker itself, for files that lie in memory. */
export type IoEngineKind = 'io_uring' | 'threads' | 'inline'

/** All that a Worker needs to open its port; plain data. `handle` numbers come from the table of owners. */
export type MediumPlan = {
  readonly geometry: MediumGeometry
  readonly layers: readonly MediumLayer[]
} & (
  | {
      readonly kind: 'file'
      readonly handle: number
      readonly engine: IoEngineKind
      readonly depth: number
      /** Discard goes by ioctl, not by fallocate. */
      readonly blockDevice: boolean
      /** Neighbours go as one transfer of at most so many bytes; absent = each request goes alone. */
      readonly mergeBytes?: number
      /** Discard writes zeroes over its range; absent = it deallocates. */
      readonly discardZeroes?: boolean
    }
  | ({
      readonly kind: 'nbd'
      readonly address: NbdAddress
      readonly depth: number
      /** As it was when the medium was opened; a server that comes back must offer no less. */
      readonly export: NbdExport
      /** A discard is a zeroing. */
      readonly discardZeroes?: boolean
    } & NbdCare)
  | { readonly kind: 'memory'; readonly handle: number }
  | { readonly kind: 'null' }
)

/** Where an NBD server listens, and the name of its export; written as the NBD project's URIs are. */
export interface NbdAddress {
  /** As the operator wrote it. */
  readonly uri: string
  readonly exportName: string
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number }
}

/** What an NBD server said of an export; bytes, and flags as doc/proto.md numbers them. */
export interface NbdExport {
  readonly sizeBytes: number
  readonly flags: number
  readonly minimumBlock: number
  readonly preferredBlock: number
  /** The most that one READ or WRITE may carry. */
  readonly maximumPayload: number
}

/** How a lost connection to an NBD server is borne. */
export interface NbdCare {
  /** Requests are held so long before they fail, milliseconds. */
  readonly reconnectMs: number
  /** So long nothing is sent again where the requests of an old connection may still be at work. */
  readonly fenceMs: number
  /** Writes acknowledged and not yet flushed that are kept to be sent again, bytes; 0 = every write is made durable. */
  readonly replayBytes: number
}

/** What the operator asked for. */
export interface MediumSpec {
  /** A path, a bare name (tried below /dev too), an NBD URI, `memory:SIZE` or `null:SIZE`. */
  readonly target: string
  readonly readOnly: boolean
  /** O_DIRECT where the file system takes it; default true, falls back with a note in the geometry (`buffered`). */
  readonly direct?: boolean
  readonly engine?: IoEngineKind | 'auto'
  readonly depth?: number
  /** Neighbouring requests become one transfer of at most so many bytes; absent = none do. */
  readonly mergeBytes?: number
  /** What a discard of a block device or an NBD export does; absent = deallocate. Files read zeroes after either. */
  readonly discard?: 'deallocate' | 'zeroes'
  /** Sectors that the guest is to see; absent = the medium's own. */
  readonly sectorFormat?: SectorFormat
  readonly nbd?: NbdCare
  readonly layers?: readonly MediumLayer[]
}

/** Why a medium cannot be opened: one sentence with the cure, shown to the operator and in hotplug-error. */
export interface MediumError {
  readonly code:
    | 'missing' | 'denied' | 'directory' | 'special' | 'too-small' | 'locked' | 'size-odd' | 'bad-spec' | 'io'
  readonly sentence: string
}

/** An open medium, as the supervisor's thread holds it. */
export interface Medium {
  readonly geometry: MediumGeometry
  readonly plan: MediumPlan
  /** What was decided on the way: rounding of an odd size, O_DIRECT refused, io_uring forbidden. For list and log. */
  readonly notes: readonly string[]
  /** Asks for the size again (online resize); undefined when the medium is gone. */
  currentSectorCount(): number | undefined
  /** Lets go of lock and descriptor; only after every port is closed. */
  close(): void
}

export type MediumOpened = { ok: true; medium: Medium } | { ok: false; error: MediumError }

/** Opens media; the embedder chooses which kinds exist in its world. */
export interface MediumOpener {
  open(spec: MediumSpec): MediumOpened
  /** For media that somebody else has to be asked about; undefined for those that `open` can open. */
  openLater?(spec: MediumSpec): Promise<MediumOpened> | undefined
}

/** Opens the queue's side inside a Worker; `arena` is where the requests' buffers lie. */
export type OpenMediumPort = (plan: MediumPlan, arena: BufferArena) => MediumPort
