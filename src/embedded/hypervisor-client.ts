/**
 * @packageDocumentation
 * The client's end of DIR/hypervisor: requests by number, replies with descriptors. Used by the daemon's host client
 * and by guests. The connection's life is the life of everything that was got through it: the host takes it all back
 * when the socket closes, so nothing here needs a clean-up on death.
 */
import { join } from 'node:path'
import { MessageSocket } from '../io/native/message-socket.js'
import { closeDescriptor } from '../io/native/owners.js'
import { XbbdError, sentenceOf } from '../protocol/errors.js'
import {
  HYPERVISOR_SOCKET, decodeMessage, encodeMessage, refused, type HostOutcome, type HostReply, type HostRequest,
} from './host/wire.js'

const gone = refused('EHOSTDOWN', 'the embedded host has gone: start it again with `xbbd host`')

export class HypervisorClient {
  readonly #socket: MessageSocket
  readonly #waiting = new Map<number, (outcome: HostOutcome) => void>()
  #last = 0
  /** Called once when the host has gone, not after {@link HypervisorClient.close}. */
  onGone: () => void = () => undefined

  private constructor(socket: MessageSocket) {
    this.#socket = socket
    socket.listen({ message: (bytes, handles) => this.#replied(bytes, handles), end: () => this.#end() })
  }

  /** Connects to the host in `dir`. Throws an {@link XbbdError} when there is none. */
  static connect(dir: string): HypervisorClient {
    const path = join(dir, HYPERVISOR_SOCKET)
    try {
      return new HypervisorClient(MessageSocket.connect(path))
    } catch (cause) {
      const sentence = `no embedded host at ${path} (${sentenceOf(cause)}): start one with \`xbbd host --dir ${dir}\``
      throw new XbbdError('XBBD_NO_HOST', sentence, { cause, exitCode: 69 })
    }
  }

  /** Asks; never rejects. The handles of the outcome are the caller's to close. */
  ask(request: HostRequest): Promise<HostOutcome> {
    const id = ++this.#last
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      if (this.#socket.send(encodeMessage({ id, ...request }))) return
      this.#waiting.delete(id)
      resolve(gone)
    })
  }

  close(): void {
    this.onGone = () => undefined
    this.#socket.close()
    this.#end()
  }

  #replied(bytes: Uint8Array, handles: number[]): void {
    const reply = decodeMessage(bytes) as HostReply | undefined
    const resolve = reply && this.#waiting.get(reply.id)
    if (!resolve) return handles.forEach(closeDescriptor)
    this.#waiting.delete(reply.id)
    resolve(reply.ok ? { ok: true, answer: reply.answer, handles } : reply)
  }

  #end(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const resolve of waiting) resolve(gone)
    const { onGone } = this
    this.onGone = () => undefined
    onGone()
  }
}
