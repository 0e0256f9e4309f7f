/**
 * @packageDocumentation
 * The transmission phase: requests are read one after the other and executed side by side; answers go out in the
 * order in which the device finishes. Two budgets bound what a client can make us hold: requests in flight, and bytes
 * in flight (payloads being written, and answers that the socket has not taken yet). While either is used up nothing
 * more is read from the socket.
 *
 *   read header ► budget ► read payload ► check ► device ► answer ► socket took it ► budget given back
 *
 * A request that breaks the protocol's framing ends the connection with a reason; one that only asks for something
 * impossible is answered with an error.
 */
import type { BlockDevice } from '../block-device.js'
import { codeOf } from '../../protocol/errors.js'
import type { ByteQueue } from './byte-queue.js'
import { MAX_PAYLOAD_BYTES } from './negotiation.js'
import * as nbd from '../../protocol/nbd.js'

const MAX_REQUESTS = 256
const MAX_BYTES = 2 * MAX_PAYLOAD_BYTES
/** Zeroes are written in pieces of this size. */
const ZERO_BYTES = 1 << 20
const zeroes = Buffer.alloc(ZERO_BYTES)

/** Counters of one connection, for lists and tests. */
export interface NbdCounters {
  requests: number
  errors: number
  bytesRead: number
  bytesWritten: number
}

/** Sends bytes and calls `sent` when the socket has taken them, or is gone. */
export type Send = (parts: readonly Uint8Array[], sent: () => void) => void

export class Transmission {
  readonly #device: BlockDevice
  readonly #input: ByteQueue
  readonly #send: Send
  readonly #counters: NbdCounters
  #requests = 0
  #bytes = 0
  #room: (() => void) | undefined

  constructor(device: BlockDevice, input: ByteQueue, send: Send, counters: NbdCounters) {
    this.#device = device
    this.#input = input
    this.#send = send
    this.#counters = counters
  }

  /** Serves until the client leaves or breaks the framing. @returns why it ended, after the last answer went out. */
  async run(): Promise<string> {
    const reason = await this.#serve()
    while (this.#requests > 0) await new Promise<void>((resolve) => (this.#room = resolve))
    return reason
  }

  async #serve(): Promise<string> {
    for (;;) {
      const header = this.#input.take(nbd.REQUEST_BYTES) ?? (await this.#input.exactly(nbd.REQUEST_BYTES))
      if (header === undefined) return 'the client closed the connection'
      const request = nbd.decodeRequest(header)
      if (request === undefined) return 'a request without its magic number'
      if (request.command === nbd.CMD_DISC) return 'the client disconnected'
      const carries = request.command === nbd.CMD_WRITE
      if (carries && request.length > MAX_PAYLOAD_BYTES) return `a write of ${request.length} bytes`
      const held = carries || request.command === nbd.CMD_READ ? Math.min(request.length, MAX_PAYLOAD_BYTES) : 0
      while (this.#requests >= MAX_REQUESTS || this.#bytes + held > MAX_BYTES)
        await new Promise<void>((resolve) => (this.#room = resolve))
      this.#requests++
      this.#bytes += held
      const payload = carries
        ? (this.#input.take(request.length) ?? (await this.#input.exactly(request.length)))
        : undefined
      if (carries && payload === undefined) {
        this.#release(held)
        return 'the client left within a write'
      }
      void this.#execute(request, payload, held)
    }
  }

  async #execute(request: nbd.NbdRequest, payload: Buffer | undefined, held: number): Promise<void> {
    this.#counters.requests++
    let error = this.#objection(request)
    let data: Buffer | undefined
    if (error === 0)
      try {
        data = await this.#perform(request, payload)
      } catch (failure) {
        error = nbd.nbdErrorOf(codeOf(failure))
      }
    if (error !== 0) this.#counters.errors++
    const answer = nbd.encodeAnswer(request.cookie, error)
    this.#send(data ? [answer, data] : [answer], () => this.#release(held))
  }

  /** What is wrong with a request before the device is asked; 0 when nothing is. */
  #objection(request: nbd.NbdRequest): number {
    const { command, offset, length } = request
    const writes = command === nbd.CMD_WRITE || command === nbd.CMD_TRIM || command === nbd.CMD_WRITE_ZEROES
    if (!writes && command !== nbd.CMD_READ && command !== nbd.CMD_FLUSH) return nbd.nbdErrorOf('EINVAL')
    if ((request.flags & ~allowedFlags(command)) !== 0) return nbd.nbdErrorOf('EINVAL')
    if (writes && this.#device.readOnly) return nbd.nbdErrorOf('EPERM')
    if (command === nbd.CMD_FLUSH)
      return this.#device.canFlush && offset === 0 && length === 0 ? 0 : nbd.nbdErrorOf('EINVAL')
    if (command === nbd.CMD_TRIM && !this.#device.canTrim) return nbd.nbdErrorOf('EINVAL')
    if (length === 0 || offset % this.#device.sectorSize !== 0 || length % this.#device.sectorSize !== 0)
      return nbd.nbdErrorOf('EINVAL')
    if (offset + length > this.#device.sizeBytes) return nbd.nbdErrorOf(writes ? 'ENOSPC' : 'EINVAL')
    if (command === nbd.CMD_READ && length > MAX_PAYLOAD_BYTES) return nbd.nbdErrorOf('EOVERFLOW')
    if (command === nbd.CMD_WRITE_ZEROES && (request.flags & nbd.CMD_FLAG_FAST_ZERO) !== 0)
      return nbd.nbdErrorOf('ENOTSUP')
    return 0
  }

  async #perform(request: nbd.NbdRequest, payload: Buffer | undefined): Promise<Buffer | undefined> {
    const { command, offset, length } = request
    switch (command) {
      case nbd.CMD_READ:
        this.#counters.bytesRead += length
        return this.#device.read(offset, length)
      case nbd.CMD_FLUSH:
        await this.#device.flush()
        return undefined
      case nbd.CMD_TRIM:
        await this.#device.trim(offset, length)
        break
      case nbd.CMD_WRITE_ZEROES:
        for (let done = 0; done < length; done += ZERO_BYTES)
          await this.#device.write(offset + done, zeroes.subarray(0, Math.min(ZERO_BYTES, length - done)))
        break
      default:
        this.#counters.bytesWritten += length
        await this.#device.write(offset, payload as Buffer)
    }
    if ((request.flags & nbd.CMD_FLAG_FUA) !== 0) await this.#device.flush()
    return undefined
  }

  #release(held: number): void {
    this.#requests--
    this.#bytes -= held
    const room = this.#room
    this.#room = undefined
    room?.()
  }
}

/** FUA is allowed, and means nothing, on reads and flushes too. */
function allowedFlags(command: number): number {
  if (command === nbd.CMD_WRITE_ZEROES) return nbd.CMD_FLAG_FUA | nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FAST_ZERO
  return nbd.CMD_FLAG_FUA
}
