/**
 * @packageDocumentation
 * What the control socket (and a test, and the demo) may ask of a running daemon: plain data in, plain data out, so
 * that an answer can be printed, posted or sent as JSON as it is. Operator's mistakes reject with XbbdError: one
 * sentence with the cure. Nothing here hands out a live object of the daemon.
 *
 *   attach · detach          write both halves of a device in XenStore, as a toolstack does, and wait for the outcome
 *   list · statistics        what stands, what it did
 *   stop · pending           park or close everything; what one is still waiting for
 *   changed$ · alive         for whoever follows the daemon's life and reports it
 */
import type { Observable } from 'rxjs'
import type { Vetoable } from '../protocol/keys.js'
import type { RateLimit } from '../protocol/rate-limit.js'
import type { SectorFormat } from '../protocol/sector-format.js'
import type { RingLook } from './host.js'

/** A device to be made, as `xbbd attach` takes it. Attaching what stands already, with the same words, is no error. */
export interface AttachSpec {
  readonly domid: number
  /** `xvda`, `sdb`, `hdc`, or the number itself (`51712`). */
  readonly vdev: string
  /** What goes to `params`: a path, a bare name below /dev, an NBD URI, `memory:SIZE`, `null:SIZE`; empty: no disc. */
  readonly target: string
  readonly mode: 'r' | 'w'
  readonly deviceType?: 'disk' | 'cdrom'
  /** Sectors that the guest is to see; absent = the medium's own. */
  readonly sectorFormat?: SectorFormat
  /** Features that are not to be offered, though they could be. */
  readonly without?: readonly Vetoable[]
  /** Pre-written to the front end's directory as libxl does for guests that say nothing; default `x86_64-abi`. */
  readonly protocol?: string
  /** How long to wait for InitWait (or failure), milliseconds; default 10 000, as libxl. 0 = do not wait. */
  readonly waitMs?: number
}

export interface DetachSpec {
  readonly domid: number
  readonly vdev: string
  /** How long to wait for Closed, milliseconds; default 10 000. 0 = ask and return. */
  readonly waitMs?: number
  /** Remove the front end's directory first, and so do not wait for it: requests not answered are abandoned. */
  readonly force?: boolean
}

/** Another disc in a CD-ROM drive; without a target the drive is left empty. */
export interface DiscSpec {
  readonly domid: number
  readonly vdev: string
  readonly target: string
  /** How long to wait until the guest is told, milliseconds; default 10 000. */
  readonly waitMs?: number
}

/** A disk whose medium has another size, perhaps. */
export interface ResizeSpec {
  readonly domid: number
  readonly vdev: string
  /** How long to wait until the guest is told, milliseconds; default 10 000. */
  readonly waitMs?: number
}

export interface ResizeOutcome {
  /** In 512-byte sectors, as it was known before. */
  readonly sectorCountBefore: number | undefined
  readonly device: DeviceListing
}

/** A rate limit; what is absent stays as it is, `0` is no limit. A rate without its burst gets the usual one. */
export interface LimitSpec extends RateLimit {
  readonly domid: number
  readonly vdev: string
  /** What was set for this device is forgotten first: what is absent is as the daemon's settings say. */
  readonly anew?: boolean
}

export interface AttachOutcome {
  /** False when the very same device stood already. */
  readonly created: boolean
  readonly device: DeviceListing
}

export interface DetachOutcome {
  /** False when there was no such device. */
  readonly existed: boolean
  /** Both directories are gone. False only with `waitMs: 0` or when the wait ran out. */
  readonly removed: boolean
}

/** Names of XenbusState as Xen spells them; `Absent` when the node or the directory is not there. */
export type XenbusStateText =
  | 'Absent' | 'Unknown' | 'Initialising' | 'InitWait' | 'Initialised' | 'Connected'
  | 'Closing' | 'Closed' | 'Reconfiguring' | 'Reconfigured'

