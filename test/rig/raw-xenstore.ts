/**
 * @packageDocumentation
 * A XenStore connection without our client: messages as a test wants them, right or wrong, and what comes back.
 */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { encodeMessage, WireDecoder, type WireMessage, XS } from '../../src/io/xenstore/wire.js'
import { codeOf } from '../../src/protocol/errors.js'

/** One raw connection; one request at a time. */
export class RawXenStore {
  readonly events: string[] = []
  readonly ended: Promise<void>
  readonly #socket: Socket
  #replied: ((message: WireMessage) => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    const decoder = new WireDecoder()
    socket.on('data', (chunk: Buffer) => {
      for (const message of decoder.push(chunk).messages)
        if (message.type === XS.WATCH_EVENT) this.events.push(message.payload.toString('latin1'))
        else this.#replied?.(message)
    })
    socket.on('error', () => {})
    this.ended = new Promise((resolve) => socket.once('close', () => resolve()))
  }

  static async connect(path: string): Promise<RawXenStore> {
    for (let tries = 1; ; tries++) {
      const socket = connect(path)
      try {
        await once(socket, 'connect')
        return new RawXenStore(socket)
      } catch (error) {
        // The C xenstored lets one connection wait; on a busy machine the next one is told to try again.
        if (codeOf(error) !== 'EAGAIN' || tries === 100) throw error
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }

  request(type: number, payload: string | Buffer, txId = 0, reqId = 1): Promise<WireMessage> {
    const reply = new Promise<WireMessage>((resolve) => (this.#replied = resolve))
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
    this.#socket.write(encodeMessage(type, reqId, txId, bytes))
    return reply
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  close(): void {
    this.#socket.destroy()
  }
}
