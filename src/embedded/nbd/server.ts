/**
 * @packageDocumentation
 * A block device on a unix socket, for any NBD client: qemu-io, nbdcopy, fio, nbd-client. So whatever speaks NBD is a
 * guest, and the whole path through ring and back end is exercised by programs that other people wrote.
 *
 *   listen ► connection: negotiate ► transmission ► end, with a reason that is told to `onClosed`
 *
 * Connections are bounded; one that is too many is closed at once. A client's nonsense ends its own connection.
 */
import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { XbbdError } from '../../protocol/errors.js'
import type { BlockDevice } from '../block-device.js'
import { ByteQueue } from './byte-queue.js'
import { negotiate } from './negotiation.js'
import { Transmission, type NbdCounters } from './transmission.js'

export interface NbdServerOptions {
  /** Path of the unix socket; whatever stands there before is an error, unless it is a socket nobody listens on. */
  readonly path: string
  readonly device: BlockDevice
  /** The export's name; clients may also give the empty one. Default `disk`. */
  readonly name?: string
  /** Default 16. */
  readonly maxConnections?: number
  /** Told once per connection, with one sentence about why it ended. */
  readonly onClosed?: (reason: string, counters: NbdCounters) => void
}

export class NbdServer {
  readonly #options: NbdServerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #serving = new Set<Promise<void>>()

  private constructor(options: NbdServerOptions) {
    this.#options = options
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  /** Listens. Rejects with an {@link XbbdError} when the socket cannot be made. */
  static async listen(options: NbdServerOptions): Promise<NbdServer> {
    const nbd = new NbdServer(options)
    await new Promise<void>((resolve, reject) => {
      nbd.#server.once('error', (cause) =>
        reject(
          new XbbdError(
            'XBBD_NBD_SOCKET',
            `cannot listen on ${options.path} (${cause.message}): choose another path, or remove what stands there`,
            { cause, exitCode: 73 },
          ),
        ),
      )
      nbd.#server.listen(options.path, resolve)
    })
    return nbd
  }

  /** Clients connected now. */
  get connections(): number {
    return this.#sockets.size
  }

  /** The address for a client's command line, `nbd+unix:///disk?socket=PATH`. */
  get uri(): string {
    return `nbd+unix:///${this.#options.name ?? 'disk'}?socket=${this.#options.path}`
  }

  /** Takes no more clients, ends those that are connected, resolves when none of their requests is in the device. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all([closed, ...this.#serving])
    rmSync(this.#options.path, { force: true })
  }

  #accept(socket: Socket): void {
    if (this.#sockets.size >= (this.#options.maxConnections ?? 16)) {
      socket.destroy()
      this.#options.onClosed?.('too many connections', { requests: 0, errors: 0, bytesRead: 0, bytesWritten: 0 })
      return
    }
    this.#sockets.add(socket)
    const serving = this.#serve(socket).finally(() => this.#serving.delete(serving))
    this.#serving.add(serving)
  }

  async #serve(socket: Socket): Promise<void> {
    const counters: NbdCounters = { requests: 0, errors: 0, bytesRead: 0, bytesWritten: 0 }
    // A reset is an end like any other; the reader learns it from 'close'.
    socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
    const input = new ByteQueue(socket)
    const { device, name = 'disk' } = this.#options
    const end = await negotiate(input, (bytes) => void socket.write(bytes), { name, device })
    const reason =
      end.kind === 'ended' ? end.reason : await new Transmission(device, input, sender(socket), counters).run()
    socket.destroySoon()
    this.#options.onClosed?.(reason, counters)
  }
}

/** Answers of one tick leave in one write: the socket is corked until the tick is over. */
function sender(socket: Socket): (parts: readonly Uint8Array[], sent: () => void) => void {
  let corked = false
  return (parts, sent) => {
    if (socket.destroyed) return sent()
    if (!corked) {
      corked = true
      socket.cork()
      setImmediate(() => {
        corked = false
        socket.uncork()
      })
    }
    parts.forEach((part, index) => socket.write(part, index === parts.length - 1 ? () => sent() : undefined))
  }
}
