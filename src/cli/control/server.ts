/**
 * @packageDocumentation
 * The daemon's end of the control socket. It knows lines, clients and methods by name; what a method does is a
 * `ControlHandler` (see methods.ts). It is the only thing by which a local process can reach the daemon, so it is
 * bounded throughout:
 *
 *   socket          mode 0600 from the moment it exists (umask, not a later chmod)
 *   clients         32; the next is told so and put off
 *   requests        16 of one client at once
 *   unread answers  4 MiB for one client; one that does not read is cut off, and costs nobody else anything
 *
 * A client whose first byte is a capital letter speaks HTTP, and is handed to the server of metrics and of the page
 * (metrics-http.ts); every other line begins with a brace.
 *
 * A socket file that nobody listens on is left over from a daemon that was killed, and is replaced; one on which
 * somebody answers is another daemon, and this one does not start.
 */
import { lstatSync, unlinkSync } from 'node:fs'
import type { Server as HttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { codeOf, sentenceOf, XbbdError } from '../../protocol/errors.js'
import { nearest } from '../../protocol/nearest.js'
import { controlErrorOf, decodeRequest, encodeLine, LineReader, type ControlMessage } from './protocol.js'
import { dial } from './dial.js'

export const CLIENTS_MAX = 32
const REQUESTS_MAX = 16
const UNREAD_BYTES_MAX = 4 * 1024 * 1024

/** Does one method. Rejects with XbbdError for an operator's mistake; `progress` sends an event to this client. */
export type ControlHandler = (
  params: Readonly<Record<string, unknown>>,
  progress: (event: unknown) => void,
) => Promise<unknown>

export type ControlHandlers = Readonly<Record<string, ControlHandler>>

/** A listening control socket. */
export class ControlServer {
  private readonly clients = new Set<Socket>()
  private readonly server: Server
  private readonly handlers: ControlHandlers
  private readonly http: HttpServer | undefined
  private closed: Promise<void> | undefined

  private constructor(handlers: ControlHandlers, http?: HttpServer) {
    this.handlers = handlers
    this.http = http
    this.server = createServer((socket) => this.accept(socket))
  }

  /**
   * Takes `path` and listens there; who speaks HTTP is answered by `http`, when there is one.
   * @throws XbbdError 75 when a daemon listens there already, 73 when the socket cannot be made.
   */
  static async listen(path: string, handlers: ControlHandlers, http?: HttpServer): Promise<ControlServer> {
    await removeStale(path)
    const control = new ControlServer(handlers, http)
    await bind(control.server, path)
    return control
  }

  /** Takes no more clients: another process may listen at this place. Those that are there keep their connection. */
  leave(): void {
    this.closed ??= new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  /** Takes no more clients and ends those that are there, after what was written to them has gone out. */
  async close(): Promise<void> {
    this.leave()
    for (const client of this.clients) client.destroySoon()
    this.http?.closeIdleConnections()
    await this.closed
  }

  private accept(socket: Socket): void {
    socket.on('error', () => socket.destroy()) // a client that went away: nothing is owed to it
    if (this.clients.size >= CLIENTS_MAX) {
      const sentence = `${CLIENTS_MAX} clients are at the control socket already: try again when one has ended`
      return refuse(socket, 0, 'XBBD_CONTROL_BUSY', sentence, 75).destroySoon()
    }
    this.clients.add(socket)
    socket.on('close', () => this.clients.delete(socket))
    socket.once('data', (first: Buffer) => {
      const { http } = this
      if (http !== undefined && isCapital(first[0])) {
        http.emit('connection', socket)
        socket.unshift(first)
      } else this.readLines(socket, first)
    })
  }

  private readLines(socket: Socket, first: Buffer): void {
    const reader = new LineReader()
    let running = 0
    const read = (chunk: Buffer) => {
      const fits = reader.feed(chunk, (line) => {
        if (line.trim() === '') return
        running++
        void this.serve(socket, line, running).then(() => running--)
      })
      if (!fits) refuse(socket, 0, 'XBBD_CONTROL_SIZE', 'a request has at most 1M bytes').destroySoon()
    }
    read(first)
    socket.on('data', read)
  }

  private async serve(socket: Socket, line: string, running: number): Promise<void> {
    const request = decodeRequest(line)
    if (typeof request === 'string') return void refuse(socket, 0, 'XBBD_CONTROL_REQUEST', request)
    const { id, method, params } = request
    if (running > REQUESTS_MAX) {
      const sentence = `${REQUESTS_MAX} requests of this client are in work already: wait for an answer`
      return void refuse(socket, id, 'XBBD_CONTROL_BUSY', sentence, 75)
    }
    const handler = Object.hasOwn(this.handlers, method) ? this.handlers[method] : undefined
    if (!handler) {
      const guess = nearest(method, Object.keys(this.handlers))
      const sentence = `the daemon knows no method ${JSON.stringify(method)}${guess ? `: did you mean ${guess}?` : ''}`
      return void refuse(socket, id, 'XBBD_CONTROL_METHOD', sentence)
    }
    try {
      const result = await handler(params, (event) => send(socket, { id, event }))
      send(socket, { id, result: result ?? null })
    } catch (error) {
      send(socket, { id, error: controlErrorOf(error) })
    }
  }
}

const isCapital = (byte: number) => byte >= 0x41 && byte <= 0x5a

function refuse(socket: Socket, id: number, code: string, sentence: string, exitCode = 64): Socket {
  send(socket, { id, error: { code, sentence, exitCode } })
  return socket
}

function send(socket: Socket, message: ControlMessage): void {
  if (!socket.writable) return
  socket.write(encodeLine(message))
  if (socket.writableLength > UNREAD_BYTES_MAX) socket.destroy()
}

async function removeStale(path: string): Promise<void> {
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (!status) return
  if (!status.isSocket()) {
    const sentence = `${path} exists and is no socket: move it away, or name another place with --control-socket`
    throw new XbbdError('XBBD_CONTROL_PATH', sentence, { exitCode: 73 })
  }
  const answer = await dial(path)
  if (answer.ok) {
    answer.socket.destroy()
    const sentence = `a daemon answers on ${path} already: stop it with \`xbbd stop\`, or give this one another run.dir`
    throw new XbbdError('XBBD_RUNNING', sentence, { exitCode: 75 })
  }
  if (answer.code === 'ECONNREFUSED') unlinkSync(path)
  else if (answer.code !== 'ENOENT') {
    const sentence = `cannot tell whether a daemon is at ${path}: ${answer.code}`
    throw new XbbdError('XBBD_CONTROL_PATH', sentence, { exitCode: 73 })
  }
}

/** Binding happens within `listen`, so the mask is narrowed for that call alone. */
function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const busy = codeOf(cause) === 'EADDRINUSE'
      const sentence = busy ? `another daemon took ${path} just now` : `cannot listen on ${path}: ${sentenceOf(cause)}`
      reject(new XbbdError('XBBD_CONTROL_LISTEN', sentence, { cause, exitCode: busy ? 75 : 73 }))
    })
    const mask = process.umask(0o177)
    try {
      server.listen(path, () => resolve())
    } finally {
      process.umask(mask)
    }
  })
}
