/**
 * @packageDocumentation
 * Requests and replies of one client connection. Requests are pipelined: a reply finds its request by `req_id`, in
 * whatever order it comes.
 *
 *   request() ─► at most 256 under way ─► transport
 *        └────► at most 4096 waiting, in order; one more is refused with EBUSY
 *
 * What the other side sends is believed only as far as it fits: an unknown `req_id`, a reply of another type or a
 * length beyond the limit ends the connection with EPROTO, and every waiting request rejects with ENOTCONN.
 */
import { XenStoreFailure } from './error.js'
import { splitStrings } from './payload.js'
import type { Transport } from './transport.js'
import { encodeMessage, WireDecoder, type WireMessage, XENSTORE_PAYLOAD_MAX, XS } from './wire.js'

const underWayMax = 256
const waitingMax = 4096

interface Request {
  readonly type: number
  readonly txId: number
  readonly payload: Uint8Array
  /** For sentences: `WRITE /local/domain/0/x`. */
  readonly title: string
  readonly resolve: (payload: Buffer) => void
  readonly reject: (error: XenStoreFailure) => void
}

/** One connection's requests; watch events go to `event`. */
export class Connection {
  readonly closed: Promise<Error | undefined>
  readonly #transport: Transport
  readonly #payloadMax: number
  readonly #event: (path: string, token: string) => void
  readonly #decoder = new WireDecoder()
  readonly #underWay = new Map<number, Request>()
  #waiting: Request[] = []
  #lastReqId = 0
  #open = true
  #resolveClosed: (reason: Error | undefined) => void = () => {}

  constructor(transport: Transport, event: (path: string, token: string) => void) {
    this.#transport = transport
    this.#payloadMax = transport.payloadMax ?? XENSTORE_PAYLOAD_MAX
    this.#event = event
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    transport.onClose((reason) => this.#ended(reason))
    transport.onBytes((chunk) => this.#received(chunk))
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Sends a request and resolves with its reply's payload. */
  request(type: number, txId: number, payload: Uint8Array, title: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const request = { type, txId, payload, title, resolve, reject }
      if (!this.#open) reject(new XenStoreFailure('ENOTCONN', `${title}: the connection to XenStore has ended`))
      else if (payload.length > this.#payloadMax)
        reject(new XenStoreFailure('E2BIG', `${title}: ${payload.length} bytes, ${this.#payloadMax} are allowed`))
      else if (this.#underWay.size < underWayMax) this.#send(request)
      else if (this.#waiting.length < waitingMax) this.#waiting.push(request)
      else reject(new XenStoreFailure('EBUSY', `${title}: ${waitingMax} requests to XenStore are waiting already`))
    })
  }

  /** Ends the connection; `reason` is what `closed` resolves with. */
  close(reason?: Error): void {
    if (!this.#open) return
    this.#transport.close()
    this.#ended(reason)
  }

  #send(request: Request): void {
    do this.#lastReqId = (this.#lastReqId + 1) >>> 0
    while (this.#lastReqId === 0 || this.#underWay.has(this.#lastReqId))
    this.#underWay.set(this.#lastReqId, request)
    this.#transport.write(encodeMessage(request.type, this.#lastReqId, request.txId, request.payload))
  }

  #received(chunk: Uint8Array): void {
    const { messages, broken } = this.#decoder.push(chunk)
    for (const message of messages) {
      if (!this.#open) return
      if (message.type === XS.WATCH_EVENT) this.#watchEvent(message)
      else this.#reply(message)
    }
    if (broken !== undefined) this.#violated(broken)
    this.#sendWaiting()
  }

  #watchEvent(message: WireMessage): void {
    const [path, token] = splitStrings(message.payload) ?? []
    if (path === undefined || token === undefined) this.#violated('a watch event lacks path or token')
    else this.#event(path, token)
  }

  #reply(message: WireMessage): void {
    const request = this.#underWay.get(message.reqId)
    if (!request) return this.#violated(`a reply answers no request (req_id ${message.reqId})`)
    this.#underWay.delete(message.reqId)
    if (message.type === request.type) return request.resolve(message.payload)
    const code = message.type === XS.ERROR ? splitStrings(message.payload)?.[0] : undefined
    if (code !== undefined)
      return request.reject(new XenStoreFailure(code, `XenStore refused ${request.title}: ${code}`))
    request.reject(new XenStoreFailure('EPROTO', `XenStore answered ${request.title} with type ${message.type}`))
    this.#violated(`a reply has type ${message.type}, its request had ${request.type}`)
  }

  #sendWaiting(): void {
    if (!this.#open || this.#waiting.length === 0) return
    for (const request of this.#waiting.splice(0, underWayMax - this.#underWay.size)) this.#send(request)
  }

  #violated(what: string): void {
    this.close(new XenStoreFailure('EPROTO', `XenStore's server broke the protocol: ${what}`))
  }

  #ended(reason: Error | undefined): void {
    if (!this.#open) return
    this.#open = false
    const left = [...this.#underWay.values(), ...this.#waiting]
    this.#underWay.clear()
    this.#waiting = []
    for (const { title, reject } of left)
      reject(new XenStoreFailure('ENOTCONN', `${title}: the connection to XenStore has ended`))
    this.#resolveClosed(reason)
  }
}
