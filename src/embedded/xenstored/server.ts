/**
 * @packageDocumentation
 * XenStore on unix sockets. The socket decides the rights: one is domain 0's, as on a Xen host; further ones may each
 * belong to a guest, so that a front end in a process of its own is a real guest with a guest's rights.
 *
 *   listenOn(server, DIR/socket, 0)        for daemons and the xenstore-* tools (XENSTORED_PATH)
 *   listenOn(server, DIR/socket.7, 7)      for the front end of guest 7
 *
 * A client that does not read is not read from either (its replies would pile up here), and one that leaves
 * 4 MiB of watch events unread is disconnected. A guest that asks without end is not read from for a while, either: its
 * connections get a fifth of the time that there is (fair-share.ts).
 */
import { rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { systemClock } from '../../io/native/system-clock.js'
import { FairShare } from './fair-share.js'
import type { XenStored } from './xenstored.js'

const unreadMax = 4 << 20
const unreadPause = 64 << 10

/** A socket that is listened on. */
export interface Listener {
  readonly path: string
  /** Stops listening and ends the connections that came this way. */
  close(): Promise<void>
}

/** Listens on `path` (a leftover socket there is replaced); its connections have the rights of `domid`. */
export async function listenOn(server: XenStored, path: string, domid = 0): Promise<Listener> {
  const sockets = new Set<Socket>()
  const share = domid === 0 ? undefined : new FairShare(systemClock)
  const listener = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(server, socket, domid, share)
  })
  rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject)
    listener.listen(path, () => {
      listener.off('error', reject)
      resolve()
    })
  })
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      listener.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  return { path, close }
}

function serve(server: XenStored, socket: Socket, domid: number, share?: FairShare): void {
  let paused = false
  const connection = server.connect(domid, {
    send: (bytes) => {
      socket.write(bytes)
      if (socket.writableLength > unreadMax) connection.end('too many events are unread')
      else if (socket.writableLength > unreadPause) socket.pause()
    },
    end: () => socket.destroy(),
  })
  const resume = () => {
    paused = false
    if (socket.writableLength <= unreadPause) socket.resume()
  }
  socket.on('data', (chunk: Buffer) => {
    if (!share) return connection.receive(chunk)
    paused = share.spend(() => connection.receive(chunk), resume)
    if (paused) socket.pause()
  })
  socket.on('drain', () => {
    if (!paused) socket.resume()
  })
  // An error is always followed by 'close', which says all that matters here.
  socket.on('error', () => {})
  socket.once('close', () => connection.left())
}
