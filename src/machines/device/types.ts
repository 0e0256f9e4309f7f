/**
 * @packageDocumentation
 * What a device's chart hears, remembers and wants: its events (past-tense facts), its context and its effects
 * (imperatives). All three are plain data without bigint, so that they journal, replay and show in a page as they
 * are. The raw words of the guest and of the toolstack come in as events and are judged inside the chart: replaying
 * the events therefore judges them again.
 *
 *   shell ── DeviceEvent ──► chart (context) ── DeviceEffect ──► shell ── … ──► XenStore, host, queue, medium
 */
import type { ChannelPlan, GrantMode, GrantPlan, RingPlan, RingRequest } from '../../ports/host.js'
import type { MediumPlan, MediumSpec } from '../../ports/medium.js'
import type { QueueLegacy, QueueSettings, QueueTakeover } from '../../ports/queues.js'
import type { Vetoable } from '../../protocol/keys.js'
import type { NegotiatedRing, RingLimits } from '../../protocol/negotiation.js'
import type { RateLimit } from '../../protocol/rate-limit.js'
import type { SectorFormat } from '../../protocol/sector-format.js'
import type { XenbusState } from '../../protocol/xenbus-state.js'

/** What the operator's configuration says about every device. */
export interface DeviceSettings {
  /** What is offered to front ends and held against what they ask for. */
  readonly ring: RingLimits
  /** How segments get from and to the pages of front ends that do not let grants stay mapped. */
  readonly grants: Exclude<GrantMode, 'persistent'>
  /** Slots of the request pool; 0 = as many as negotiated, fewer make Shortage under depth. */
  readonly slots: number
  readonly batch: number
  readonly requests: QueueSettings['requests']
  readonly journal: QueueSettings['journal']
  readonly plant?: QueueSettings['plant']
  readonly kill?: QueueSettings['kill']
  readonly medium: Pick<MediumSpec, 'direct' | 'engine' | 'depth' | 'mergeBytes' | 'nbd' | 'layers' | 'discard'>
  readonly onEnospc: QueueSettings['onEnospc']
  /** Discard is offered where the medium can; absent = yes. */
  readonly discard?: boolean
  /** What the toolstack does not set for a device; absent = no limit. */
  readonly limit?: RateLimit
  /** How long a front end may take to close after it was asked, before the queue is drained without it. */
  readonly closePatienceMs: number
  /** How often within a period a queue that died is gone on with; absent = never. */
  readonly rejoin?: { readonly max: number; readonly periodMs: number }
}

/** Names a device for good: all else is read. */
export interface DeviceInput {
  /** `vbd/5/51712` */
  readonly name: string
  readonly domid: number
  readonly devid: number
  readonly settings: DeviceSettings
}

/** What the toolstack wrote into our directory, judged. */
export interface BackendNodes {
  readonly frontend: string
  readonly domid: number
  readonly target: string
  readonly readOnly: boolean
  readonly cdrom: boolean
  readonly removable: boolean
  /** What may not be offered, though medium and settings could. */
  readonly vetoes: readonly Vetoable[]
  /** Sectors that the guest is to see; absent = the medium's own. */
  readonly sectorFormat?: SectorFormat
  /** `sectors`, as an earlier process published it. */
  readonly published?: string
  /** `feature-max-indirect-segments`, as an earlier process published it. */
  readonly offeredIndirect?: number
  readonly vdev: string
}

/** Why a connection ends. The first reason gives the sentence; the flags only ever get stricter. */
export interface Ending {
  readonly sentence: string | null
  /** The ring is not to be written any more: front end gone or ring broken. */
  readonly abandon: boolean
  /** The device ends in Failed, not in Closed. */
  readonly failed: boolean
}

