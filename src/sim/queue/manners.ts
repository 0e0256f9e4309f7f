/**
 * @packageDocumentation
 * The manners of front ends that live, as far as a ring sees them; what each does beside the ring (keys, states) is no
 * affair of a queue. Those that are sloppy do what no rule forbids and nobody expects.
 *
 *   linux     ids are indices of a free list, last freed first; flushes without data; indirect requests
 *   windows   many at a time, unaligned counts, all operations
 *   ovmf      one request at a time, id 0, never sleeps; flush and barrier without data
 *   grub      one at a time, reads of whole pages, hardly a write
 *   freebsd   barriers with data and without, counted ids
 *   mirage    a few at a time, whole pages, reads and writes only
 *   busy      nothing but barriers and flushes in between
 *   discarder discards what it has just written
 */
import type { FrontOptions } from '../honest-front.js'

export interface Manner extends Partial<FrontOptions> {
  /** Requests outstanding at most, where it is not as the plan has it. */
  readonly depth?: number
  /** It uses indirect requests where they are offered. */
  readonly indirect?: boolean
}

export const MANNERS: Readonly<Record<string, Manner>> = {
  linux: { ids: 'reused', barrierShare: 0, flushShare: 0.06, emptyShare: 1, discards: true, indirect: true },
  windows: { ids: 'counted', barrierShare: 0.03, flushShare: 0.05, emptyShare: 0.8, discards: true, indirect: true },
  ovmf: { ids: 'zero', depth: 1, polls: true, barrierShare: 0.1, flushShare: 0.1, emptyShare: 1, discards: false },
  grub: {
    ids: 'zero', depth: 1, polls: true, readShare: 0.97, barrierShare: 0, flushShare: 0, discards: false,
    wholePages: true,
  },
  freebsd: { ids: 'counted', barrierShare: 0.12, flushShare: 0.05, discards: true, indirect: true },
  mirage: { ids: 'counted', depth: 8, barrierShare: 0, flushShare: 0, discards: false, wholePages: true },
  busy: { ids: 'reused', barrierShare: 0.35, flushShare: 0.35, emptyShare: 0.5, discards: true },
  discarder: { ids: 'reused', barrierShare: 0.02, flushShare: 0.05, readShare: 0.2, discards: true, indirect: true },
}
