/**
 * @packageDocumentation
 * One request of a guest on its way through emulated sectors: where it begins and ends within whole sectors, and who
 * has to wait for whom.
 *
 *   whole sectors   │        │        │        │        │
 *   the request         ├─────────────────────┤
 *                    head       middle        tail       head, tail: by a bounce page; middle: as it is
 *
 * A change within a whole sector reads it, changes a part and writes it back: until then nobody else may change that
 * sector. So of two requests that change something and touch the same whole sector the later waits for the earlier, if
 * either of them changes a part only. Reads wait for nobody: what is written back beside a change stood there before.
 */
import { IO_READ, IO_SYNC } from '../../ports/data-path.js'
import { lengthOf, movesBytes, offsetOf } from './requests.js'

export const IDLE = 0
/** Waits for earlier ones, or for bounce pages. */
export const WAITING = 1
/** Its whole sectors are being read. */
export const READING = 2
/** Its own I/O is under way. */
export const MOVING = 3

/** Parts of a request, in the order of their bytes. */
export const HEAD = 0
export const MIDDLE = 1
export const TAIL = 2
export const PARTS = 3

export class SectorJob {
  readonly index: number
  op = 0
  token = 0
  /** Place of its data in the arena. */
  at = 0
  length = 0
  offset = 0
  stage = IDLE
  /** Numbers of the whole sectors that it touches, end exclusive. */
  from = 0
  to = 0
  /** How many earlier ones it has to wait for. */
  blockers = 0
  /** I/Os under way. */
  outstanding = 0
  /** Bytes of each part, 0 = there is none, and the bounce pages of head and tail. */
  readonly bytes = new Float64Array(PARTS)
  readonly pages = new Int32Array(PARTS)
  /** What the I/O of each part came to. */
  readonly results = new Int32Array(PARTS)

  constructor(index: number) {
    this.index = index
  }

  /** Takes over the request at `base`, which was found good. */
  begin(requests: Int32Array, base: number, whole: number): void {
    this.op = requests[base] >>> 0
    this.token = requests[base + 1]
    this.at = requests[base + 2] >>> 0
    this.length = this.op === IO_SYNC ? 0 : lengthOf(requests, base)
    this.offset = this.op === IO_SYNC ? 0 : offsetOf(requests, base)
    const end = this.offset + this.length
    this.from = Math.floor(this.offset / whole)
    this.to = Math.ceil(end / whole)
    const before = this.offset - this.from * whole
    const behind = this.to * whole - end
    const one = this.to - this.from === 1
    this.bytes[HEAD] = before > 0 || (one && behind > 0) ? Math.min(whole - before, this.length) : 0
    this.bytes[TAIL] = behind > 0 && !one ? whole - behind : 0
    this.bytes[MIDDLE] = this.length - this.bytes[HEAD] - this.bytes[TAIL]
    this.blockers = 0
    this.outstanding = 0
    this.results.fill(0)
  }

  get partial(): boolean {
    return this.bytes[HEAD] + this.bytes[TAIL] > 0
  }

  get changes(): boolean {
    return this.op !== IO_READ && this.op !== IO_SYNC
  }

  /** Pages that it needs. */
  get bounces(): number {
    return (this.bytes[HEAD] > 0 ? 1 : 0) + (this.bytes[TAIL] > 0 ? 1 : 0)
  }

  /** Where a part begins, in bytes from the request's begin. */
  beginOf(part: number): number {
    return part === HEAD ? 0 : part === MIDDLE ? this.bytes[HEAD] : this.length - this.bytes[TAIL]
  }

  mustWaitFor(earlier: SectorJob): boolean {
    if (!this.changes || !earlier.changes || !(this.partial || earlier.partial)) return false
    return this.from < earlier.to && earlier.from < this.to
  }

  /** Bytes moved from the begin on without a gap, or what the first part that failed says. */
  outcome(): number {
    let moved = 0
    for (let part = HEAD; part < PARTS; part++) {
      if (this.results[part] < 0) return this.results[part]
      if (!movesBytes(this.op)) continue
      moved += this.results[part]
      if (this.results[part] < this.bytes[part]) break
    }
    return moved
  }
}
