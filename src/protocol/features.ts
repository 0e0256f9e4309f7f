/**
 * @packageDocumentation
 * What the back end says of itself: before InitWait its features and limits (S2), before Connected the properties of
 * the disk (S11). Both are lists of [node, value], to be written in one transaction. Only what the medium really can
 * is promised, and what was promised is what the request path accepts: both ask {@link offersOf}.
 *
 * What must never happen: a node `feature-max-indirect-segments` or `multi-queue-max-queues` while that is not served,
 * their mere presence is the offer; or `sectors` in any unit but 512 bytes (B34). An earlier process may have left
 * one: {@link withheldFeatures} names what must not stand there.
 */
import { PAGE_BYTES, VDISK_CDROM, VDISK_READONLY, VDISK_REMOVABLE } from './blkif.js'
import { BACKEND_KEYS as K } from './keys.js'
import type { RingLimits } from './negotiation.js'

/** What must be known of a medium; `MediumGeometry` (ports/medium.ts) has all of it. */
export interface DiskProperties {
  /** Capacity in 512-byte sectors. */
  readonly sectorCount: number
  readonly sectorSize: number
  readonly physicalSectorSize: number
  readonly readOnly: boolean
  readonly canFlush: boolean
  readonly canDiscard: boolean
  readonly canSecureDiscard: boolean
  readonly discardGranularity: number
  readonly discardAlignment: number
  /** What was written may be lost at a sync that fails, and only one queue is told of it. */
  readonly buffered?: boolean
  /** Sectors are emulated in whole ones of so many bytes, which one port alone puts in order. */
  readonly wholeSectorSize?: number
}

/** The operator's vetoes and what the toolstack says of the device; absent = the medium decides. */
export interface OfferSettings {
  /** `mode` of the device; a medium that is read-only itself stays so. */
  readonly readOnly?: boolean
  readonly barrier?: boolean
  readonly flush?: boolean
  readonly discard?: boolean
  /** `device-type` is cdrom. */
  readonly cdrom?: boolean
  readonly removable?: boolean
}

/** The operations beyond READ and WRITE that are offered: the same words as in QueueSettings and DiskLimits. */
export interface Offers {
  readonly readOnly: boolean
  readonly offersFlush: boolean
  readonly offersBarrier: boolean
  readonly offersDiscard: boolean
  readonly offersSecureDiscard: boolean
}

export type KeyValue = readonly [key: string, value: string]

const flag = (on: boolean): string => (on ? '1' : '0')

/** What is offered to the front end. A disk that cannot be written has nothing to flush, order or discard. */
export function offersOf(disk: DiskProperties, settings: OfferSettings = {}): Offers {
  const readOnly = disk.readOnly || settings.readOnly === true
  const durable = disk.canFlush && !readOnly
  const discard = disk.canDiscard && !readOnly && settings.discard !== false
  return {
    readOnly,
    offersFlush: durable && settings.flush !== false,
    offersBarrier: durable && settings.barrier !== false,
    offersDiscard: discard,
    offersSecureDiscard: discard && disk.canSecureDiscard,
  }
}

/**
 * How many queues are offered. One on a buffered medium: a sync that is lost is told to one of them alone, and the
 * others would go on to promise what is no more. One where sectors are emulated: the changes of two queues to parts of
 * one whole sector would undo each other.
 */
export function queuesOffered(disk: DiskProperties, limits: RingLimits): number {
  return disk.buffered === true || disk.wholeSectorSize !== undefined ? 1 : Math.max(1, limits.maxQueues ?? 1)
}

/** Granularity and alignment always go together (note 4 of the header), in bytes. */
function discardKeys(disk: DiskProperties, settings: OfferSettings): KeyValue[] {
  const { offersDiscard, offersSecureDiscard } = offersOf(disk, settings)
  if (!offersDiscard) return [[K.featureDiscard, '0']]
  return [
    [K.featureDiscard, '1'],
    [K.discardGranularity, String(Math.max(disk.discardGranularity, disk.sectorSize))],
    [K.discardAlignment, String(disk.discardAlignment)],
    [K.discardSecure, flag(offersSecureDiscard)],
  ]
}

/**
 * Features and transport limits, to be published before InitWait: the modern nodes and those of 2010. Switches that
 * are off are written as 0, so that nothing stale of an earlier medium stays.
 */
export function backendFeatures(disk: DiskProperties, limits: RingLimits, settings: OfferSettings = {}): KeyValue[] {
  const offers = offersOf(disk, settings)
  return [
    [K.featureBarrier, flag(offers.offersBarrier)],
    [K.featureFlushCache, flag(offers.offersFlush)],
    ...discardKeys(disk, settings),
    [K.featurePersistent, flag(limits.persistent)],
    ...(limits.maxIndirectSegments ? [[K.maxIndirectSegments, String(limits.maxIndirectSegments)] as const] : []),
    ...(queuesOffered(disk, limits) > 1 ? [[K.maxQueues, String(queuesOffered(disk, limits))] as const] : []),
    [K.maxRingPageOrder, String(limits.maxRingPageOrder)],
    [K.maxRingPages, String(2 ** limits.maxRingPageOrder)],
    [K.maxRequests, String(limits.maxRequests)],
    [K.maxRequestSegments, String(limits.maxRequestSegments)],
    [K.maxRequestSize, String(limits.maxRequestSegments * PAGE_BYTES)],
  ]
}

/** Nodes that must not be there, because their mere presence is an offer that is not made. */
export function withheldFeatures(disk: DiskProperties, limits: RingLimits): string[] {
  return [
    ...(limits.maxIndirectSegments ? [] : [K.maxIndirectSegments]),
    ...(queuesOffered(disk, limits) > 1 ? [] : [K.maxQueues]),
  ]
}

/** The disk's properties, to be published before Connected. `sectors` counts 512 bytes, whatever sector-size says. */
export function deviceProperties(disk: DiskProperties, settings: OfferSettings = {}): KeyValue[] {
  const info =
    (settings.cdrom === true ? VDISK_CDROM : 0) |
    (settings.removable === true ? VDISK_REMOVABLE : 0) |
    (offersOf(disk, settings).readOnly ? VDISK_READONLY : 0)
  return [
    [K.sectors, String(disk.sectorCount)],
    [K.sectorSize, String(disk.sectorSize)],
    [K.physicalSectorSize, String(disk.physicalSectorSize)],
    [K.info, String(info)],
    ...discardKeys(disk, settings),
  ]
}
