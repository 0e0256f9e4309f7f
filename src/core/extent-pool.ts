/**
 * @packageDocumentation
 * Buffers for requests, as page numbers of the Worker's arena. The arena is lent to queues in chunks of 32 pages
 * (128 KiB); within its chunks a queue allocates by itself, so that a replay comes to the same pages with no arena at
 * all. An extent is a run of pages inside one chunk; what is longer takes whole chunks, and an extent for the rest.
 *
 *   chunk  = 32 pages, one bit of `free` each        page number = chunk * 32 + bit
 *
 * Chunks are searched in the order of their numbers and bits from the low end: what was used last is used next, and
 * the working set of a shallow queue stays in the processor's cache. What must never happen: an extent given out twice,
 * or a chunk returned while one of its pages is in use.
 */
import { PAGE_BYTES } from '../protocol/blkif.js'
import { assert } from '../protocol/errors.js'

export const PAGES_PER_CHUNK = 32
export const CHUNK_BYTES = PAGES_PER_CHUNK * PAGE_BYTES

/** Chunks that hold one request of `maxSegments` pages. */
export function chunksForRequest(maxSegments: number): number {
  return Math.max(1, Math.ceil(maxSegments / PAGES_PER_CHUNK))
}

export class ExtentPool {
  /** One bit per page, by chunk number; 0 also for chunks that are not ours. */
  readonly free: Int32Array
  /** Our chunks, ascending; the first `count` count. */
  readonly chunks: Uint16Array
  count = 0
  /** Pages in use. */
  used = 0
  /** Index into `chunks` below which nothing was free at the last look. */
  private hint = 0

  constructor(arenaChunks: number) {
    this.free = new Int32Array(arenaChunks)
    this.chunks = new Uint16Array(arenaChunks)
  }

  /** @returns the first page of a run of `pages` (1..32), or -1 when no chunk has such a run. */
  allocate(pages: number): number {
    for (let index = pages === 1 ? this.hint : 0; index < this.count; index++) {
      const chunk = this.chunks[index]
      const free = this.free[chunk]
      if (free === 0) {
        if (index === this.hint) this.hint = index + 1
        continue
      }
      const starts = runStarts(free, pages)
      if (starts === 0) continue
      const bit = 31 - Math.clz32(starts & -starts)
      this.free[chunk] = free & ~(runMask(pages) << bit)
      this.used += pages
      return chunk * PAGES_PER_CHUNK + bit
    }
    return -1
  }

  /**
   * More than a chunk's worth: writes the first page of each chunk's worth to out[at..], the last of them perhaps less
   * than one. Side by side if there is such a place, anywhere if not. @returns false, with nothing taken, when there is
   * not so much.
   */
  allocateChunks(pages: number, out: Int32Array, at: number): boolean {
    const whole = pages >>> 5
    const rest = pages & 31
    const run = this.findRun(rest === 0 ? whole : whole + 1)
    let found = 0
    for (let index = run < 0 ? 0 : run; index < this.count && found < whole; index++) {
      if (this.free[this.chunks[index]] !== -1) continue
      out[at + found++] = this.chunks[index] * PAGES_PER_CHUNK
    }
    if (found < whole) return false
    for (let index = 0; index < whole; index++) this.claim(out[at + index], PAGES_PER_CHUNK)
    if (rest === 0) return true
    const last = run < 0 ? this.allocate(rest) : out[at + whole - 1] + PAGES_PER_CHUNK
    if (last < 0) for (let index = 0; index < whole; index++) this.release(out[at + index], PAGES_PER_CHUNK)
    else if (run >= 0) this.claim(last, rest)
    out[at + whole] = last
    return last >= 0
  }

  /** @returns where in `chunks` so many begin that are neighbours in the arena and wholly free, or -1. */
  private findRun(chunks: number): number {
    for (let index = 0, length = 0; index < this.count; index++) {
      const chunk = this.chunks[index]
      if (this.free[chunk] !== -1) length = 0
      else length = length > 0 && this.chunks[index - 1] === chunk - 1 ? length + 1 : 1
      if (length === chunks) return index - chunks + 1
    }
    return -1
  }

  release(page: number, pages: number): void {
    const chunk = page >>> 5
    const mask = runMask(pages) << (page & 31)
    assert((this.free[chunk] & mask) === 0, 'pages are released once')
    this.free[chunk] |= mask
    this.used -= pages
    this.hint = 0
  }

  /** Marks pages as in use, when a state is restored. */
  claim(page: number, pages: number): void {
    const mask = runMask(pages) << (page & 31)
    assert((this.free[page >>> 5] & mask) === mask, 'pages that are claimed are free')
    this.free[page >>> 5] &= ~mask
    this.used += pages
  }

  /** Adds a chunk that was lent to us. */
  lend(chunk: number): void {
    assert(chunk < this.free.length && this.free[chunk] === 0 && !this.has(chunk), `chunk ${chunk} lent twice`)
    let index = this.count++
    for (; index > 0 && this.chunks[index - 1] > chunk; index--) this.chunks[index] = this.chunks[index - 1]
    this.chunks[index] = chunk
    this.free[chunk] = -1
    this.hint = 0
  }

  /** Every chunk is gone, whatever was in it. */
  clear(): void {
    this.free.fill(0)
    this.count = 0
    this.used = 0
    this.hint = 0
  }

  has(chunk: number): boolean {
    return this.chunks.subarray(0, this.count).includes(chunk)
  }

  /** Takes the highest chunk with no page in use out of the pool. @returns its number, or -1. */
  takeBack(keep: number): number {
    if (this.count <= keep) return -1
    for (let index = this.count - 1; index >= 0; index--) {
      const chunk = this.chunks[index]
      if (this.free[chunk] !== -1) continue
      this.chunks.copyWithin(index, index + 1, this.count--)
      this.free[chunk] = 0
      this.hint = 0
      return chunk
    }
    return -1
  }
}

/** `pages` ones from the low end; 32 gives all ones, which a shift cannot. */
function runMask(pages: number): number {
  return pages === 32 ? -1 : (1 << pages) - 1
}

/** Bits at which a run of `pages` free bits starts. */
function runStarts(free: number, pages: number): number {
  let starts = free
  let have = 1
  while (have < pages) {
    const step = have * 2 <= pages ? have : pages - have
    starts &= starts >>> step
    have += step
  }
  return starts
}
