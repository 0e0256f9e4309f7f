/**
 * @packageDocumentation
 * What a front end needs of the domain it runs in: pages, grants, event channels. The embedded guest (guest-domain.ts)
 * keeps them in shared memory; tests and the simulator may keep them in an ordinary buffer, since everything above
 * this file only sees typed arrays and numbers.
 *
 *   frame ──► 4096 bytes at frame · 4096 of the guest's memory        gref ──► entry in the grant table
 *
 * Both allocators are first fit over what is free: a front end asks for a few large runs when it connects and gives
 * them back when it closes.
 */
import { XbbdError, assert } from '../../protocol/errors.js'
import { PAGE_BYTES } from '../../protocol/blkif.js'
import { RESERVED_GREFS, type GrantTable } from './grant-table.js'

/** One event channel of the guest. Notifications are wake-ups, not counts. */
export interface GuestPort {
  readonly port: number
  notify(): void
  /** Called once per wake-up. One listener. */
  onNotified(listener: () => void): void
  close(): Promise<void>
}

/** A domain, from the inside. */
export interface Guest {
  readonly domid: number
  readonly memory: GuestMemory
  readonly grants: GuestGrants
  /** A port that `remoteDomid` may bind to. */
  allocatePort(remoteDomid: number): Promise<GuestPort>
}

/** Pages in a row. */
export interface PageRun {
  readonly frame: number
  readonly pages: number
  readonly bytes: Uint8Array
  readonly words: Int32Array
}

/** First fit over [0, count). */
class Runs {
  readonly #free: { start: number; count: number }[]

  constructor(start: number, count: number) {
    this.#free = [{ start, count }]
  }

  take(count: number): number | undefined {
    const run = this.#free.find((candidate) => candidate.count >= count)
    if (!run) return undefined
    const start = run.start
    run.start += count
    run.count -= count
    if (run.count === 0) this.#free.splice(this.#free.indexOf(run), 1)
    return start
  }

  give(start: number, count: number): void {
    this.#free.push({ start, count })
    this.#free.sort((a, b) => a.start - b.start)
    for (let index = this.#free.length - 1; index > 0; index--) {
      const before = this.#free[index - 1]
      const run = this.#free[index]
      assert(before.start + before.count <= run.start, `pages or grants from ${run.start} were given back twice`)
      if (before.start + before.count !== run.start) continue
      before.count += run.count
      this.#free.splice(index, 1)
    }
  }

  get count(): number {
    return this.#free.reduce((sum, run) => sum + run.count, 0)
  }
}

/** The guest's pages. */
export class GuestMemory {
  readonly #bytes: Uint8Array
  readonly #runs: Runs
  /** Pages from here on were never given out: they are as they were made, zero. */
  #untouched = 0

  /** `bytes` must begin on a word boundary and hold whole pages, all zero. */
  constructor(bytes: Uint8Array) {
    assert(bytes.byteOffset % 4 === 0 && bytes.length % PAGE_BYTES === 0, 'guest memory is whole, aligned pages')
    this.#bytes = bytes
    this.#runs = new Runs(0, bytes.length / PAGE_BYTES)
  }

  get freePages(): number {
    return this.#runs.count
  }

  /** Zeroed pages in a row. Throws {@link XbbdError} when the guest is too small. */
  allocate(pages: number): PageRun {
    const frame = this.#runs.take(pages)
    if (frame === undefined)
      throw new XbbdError('XBBD_GUEST_MEMORY', `the guest has no ${pages} pages in a row left: give it more memory`)
    const bytes = this.#bytes.subarray(frame * PAGE_BYTES, (frame + pages) * PAGE_BYTES)
    if (frame < this.#untouched) bytes.fill(0, 0, (this.#untouched - frame) * PAGE_BYTES)
    this.#untouched = Math.max(this.#untouched, frame + pages)
    return { frame, pages, bytes, words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) }
  }

  release(run: PageRun): void {
    this.#runs.give(run.frame, run.pages)
  }
}

/** The guest's own bookkeeping of its grant table. */
export class GuestGrants {
  readonly table: GrantTable
  readonly #runs: Runs

  constructor(table: GrantTable) {
    this.table = table
    this.#runs = new Runs(RESERVED_GREFS, table.entries - RESERVED_GREFS)
  }

  get free(): number {
    return this.#runs.count
  }

  /** `count` references in a row that permit nothing yet; the first of them. Throws when the table is full. */
  claim(count: number): number {
    const gref = this.#runs.take(count)
    if (gref === undefined) {
      const sentence = `the guest has no ${count} grant references left: give it a larger table`
      throw new XbbdError('XBBD_GUEST_GRANTS', sentence)
    }
    return gref
  }

  /** Permits `domid` the pages of `run`, page k by reference `first` + k. */
  grantRun(first: number, domid: number, run: PageRun): void {
    for (let page = 0; page < run.pages; page++) this.table.grant(first + page, domid, run.frame + page, false)
  }

  /**
   * Revokes and gives back `count` references from `first` on.
   * @returns how many were still mapped by somebody; those stay granted and claimed for ever, as on Linux.
   */
  end(first: number, count: number): number {
    let mapped = 0
    for (let gref = first; gref < first + count; gref++)
      if (this.table.revoke(gref)) this.#runs.give(gref, 1)
      else mapped++
    return mapped
  }
}
