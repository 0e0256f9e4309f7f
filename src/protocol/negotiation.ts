/**
 * @packageDocumentation
 * What the front end asks for, read from its nodes and held against the limits that were published: one pure function
 * from strings to either a complete description of the ring or one sentence that names key, value and limit (S7).
 * Three generations of front ends are understood:
 *
 *   today's        ring-page-order = n      ring-ref0 … ring-ref(2^n - 1); one page: ring-ref
 *   deprecated     num-ring-pages = 2^n     the same
 *   of 2010        ring-pages = 2^n         ring-ref is page 0, then ring-ref1 …; and max-requests, -segments, -size
 *
 * Several queues (multi-queue-num-queues = q, 2 or more) have their references and channels below queue-0/, queue-1/ …,
 * all rings of one size.
 *
 * All of it is guest-writable, so: every number has a lower and an upper bound (B4), sizes that depend on one another
 * are checked against one another (B3), and nothing is demanded that a standard front end does not write (B33).
 * Empty nodes read as absent. Features that are also offered here stand in features.ts.
 */
import { abiLayout, resolveAbi, ringEntries, type AbiChoice, type BlkifAbiName } from './abi.js'
import { BLKIF_MAX_SEGMENTS_PER_REQUEST, PAGE_BYTES, SECTOR_BYTES } from './blkif.js'
import { blockSegmentsLimit } from './blocks.js'
import { FRONTEND_KEYS as K, queueKey, ringRefKey } from './keys.js'
import { U32_MAX, parseNumber, parseSwitch, present, type Parsed } from './parse.js'

export { backendFeatures, deviceProperties, offersOf, queuesOffered, withheldFeatures } from './features.js'
export type { DiskProperties, KeyValue, OfferSettings, Offers } from './features.js'
export { parseDomid, parseMode } from './parse.js'
export { parseVdev, vdevName } from './vdev.js'

/** What this back end can take; published before InitWait. */
export interface RingLimits {
  /** log2 of the most ring pages: 0 to 4. */
  readonly maxRingPageOrder: number
  /** Requests of one ring that are worked on at a time: slots of its pool. */
  readonly maxRequests: number
  /** 1 to 11; up to 255 where requests in several entries are taken (blocks.ts). */
  readonly maxRequestSegments: number
  /** Most rings of one device; absent: one. */
  readonly maxQueues?: number
  /** Most segments of an INDIRECT request; absent or 0: not offered. There is nothing that a front end need ask for. */
  readonly maxIndirectSegments?: number
  /** Grants may stay mapped after the answer, if the front end agrees (feature-persistent). */
  readonly persistent: boolean
  /** For front ends that do not name their ABI. */
  readonly abiFallback: AbiChoice
}

/** 16 pages, 256 requests of 11 segments, and this program's own ABI for front ends that name none. */
export const DEFAULT_RING_LIMITS: RingLimits = {
  maxRingPageOrder: 4,
  maxRequests: 256,
  maxRequestSegments: BLKIF_MAX_SEGMENTS_PER_REQUEST,
  persistent: false,
  abiFallback: 'native',
}

/** One of several rings of a device. */
export interface QueueRing {
  readonly grefs: readonly number[]
  readonly evtchn: number
}

/** A ring as negotiated: all that is needed to map it and to size its pool. */
export interface NegotiatedRing {
  /** Grant references of the ring's pages, in order; as many as `pages`. */
  readonly grefs: readonly number[]
  readonly pages: number
  /** Entries of the ring. */
  readonly entries: number
  readonly abi: BlkifAbiName
  /** The front end named no ABI; the fallback was taken. */
  readonly abiAssumed: boolean
  /** Port in the front end's domain. */
  readonly evtchn: number
  readonly queues: number
  /** The rings of all queues but the first; absent when there is but one. */
  readonly others?: readonly QueueRing[]
  /** Slots that are of use: at most the limit and at most the ring's entries. */
  readonly maxRequests: number
  readonly maxRequestSegments: number
  /** Bytes. */
  readonly maxRequestSize: number
  /** Both sides agreed that grants stay mapped. */
  readonly persistent: boolean
  /** Oddities that were borne, for the log. */
  readonly notes: readonly string[]
}

export type Negotiation =
  | { readonly ok: true; readonly ring: NegotiatedRing }
  | { readonly ok: false; readonly sentence: string }

