/**
 * @packageDocumentation
 * XenStore as the daemon needs it. One client serves the whole daemon; it is asynchronous, bounded, and its watches
 * carry no payload: whoever is woken reads the state anew (security lesson of XSA-349: act on state, not on events).
 */

/** Errors carry XenStore's own name in `code`: ENOENT, EAGAIN, EACCES, EINVAL, EEXIST, EQUOTA … */
export interface XenStoreError extends Error {
  readonly code: string
}

/** 'n' none, 'r' read, 'w' write, 'b' both; the first entry names the owner and everyone else's default. */
export interface XenStorePermission {
  readonly access: 'n' | 'r' | 'w' | 'b'
  readonly domid: number
}

/** Operations inside one transaction, or outside of any (`immediate`). */
export interface XenStoreOps {
  /** The value, or undefined when the node does not exist. Other failures reject. */
  read(path: string): Promise<string | undefined>
  write(path: string, value: string): Promise<void>
  mkdir(path: string): Promise<void>
  /** Removes the node and all below it; silently nothing when it is absent. */
  remove(path: string): Promise<void>
  /** Names of the children; empty when there are none, undefined when the node does not exist. */
  list(path: string): Promise<string[] | undefined>
  getPermissions(path: string): Promise<XenStorePermission[]>
  setPermissions(path: string, permissions: readonly XenStorePermission[]): Promise<void>
}

export interface XenStore extends XenStoreOps {
  /**
   * Runs `body` in a transaction and commits it; on EAGAIN runs it again, at most `attempts` times (default 10),
   * then rejects with code EAGAIN. Aborts and rejects when `body` rejects.
   */
  transaction<T>(body: (ops: XenStoreOps) => Promise<T>, attempts?: number): Promise<T>
  /**
   * Calls `changed` for the node and everything below it; once at once, as XenStore does. Events for one watch are
   * coalesced while `changed` has not been called yet: at most one is pending per path below the watch, at most
   * 1024 per watch (then one call with the watched path itself). Special paths: `@introduceDomain`, `@releaseDomain`.
   * @returns what removes it.
   */
  watch(path: string, changed: (path: string) => void): Promise<() => Promise<void>>
  /** Whether XenStore knows the domain: not before its toolstack introduced it, and no more when it has died. */
  isDomainIntroduced(domid: number): Promise<boolean>
  /** Resolves when the connection has ended; with the reason, if it was not `close`. */
  readonly closed: Promise<Error | undefined>
  close(): void
}
