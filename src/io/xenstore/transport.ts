/**
 * @packageDocumentation
 * A stream of bytes to a XenStore server, whatever carries it: a unix socket here, a pair of queues in the pocket
 * host and the simulator, /dev/xen/xenbus on a machine whose xenstored lives in another domain.
 *
 *   client ── write(bytes) ──► transport ── onBytes(handler) ──► client
 *
 * The client keeps what is under way bounded (256 requests of at most 4112 bytes), so a transport may buffer what it
 * is given. A transport reports its end exactly once and nothing after it.
 */
import { createConnection } from 'node:net'
import { codeOf } from '../../protocol/errors.js'
import { XenStoreFailure } from './error.js'

/** A connected, ordered, reliable stream of bytes. */
export interface Transport {
  /** The longest payload that it can carry away, where that is less than the protocol's 4096 bytes. */
  readonly payloadMax?: number | undefined
  write(bytes: Uint8Array): void
  /** Sets the one receiver; called before anything is written. Chunks are cut anywhere. */
  onBytes(receive: (chunk: Uint8Array) => void): void
  /** Sets the one listener for the end; with the reason, unless `close` was called. */
  onClose(ended: (reason: Error | undefined) => void): void
  close(): void
}

/** Connects to xenstored's socket. Rejects with the system's code (ENOENT, ECONNREFUSED, EACCES …). */
export function connectUnix(path: string): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path })
    const refused = (cause: Error): void => {
      const code = codeOf(cause) ?? 'EIO'
      reject(new XenStoreFailure(code, `no XenStore at the socket ${path} (${code}): is xenstored running?`))
    }
    socket.once('error', refused)
    socket.once('connect', () => {
      socket.off('error', refused)
      let reason: Error | undefined
      let closing = false
      socket.on('error', (error) => (reason = error))
      resolve({
        write: (bytes) => void socket.write(bytes),
        onBytes: (receive) => void socket.on('data', receive),
        onClose: (ended) =>
          void socket.once('close', () => {
            const lost = new XenStoreFailure('ENOTCONN', `XenStore at ${path} ended the connection`)
            ended(closing ? undefined : (reason ?? lost))
          }),
        close: () => {
          closing = true
          socket.destroy()
        },
      })
    })
  })
}
