/**
 * @packageDocumentation
 * What a back end offers, read from its directory, and the ring that the front end chooses from it. Three ways to ask
 * for more than one ring page exist; the keys differ, and so does how the pages are named:
 *
 *   scheme           back end says            front end says     pages
 *   ring-page-order  max-ring-page-order 0…4  ring-page-order    ring-ref, or ring-ref0…
 *   num-ring-pages   max-ring-pages 1…16      num-ring-pages     ring-ref, or ring-ref0…
 *   2010             max-ring-pages 1…16      ring-pages         ring-ref, ring-ref1…
 *
 * An empty key reads as absent, a key that is no number as its default: a back end's nonsense must not stop us.
 */
import type { BlkifAbiName } from '../../ports/host.js'
import type { XenStoreOps } from '../../ports/xenstore.js'
import {
  BLKIF_MAX_SEGMENTS_PER_REQUEST, PAGE_BYTES, SECTOR_LIMIT, VDISK_CDROM, VDISK_READONLY,
} from '../../protocol/blkif.js'
import { QUEUES_LIMIT, queueKey } from '../../protocol/keys.js'
import type { Guest } from '../guest/guest.js'
import { pagesOfSlot } from './slots.js'

/** Most pages that any front end here asks for. */
export const MAX_RING_PAGES = 16

export type RingScheme = 'ring-page-order' | 'num-ring-pages' | '2010'

/** Read at InitWait: what decides about the transport. */
export interface TransportOffer {
  readonly maxRingPageOrder: number
  readonly maxRingPages: number
  /** 11, or more where requests in several entries are taken (2010). */
  readonly maxRequestSegments: number
  /** 0 when indirect descriptors are not offered. */
  readonly maxIndirectSegments: number
  readonly maxQueues: number
  readonly persistent: boolean
}

/** Read at Connected: what the disk is and can. Sizes in bytes, `sectorCount` in sectors of 512. */
export interface DiskOffer {
  readonly sectorCount: number
  readonly sectorSize: number
  readonly physicalSectorSize: number
  readonly readOnly: boolean
  readonly barrier: boolean
  readonly flush: boolean
  readonly discard: boolean
  readonly discardSecure: boolean
  readonly discardGranularity: number
  readonly discardAlignment: number
}

/** The decimal number at `path`, or `absent` when there is none. */
export async function readNumber(store: XenStoreOps, path: string, absent: number): Promise<number> {
  const text = (await store.read(path))?.trim()
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : absent
}

export async function readTransportOffer(store: XenStoreOps, backend: string): Promise<TransportOffer> {
  return {
    maxRingPageOrder: await readNumber(store, `${backend}/max-ring-page-order`, 0),
    maxRingPages: await readNumber(store, `${backend}/max-ring-pages`, 1),
    maxRequestSegments: await readNumber(store, `${backend}/max-request-segments`, BLKIF_MAX_SEGMENTS_PER_REQUEST),
    persistent: (await readNumber(store, `${backend}/feature-persistent`, 0)) === 1,
    maxQueues: await readNumber(store, `${backend}/multi-queue-max-queues`, 1),
    maxIndirectSegments: await readNumber(store, `${backend}/feature-max-indirect-segments`, 0),
  }
}

/** Undefined when `sectors` or `sector-size` is missing or senseless: there is no disk then. */
export async function readDiskOffer(store: XenStoreOps, backend: string): Promise<DiskOffer | undefined> {
  const number = (key: string, absent: number) => readNumber(store, `${backend}/${key}`, absent)
  const sectorCount = await number('sectors', 0)
  const sectorSize = await number('sector-size', 0)
  const info = await number('info', 0)
  // A CD-ROM drive may be empty.
  if ((sectorCount === 0 && (info & VDISK_CDROM) === 0) || sectorCount >= SECTOR_LIMIT) return undefined
  if (![512, 1024, 2048, 4096].includes(sectorSize)) return undefined
  return {
    sectorCount,
    sectorSize,
    physicalSectorSize: await number('physical-sector-size', sectorSize),
    readOnly: (info & VDISK_READONLY) !== 0,
    barrier: (await number('feature-barrier', 0)) === 1,
    flush: (await number('feature-flush-cache', 0)) === 1,
    discard: (await number('feature-discard', 0)) === 1,
    discardSecure: (await number('discard-secure', 0)) === 1,
    discardGranularity: Math.max(sectorSize, await number('discard-granularity', sectorSize)),
    discardAlignment: await number('discard-alignment', 0),
  }
}

