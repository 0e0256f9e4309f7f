/**
 * @packageDocumentation
 * What a server has acknowledged and may still lose: writes, discards and zeroings since the last flush that it
 * answered. A server that is killed and started again has forgotten some of them, and a guest that was told nothing
 * goes on; so they are kept here, and sent again in the same order before anything else.
 *
 *   reserve (before it is sent) ─► append (acknowledged) ─► forget (a flush that was sent later is acknowledged)
 *
 *   entries  first … ───────────────► end      each: op · offset · length · where its bytes are
 *   bytes    [  ····████████████████████····  ]   a ring: what is oldest goes first
 *
 * Bounded: what has no room is not sent, and a flush is sent to make some. What must never happen: an acknowledged
 * write without its bytes here, or one forgotten for a flush that was sent before it was acknowledged.
 */
import { assert } from '../../../protocol/errors.js'

/** Entries are small, their bytes are not: so many small writes are kept at most. */
const ENTRIES_MAX = 4096

export class WriteLog {
  private readonly bytes: Uint8Array
  private readonly ops = new Uint8Array(ENTRIES_MAX)
  private readonly offsets = new Float64Array(ENTRIES_MAX)
  private readonly lengths = new Float64Array(ENTRIES_MAX)
  private readonly kept = new Uint32Array(ENTRIES_MAX)
  private readonly places = new Float64Array(ENTRIES_MAX)
  private reservedBytes = 0
  private reservedEntries = 0
  private usedBytes = 0
  private nextPlace = 0
  /** The number of the oldest entry, and of the next one. */
  first = 0
  end = 0

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes)
  }

  get isEmpty(): boolean {
    return this.first === this.end
  }

  /** Whether a flush should make room soon. */
  get isHalfFull(): boolean {
    return this.usedBytes > this.bytes.length / 2 || this.end - this.first > ENTRIES_MAX / 2
  }

  /** Room for one entry with so many bytes. @returns whether there is. */
  reserve(bytes: number): boolean {
    if (this.usedBytes + this.reservedBytes + bytes > this.bytes.length) return false
    if (this.end - this.first + this.reservedEntries === ENTRIES_MAX) return false
    this.reservedBytes += bytes
    this.reservedEntries++
    return true
  }

  /** It will not be needed. */
  unreserve(bytes: number): void {
    this.reservedBytes -= bytes
    this.reservedEntries--
    assert(this.reservedEntries >= 0 && this.reservedBytes >= 0, 'more log is given back than was reserved')
  }

  /** Takes what was reserved. `data` is copied; empty for what has no bytes. */
  append(op: number, offset: number, length: number, data: Uint8Array): void {
    this.unreserve(data.length)
    const at = this.end % ENTRIES_MAX
    this.ops[at] = op
    this.offsets[at] = offset
    this.lengths[at] = length
    this.kept[at] = data.length
    this.places[at] = this.nextPlace
    const head = Math.min(data.length, this.bytes.length - this.nextPlace)
    this.bytes.set(data.subarray(0, head), this.nextPlace)
    this.bytes.set(data.subarray(head), 0)
    this.nextPlace = (this.nextPlace + data.length) % this.bytes.length
    this.usedBytes += data.length
    this.end++
  }

  /** Everything before entry number `end` is durable. */
  forget(end: number): void {
    for (; this.first < end; this.first++) this.usedBytes -= this.kept[this.first % ENTRIES_MAX]
  }

  /** The bytes of an entry lie in one piece, or in two around the ring's end. */
  pieces(entry: number): readonly Uint8Array[] {
    const [place, kept] = [this.places[entry % ENTRIES_MAX], this.kept[entry % ENTRIES_MAX]]
    const head = Math.min(kept, this.bytes.length - place)
    const whole = this.bytes.subarray(place, place + head)
    return head === kept ? [whole] : [whole, this.bytes.subarray(0, kept - head)]
  }

  op(entry: number): number {
    return this.ops[entry % ENTRIES_MAX]
  }

  offset(entry: number): number {
    return this.offsets[entry % ENTRIES_MAX]
  }

  length(entry: number): number {
    return this.lengths[entry % ENTRIES_MAX]
  }
}
