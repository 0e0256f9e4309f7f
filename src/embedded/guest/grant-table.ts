/**
 * @packageDocumentation
 * A guest's grant table, as memory that guest, host and back end share: version 1 entries of 8 bytes
 * (xen/include/public/grant_table.h, `grant_entry_v1`). A back end may touch a page only while an entry permits it;
 * in-use bits, set by whoever maps, keep the guest from taking a page back under a mapping.
 *
 *   word 0   flags u16 │ domid u16 << 16        flags: 1 permit_access · 4 readonly · 8 reading · 16 writing
 *   word 1   frame u32
 *
 * All accesses are atomic and of whole words, the frame always stored before the flags that make it valid. The first
 * eight references are reserved, as on Xen, so that 0 is never a grant.
 */
export const GTF_PERMIT_ACCESS = 1
export const GTF_READONLY = 4
export const GTF_READING = 8
export const GTF_WRITING = 16
export const GRANT_WORDS = 2
export const RESERVED_GREFS = 8

/** One look at an entry: consistent flags and domid; the frame is meaningful while they permit. */
export interface GrantEntry {
  readonly flags: number
  readonly domid: number
  readonly frame: number
}

/** The table over shared words; used by the guest (grant, revoke) and by the host (look, pin, unpin). */
export class GrantTable {
  readonly words: Int32Array
  readonly entries: number

  constructor(words: Int32Array) {
    this.words = words
    this.entries = Math.floor(words.length / GRANT_WORDS)
  }

  /** The entry of `gref`, or undefined when the table has no such entry. */
  look(gref: number): GrantEntry | undefined {
    if (!Number.isInteger(gref) || gref < RESERVED_GREFS || gref >= this.entries) return undefined
    const head = Atomics.load(this.words, gref * GRANT_WORDS)
    const frame = Atomics.load(this.words, gref * GRANT_WORDS + 1)
    return { flags: head & 0xffff, domid: head >>> 16, frame: frame >>> 0 }
  }

  /** Permits `domid` to use `frame` by `gref`. The guest's own affair that the entry is free. */
  grant(gref: number, domid: number, frame: number, readOnly: boolean): void {
    Atomics.store(this.words, gref * GRANT_WORDS + 1, frame)
    const flags = GTF_PERMIT_ACCESS | (readOnly ? GTF_READONLY : 0)
    Atomics.store(this.words, gref * GRANT_WORDS, flags | (domid << 16))
  }

  /** Takes the permission back. @returns false, with nothing changed, while somebody has the page mapped. */
  revoke(gref: number): boolean {
    for (;;) {
      const head = Atomics.load(this.words, gref * GRANT_WORDS)
      if ((head & (GTF_READING | GTF_WRITING)) !== 0) return false
      if (Atomics.compareExchange(this.words, gref * GRANT_WORDS, head, 0) === head) return true
    }
  }

  /**
   * Marks the page as mapped for reading and writing by `domid`.
   * @returns the frame, or undefined when the entry does not permit that (any more).
   */
  pin(gref: number, domid: number): number | undefined {
    for (;;) {
      const entry = this.look(gref)
      if (!entry || (entry.flags & GTF_PERMIT_ACCESS) === 0 || (entry.flags & GTF_READONLY) !== 0) return undefined
      if (entry.domid !== domid) return undefined
      const head = entry.flags | (entry.domid << 16)
      const pinned = head | GTF_READING | GTF_WRITING
      if (Atomics.compareExchange(this.words, gref * GRANT_WORDS, head, pinned) === head) return entry.frame
    }
  }

  /** Undoes {@link GrantTable.pin}, once nobody has the page mapped any more. */
  unpin(gref: number): void {
    Atomics.and(this.words, gref * GRANT_WORDS, ~(GTF_READING | GTF_WRITING))
  }
}
