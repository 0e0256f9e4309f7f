/**
 * @packageDocumentation
 * The daemon's XenStore client: the port `XenStore` over any transport. Everything is bounded: requests under way
 * and waiting (connection.ts), events per watch (watches.ts), attempts of a transaction. It does not reconnect: when
 * `closed` resolves, the owner decides; watches and transactions are lost then, nodes are not.
 *
 *   transaction:  START ─► body(ops with its tx_id) ─► END "T" ─► done
 *                   ▲            └ rejects ─► END "F" ─► rejects with the body's reason
 *                   └── EAGAIN, at most `attempts` times ──┘
 *
 * Values are text in UTF-8 (payload.ts); bytes that are none arrive as U+FFFD.
 */
import type { XenStore, XenStoreOps, XenStorePermission } from '../../ports/xenstore.js'
import { codeOf } from '../../protocol/errors.js'
import { Connection } from './connection.js'
import { XenStoreFailure } from './error.js'
import { checkedPath, Operations } from './operations.js'
import { nulTerminated, parseU32, splitStrings } from './payload.js'
import { connectUnix, type Transport } from './transport.js'
import { ClientWatches } from './watches.js'
import { XS } from './wire.js'

const transactionAttempts = 10

/** A client over one connected transport. */
export class XenStoreClient implements XenStore {
  readonly closed: Promise<Error | undefined>
  readonly #connection: Connection
  readonly #immediate: Operations
  readonly #watches: ClientWatches

  constructor(transport: Transport) {
    this.#watches = new ClientWatches((thrown) => this.#connection.close(callbackThrew(thrown)))
    this.#connection = new Connection(transport, (path, token) => this.#watches.event(path, token))
    this.#immediate = new Operations(this.#connection, 0)
    this.closed = this.#connection.closed.then((reason) => {
      this.#watches.clear()
      return reason
    })
  }

  read(path: string): Promise<string | undefined> {
    return this.#immediate.read(path)
  }

  write(path: string, value: string): Promise<void> {
    return this.#immediate.write(path, value)
  }

  mkdir(path: string): Promise<void> {
    return this.#immediate.mkdir(path)
  }

  remove(path: string): Promise<void> {
    return this.#immediate.remove(path)
  }

  list(path: string): Promise<string[] | undefined> {
    return this.#immediate.list(path)
  }

  getPermissions(path: string): Promise<XenStorePermission[]> {
    return this.#immediate.getPermissions(path)
  }

  setPermissions(path: string, permissions: readonly XenStorePermission[]): Promise<void> {
    return this.#immediate.setPermissions(path, permissions)
  }

  async transaction<T>(body: (ops: XenStoreOps) => Promise<T>, attempts = transactionAttempts): Promise<T> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const txId = await this.#start()
      const ops = new Operations(this.#connection, txId)
      let result: T
      try {
        result = await body(ops)
      } catch (error) {
        ops.end()
        await this.#abort(txId)
        throw error
      }
      ops.end()
      if (await this.#commit(txId)) return result
    }
    throw new XenStoreFailure('EAGAIN', `a XenStore transaction met others in each of ${attempts} attempts`)
  }

  async watch(path: string, changed: (path: string) => void): Promise<() => Promise<void>> {
    const normal = checkedPath(path)
    const token = this.#watches.add(normal, changed)
    const payload = nulTerminated([normal, token])
    try {
      await this.#connection.request(XS.WATCH, 0, payload, `WATCH ${normal}`)
    } catch (error) {
      this.#watches.delete(token)
      throw error
    }
    return async () => {
      // After the end of the connection the server has forgotten the watch as well.
      if (!this.#watches.delete(token) || !this.#connection.isOpen) return
      await this.#connection.request(XS.UNWATCH, 0, payload, `UNWATCH ${normal}`)
    }
  }

  async isDomainIntroduced(domid: number): Promise<boolean> {
    const reply = await this.#plain('IS_DOMAIN_INTRODUCED', [String(domid)])
    return splitStrings(reply)?.[0] === 'T'
  }

  /** Makes a domain known; the toolstack's part, used by the pocket host and by tests. */
  async introduceDomain(domid: number, mfn: number, port: number): Promise<void> {
    await this.#plain('INTRODUCE', [String(domid), String(mfn), String(port)])
  }

  /** The opposite of {@link introduceDomain}. */
  async releaseDomain(domid: number): Promise<void> {
    await this.#plain('RELEASE', [String(domid)])
  }

  /** `/local/domain/N`, as the server names it. */
  async domainPath(domid: number): Promise<string> {
    const path = splitStrings(await this.#plain('GET_DOMAIN_PATH', [String(domid)]))?.[0]
    if (path === undefined) throw new XenStoreFailure('EPROTO', `XenStore gave no path for domain ${domid}`)
    return path
  }

  close(): void {
    this.#connection.close()
  }

  #plain(type: keyof typeof XS, strings: readonly string[], txId = 0): Promise<Buffer> {
    return this.#connection.request(XS[type], txId, nulTerminated(strings), [type, ...strings].join(' '))
  }

  async #start(): Promise<number> {
    const id = parseU32(splitStrings(await this.#plain('TRANSACTION_START', ['']))?.[0] ?? '')
    if (id) return id
    throw new XenStoreFailure('EPROTO', 'XenStore gave a transaction no number')
  }

  /** False when it met another change and has to be run again. */
  async #commit(txId: number): Promise<boolean> {
    try {
      await this.#plain('TRANSACTION_END', ['T'], txId)
      return true
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return false
      throw error
    }
  }

  /** The body's own error is what the caller must see, whatever becomes of the abort. */
  async #abort(txId: number): Promise<void> {
    await this.#plain('TRANSACTION_END', ['F'], txId).catch(() => undefined)
  }
}

/** A client connected to xenstored's socket; `path` is `/run/xenstored/socket` on a Xen host. */
export async function connectXenStore(path: string): Promise<XenStoreClient> {
  return new XenStoreClient(await connectUnix(path))
}

function callbackThrew(thrown: unknown): Error {
  return new Error('a watch callback threw, which it must not', { cause: thrown })
}
