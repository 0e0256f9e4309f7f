/**
 * @packageDocumentation
 * What the daemon asks of the hypervisor, besides XenStore: mapping a ring, binding its event channel. The data path
 * itself runs on what these give, inside a Worker, from plain plans (see data-path.ts). Each step has its undo;
 * everything that a guest can make fail is a value, not an exception.
 */
import type { BlkifAbiName } from '../protocol/abi.js'
import type { BackRing, BufferArena, EventPort, GrantCopier } from './data-path.js'

export type { BlkifAbiName } from '../protocol/abi.js'

/** What identifies one ring of one front end. */
export interface RingRequest {
  readonly domid: number
  /** Grant references of the ring's pages, in order. */
  readonly grefs: readonly number[]
  readonly abi: BlkifAbiName
}

/** Plain data: a mapped ring and a bound channel, both owned by the process, to be borrowed by one Worker. */
export interface RingPlan {
  readonly world: 'embedded' | 'xen'
  readonly domid: number
  readonly abi: BlkifAbiName
  readonly pages: number
  /** Handle of the mapping in the table of owners. */
  readonly ringHandle: number
}

/** The indices of a ring's page, u32; the guest's to write, so they are for showing only. */
export interface RingLook {
  readonly domid: number
  /** As the ring was mapped: they tell a domain's rings apart. */
  readonly grefs: readonly number[]
  readonly reqProd: number
  readonly reqEvent: number
  readonly rspProd: number
  /** The answer for which the front end last asked to be woken; it had consumed those before it. */
  readonly rspEvent: number
}

export interface ChannelPlan {
  readonly world: 'embedded' | 'xen'
  readonly domid: number
  readonly port: number
  /** Handle of the descriptor that becomes readable when the front end notifies. */
  readonly eventHandle: number
  /** Handle of the descriptor to notify through (the same as eventHandle on Xen). */
  readonly notifyHandle: number
}

/**
 * How segments get from and to a guest's pages: copied by the hypervisor, mapped for one batch, or kept mapped where
 * the front end agreed to it (feature-persistent). The order of the names is shared with native/gntdev.cc.
 */
export const GRANT_MODES = ['copy', 'map', 'persistent'] as const
export type GrantMode = (typeof GRANT_MODES)[number]

export interface GrantPlan {
  readonly world: 'embedded' | 'xen'
  readonly domid: number
  /** The embedded world has the guest's memory at hand and does the same in every mode. */
  readonly mode: GrantMode
  /** embedded: handles of the guest's memory and grant table; xen: of the gntdev descriptor (tableHandle 0). */
  readonly memoryHandle: number
  readonly tableHandle: number
}

export interface HostFailure {
  readonly ok: false
  /** EINVAL, ENOENT (domain gone), EACCES …; with one sentence. */
  readonly code: string
  readonly sentence: string
}

/** The supervisor's side: everything that is opened here is entered in the table of owners. */
export interface Host {
  readonly world: 'embedded' | 'xen' | 'sim'
  mapRing(request: RingRequest): Promise<{ ok: true; plan: RingPlan } | HostFailure>
  unmapRing(plan: RingPlan): Promise<void>
  bindChannel(domid: number, remotePort: number): Promise<{ ok: true; plan: ChannelPlan } | HostFailure>
  unbindChannel(plan: ChannelPlan): Promise<void>
  openGrants(domid: number, mode: GrantMode): Promise<{ ok: true; plan: GrantPlan } | HostFailure>
  closeGrants(plan: GrantPlan): Promise<void>
  /** How many mappings and channels are held now: zero at Closed. */
  held(): { readonly rings: number; readonly channels: number; readonly grants: number }
  /** Every ring that is mapped, as it stands at this moment. */
  rings(): readonly RingLook[]
  close(): Promise<void>
}

/** The Worker's side: turns plans into things that can be used on this thread. */
export interface DataPath {
  openRing(plan: RingPlan): BackRing
  openGrants(plan: GrantPlan, arena: BufferArena): GrantCopier
  openChannel(plan: ChannelPlan): EventPort
}
