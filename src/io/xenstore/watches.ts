/**
 * @packageDocumentation
 * A client's watches: tokens, and events that wait for their callback.
 *
 *   WATCH_EVENT (path, token) ─► pending set of that watch ─► microtask ─► changed(path), once per path
 *
 * Events of one chunk of bytes arrive together; the same path twice is one call, since a watch means "look again".
 * Beyond 1024 waiting paths there is one call with the watched path itself, which means "look at everything". An event
 * for a token that was given back is late and is dropped.
 */
const pendingMax = 1024

interface ClientWatch {
  readonly path: string
  readonly changed: (path: string) => void
  readonly pending: Set<string>
  overflown: boolean
}

/** All watches of one connection. `failed` hears what a callback throws. */
export class ClientWatches {
  readonly #watches = new Map<string, ClientWatch>()
  readonly #failed: (error: unknown) => void
  #issued = 0
  #scheduled = false

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Enters a watch and gives its token, unique for the connection. */
  add(path: string, changed: (path: string) => void): string {
    const token = `w${++this.#issued}`
    this.#watches.set(token, { path, changed, pending: new Set(), overflown: false })
    return token
  }

  /** Forgets a watch with what waits for it; whether it was there. */
  delete(token: string): boolean {
    return this.#watches.delete(token)
  }

  clear(): void {
    this.#watches.clear()
  }

  /** Takes an event; the callback runs in a later microtask. */
  event(path: string, token: string): void {
    const watch = this.#watches.get(token)
    if (!watch || watch.overflown) return
    if (watch.pending.size >= pendingMax && !watch.pending.has(path)) {
      watch.pending.clear()
      watch.overflown = true
    } else watch.pending.add(path)
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => this.#deliver())
  }

  #deliver(): void {
    this.#scheduled = false
    for (const [token, watch] of [...this.#watches]) {
      const paths = watch.overflown ? [watch.path] : [...watch.pending]
      watch.overflown = false
      watch.pending.clear()
      for (const path of paths) {
        // A callback may give back its own or another watch: nothing is delivered after that.
        if (!this.#watches.has(token)) break
        try {
          watch.changed(path)
        } catch (error) {
          this.#failed(error)
        }
      }
    }
  }
}
