/**
 * @packageDocumentation
 * Messages with descriptors between processes of one machine, over unix sockets that keep message boundaries
 * (SOCK_SEQPACKET). The embedded host hands out guest memory and event channels this way.
 *
 *   MessageListener(path) ── onConnection(MessageSocket)          MessageSocket.connect(path)
 *   send(bytes, handles): 1 to 65536 bytes, at most 16 descriptors, which stay the sender's
 *   onMessage(bytes, handles): the handles are the receiver's to close
 *
 * Nothing waits and nothing is queued here: `send` says false when the peer's buffer is full. At most 16 messages are
 * delivered in one turn of the event loop, so that a chatty peer starves nobody.
 */
import { unlinkSync } from 'node:fs'
import { codeOf } from '../../protocol/errors.js'
import { loadAddon } from './load.js'
import { closeDescriptor } from './owners.js'
import { Poller } from './poller.js'

interface SocketAddon {
  socketListen(path: string, mode: number): number
  socketAccept(handle: number): number
  socketConnect(path: string): number
  socketSend(handle: number, bytes: Uint8Array, handles: readonly number[]): boolean
  socketReceive(handle: number): { bytes: ArrayBuffer; handles: number[] } | undefined | null
}

const addon = loadAddon<SocketAddon>()
const perTurn = 16

/** What a {@link MessageSocket} tells its user. */
export interface MessageListeners {
  message(bytes: Uint8Array, handles: number[]): void
  /** The peer left, or sent what is too large (EMSGSIZE); the socket is closed already. Not called after `close`. */
  end(reason?: Error): void
}

/** One end of a connection. Closed by `close`, by the peer's leaving, or by a message that breaks the bounds. */
export class MessageSocket {
  readonly #handle: number
  readonly #poller: Poller
  #listeners: MessageListeners | undefined
  #open = true

  /** Takes over the handle of a connected socket; use {@link MessageSocket.connect} or {@link MessageListener}. */
  constructor(handle: number) {
    this.#handle = handle
    this.#poller = new Poller(handle, 'plain', () => this.#receive(), true)
  }

  /** Throws ENOENT, ECONNREFUSED (nobody listens), EACCES, EAGAIN (its queue is full), ENAMETOOLONG. */
  static connect(path: string): MessageSocket {
    return new MessageSocket(addon.socketConnect(path))
  }

  get open(): boolean {
    return this.#open
  }

  /** Begins to deliver; what arrived before is delivered too. */
  listen(listeners: MessageListeners): void {
    this.#listeners = listeners
    this.#poller.resume()
  }

  /**
   * Sends one message. @returns false when the peer does not read and its buffer is full: nothing was sent. Also
   * false when the peer has left; then `end` follows. Throws EINVAL for what breaks the bounds.
   */
  send(bytes: Uint8Array, handles: readonly number[] = []): boolean {
    if (!this.#open) return false
    try {
      return addon.socketSend(this.#handle, bytes, handles)
    } catch (error) {
      if (codeOf(error) === 'EPIPE' || codeOf(error) === 'ECONNRESET') return false
      throw error
    }
  }

  /** Whether this socket alone keeps the process alive; it does unless told otherwise. */
  keepAlive(keep: boolean): void {
    this.#poller.keepAlive(keep)
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#listeners = undefined
    this.#poller.close()
    closeDescriptor(this.#handle)
  }

  #receive(): void {
    for (let i = 0; i < perTurn && this.#open; i++) {
      let received
      try {
        received = addon.socketReceive(this.#handle)
      } catch (error) {
        this.#end(error as Error)
        return
      }
      if (received === undefined) return
      if (received === null) {
        this.#end()
        return
      }
      this.#listeners?.message(new Uint8Array(received.bytes), received.handles)
    }
  }

  #end(reason?: Error): void {
    const listeners = this.#listeners
    this.close()
    listeners?.end(reason)
  }
}

/** Accepts connections on a path in the file system, which it makes and, at `close`, removes. */
export class MessageListener {
  readonly #handle: number
  readonly #path: string
  readonly #poller: Poller
  #open = true

  /** `mode`: permissions of the socket (0o600 = this user). Throws EADDRINUSE when the path exists, EACCES, ENOENT. */
  constructor(path: string, mode: number, onConnection: (socket: MessageSocket) => void) {
    this.#path = path
    this.#handle = addon.socketListen(path, mode)
    this.#poller = new Poller(this.#handle, 'plain', () => {
      for (let i = 0; i < perTurn && this.#open; i++) {
        const accepted = addon.socketAccept(this.#handle)
        if (accepted === 0) return
        onConnection(new MessageSocket(accepted))
      }
    })
  }

  keepAlive(keep: boolean): void {
    this.#poller.keepAlive(keep)
  }

  /** Connections that were accepted stay open. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#poller.close()
    closeDescriptor(this.#handle)
    try {
      unlinkSync(this.#path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
}