export interface DeviceContext {
  readonly input: DeviceInput
  readonly nodes: BackendNodes | null
  /** The sentence that says what is wrong with the nodes. */
  readonly refusal: string | null
  readonly online: boolean
  /** Our state as the daemon found it when it read the nodes. */
  readonly found: XenbusState
  readonly frontend: XenbusState
  /** Whether the front end was seen outside of a connection since the last one began. */
  readonly frontendLeft: boolean
  /** A connection of an earlier process is taken over: XenStore is not touched. */
  readonly resuming: boolean
  /** What an earlier queue of this ring left, while it is gone on with. */
  readonly legacy: QueueLegacy | null
  /** What each queue left, where there may be several. */
  readonly legacies: readonly QueueLegacy[]
  /** When queues of this device died and were gone on with, milliseconds; those within the period. */
  readonly rejoins: readonly number[]
  /** The process is going to end: let go without closing, or close and stay so. */
  readonly leaving: 'no' | 'parked' | 'yielded' | 'closed'
  /** Our directory is gone. */
  readonly gone: boolean
  /** The guest's domain is gone, and nobody may have told its toolstack: the directories may stay. */
  readonly orphaned: boolean
  readonly ending: Ending | null
  readonly medium: MediumPlan | null
  /** The target of the medium that is open, or was tried last; another one in `nodes` is yet to be opened. */
  readonly inserted: string | null
  /** How often the queue was given another medium; its answer says which one it has. */
  readonly renewals: number
  /** Requests and bytes a second, for its queues together. */
  readonly limit: RateLimit
  readonly connection: NegotiatedRing | null
  readonly grants: GrantPlan | null
  readonly ring: RingPlan | null
  readonly channel: ChannelPlan | null
  /** Rings and channels of the queues beyond the first. */
  readonly otherRings: readonly RingPlan[]
  readonly otherChannels: readonly ChannelPlan[]
  /** Why it failed, or why the last connection ended. */
  readonly error: string | null
  readonly notes: readonly string[]
  readonly connections: number
}

/** Raw nodes, by key below their directory; absent keys are absent. */
export type RawNodes = Readonly<Record<string, string>>

/** What a further queue has of its own. */
export interface QueueOnRing {
  readonly settings: QueueSettings
  readonly ring: RingPlan
  readonly channel: ChannelPlan
  readonly takeover?: QueueTakeover
}

export type DeviceEvent =
  | { readonly type: 'xenstore.nodesRead'; readonly nodes: RawNodes; readonly frontendState: XenbusState }
  | { readonly type: 'xenstore.nodesTouched' }
  /** The front end wrote something that is no state. */
  | { readonly type: 'xenstore.frontendNonsense'; readonly sentence: string }
  | { readonly type: 'xenstore.onlineChanged'; readonly online: boolean }
  /** The toolstack wrote Closing (or Closed) over our state, or online=0: libxl's way to ask for the end. */
  | { readonly type: 'xenstore.closeRequested'; readonly online: boolean }
  /** The toolstack wrote another `params`: a disc was changed. */
  | { readonly type: 'xenstore.targetChanged'; readonly params: string }
  /** The toolstack wrote another rate limit. */
  | { readonly type: 'xenstore.limitChanged'; readonly nodes: RawNodes }
  | { readonly type: 'xenstore.directoryVanished' }
  /** XenStore does not know the guest's domain any more: it has died, with or without its toolstack. */
  | { readonly type: 'xenstore.domainGone' }
  | { readonly type: 'xenstore.featuresPublished' }
  | { readonly type: 'xenstore.featuresRefused'; readonly sentence: string }
  | { readonly type: 'xenstore.frontendRead'; readonly nodes: RawNodes }
  | { readonly type: 'xenstore.propertiesPublished' }
  | { readonly type: 'xenstore.propertiesRefused'; readonly sentence: string }
  | { readonly type: 'xenstore.sizeAnnounced' }
  | { readonly type: 'xenstore.writeFailed'; readonly what: string; readonly sentence: string }
  | { readonly type: `frontend.${XenbusState}` }
  | { readonly type: 'medium.opened'; readonly plan: MediumPlan; readonly notes: readonly string[] }
  | { readonly type: 'medium.refused'; readonly sentence: string }
  | { readonly type: 'medium.waited'; readonly sentence: string }
  | { readonly type: 'medium.gone'; readonly sentence: string }
  | { readonly type: 'medium.resized'; readonly sectorCount: number }
  | { readonly type: 'medium.closed' }
  | { readonly type: 'host.grantsOpened'; readonly plan: GrantPlan }
  | { readonly type: 'host.grantsRefused'; readonly sentence: string }
  | { readonly type: 'host.grantsClosed'; readonly problem?: string }
  | { readonly type: 'host.ringMapped'; readonly plan: RingPlan; readonly others?: readonly RingPlan[] }
  | { readonly type: 'host.ringRefused'; readonly sentence: string }
  | { readonly type: 'host.ringUnmapped'; readonly problem?: string }
  | { readonly type: 'host.channelBound'; readonly plan: ChannelPlan; readonly others?: readonly ChannelPlan[] }
  | { readonly type: 'host.channelRefused'; readonly sentence: string }
  | { readonly type: 'host.channelUnbound'; readonly problem?: string }
  | { readonly type: 'queue.attached' }
  | { readonly type: 'queue.refused'; readonly sentence: string }
  | { readonly type: 'queue.drained'; readonly abandoned: number }
  | { readonly type: 'queue.detached' }
  | { readonly type: 'queue.yielded' }
  /** It has let go of the medium before the one with this number. */
  | { readonly type: 'queue.mediumRenewed'; readonly renewal: number }
  /** `atMs`: of the monotonic clock. */
  | { readonly type: 'queue.crashed'; readonly sentence: string; readonly atMs?: number }
  | {
      readonly type: 'queue.legacyRead'
      /** Of several queues the one that decides. */
      readonly legacy: QueueLegacy
      readonly legacies?: readonly QueueLegacy[]
    }
  | { readonly type: 'queue.ranShort' }
  /** Requests wait for space on the medium. */
  | { readonly type: 'queue.ranFull' }
  /** Requests wait for the rate limit. */
  | { readonly type: 'queue.wasThrottled' }
  | { readonly type: 'queue.recovered' }
  | { readonly type: 'queue.ringBroke' }
  /** `xbbd detach`: for good. */
  | { readonly type: 'operator.detached' }
  /** `xbbd stop --close`: closed now, the next daemon serves it again. */
  | { readonly type: 'operator.closed' }
  /** SIGHUP: whatever waits for something outside may try at once. */
  | { readonly type: 'operator.reloaded' }
  /** SIGTERM: let go without closing. */
  | { readonly type: 'operator.parked' }
  /** Another process is ready to take over, and waits. */
  | { readonly type: 'operator.yielded' }
  | { readonly type: 'clock.elapsed'; readonly timer: DeviceTimer }