/** The front end's nodes by name; absent ones undefined or left out. Names: `negotiationKeys` in keys.ts. */
export type FrontendKeys = Readonly<Record<string, string | undefined>>

type Refusal = { readonly ok: false; readonly sentence: string }
const refuse = (sentence: string): Refusal => ({ ok: false, sentence })

/** What the front end's nodes amount to. Never throws, whatever stands in them. */
export function negotiate(keys: FrontendKeys, limits: RingLimits = DEFAULT_RING_LIMITS): Negotiation {
  const notes: string[] = []
  const queues = optional(keys, K.numQueues, 1, limits.maxQueues ?? 1, 1)
  if (!queues.ok) return queues
  // Said first where there is one: a front end that has written nothing yet lacks this above all.
  const evtchn = required(keys, queueKey(0, queues.value, K.eventChannel), 1)
  if (!evtchn.ok) return evtchn
  const abi = resolveAbi(keys[K.protocol], limits.abiFallback)
  if (!abi.ok) return abi
  const persistent = parseSwitch(K.featurePersistent, keys[K.featurePersistent], false)
  if (!persistent.ok) return persistent
  const pages = ringPages(keys, limits)
  if (!pages.ok) return pages
  const rings = ringsOf(keys, queues.value, pages.value, notes)
  if (!rings.ok) return rings
  const [{ grefs }, ...others] = rings.value
  const entries = ringEntries(pages.value, abi.abi)
  const sizes = requestSizes(keys, limits, entries, abi.abi)
  if (!sizes.ok) return sizes
  if (abi.assumed) notes.push(`${K.protocol} is absent: the layout ${abi.abi} is assumed`)
  const ring: NegotiatedRing = {
    grefs,
    pages: pages.value,
    entries,
    abi: abi.abi,
    abiAssumed: abi.assumed,
    evtchn: evtchn.value,
    queues: queues.value,
    ...(others.length > 0 && { others }),
    ...sizes.value,
    persistent: limits.persistent && persistent.value,
    notes,
  }
  return { ok: true, ring }
}

function optional(keys: FrontendKeys, key: string, otherwise: number, max: number, min = 0): Parsed<number> {
  const text = present(keys[key])
  return text === undefined ? { ok: true, value: otherwise } : parseNumber(key, text, max, min)
}

function required(keys: FrontendKeys, key: string, min = 0): Parsed<number> {
  const text = present(keys[key])
  return text === undefined ? refuse(`${key} is missing`) : parseNumber(key, text, U32_MAX, min)
}

/** All keys that give the ring's size must agree; none of them means one page. */
function ringPages(keys: FrontendKeys, limits: RingLimits): Parsed<number> {
  let agreed: { key: string; text: string; pages: number } | undefined
  for (const key of [K.ringPageOrder, K.numRingPages, K.ringPages]) {
    const text = present(keys[key])
    if (text === undefined) continue
    const order = key === K.ringPageOrder
    const limit = order ? limits.maxRingPageOrder : 2 ** limits.maxRingPageOrder
    const parsed = parseNumber(key, text, limit, order ? 0 : 1)
    if (!parsed.ok) return parsed
    const pages = order ? 2 ** parsed.value : parsed.value
    if ((pages & (pages - 1)) !== 0) return refuse(`${key} is ${text}, but it must be a power of two up to ${limit}`)
    if (agreed !== undefined && agreed.pages !== pages)
      return refuse(`${agreed.key} is ${agreed.text} and ${key} is ${text}: they contradict each other`)
    agreed ??= { key, text, pages }
  }
  return { ok: true, value: agreed?.pages ?? 1 }
}

/** The ring and the channel of every queue; no page and no channel is in two of them. */
function ringsOf(keys: FrontendKeys, queues: number, pages: number, notes: string[]): Parsed<QueueRing[]> {
  const rings: QueueRing[] = []
  for (let queue = 0; queue < queues; queue += 1) {
    const named = (key: string) => queueKey(queue, queues, key)
    const evtchn = required(keys, named(K.eventChannel), 1)
    if (!evtchn.ok) return evtchn
    const grefs = pages === 1 ? onePage(keys, named, notes) : manyPages(keys, named, pages)
    if (!grefs.ok) return grefs
    const twin = rings.findIndex((ring) => ring.evtchn === evtchn.value)
    if (twin >= 0) return refuse(`${named(K.eventChannel)} is ${evtchn.value}, which queue ${twin} has already`)
    const shared = grefs.value.find((gref) => rings.some((ring) => ring.grefs.includes(gref)))
    if (shared !== undefined) return refuse(`queue ${queue} has the page ${shared} in its ring, as another queue has`)
    rings.push({ grefs: grefs.value, evtchn: evtchn.value })
  }
  return { ok: true, value: rings }
}

