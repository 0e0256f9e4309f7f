/**
 * @packageDocumentation
 * One connection to an NBD server: a socket, the handshake on it, and then bytes in both directions until it is lost.
 *
 *   connect ─► handshake ─► opened ─► data … ─► lost (once)          connect, handshake ─► refused (once)
 *
 * Whoever loses a connection must know one thing of it: did the server close it? Then it has ended what it did for it
 * (it closes when its requests are done, or because it died), and what is sent again cannot be overtaken by its older
 * self. When it is given up here, or by the network, nobody knows.
 *
 * What must never happen: a byte that leaves after `destroy`. The buffers of writes belong to others from then on.
 */
import { connect, type Socket } from 'node:net'
import type { Clock } from '../../../ports/clock.js'
import type { NbdAddress } from '../../../ports/medium.js'
import { codeOf } from '../../../protocol/errors.js'
import { Handshake, disconnectRequest, type HandshakeEnd, type HandshakePurpose } from './handshake.js'

/** To be connected and through the handshake. */
const ATTEMPT_MS = 10_000
/** What is read at once: one buffer, used again and again. */
const READ_BYTES = 256 << 10
/** A peer that vanished without a word is noticed by the kernel, when nothing is under way. */
const KEEP_ALIVE_MS = 10_000

export type LinkEnd = Extract<HandshakeEnd, { ok: true }>

export interface LinkHandlers {
  readonly opened: (end: LinkEnd) => void
  /** `later`: another attempt may go better. */
  readonly refused: (sentence: string, later: boolean) => void
  /** Transmission; the bytes are only lent. */
  readonly data: (bytes: Uint8Array) => void
  readonly lost: (sentence: string, ended: boolean) => void
}

export class NbdLink {
  private readonly socket: Socket
  private readonly handlers: LinkHandlers
  private readonly handshake: Handshake
  private readonly cancelTimer: () => void
  private phase: 'attempt' | 'open' | 'over' = 'attempt'

  constructor(address: NbdAddress, purpose: HandshakePurpose, clock: Clock, handlers: LinkHandlers) {
    this.handlers = handlers
    this.handshake = new Handshake(address.exportName, purpose, (bytes) => void this.socket.write(bytes))
    this.socket = connect({
      ...address.at,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      onread: {
        buffer: new Uint8Array(READ_BYTES),
        callback: (length, buffer) => this.read(buffer.subarray(0, length)),
      },
    })
    this.socket.on('error', (error) => this.broke(error))
    this.socket.on('end', () => this.gone('the server closed the connection', true))
    this.socket.on('close', () => this.gone('the connection was closed', true))
    this.cancelTimer = clock.after(ATTEMPT_MS, () => this.refuse(`no answer within ${ATTEMPT_MS / 1000} s`, true))
  }

  /** What is written between these leaves together. */
  cork(): void {
    this.socket.cork()
  }

  uncork(): void {
    this.socket.uncork()
  }

  /** The bytes must stay as they are until they were answered, or the link is destroyed. */
  write(bytes: Uint8Array): void {
    if (this.phase === 'open') this.socket.write(bytes)
  }

  /** In good order: the server is told, and may finish what it was asked before. */
  close(): void {
    if (this.phase === 'open') this.socket.write(disconnectRequest())
    this.over()
    this.socket.destroySoon()
  }

  /** At once: nothing of what was written and has not left leaves any more. */
  destroy(): void {
    this.over()
    this.socket.destroy()
  }

  private over(): void {
    this.phase = 'over'
    this.cancelTimer()
  }

  private read(bytes: Uint8Array): boolean {
    if (this.phase === 'open') this.handlers.data(bytes)
    else if (this.phase === 'attempt') this.shakeHands(bytes)
    return true
  }

  private shakeHands(bytes: Uint8Array): void {
    const end = this.handshake.feed(bytes)
    if (end === undefined) return
    if (!end.ok) return this.refuse(end.sentence, end.later)
    this.cancelTimer()
    this.phase = 'open'
    this.handlers.opened(end)
    if (this.handshake.rest.length > 0) this.read(this.handshake.rest)
  }

  private broke(error: unknown): void {
    const code = codeOf(error) ?? 'unknown'
    if (this.phase === 'attempt') return this.refuse(reasonFor(code), true)
    this.gone(`the connection broke (${code})`, code === 'ECONNRESET' || code === 'EPIPE')
  }

  private gone(sentence: string, ended: boolean): void {
    if (this.phase === 'attempt') return this.refuse(`${sentence} during the handshake`, true)
    if (this.phase !== 'open') return
    this.destroy()
    this.handlers.lost(sentence, ended)
  }

  private refuse(sentence: string, later: boolean): void {
    if (this.phase !== 'attempt') return
    this.destroy()
    this.handlers.refused(sentence, later)
  }
}

/** Why nobody could be reached, in words. */
function reasonFor(code: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'nobody listens there: start the server'
    case 'ENOENT':
      return 'the socket does not exist: start the server, or correct the path'
    case 'EACCES':
    case 'EPERM':
      return 'the socket may not be used: give the daemon’s user the right to write it'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host’s name is not known: correct it, or look at the resolver'
    case 'EAFNOSUPPORT':
      return 'this address cannot be used here (EAFNOSUPPORT): the service’s unit may forbid the network'
    default:
      return `the server cannot be reached (${code}): look at it and at the network`
  }
}
