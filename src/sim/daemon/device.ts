/**
 * @packageDocumentation
 * One virtual disk of a simulated world, as its checkers know it: where it stands in XenStore, what is behind it, and
 * what has happened that explains an end. An honest guest's disk that ends without a reason is a violation.
 */
import type { DevicePlace } from '../../actors/xenbus/toolstack.js'
import type { DiskModel } from './disk-model.js'
import type { SimStore } from './disks.js'

export interface SimDevice {
  readonly place: DevicePlace
  readonly store: SimStore
  readonly model: DiskModel
  /** Its guest keeps the rules. */
  readonly honest: boolean
  /** It keeps them so badly that its disk may be closed at any time. */
  readonly sloppy: boolean
  readonly readOnly: boolean
  /** Why the back end may close it: for good, and until it is in InitWait again. */
  readonly reasons: Set<string>
  readonly passing: Set<string>
  /** Its disk has failed, or was away: requests may fail. */
  errors: boolean
  /** Its toolstack is doing something with it. */
  busy: boolean
  /** How often it was attached: a guest's driver ends with each. */
  lives: number
  /** It stands in XenStore, as far as its toolstack is concerned. */
  attached: boolean
}

/** Whether it has a reason to be closed. */
export function mayEnd({ honest, sloppy, reasons, passing }: SimDevice): boolean {
  return !honest || sloppy || reasons.size > 0 || passing.size > 0
}

/** `vbd/5/51712` */
export function nameOf({ place: { domid, devid } }: SimDevice): string {
  return `vbd/${domid}/${devid}`
}