type Named = (key: string) => string

/** One page has `ring-ref`; Linux may write `ring-ref0` instead. */
function onePage(keys: FrontendKeys, named: Named, notes: string[]): Parsed<number[]> {
  const [ringRef, zeroth] = [named(K.ringRef), named(ringRefKey(0))]
  const plain = present(keys[ringRef])
  const key = plain === undefined && present(keys[zeroth]) !== undefined ? zeroth : ringRef
  if (plain !== undefined && present(keys[zeroth]) !== undefined && plain !== present(keys[zeroth]))
    notes.push(`${ringRef} and ${zeroth} differ: ${ringRef} is taken, as for every ring of one page`)
  const gref = required(keys, key)
  return gref.ok ? { ok: true, value: [gref.value] } : gref
}

/** Many pages have `ring-ref0` and so on; only a front end of 2010 has `ring-ref` in the place of the first. */
function manyPages(keys: FrontendKeys, named: Named, pages: number): Parsed<number[]> {
  const grefs: number[] = []
  const old = present(keys[K.ringPages]) !== undefined && present(keys[named(ringRefKey(0))]) === undefined
  for (let page = 0; page < pages; page += 1) {
    const key = named(page === 0 && old ? K.ringRef : ringRefKey(page))
    const gref = required(keys, key)
    if (present(keys[key]) === undefined) return refuse(`${key} is missing for a ring of ${pages} pages`)
    if (!gref.ok) return gref
    const twin = grefs.indexOf(gref.value)
    if (twin >= 0) return refuse(`${key} is ${gref.value}, which page ${twin} of the ring has already`)
    grefs.push(gref.value)
  }
  return { ok: true, value: grefs }
}

type RequestSizes = Pick<NegotiatedRing, 'maxRequests' | 'maxRequestSegments' | 'maxRequestSize'>

/**
 * The three limits of 2010. Silence means all that one entry can hold. Bytes and segments must fit each other: every
 * segment holds at least a sector and at most a page, so anything else is a mistake or a trap (B3).
 */
function requestSizes(
  keys: FrontendKeys, limits: RingLimits, entries: number, abi: BlkifAbiName,
): Parsed<RequestSizes> {
  const requests = optional(keys, K.maxRequests, limits.maxRequests, limits.maxRequests, 1)
  if (!requests.ok) return requests
  const most = limits.maxRequestSegments * PAGE_BYTES
  const asked = optional(keys, K.maxRequestSize, most, most, SECTOR_BYTES)
  if (!asked.ok) return asked
  const silent = present(keys[K.maxRequestSize]) === undefined ? 0 : Math.ceil(asked.value / PAGE_BYTES)
  const fit = Math.min(
    limits.maxRequestSegments, Math.floor(asked.value / SECTOR_BYTES), Math.max(BLKIF_MAX_SEGMENTS_PER_REQUEST, silent),
  )
  const segments = optional(keys, K.maxRequestSegments, fit, limits.maxRequestSegments, 1)
  if (!segments.ok) return segments
  const whole = blockSegmentsLimit(abiLayout(abi))
  if (segments.value > whole)
    return refuse(`${K.maxRequestSegments} is ${segments.value}, but entries of ${abi} carry ${whole} at most`)
  const size = optional(keys, K.maxRequestSize, segments.value * PAGE_BYTES, most)
  if (!size.ok) return size
  const given = `${K.maxRequestSize} is ${size.value} and ${K.maxRequestSegments} is ${segments.value}`
  if (size.value > segments.value * PAGE_BYTES)
    return refuse(`${given}, but so many segments hold at most ${segments.value * PAGE_BYTES} bytes`)
  if (size.value < segments.value * SECTOR_BYTES)
    return refuse(`${given}, but so many segments hold at least ${segments.value * SECTOR_BYTES} bytes`)
  if (size.value % SECTOR_BYTES !== 0)
    return refuse(`${K.maxRequestSize} is ${size.value}, but it must be a multiple of ${SECTOR_BYTES}`)
  return {
    ok: true,
    value: {
      maxRequests: Math.min(requests.value, entries),
      maxRequestSegments: segments.value,
      maxRequestSize: size.value,
    },
  }
}
