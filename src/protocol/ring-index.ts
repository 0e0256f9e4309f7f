/**
 * @packageDocumentation
 * Ring indices are u32 that run freely and wrap (xen/include/public/io/ring.h): never compared by `<`, only by their
 * distance. Here is all the arithmetic on them, so that nobody else writes `a - b`.
 *
 *   req_prod ──distance──► req_cons ──► rsp_prod          slot = index mod entries (a power of two)
 *
 * What must never happen: a negative or fractional index, or a comparison that breaks when 2^32 is passed, which a
 * busy disk does within hours.
 */

/** How far `ahead` is before `behind`, modulo 2^32. */
export function ringDistance(ahead: number, behind: number): number {
  return (ahead - behind) >>> 0
}

/** `index` moved on by `count`, modulo 2^32. */
export function ringAdd(index: number, count: number): number {
  return (index + count) >>> 0
}

/** The slot of `index` in a ring of `entries`, a power of two. */
export function ringSlot(index: number, entries: number): number {
  return (index & (entries - 1)) >>> 0
}

/**
 * Whether the other side asked to be woken: its event index lies in what was published just now, (`old`, `next`]
 * (the test of RING_PUSH_RESPONSES_AND_CHECK_NOTIFY).
 */
export function ringNotify(next: number, old: number, event: number): boolean {
  return ringDistance(next, event) < ringDistance(next, old)
}

/** RING_REQUEST_PROD_OVERFLOW: more produced than the ring can hold; the front end is broken or lies (B11). */
export function producerOverflows(reqProd: number, rspProd: number, entries: number): boolean {
  return ringDistance(reqProd, rspProd) > entries
}

/** RING_REQUEST_CONS_OVERFLOW: no room is left for another answer; nothing more may be consumed. */
export function consumerIsFull(reqCons: number, rspProd: number, entries: number): boolean {
  return ringDistance(reqCons, rspProd) >= entries
}
