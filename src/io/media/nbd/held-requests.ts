/**
 * @packageDocumentation
 * The requests that an NBD port has taken and not yet answered, whether they are at the server, wait for their turn, or
 * are held because there is no server. Their order is the order in which they came; after a loss all of them wait
 * again, from their first byte, in that order.
 *
 *   take ─► waiting line ─► issued part by part (cursor) ─► every part answered ─► release
 */
import { assert } from '../../../protocol/errors.js'
import { lengthOf, offsetOf } from '../requests.js'

export class HeldRequests {
  readonly op: Uint8Array
  readonly token: Int32Array
  /** Where its buffer begins in the arena. */
  readonly at: Float64Array
  readonly offset: Float64Array
  readonly length: Float64Array
  /** Bytes for which parts have been sent. */
  readonly cursor: Float64Array
  /** Parts without an answer. */
  readonly open: Int32Array
  /** The first -errno of a part. */
  readonly error: Int32Array
  private readonly order: Float64Array
  private readonly used: Uint8Array
  private readonly free: number[]
  /** Who waits to be issued, from `head` on. */
  private readonly line: Int32Array
  private head = 0
  private waiting = 0
  private taken = 0

  constructor(places: number) {
    this.op = new Uint8Array(places)
    this.token = new Int32Array(places)
    this.at = new Float64Array(places)
    this.offset = new Float64Array(places)
    this.length = new Float64Array(places)
    this.cursor = new Float64Array(places)
    this.open = new Int32Array(places)
    this.error = new Int32Array(places)
    this.order = new Float64Array(places)
    this.used = new Uint8Array(places)
    this.line = new Int32Array(places)
    this.free = Array.from({ length: places }, (_, place) => places - 1 - place)
  }

  get count(): number {
    return this.used.length - this.free.length
  }

  /** Reads the request's words; it waits behind those that came before. */
  take(requests: Int32Array, base: number): void {
    const place = this.free.pop()
    assert(place !== undefined, 'an NBD port holds more requests than it may')
    this.used[place] = 1
    this.op[place] = requests[base]
    this.token[place] = requests[base + 1]
    this.at[place] = requests[base + 2] >>> 0
    this.offset[place] = offsetOf(requests, base)
    this.length[place] = lengthOf(requests, base)
    this.order[place] = this.taken++
    this.wait(place)
  }

  /** Who is next to be issued; -1 when nobody waits. */
  get next(): number {
    return this.waiting === 0 ? -1 : this.line[this.head]
  }

  /** The next one has been issued to its end. */
  advance(): void {
    this.head = (this.head + 1) % this.line.length
    this.waiting--
  }

  release(place: number): void {
    this.used[place] = 0
    this.free.push(place)
  }

  /** Nothing of what was sent counts any more. */
  startOver(): void {
    const places = [...this.used.keys()].filter((place) => this.used[place] === 1)
    places.sort((one, other) => this.order[one] - this.order[other])
    this.head = this.waiting = 0
    for (const place of places) this.wait(place)
  }

  /** Gives up everything. @returns the tokens, in order. */
  clear(): number[] {
    this.startOver()
    const tokens: number[] = []
    for (let place = this.next; place >= 0; place = this.next) {
      tokens.push(this.token[place])
      this.advance()
      this.release(place)
    }
    return tokens
  }

  private wait(place: number): void {
    this.cursor[place] = this.open[place] = this.error[place] = 0
    this.line[(this.head + this.waiting) % this.line.length] = place
    this.waiting++
  }
}

