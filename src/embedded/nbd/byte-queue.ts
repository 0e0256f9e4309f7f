/**
 * @packageDocumentation
 * A socket's bytes, taken in exact amounts. Bounded: reading from the socket pauses while more than a given amount
 * waits, so that a client that sends without pause fills the kernel's buffer and not ours.
 *
 *   socket 'data' ► [chunk][chunk][chunk] ► take(n) at once, or exactly(n) when they have arrived
 *
 * `exactly` has one caller at a time (the connection's loop); it resolves with undefined once the stream has ended
 * without the bytes.
 */
import type { Socket } from 'node:net'
import { assert } from '../../protocol/errors.js'

const HIGH_WATER = 1 << 20

export class ByteQueue {
  readonly #socket: Socket
  readonly #chunks: Buffer[] = []
  #waiting = 0
  #ended = false
  #wanted = 0
  #wake: ((bytes: Buffer | undefined) => void) | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk))
    const end = () => this.#end()
    socket.on('end', end).on('close', end)
  }

  /** Exactly `bytes` bytes if they are here already, else undefined. */
  take(bytes: number): Buffer | undefined {
    if (this.#waiting < bytes) return undefined
    if (bytes === 0) return Buffer.alloc(0)
    this.#waiting -= bytes
    if (this.#waiting < HIGH_WATER && this.#socket.isPaused()) this.#socket.resume()
    const first = this.#chunks[0]
    if (first.length > bytes) {
      this.#chunks[0] = first.subarray(bytes)
      return first.subarray(0, bytes)
    }
    if (first.length === bytes) {
      this.#chunks.shift()
      return first
    }
    return this.#gather(bytes)
  }

  /** Exactly `bytes` bytes, or undefined when the stream ended before. */
  exactly(bytes: number): Promise<Buffer | undefined> {
    assert(this.#wake === undefined, 'two readers of one NBD connection')
    const now = this.take(bytes)
    if (now !== undefined || this.#ended) return Promise.resolve(now)
    this.#wanted = bytes
    if (this.#socket.isPaused()) this.#socket.resume()
    return new Promise((resolve) => (this.#wake = resolve))
  }

  #gather(bytes: number): Buffer {
    const whole = Buffer.allocUnsafe(bytes)
    let filled = 0
    let used = 0
    while (filled < bytes) {
      const chunk = this.#chunks[used]
      const part = Math.min(chunk.length, bytes - filled)
      chunk.copy(whole, filled, 0, part)
      filled += part
      if (part < chunk.length) this.#chunks[used] = chunk.subarray(part)
      else used++
    }
    this.#chunks.splice(0, used)
    return whole
  }

  #push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#waiting += chunk.length
    if (this.#wake && this.#waiting >= this.#wanted) this.#settle(this.take(this.#wanted))
    if (this.#waiting >= HIGH_WATER && !this.#wake) this.#socket.pause()
  }

  #end(): void {
    this.#ended = true
    if (this.#wake) this.#settle(undefined)
  }

  #settle(bytes: Buffer | undefined): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.(bytes)
  }
}
