/**
 * @packageDocumentation
 * Grant copy in the embedded world: what GNTTABOP_copy is on Xen, over a guest's memory (pages of 4096 bytes) and its
 * grant table, both mapped from memfds that the embedded host handed over. The table has 8 bytes per gref, as
 * grant_entry_v1 (xen/include/public/grant_table.h): u16 flags, u16 domid of who may, u32 frame. Every entry is read
 * once; a copy that the guest did not permit fails alone, with a negative status in its fourth word.
 */
import type { GrantCopier } from '../../ports/data-path.js'
import { loadAddon } from './load.js'

interface EmbeddedAddon {
  embeddedOpen(memory: number, table: number, arena: number, domid: number): number
  embeddedCopy(id: number, copies: Int32Array, count: number): number
  embeddedClose(id: number): void
}

const addon = loadAddon<EmbeddedAddon>()

/** Grant flags, as xen/include/public/grant_table.h has them. */
export const GTF_permit_access = 1
export const GTF_readonly = 4

/** Bytes of one entry of a grant table. */
export const GRANT_ENTRY_BYTES = 8

/** Status words of a copy. */
export const GNTST_general_error = -1
export const GNTST_bad_gntref = -3

/** Copies between one guest's granted pages and one arena. Borrows all three mappings until `close`. */
export class EmbeddedGrantCopier implements GrantCopier {
  #id: number

  /** Handles of mappings; `ownDomid` is who the guest must have granted to. Throws EBADF, EINVAL when read-only. */
  constructor(memory: number, table: number, arena: number, ownDomid: number) {
    this.#id = addon.embeddedOpen(memory, table, arena, ownDomid)
  }

  copy(copies: Int32Array, count: number): number {
    return addon.embeddedCopy(this.#id, copies, count)
  }

  /** Gives the mappings back. Safe twice. */
  close(): void {
    if (this.#id === 0) return
    const id = this.#id
    this.#id = 0
    addon.embeddedClose(id)
  }
}
