/**
 * @packageDocumentation
 * A guest's memory and grant table, without a hypervisor: pages in one array, a grant is an entry that names a page
 * and says whether it may be written. Granting and revoking are the front end's; the copier is the back end's.
 */
import { COPY_FROM_GUEST, COPY_WORDS } from '../ports/data-path.js'
import type { BufferArena, GrantCopier } from '../ports/data-path.js'
import { PAGE_BYTES } from '../protocol/blkif.js'

/** GNTST_bad_gntref and GNTST_general_error of xen/include/public/grant_table.h. */
const BAD_GREF = -3
const GENERAL_ERROR = -1

export class SimGuest {
  readonly memory: Uint8Array
  private readonly frames: Int32Array
  private readonly writable: Uint8Array

  constructor(pages: number, grants: number) {
    this.memory = new Uint8Array(pages * PAGE_BYTES)
    this.frames = new Int32Array(grants).fill(-1)
    this.writable = new Uint8Array(grants)
  }

  grant(gref: number, frame: number, writable: boolean): void {
    this.frames[gref] = frame
    this.writable[gref] = writable ? 1 : 0
  }

  revoke(gref: number): void {
    this.frames[gref] = -1
  }

  granted(gref: number): boolean {
    return gref < this.frames.length && this.frames[gref] >= 0
  }

  /** The guest is gone, and every grant with it. */
  revokeAll(): void {
    this.frames.fill(-1)
  }

  page(frame: number): Uint8Array {
    return this.memory.subarray(frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES)
  }

  copier(arena: BufferArena): GrantCopier {
    return { copy: (copies, count) => this.copyAll(copies, count, arena.bytes), close: () => undefined }
  }

  private copyAll(copies: Int32Array, count: number, arena: Uint8Array): number {
    let failed = 0
    for (let index = 0; index < count; index++) {
      const status = this.copyOne(copies, index * COPY_WORDS, arena)
      copies[index * COPY_WORDS + 3] = status
      if (status < 0) failed++
    }
    return failed
  }

  private copyOne(copies: Int32Array, at: number, arena: Uint8Array): number {
    const gref = copies[at] >>> 0
    if (gref >= this.frames.length || this.frames[gref] < 0) return BAD_GREF
    const fromGuest = copies[at + 3] === COPY_FROM_GUEST
    if (!fromGuest && this.writable[gref] === 0) return GENERAL_ERROR
    const offset = copies[at + 1] & 0xffff
    const length = copies[at + 1] >>> 16
    const start = this.frames[gref] * PAGE_BYTES + offset
    const buffer = copies[at + 2]
    if (fromGuest) arena.set(this.memory.subarray(start, start + length), buffer)
    else this.memory.set(arena.subarray(buffer, buffer + length), start)
    return 0
  }
}
