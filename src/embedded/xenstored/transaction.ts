/**
 * @packageDocumentation
 * A transaction: a snapshot, the paths that were looked at, and the changes made so far.
 *
 *   base (snapshot at the start, never changed) ── compared with live at the end, for every touched path
 *   own  (fork of it, changed as the client goes)
 *   changes ── done again to a fork of live, which becomes live when all succeed
 *
 * A conflict is a touched path whose generation in live is not the one in base: then nothing is done (EAGAIN). What is
 * read, written, or decides whether something can be created is touched. What two transactions touch together thus
 * behaves as if one had come after the other.
 */
import { nearest, type Quotas, type XsErrorName } from './rights.js'
import { apply, type Change, type TreeEvent } from './changes.js'
import { descendants, type Tree } from './tree.js'

/** One transaction of one connection. */
export class Transaction {
  /** What its client sees. */
  readonly own: Tree
  readonly #base: Tree
  readonly #touched = new Set<string>()
  readonly #touchedMax: number
  readonly #changes: Change[] = []

  constructor(live: Tree, domid: number, quotas: Quotas) {
    this.#base = live.fork()
    this.own = live.fork()
    this.#touchedMax = quotas.transactionNodes * (domid === 0 ? 64 : 1)
  }

  /** Notes what an operation on `path` depends on; false when the transaction has become too large (ENOSPC). */
  touch(path: string): boolean {
    this.#touched.add(path).add(nearest(this.own, path).path)
    return this.#touched.size <= this.#touchedMax && this.#changes.length <= this.#touchedMax
  }

  /** Changes the transaction's own view. */
  change(change: Change, domid: number, quotas: Quotas): XsErrorName | undefined {
    if (!this.touch(change.path) || !this.#touchBelow(change)) return 'ENOSPC'
    const result = apply(this.own, change, domid, quotas)
    if (typeof result === 'string') return result
    this.#changes.push(change)
    return undefined
  }

  /** The new live tree and what happened to it; `live` itself is left alone. */
  commit(live: Tree, domid: number, quotas: Quotas): { tree: Tree; events: TreeEvent[] } | XsErrorName {
    for (const path of this.#touched)
      if (this.#base.find(path)?.generation !== live.find(path)?.generation) return 'EAGAIN'
    const tree = live.fork()
    const events = new Map<string, TreeEvent>()
    for (const change of this.#changes) {
      const result = apply(tree, change, domid, quotas)
      if (typeof result === 'string') return result
      for (const event of result) {
        const earlier = events.get(event.path)
        events.set(event.path, earlier ? { ...earlier, exact: earlier.exact && event.exact } : event)
      }
    }
    // To others the transaction is one change: a node that came and went within it never was.
    const seen = [...events.values()].filter(({ path }) => live.find(path) ?? tree.find(path))
    return { tree, events: seen }
  }

  /** A removal depends on everything that it removes. */
  #touchBelow(change: Change): boolean {
    const node = change.kind === 'remove' ? this.own.find(change.path) : undefined
    if (!node) return true
    for (const [path] of descendants(change.path, node)) if (!this.touch(path)) return false
    return true
  }
}
