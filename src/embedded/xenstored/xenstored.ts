/**
 * @packageDocumentation
 * A XenStore server for the pocket host and the simulator: the live tree, the known domains, the watches, and the
 * connections, each with the rights of one domain. It does no I/O of its own and knows no time:
 *
 *   bytes ─► connection.receive ─► requests.ts ─► tree, transactions ─► replies and events ─► connection's `send`
 *
 * server.ts puts it on unix sockets, in-process.ts on queues of microtasks.
 *
 * A connection that ends takes its watches and transactions with it, and changes no node: XenStore does not notice
 * that a back end died, which is what lets its successor find everything as it was.
 */
import { apply, type Change } from './changes.js'
import { ServerConnection } from './server-connection.js'
import { defaultQuotas, type Quotas, type XsErrorName } from './rights.js'
import type { Transaction } from './transaction.js'
import { Tree } from './tree.js'
import { WatchTable } from './watch-table.js'

/** Where a connection's bytes go. */
export interface ConnectionSink {
  send(bytes: Uint8Array): void
  /** The server ends the connection, for this reason. */
  end(reason: string): void
}

/** The server's whole state. */
export class XenStored {
  readonly quotas: Quotas
  readonly watches = new WatchTable()
  readonly #introduced = new Set<number>([0])
  readonly #connections = new Set<ServerConnection>()
  #tree = Tree.empty()
  #lastTransaction = 0

  constructor(quotas: Partial<Quotas> = {}) {
    this.quotas = { ...defaultQuotas, ...quotas }
    for (const path of ['/tool', '/tool/xenstored', '/local', '/local/domain'])
      apply(this.#tree, { kind: 'mkdir', path }, 0, this.quotas)
  }

  /** The live tree: read it, change it through {@link change}. */
  get tree(): Tree {
    return this.#tree
  }

  /** How many connections stand. */
  get connectionCount(): number {
    return this.#connections.size
  }

  /** A new connection with the rights of `domid`. */
  connect(domid: number, sink: ConnectionSink): ServerConnection {
    const connection = new ServerConnection(this, domid, sink, () => this.#connections.delete(connection))
    this.#connections.add(connection)
    return connection
  }

  /** Changes the live tree and tells the watches. */
  change(change: Change, domid: number): XsErrorName | undefined {
    const result = apply(this.#tree, change, domid, this.quotas)
    if (typeof result === 'string') return result
    for (const event of result) this.watches.fire(event, this.#tree)
    return undefined
  }

  /** Makes a transaction's changes the live state, or says why not; EAGAIN: it met another change. */
  commit(transaction: Transaction, domid: number): XsErrorName | undefined {
    const result = transaction.commit(this.#tree, domid, this.quotas)
    if (typeof result === 'string') return result
    this.#tree = result.tree
    for (const event of result.events) this.watches.fire(event, this.#tree)
    return undefined
  }

  /** A number that no other open transaction has. */
  nextTransactionId(taken: (id: number) => boolean): number {
    do this.#lastTransaction = (this.#lastTransaction + 1) >>> 0
    while (this.#lastTransaction === 0 || taken(this.#lastTransaction))
    return this.#lastTransaction
  }

  isIntroduced(domid: number): boolean {
    return this.#introduced.has(domid)
  }

  /** Makes a domain known; those who watch `@introduceDomain` are told the first time. */
  introduce(domid: number): void {
    if (this.#introduced.has(domid)) return
    this.#introduced.add(domid)
    this.watches.fireSpecial('@introduceDomain')
  }

  /** Forgets a domain and ends its connections; its nodes stay, removing them is the toolstack's part. */
  release(domid: number): XsErrorName | undefined {
    if (domid === 0) return 'EINVAL'
    if (!this.#introduced.delete(domid)) return 'ENOENT'
    for (const connection of [...this.#connections])
      if (connection.domid === domid) connection.end(`domain ${domid} was released`)
    this.watches.fireSpecial('@releaseDomain')
    return undefined
  }

  /** Ends every connection. */
  close(): void {
    for (const connection of [...this.#connections]) connection.end('XenStore is closing')
  }
}