export type DeviceTimer = 'closePatience'

export type DeviceEffect =
  | { readonly type: 'readNodes' }
  | { readonly type: 'watchFrontend'; readonly path: string }
  /** `patient`: a lock that another holds is waited for as long as it takes. */
  | { readonly type: 'openMedium'; readonly spec: MediumSpec; readonly patient?: boolean }
  | { readonly type: 'readJournal'; readonly queue: string }
  | { readonly type: 'closeMedium' }
  /** `withheld`: nodes that must not be there afterwards. */
  | { readonly type: 'publishFeatures'; readonly nodes: RawNodes; readonly withheld: readonly string[] }
  | { readonly type: 'switchState'; readonly state: XenbusState }
  | { readonly type: 'readFrontend'; readonly path: string }
  | { readonly type: 'openGrants'; readonly domid: number; readonly mode: GrantMode }
  | { readonly type: 'mapRing'; readonly request: RingRequest; readonly others?: readonly RingRequest[] }
  | { readonly type: 'bindChannel'; readonly domid: number; readonly port: number; readonly others?: readonly number[] }
  | {
      readonly type: 'attachQueue'
      readonly settings: QueueSettings
      readonly ring: RingPlan
      readonly channel: ChannelPlan
      readonly grants: GrantPlan
      readonly medium: MediumPlan
      readonly takeover?: QueueTakeover
      readonly limit: RateLimit
      /** Queues beyond the first, over the same medium and grants. */
      readonly others?: readonly QueueOnRing[]
    }
  | { readonly type: 'publishProperties'; readonly nodes: RawNodes }
  | { readonly type: 'announceSize'; readonly nodes: RawNodes }
  | { readonly type: 'renewQueueMedium'; readonly queue: string; readonly plan: MediumPlan; readonly renewal: number }
  | { readonly type: 'drainQueue'; readonly queue: string; readonly onEnospc: QueueSettings['onEnospc'] }
  | { readonly type: 'limitQueue'; readonly queue: string; readonly limit: RateLimit }
  | { readonly type: 'retryQueue'; readonly queue: string }
  | { readonly type: 'yieldQueue'; readonly queue: string }
  | { readonly type: 'abandonQueue'; readonly queue: string }
  | { readonly type: 'detachQueue'; readonly queue: string }
  | { readonly type: 'unbindChannel'; readonly plan: ChannelPlan }
  | { readonly type: 'unmapRing'; readonly plan: RingPlan }
  | { readonly type: 'closeGrants'; readonly plan: GrantPlan }
  | { readonly type: 'startTimer'; readonly timer: DeviceTimer; readonly milliseconds: number }
  | { readonly type: 'stopTimer'; readonly timer: DeviceTimer }
  /** hotplug-error, hotplug-status=error, the error node, online=0 (S4). */
  | { readonly type: 'reportAttachFailure'; readonly sentence: string }
  /** The error node alone. */
  | { readonly type: 'reportError'; readonly sentence: string }
  | { readonly type: 'clearError' }
  | { readonly type: 'reportEnded'; readonly how: 'removed' | 'parked' | 'closed' | 'failed' }