/** One line of `xbbd list`. */
export interface DeviceListing {
  readonly domid: number
  readonly devid: number
  /** `xvda`: the name that the toolstack gave, or the one the number stands for. */
  readonly vdev: string
  /** `vbd/5/51712`: names the device in journals, logs and here. */
  readonly name: string
  /** Its back end's directory in XenStore, absolute. */
  readonly path: string
  /** Where its chart stands: `Connected.intake.Running Connected.medium.Present`, `Failed`, … */
  readonly state: string
  readonly backendState: XenbusStateText
  readonly frontendState: XenbusStateText
  readonly online: boolean
  readonly target: string
  readonly mode: 'r' | 'w'
  /** Capacity in 512-byte sectors; undefined until the medium is open. */
  readonly sectorCount: number | undefined
  readonly sectorSize: number | undefined
  /** Requests and bytes a second, and at once; empty without a limit. */
  readonly limit: RateLimit
  /** ABI and ring of the connection that stands; undefined without one. */
  readonly connection: ConnectionListing | undefined
  /** Why it failed, or why its last connection ended; one sentence. */
  readonly error: string | undefined
  /** What was decided on the way: a size rounded, O_DIRECT refused, an ABI assumed. */
  readonly notes: readonly string[]
  /** How often the supervisor started it again after a crash, and whether it gave up. */
  readonly restarts: number
  readonly gaveUp: boolean
  /** How often a front end reached Connected. */
  readonly connections: number
}

export interface ConnectionListing {
  readonly abi: 'x86_64' | 'x86_32'
  readonly ringPages: number
  readonly ringEntries: number
  readonly queues: readonly QueueListing[]
}

export interface QueueListing {
  readonly name: string
  /** The front end's event channel and the grants of its ring, as it wrote them. */
  readonly evtchn: number
  readonly ringRefs: readonly number[]
  readonly busy: boolean
  readonly shortage: boolean
  readonly broken: boolean
  readonly mediumGone: boolean
  /** Requests wait for space on the medium. */
  readonly mediumFull: boolean
  /** Requests wait for the rate limit, or did within the last second. */
  readonly throttled: boolean
}

/** Counters of one device, summed over its queues, by the names of core/statistics.ts. */
export interface DeviceStatistics {
  readonly name: string
  readonly domid: number
  readonly vdev: string
  /** Requests, bytes, errors by kind, in flight …; sums over the connections that this process served. */
  readonly counters: Readonly<Record<string, number>>
  /** Counts per bucket of the latency histogram, by name of the histogram. */
  readonly histograms: Readonly<Record<string, readonly number[]>>
}

/** What `stop` still waits for. */
export interface PendingDevice {
  readonly name: string
  readonly state: string
  /** Requests whose I/O has not come back; NaN never, 0 when only the front end is slow. */
  readonly inFlight: number
  /** What it waits for, when that is known: `the medium is full: 3 requests wait for space since …`. */
  readonly sentence?: string
}

export interface StopOutcome {
  readonly mode: StopMode
  readonly devices: number
  /** Devices given up because a second stop did not want to wait: empty after a clean stop. */
  readonly left: readonly PendingDevice[]
  /** Rings, channels and grants still held: zero after a clean stop. */
  readonly held: HeldMappings
}

/** What is held of guests: all zero when every device is Closed, parked or Failed. */
export interface HeldMappings {
  readonly rings: number
  readonly channels: number
  readonly grants: number
}

/**
 * `park`: drain, let rings go, front ends stay Connected, a next start goes on. `close`: the devices go to Closed.
 * `yield`: let rings go without draining, because another process takes over now.
 */
export type StopMode = 'park' | 'close' | 'yield'

export interface DaemonApi {
  attach(spec: AttachSpec): Promise<AttachOutcome>
  detach(spec: DetachSpec): Promise<DetachOutcome>
  /** Changes the disc; rejects when it cannot be opened, and the drive is then empty. */
  changeDisc(spec: DiscSpec): Promise<DeviceListing>
  /** Looks at the medium's size at once, and tells the guest when it is another one. */
  resize(spec: ResizeSpec): Promise<ResizeOutcome>
  /** Sets a device's rate limit, in XenStore; it is in force when this resolves. */
  limit(spec: LimitSpec): Promise<DeviceListing>
  list(): readonly DeviceListing[]
  /** All devices, or those of one name. */
  statistics(name?: string): readonly DeviceStatistics[]
  /** Resolves when nothing is left, or after {@link DaemonApi.abandonStop}. A second call joins the first. */
  stop(mode: StopMode): Promise<StopOutcome>
  /** A second signal: stop waiting for a medium that hangs; `stop` resolves with what is left. */
  abandonStop(): void
  pending(): readonly PendingDevice[]
  held(): HeldMappings
  /** The indices of every ring that is mapped; which queue's it is, its journal's header says (`connection`). */
  rings(): readonly RingLook[]
  /** Emits whenever a list may show something else. */
  readonly changed$: Observable<void>
  /** Resolves when every thread that serves queues has answered: a proof that none of them hangs. */
  alive(): Promise<void>
}
