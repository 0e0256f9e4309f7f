/**
 * @packageDocumentation
 * Who watches what. A watch sees its node and everything below; it may be set on a node that does not exist.
 *
 *   event /a/b  ─► watches on /a/b, /a, /        (exact: those on /a/b alone)
 *   event @releaseDomain ─► watches on that name
 *
 * A guest is told of a node only if it may read the node as it was, as it is, or its parent: otherwise watches would
 * tell guests about each other. Order: as the watches were set, nearest path first. The path in an event
 * is relative when the watch was set with a relative one.
 */
import { homeOf, parentOf } from '../../io/xenstore/path.js'
import type { TreeEvent } from './changes.js'
import { permits } from './rights.js'
import type { Tree } from './tree.js'

/** One watch of one connection. */
export interface ServerWatch {
  readonly domid: number
  /** Absolute, or the name of a special event. */
  readonly path: string
  /** Whether the client gave a path relative to its domain's. */
  readonly relative: boolean
  readonly token: string
  /** Tells the client; `path` as it wants to see it. */
  readonly tell: (path: string, token: string) => void
}

/** The watches of all connections. */
export class WatchTable {
  readonly #byPath = new Map<string, Set<ServerWatch>>()

  add(watch: ServerWatch): void {
    const watches = this.#byPath.get(watch.path) ?? new Set()
    this.#byPath.set(watch.path, watches.add(watch))
  }

  delete(watch: ServerWatch): void {
    const watches = this.#byPath.get(watch.path)
    watches?.delete(watch)
    if (watches?.size === 0) this.#byPath.delete(watch.path)
  }

  /** Tells everyone concerned. `tree` is the state after the change. */
  fire(event: TreeEvent, tree: Tree): void {
    for (let at: string | undefined = event.path; at !== undefined; at = event.exact ? undefined : parentOf(at))
      for (const watch of this.#byPath.get(at) ?? []) if (mayKnow(event, tree, watch.domid)) tell(watch, event.path)
  }

  /** Tells who watches a special event. */
  fireSpecial(name: string): void {
    for (const watch of this.#byPath.get(name) ?? []) watch.tell(name, watch.token)
  }
}

/** An event for one watch. */
export function tell(watch: ServerWatch, path: string): void {
  const home = `${homeOf(watch.domid)}/`
  watch.tell(watch.relative && path.startsWith(home) ? path.slice(home.length) : path, watch.token)
}

function mayKnow(event: TreeEvent, tree: Tree, domid: number): boolean {
  if (domid === 0) return true
  const parent = parentOf(event.path)
  const now = tree.find(event.path)?.permissions
  const above = parent === undefined ? undefined : tree.find(parent)?.permissions
  return [event.permissions, now, above].some((entries) => entries && permits(entries, domid, 'read'))
}
