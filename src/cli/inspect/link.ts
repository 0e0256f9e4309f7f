/**
 * @packageDocumentation
 * The way to an inspector: a WebSocket that we open, to the relay that `@statelyai/inspect/server` starts, or to
 * anything else that takes its messages. Two needs, two kinds:
 *
 *   connectInspector   for a recording: it must be there, it is waited for, nothing is lost
 *   InspectorLink      for a daemon: it may come and go, and must not cost memory; what does not fit is dropped, and
 *                      whoever comes (again) is told how things stand
 */
import WebSocket from 'ws'
import type { Clock } from '../../ports/clock.js'
import type { FeedMessage } from '../../observe/stately-feed.js'
import { sentenceOf, XbbdError } from '../../protocol/errors.js'

const HANDSHAKE_MS = 5000
const AGAIN_MS = 5000
/** A receiver that is slower than this far behind loses messages of a daemon, and makes a recording wait. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024
const DRAINED_LOOK_MS = 5

export interface Inspector {
  /** Resolves when there is room for more. Rejects with XbbdError 74 when the receiver has gone. */
  send(message: FeedMessage): Promise<void>
  /** Resolves when everything has been taken. */
  close(): Promise<void>
}

/** Connects. Rejects with XbbdError: 64 when `url` is none, 69 when nobody answers there. */
export async function connectInspector(url: string, clock: Clock): Promise<Inspector> {
  const socket = open(url)
  let lost: Error | undefined
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', (cause) => reject(nobody(url, cause)))
  })
  socket.on('error', (error) => (lost = error))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const pause = () => new Promise<void>((resolve) => void clock.after(DRAINED_LOOK_MS, resolve))
  return {
    async send(message) {
      while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > UNREAD_BYTES_MAX) await pause()
      if (socket.readyState !== WebSocket.OPEN)
        throw new XbbdError('XBBD_INSPECT_LOST', `the inspector at ${url} ended the connection: start it again`, {
          cause: lost, exitCode: 74,
        })
      socket.send(JSON.stringify(message))
    },
    async close() {
      socket.close()
      await closed
    },
  }
}

/** A link of a daemon's; never throws, never grows. */
export class InspectorLink {
  readonly #url: string
  readonly #clock: Clock
  readonly #opened: () => void
  #socket: WebSocket | undefined
  #cancel: () => void = () => undefined
  #ended = false

  /** @param opened - somebody listens from now on. */
  constructor(url: string, clock: Clock, opened: () => void) {
    this.#url = url
    this.#clock = clock
    this.#opened = opened
  }

  get listens(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  start(): void {
    if (this.#ended) return
    const socket = open(this.#url)
    this.#socket = socket
    socket.on('open', () => this.#opened())
    socket.on('error', () => undefined) // `close` follows, and with it the next try
    socket.on('close', () => {
      if (!this.#ended) this.#cancel = this.#clock.after(AGAIN_MS, () => this.start())
    })
  }

  send(message: FeedMessage): void {
    const socket = this.#socket
    if (socket?.readyState === WebSocket.OPEN && socket.bufferedAmount < UNREAD_BYTES_MAX)
      socket.send(JSON.stringify(message))
  }

  close(): void {
    this.#ended = true
    this.#cancel()
    this.#socket?.terminate()
  }
}

/** @throws XbbdError 64 when `url` is none. */
function open(url: string): WebSocket {
  try {
    return new WebSocket(url, { handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false })
  } catch (cause) {
    const sentence = `${url} is no WebSocket's address: ws://localhost:8080, say`
    throw new XbbdError('XBBD_INSPECT_URL', sentence, { cause, exitCode: 64 })
  }
}

function nobody(url: string, cause: unknown): XbbdError {
  const cure = 'start a receiver first, such as createInspectorServer() of @statelyai/inspect/server'
  const sentence = `no inspector answers at ${url} (${sentenceOf(cause)}): ${cure}`
  return new XbbdError('XBBD_INSPECT', sentence, { cause, exitCode: 69 })
}
