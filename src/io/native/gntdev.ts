/**
 * @packageDocumentation
 * Grants of guests on real Xen, over /dev/xen/gntdev (native/gntdev.cc): a ring's pages mapped in a row, and three ways
 * to move a batch of segments between a guest's pages and an arena.
 *
 *   copy         Xen copies, one ioctl for the batch; nothing is mapped (the default)
 *   map          the batch's pages are mapped, copied by the processor and unmapped within the call
 *   persistent   pages stay mapped until the copier is closed, a bounded number of them; only for a front end that
 *                agreed to feature-persistent
 *
 * What must never happen: I/O aimed at a page that is mapped here. All of it goes through the arena.
 */
import type { GrantCopier } from '../../ports/data-path.js'
import { GRANT_MODES, type GrantMode } from '../../ports/host.js'
import { loadAddon } from './load.js'

interface GntdevAddon {
  gntdevOpen(): number
  gntdevMapRing(domid: number, grefs: Int32Array): number
  grantsOpen(gntdev: number, arena: number, domid: number, mode: number, most: number): number
  grantsCopy(id: number, copies: Int32Array, count: number): number
  grantsCounts(id: number, out: Float64Array): void
  grantsClose(id: number): void
}

const addon = loadAddon<GntdevAddon>()

/** Opens the device. @returns a descriptor's handle. Throws ENOENT, EACCES. */
export const openGntdev = (): number => addon.gntdevOpen()

/**
 * Maps the granted pages side by side, writable; all or none. @returns the mapping's handle; unmapping it ends the
 * grants in Xen as well. Throws EINVAL for a reference that permits no such mapping and for a domain that is gone.
 */
export const mapRingPages = (domid: number, grefs: readonly number[]): number =>
  addon.gntdevMapRing(domid, Int32Array.from(grefs))

/** What a copier has done so far. */
export interface CopierCounts {
  /** System calls. */
  readonly calls: number
  /** Segments. */
  readonly copies: number
  /** Pages that are mapped now. */
  readonly mapped: number
  /** Mappings given up to make room for others. */
  readonly evicted: number
}

/** Copies between one guest's pages and one arena. Borrows descriptor and arena until `close`. */
export class GntdevCopier implements GrantCopier {
  #id: number

  /**
   * Handles of the device's descriptor and of the arena's mapping. `most`: pages kept mapped in mode `persistent`.
   * Throws EBADF, EINVAL.
   */
  constructor(gntdev: number, arena: number, domid: number, mode: GrantMode, most: number) {
    this.#id = addon.grantsOpen(gntdev, arena, domid, GRANT_MODES.indexOf(mode), most)
  }

  copy(copies: Int32Array, count: number): number {
    return addon.grantsCopy(this.#id, copies, count)
  }

  counts(): CopierCounts {
    const words = new Float64Array(4)
    addon.grantsCounts(this.#id, words)
    const [calls, copies, mapped, evicted] = words
    return { calls, copies, mapped, evicted }
  }

  /** Unmaps what is kept and gives back descriptor and arena. Safe twice. */
  close(): void {
    if (this.#id === 0) return
    const id = this.#id
    this.#id = 0
    addon.grantsClose(id)
  }
}
