/**
 * @packageDocumentation
 * One client as the server sees it: its domain, its open transactions, its watches, and the decoder for its bytes.
 *
 * Bytes that are no messages end the connection; messages that are nonsense are answered with an error's name. Each
 * message is answered before the next is looked at. Watches and transactions are bounded by quotas, for domain 0 by
 * sixty-four times as much, so that a mistake there shows as an error and not as memory.
 */
import { encodeMessage, WireDecoder, XENSTORE_PAYLOAD_MAX, XS } from '../../io/xenstore/wire.js'
import { nulTerminated } from '../../io/xenstore/payload.js'
import { answer } from './requests.js'
import { Transaction } from './transaction.js'
import type { XsErrorName } from './rights.js'
import type { ServerWatch } from './watch-table.js'
import type { ConnectionSink, XenStored } from './xenstored.js'

/** A connection with the rights of `domid`. */
export class ServerConnection {
  readonly domid: number
  readonly store: XenStored
  readonly #sink: ConnectionSink
  readonly #left: () => void
  readonly #decoder = new WireDecoder()
  readonly #transactions = new Map<number, Transaction>()
  readonly #watches = new Map<string, ServerWatch>()
  #open = true

  constructor(store: XenStored, domid: number, sink: ConnectionSink, left: () => void) {
    this.store = store
    this.domid = domid
    this.#sink = sink
    this.#left = left
  }

  /** Takes bytes from the client, cut anywhere. */
  receive(chunk: Uint8Array): void {
    const { messages, broken } = this.#decoder.push(chunk)
    for (const message of messages) {
      if (!this.#open) return
      const { reply, after } = answer(this, message)
      const failed = typeof reply === 'string' || reply.length > XENSTORE_PAYLOAD_MAX
      const payload = typeof reply === 'string' ? nulTerminated([reply]) : failed ? nulTerminated(['E2BIG']) : reply
      this.#sink.send(encodeMessage(failed ? XS.ERROR : message.type, message.reqId, message.txId, payload))
      after?.()
    }
    if (broken !== undefined) this.end(broken)
  }

  /** The client is gone: its watches and transactions go, no node changes. */
  left(): void {
    if (!this.#open) return
    this.#open = false
    this.reset()
    this.#left()
  }

  /** The server ends it. */
  end(reason: string): void {
    if (!this.#open) return
    this.left()
    this.#sink.end(reason)
  }

  /** RESET_WATCHES: as if newly connected. */
  reset(): void {
    for (const watch of this.#watches.values()) this.store.watches.delete(watch)
    this.#watches.clear()
    this.#transactions.clear()
  }

  transaction(id: number): Transaction | undefined {
    return this.#transactions.get(id)
  }

  startTransaction(): number | XsErrorName {
    if (this.#transactions.size >= this.#allowed(this.store.quotas.transactions)) return 'ENOSPC'
    const id = this.store.nextTransactionId((taken) => this.#transactions.has(taken))
    this.#transactions.set(id, new Transaction(this.store.tree, this.domid, this.store.quotas))
    return id
  }

  endTransaction(id: number): void {
    this.#transactions.delete(id)
  }

  /** Sets a watch; the caller fires it once afterwards. */
  watch(path: string, relative: boolean, token: string): ServerWatch | XsErrorName {
    const key = `${path}\0${token}`
    if (this.#watches.has(key)) return 'EEXIST'
    if (this.#watches.size >= this.#allowed(this.store.quotas.watches)) return 'E2BIG'
    const watch = { domid: this.domid, path, relative, token, tell: this.#tell }
    this.#watches.set(key, watch)
    this.store.watches.add(watch)
    return watch
  }

  unwatch(path: string, token: string): XsErrorName | undefined {
    const watch = this.#watches.get(`${path}\0${token}`)
    if (!watch) return 'ENOENT'
    this.#watches.delete(`${path}\0${token}`)
    this.store.watches.delete(watch)
    return undefined
  }

  readonly #tell = (path: string, token: string): void => {
    const payload = nulTerminated([path, token])
    // Who sets a watch with a token as long as a message gets no events: they cannot be told.
    if (this.#open && payload.length <= XENSTORE_PAYLOAD_MAX)
      this.#sink.send(encodeMessage(XS.WATCH_EVENT, 0, 0, payload))
  }

  #allowed(quota: number): number {
    return this.domid === 0 ? quota * 64 : quota
  }
}
