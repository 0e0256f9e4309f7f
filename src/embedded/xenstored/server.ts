/**
 * @packageDocumentation
 * XenStore on unix sockets. The socket decides the rights: one is domain 0's, as on a Xen host; further ones may each
 * belong to a guest, so that a front end in a process of its own is a real guest with a guest's rights.
 *
 *   listenOn(server, DIR/socket, 0)        for daemons and the xenstore-* tools (XENSTORED_PATH)
 *   listenOn(server, DIR/socket.7, 7)      for the front end of guest 7
 *
 * A client that does not read is not read from either (its replies would pile up here), and one that leaves
 * 4 MiB of watch events unread is disconnected.
 */
import { rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
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
  const listener = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(server, socket, domid)
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

function serve(server: XenStored, socket: Socket, domid: number): void {
  const connection = server.connect(domid, {
    send: (bytes) => {
      socket.write(bytes)
      if (socket.writableLength > unreadMax) connection.end('too many events are unread')
      else if (socket.writableLength > unreadPause) socket.pause()
    },
    end: () => socket.destroy(),
  })
  socket.on('data', (chunk: Buffer) => connection.receive(chunk))
  socket.on('drain', () => socket.resume())
  // An error is always followed by 'close', which says all that matters here.
  socket.on('error', () => {})
  socket.once('close', () => connection.left())
}
