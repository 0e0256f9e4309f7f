/**
 * @packageDocumentation
 * Pages of a Worker's arena that media may use for themselves: where sectors are emulated, whole ones are read into
 * them and changed there. They lie behind all that requests use, and all media of the Worker share them.
 *
 *   arena   [ data of requests │ descriptors │ bounce pages ]
 *                                            └ bounceAt
 *
 * Whoever finds none free is called when one was given back. What must never happen: a page with two users; a medium
 * that waits for pages while it holds some (two of them would wait for each other), so they are taken all at once.
 */
import type { BufferArena } from '../../ports/data-path.js'
import { assert } from '../../protocol/errors.js'

/** Bytes of one page: the largest sector that can be emulated from. */
export const BOUNCE_BYTES = 4096
/** Bytes of all pages of an arena: both ends of 32 requests at a time. */
export const BOUNCE_AREA_BYTES = 64 * BOUNCE_BYTES

export class BouncePool {
  private readonly free: number[] = []
  private readonly waiting: (() => void)[] = []

  constructor({ bytes, bounceAt = bytes.length }: BufferArena) {
    for (let at = bytes.length - BOUNCE_BYTES; at >= bounceAt; at -= BOUNCE_BYTES) this.free.push(at)
    assert(this.free.length >= 2, 'an arena for emulated sectors has at least two bounce pages')
  }

  /** Whether `count` pages can be taken now; otherwise `later` is called once, when it may be worth another look. */
  has(count: number, later: () => void): boolean {
    if (this.free.length >= count) return true
    if (!this.waiting.includes(later)) this.waiting.push(later)
    return false
  }

  /** @returns the page's place in the arena. */
  take(): number {
    const page = this.free.pop()
    assert(page !== undefined, 'a bounce page is taken that nobody asked for')
    return page
  }

  /** To be followed by {@link BouncePool.tell}. */
  giveBack(page: number): void {
    this.free.push(page)
  }

  /** Calls those who wait, the first first; who still finds too little waits again. */
  tell(): void {
    for (const later of this.waiting.splice(0)) later()
  }
}

const pools = new WeakMap<BufferArena, BouncePool>()

/** The one pool of an arena. */
export function bouncePoolOf(arena: BufferArena): BouncePool {
  const known = pools.get(arena)
  if (known !== undefined) return known
  const pool = new BouncePool(arena)
  pools.set(arena, pool)
  return pool
}