/** The largest power of two of pages that both sides can, at most `wanted`; 1 when the scheme is not offered. */
export function choosePages(offer: TransportOffer, scheme: RingScheme, wanted: number): number {
  const offered = scheme === 'ring-page-order' ? 2 ** Math.min(offer.maxRingPageOrder, 10) : offer.maxRingPages
  const most = Math.max(1, Math.min(offered, wanted, MAX_RING_PAGES))
  return 2 ** Math.floor(Math.log2(most))
}

/**
 * As many segments for each of `count` requests as were offered and are wanted, and as the guest has room for.
 * `inBlocks`: not by indirect descriptors, but in several entries.
 */
export function chooseSegments(
  offer: TransportOffer, guest: Guest, count: number, wanted: number, inBlocks = false,
): number {
  const direct = BLKIF_MAX_SEGMENTS_PER_REQUEST
  const room = Math.floor(Math.min(guest.memory.freePages, guest.grants.free) / count)
  let most = Math.min(inBlocks ? offer.maxRequestSegments : offer.maxIndirectSegments, wanted)
  while (most > direct && pagesOfSlot(most) > room) most--
  return Math.max(most, direct)
}

/** Ring and channel of one queue. */
export interface QueueTransport {
  readonly grefs: readonly number[]
  readonly port: number
}

/** What else a front end asks for. */
export interface TransportWishes {
  /** Most segments of a request in several entries, 0 when there will be none. */
  readonly blockSegments?: number
  readonly persistent?: boolean
  readonly protocol?: string | undefined
}

/** The transport keys, to be written below the front end's directory in one transaction. All rings have one size. */
export function transportKeys(
  scheme: RingScheme, queues: readonly QueueTransport[], abi: BlkifAbiName, wishes: TransportWishes = {},
): Map<string, string> {
  const { blockSegments = 0, persistent = false, protocol = `${abi}-abi` } = wishes
  const keys = new Map([['protocol', protocol]])
  if (persistent) keys.set('feature-persistent', '1')
  if (blockSegments > 0) {
    keys.set('max-request-segments', String(blockSegments))
    keys.set('max-request-size', String(blockSegments * PAGE_BYTES))
  }
  const pages = queues[0].grefs.length
  const many = pages > 1
  if (many && scheme === 'ring-page-order') keys.set('ring-page-order', String(Math.log2(pages)))
  if (many && scheme === 'num-ring-pages') keys.set('num-ring-pages', String(pages))
  if (many && scheme === '2010') keys.set('ring-pages', String(pages))
  if (queues.length > 1) keys.set('multi-queue-num-queues', String(queues.length))
  queues.forEach(({ grefs, port }, queue) => {
    keys.set(queueKey(queue, queues.length, 'event-channel'), String(port))
    grefs.forEach((gref, page) => {
      const bare = page === 0 && (!many || scheme === '2010')
      keys.set(queueKey(queue, queues.length, bare ? 'ring-ref' : `ring-ref${page}`), String(gref))
    })
  })
  return keys
}

/** Everything that {@link transportKeys} may ever have written. */
export const TRANSPORT_KEYS: readonly string[] = [
  'event-channel', 'protocol', 'ring-page-order', 'num-ring-pages', 'ring-pages', 'ring-ref',
  'max-request-segments', 'max-request-size', 'feature-persistent',
  ...Array.from({ length: MAX_RING_PAGES }, (_, page) => `ring-ref${page}`), 'multi-queue-num-queues',
  ...Array.from({ length: QUEUES_LIMIT }, (_, queue) => `queue-${queue}`),
]
