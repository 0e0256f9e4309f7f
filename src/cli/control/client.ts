/**
 * @packageDocumentation
 * A command's end of the control socket: connect, call, read events until the result. Whatever goes wrong is one
 * XbbdError with the exit status that the command ends with; a daemon's own error arrives as it was thrown there.
 *
 *   no daemon           69  (and how to start one)       socket of another user   77
 *   ended in between    75  (it may have done what was asked: look)
 */
import type { Socket } from 'node:net'
import { sentenceOf, XbbdError } from '../../protocol/errors.js'
import { dial } from './dial.js'
import { decodeMessage, encodeRequest, LineReader, type ControlError } from './protocol.js'

interface Call {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: XbbdError) => void
  readonly progress: (event: unknown) => void
}

/** One connection to a daemon. */
export class ControlClient {
  private readonly socket: Socket
  private readonly calls = new Map<number, Call>()
  private lastId = 0
  /** Resolves when the daemon, or we, ended the connection. */
  readonly ended: Promise<void>

  private constructor(socket: Socket) {
    this.socket = socket
    const reader = new LineReader()
    socket.on('data', (chunk: Buffer) => {
      if (!reader.feed(chunk, (line) => this.receive(line))) socket.destroy()
    })
    socket.on('error', (cause) => this.fail(new XbbdError('XBBD_CONTROL_LOST', lost(cause), { cause, exitCode: 75 })))
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        this.fail(new XbbdError('XBBD_CONTROL_LOST', lost(undefined), { exitCode: 75 }))
        resolve()
      })
    })
  }

  /** @throws XbbdError 69 when no daemon listens on `path`, 77 when it belongs to somebody else. */
  static async connect(path: string): Promise<ControlClient> {
    const dialled = await dial(path)
    if (dialled.ok) return new ControlClient(dialled.socket)
    const { code, cause } = dialled
    if (code === 'ENOENT' || code === 'ECONNREFUSED') {
      const sentence = `no daemon listens on ${path}: start one with \`xbbd run\`, or name its socket with --socket`
      throw new XbbdError('XBBD_NO_DAEMON', sentence, { cause, exitCode: 69 })
    }
    if (code === 'EACCES' || code === 'EPERM')
      throw new XbbdError('XBBD_DENIED', `${path} belongs to another user: ask as the one who runs the daemon`, {
        cause,
        exitCode: 77,
      })
    throw new XbbdError('XBBD_CONTROL', `cannot connect to ${path}: ${sentenceOf(cause)}`, { cause, exitCode: 71 })
  }

  /** Asks for `method`; events of that call go to `progress`. Rejects with XbbdError. */
  call(method: string, params: object = {}, progress: (event: unknown) => void = () => undefined): Promise<unknown> {
    const id = ++this.lastId
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) {
        reject(new XbbdError('XBBD_CONTROL_LOST', lost(undefined), { exitCode: 75 }))
        return
      }
      const line = encodeRequest({ id, method, params: { ...params } })
      this.calls.set(id, { resolve, reject, progress })
      this.socket.write(line)
    })
  }

  close(): void {
    this.socket.destroySoon()
  }

  private receive(line: string): void {
    const message = decodeMessage(line)
    if (!message) {
      const sentence = 'what listens there does not speak the control protocol of this version of xbbd'
      this.fail(new XbbdError('XBBD_CONTROL', sentence, { exitCode: 76 }))
      this.socket.destroy()
      return
    }
    if (message.id === 0) {
      // about the connection as a whole: whatever was asked will not be answered
      if ('error' in message) this.fail(errorOf(message.error))
      return
    }
    const call = this.calls.get(message.id)
    if (!call) return
    if ('event' in message) return call.progress(message.event)
    this.calls.delete(message.id)
    if ('error' in message) call.reject(errorOf(message.error))
    else call.resolve(message.result)
  }

  private fail(error: XbbdError): void {
    const open = [...this.calls.values()]
    this.calls.clear()
    for (const call of open) call.reject(error)
  }
}

function errorOf(error: ControlError): XbbdError {
  return new XbbdError(error.code, error.sentence, { exitCode: error.exitCode })
}

function lost(cause: unknown): string {
  const why = cause === undefined ? '' : ` (${sentenceOf(cause)})`
  return `the daemon ended the connection before it answered${why}: \`xbbd list\` shows whether it still runs`
}
