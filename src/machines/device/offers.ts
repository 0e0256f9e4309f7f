/**
 * @packageDocumentation
 * What others are told of a device, derived from configuration, medium and nodes: the front end by published nodes,
 * the queue by its settings. Both ask `offersOf`, so what a front end was not promised is what its queue answers
 * EOPNOTSUPP.
 */
import type { MediumPlan } from '../../ports/medium.js'
import type { QueueSettings } from '../../ports/queues.js'
import { BLKIF_MAX_SEGMENTS_PER_REQUEST, PAGE_BYTES, SECTOR_BYTES } from '../../protocol/blkif.js'
import { assert } from '../../protocol/errors.js'
import { BACKEND_KEYS as K } from '../../protocol/keys.js'
import {
  backendFeatures, deviceProperties, offersOf, withheldFeatures, type OfferSettings,
} from '../../protocol/negotiation.js'
import { INDIRECT_SEGMENTS_LIMIT } from '../../protocol/indirect.js'
import type { NegotiatedRing, RingLimits } from '../../protocol/negotiation.js'
import type { BackendNodes, DeviceContext, DeviceSettings, RawNodes } from './types.js'

/** `vbd/5/51712/q0` */
export function queueName(context: DeviceContext, queue = 0): string {
  return `${context.input.name}/q${queue}`
}

function offersFrom({ readOnly, cdrom, removable, vetoes }: BackendNodes, { discard }: DeviceSettings): OfferSettings {
  return {
    readOnly, cdrom, removable,
    flush: !vetoes.includes('flush'),
    barrier: !vetoes.includes('barrier'),
    discard: discard !== false && !vetoes.includes('discard'),
  }
}

/** What the configuration allows, less what the toolstack forbids for this device. */
export function ringLimits({ nodes, input: { settings: { ring } } }: DeviceContext): RingLimits {
  const vetoes = nodes?.vetoes ?? []
  return {
    ...ring,
    ...(vetoes.includes('persistent') && { persistent: false }),
    ...(vetoes.includes('indirect') && { maxIndirectSegments: 0 }),
    ...(vetoes.includes('multi-queue') && { maxQueues: 1 }),
  }
}

function open(context: DeviceContext) {
  const { medium, nodes } = context
  assert(medium !== null && nodes !== null, 'only a device with an open medium has something to offer')
  return { medium, nodes, offers: offersFrom(nodes, context.input.settings) }
}

/** Nodes written before InitWait; `hotplug-status=connected` says that the medium is open (S6). */
export function featureNodes(context: DeviceContext): RawNodes {
  const { medium, offers } = open(context)
  const features = backendFeatures(medium.geometry, ringLimits(context), offers)
  return { ...Object.fromEntries(features), [K.hotplugStatus]: 'connected' }
}

/** Nodes of an earlier process that must go with it: what is not offered must not stand there. */
export function withheldNodes(context: DeviceContext): readonly string[] {
  return withheldFeatures(open(context).medium.geometry, ringLimits(context))
}

/** Nodes written before Connected (S11). */
export function propertyNodes(context: DeviceContext): RawNodes {
  const { medium, offers } = open(context)
  return Object.fromEntries(deviceProperties(medium.geometry, offers))
}

/** What an online resize changes, in 512-byte sectors; another disc may have other sectors, too. */
export function sizeNodes(context: DeviceContext): RawNodes {
  const { medium, nodes } = open(context)
  return nodes.cdrom ? propertyNodes(context) : { [K.sectors]: String(medium.geometry.sectorCount) }
}

/** A drive without a disc: every request is beyond its end. */
export const EMPTY_DRIVE: MediumPlan = {
  kind: 'null',
  layers: [],
  geometry: {
    sectorCount: 0, sectorSize: 512, physicalSectorSize: 512, readOnly: true, canFlush: false, canDiscard: false,
    canSecureDiscard: false, discardGranularity: 512, discardAlignment: 0, buffered: false,
  },
}

/** What a front end that holds on to its ring was offered when it connected, perhaps by another process, stands. */
function offeredIndirect(context: DeviceContext): number {
  const { resuming, rejoins, nodes } = context
  const published = resuming && rejoins.length === 0
  return (published ? nodes?.offeredIndirect : ringLimits(context).maxIndirectSegments) ?? 0
}

/** More are never in flight on one queue: all of them, two words each, must fit a checkpoint, and that a segment. */
const DESCRIPTORS_IN_FLIGHT = 16_384

/** Slots for requests of which each may have so many segments beyond its entry. */
function slotsFor(connection: NegotiatedRing, settings: DeviceSettings, beyond: number): number {
  const most = Math.min(connection.maxRequests, settings.slots === 0 ? Infinity : settings.slots)
  return beyond === 0 ? most : Math.min(most, Math.floor(DESCRIPTORS_IN_FLIGHT / beyond))
}

/** The settings of the queues beyond the first: the same, on rings of their own. */
export function otherSettings(context: DeviceContext): readonly QueueSettings[] {
  const settings = queueSettings(context)
  const { abi = 'x86_64' } = settings.connection ?? {}
  return (context.connection?.others ?? []).map((ring, index) => ({
    ...settings, name: queueName(context, index + 1), connection: { ...ring, abi },
  }))
}

/** What the (first) queue must know of its device. */
export function queueSettings(context: DeviceContext): QueueSettings {
  const { medium, offers: vetoes } = open(context)
  const { connection, input: { settings } } = context
  assert(connection !== null, 'a queue needs a connection')
  const offers = offersOf(medium.geometry, vetoes)
  const indirect = Math.min(offeredIndirect(context), INDIRECT_SEGMENTS_LIMIT)
  const { maxRequestSegments: most, maxRequestSize } = connection
  const blocks = most > BLKIF_MAX_SEGMENTS_PER_REQUEST ? most : 0
  return {
    name: queueName(context),
    slots: slotsFor(connection, settings, Math.max(indirect, blocks)),
    maxSegments: Math.min(most, BLKIF_MAX_SEGMENTS_PER_REQUEST),
    ...(blocks > 0 && { maxBlockSegments: blocks }),
    ...(maxRequestSize < most * PAGE_BYTES && { maxRequestSectors: maxRequestSize / SECTOR_BYTES }),
    maxIndirectSegments: indirect,
    batch: settings.batch,
    readOnly: offers.readOnly,
    offersFlush: offers.offersFlush,
    offersBarrier: offers.offersBarrier,
    offersDiscard: offers.offersDiscard,
    ...(offers.offersSecureDiscard && { offersSecureDiscard: true }),
    onEnospc: settings.onEnospc,
    requests: settings.requests,
    journal: settings.journal,
    connection: { grefs: connection.grefs, evtchn: connection.evtchn, abi: connection.abi },
    ...(settings.plant === undefined ? {} : { plant: settings.plant }),
    ...(settings.kill === undefined ? {} : { kill: settings.kill }),
  }
}
