/**
 * @packageDocumentation
 * Connects to a unix socket and says in plain values how that went, for the client (is a daemon there?) and for the
 * server (is one there already?). A unix socket connects at once or never: only a listener whose queue is full makes
 * the caller wait, and that ends with EAGAIN.
 */
import { connect, type Socket } from 'node:net'
import { codeOf } from '../../protocol/errors.js'

export type Dialled =
  | { readonly ok: true; readonly socket: Socket }
  /** ENOENT: no such file; ECONNREFUSED: nobody listens; EACCES: not ours; others as the system says. */
  | { readonly ok: false; readonly code: string; readonly cause: unknown }

/** Connects, never rejects. */
export function dial(path: string): Promise<Dialled> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const failed = (cause: unknown) => resolve({ ok: false, code: codeOf(cause) ?? 'EIO', cause })
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.removeListener('error', failed)
      resolve({ ok: true, socket })
    })
  })
}
