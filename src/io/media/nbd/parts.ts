/**
 * @packageDocumentation
 * What is under way at a server: parts, each one NBD request. A request of the queue is one part, or several where it
 * is longer than the server takes at once. A part's place in this table and the number of its use are its cookie, so an
 * answer finds it at once, and an answer to a former use finds nothing.
 *
 *   cookie   serial u32 · place u32        header   28 bytes, made here and kept until the answer
 *
 * For reads it also keeps which of their bytes have come: the data of a read may come in pieces and in any order, and
 * only a read that was filled from end to end may reach a guest.
 */
import { assert } from '../../../protocol/errors.js'
import * as nbd from '../../../protocol/nbd.js'

/** Owners of parts that belong to no request of the queue. */
export const OWNER_FLUSH = -1
export const OWNER_REPLAY = -2

/** Pieces of one read that may lie apart; with a server that scatters more we have done. */
const PIECES_MAX = 256

export class PartTable {
  readonly owner: Int32Array
  readonly op: Uint8Array
  readonly command: Uint8Array
  readonly offset: Float64Array
  readonly length: Float64Array
  /** Bytes of the write log that were reserved for it; -1 = it is not logged. */
  readonly logged: Int32Array
  /** Of a flush: what it covers. */
  readonly mark: Float64Array
  readonly error: Int32Array
  private readonly serial: Uint32Array
  private readonly used: Uint8Array
  private readonly covered: Float64Array
  private readonly pieces = new Map<number, [from: number, to: number][]>()
  private readonly headers: Buffer[]
  private readonly free: number[]

  constructor(places: number) {
    this.owner = new Int32Array(places)
    this.logged = new Int32Array(places)
    this.error = new Int32Array(places)
    this.offset = new Float64Array(places)
    this.length = new Float64Array(places)
    this.mark = new Float64Array(places)
    this.covered = new Float64Array(places)
    this.op = new Uint8Array(places)
    this.command = new Uint8Array(places)
    this.used = new Uint8Array(places)
    this.serial = new Uint32Array(places)
    this.headers = Array.from({ length: places }, () => Buffer.alloc(nbd.REQUEST_BYTES))
    this.free = Array.from({ length: places }, (_, place) => places - 1 - place)
  }

  get hasRoom(): boolean {
    return this.free.length > 0
  }

  /** A place, its columns zeroed but for what is given. */
  take(owner: number, op: number, command: number, offset: number, length: number): number {
    const place = this.free.pop()
    assert(place !== undefined, 'more parts are under way than there are places')
    this.used[place] = 1
    this.serial[place]++
    this.owner[place] = owner
    this.op[place] = op
    this.command[place] = command
    this.offset[place] = offset
    this.length[place] = length
    this.logged[place] = -1
    this.error[place] = this.covered[place] = this.mark[place] = 0
    return place
  }

  /** The part's header, good until the place is taken again. */
  header(place: number, flags: number): Uint8Array {
    const header = this.headers[place]
    header.writeUInt32BE(nbd.REQUEST_MAGIC, 0)
    header.writeUInt16BE(flags, 4)
    header.writeUInt16BE(this.command[place], 6)
    header.writeUInt32BE(this.serial[place], 8)
    header.writeUInt32BE(place, 12)
    header.writeUInt32BE(Math.floor(this.offset[place] / 2 ** 32), 16)
    header.writeUInt32BE(this.offset[place] % 2 ** 32, 20)
    header.writeUInt32BE(this.length[place], 24)
    return header
  }

  /** Whether an answer with this cookie is one to a part that is under way. */
  isWaiting(place: number, serial: number): boolean {
    return place < this.used.length && this.used[place] === 1 && this.serial[place] === serial
  }

  release(place: number): void {
    this.used[place] = 0
    this.pieces.delete(place)
    this.free.push(place)
  }

  /** Calls `each` with every place that is in use. */
  forEach(each: (place: number) => void): void {
    for (let place = 0; place < this.used.length; place++) if (this.used[place] === 1) each(place)
  }

  /** Whether something under way concerns a byte of this range. */
  touch(offset: number, length: number): boolean {
    let touches = false
    this.forEach((place) => {
      const start = this.offset[place]
      touches ||= offset < start + this.length[place] && start < offset + length
    })
    return touches
  }

  /** Bytes of a read come. @returns whether they belong to it and have not come before. */
  cover(place: number, offset: number, length: number): boolean {
    const from = offset - this.offset[place]
    const to = from + length
    if (length === 0 || from < this.covered[place] || to > this.length[place]) return false
    if (from > this.covered[place]) return this.coverApart(place, from, to)
    this.covered[place] = to
    return this.closeGaps(place)
  }

  /** Whether every byte of a read has come. */
  isCovered(place: number): boolean {
    return this.covered[place] === this.length[place]
  }

  private coverApart(place: number, from: number, to: number): boolean {
    const pieces = this.pieces.get(place) ?? []
    const next = pieces.findIndex(([start]) => start >= from)
    const at = next < 0 ? pieces.length : next
    const overlaps = (at > 0 && pieces[at - 1][1] > from) || (at < pieces.length && pieces[at][0] < to)
    if (overlaps || pieces.length === PIECES_MAX) return false
    pieces.splice(at, 0, [from, to])
    this.pieces.set(place, pieces)
    return true
  }

  /** What lay apart may join what is covered from the beginning, and may not lie within it. */
  private closeGaps(place: number): boolean {
    const pieces = this.pieces.get(place)
    while (pieces !== undefined && pieces.length > 0 && pieces[0][0] <= this.covered[place]) {
      const [from, to] = pieces[0]
      if (from < this.covered[place]) return false
      this.covered[place] = to
      pieces.shift()
    }
    return true
  }
}
