/**
 * @packageDocumentation
 * The back end as seen through XenStore: its state, and waiting for it to change. A watch says only that something may
 * have changed, so every wake-up reads the state anew; reads never overlap.
 *
 *   watch BACKEND/state ► read ► 0…8, 0 when the node is gone ► `changed`, and whoever waits for that state
 */
import type { Clock } from '../../ports/clock.js'
import type { XenStore } from '../../ports/xenstore.js'
import { codeOf } from '../../protocol/errors.js'
import { readNumber } from './features.js'

/** XenbusState (xen/include/public/io/xenbus.h), as numbers, because the dance compares them. */
export const STATE = {
  Unknown: 0, Initialising: 1, InitWait: 2, Initialised: 3, Connected: 4, Closing: 5, Closed: 6,
} as const

interface Waiter {
  readonly test: (state: number) => boolean
  readonly done: (state: number | undefined) => void
}

export class Peer {
  /** The state last read. */
  state: number = STATE.Unknown
  /** The store no longer answers: nothing will ever be seen here again. */
  lost = false
  readonly #store: XenStore
  readonly #directory: string
  readonly #changed: (state: number) => void
  #unwatch: (() => Promise<void>) | undefined
  #reading = false
  #again = false
  #closed = false
  readonly #waiters = new Set<Waiter>()

  private constructor(store: XenStore, directory: string, changed: (state: number) => void) {
    this.#store = store
    this.#directory = directory
    this.#changed = changed
  }

  /** Watches the back end in `directory`; `changed` is called after every wake-up, also when the state is the same. */
  static async watch(store: XenStore, directory: string, changed: (state: number) => void): Promise<Peer> {
    const peer = new Peer(store, directory, changed)
    peer.#unwatch = await store.watch(`${directory}/state`, () => void peer.#look())
    return peer
  }

  /** Resolves with the first state for which `test` holds; with undefined after `timeoutMs`, or when all is lost. */
  async until(test: (state: number) => boolean, clock: Clock, timeoutMs: number): Promise<number | undefined> {
    if (test(this.state)) return this.state
    if (this.lost) return undefined
    return new Promise((resolve) => {
      const waiter: Waiter = {
        test,
        done: (state) => {
          this.#waiters.delete(waiter)
          cancel()
          resolve(state)
        },
      }
      const cancel = clock.after(timeoutMs, () => waiter.done(undefined))
      this.#waiters.add(waiter)
    })
  }

  /** What the back end or its tools have written about a failure. */
  async complaint(): Promise<string> {
    const text = await this.#store.read(`${this.#directory}/hotplug-error`).catch(() => undefined)
    return text ? text : 'it gives no reason'
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#unwatch?.()
  }

  async #look(): Promise<void> {
    if (this.#reading) {
      this.#again = true
      return
    }
    this.#reading = true
    do {
      this.#again = false
      const state = await this.#read()
      if (this.#closed) break
      if (state === undefined) this.#lose()
      else this.#saw(state)
    } while (this.#again)
    this.#reading = false
  }

  /** A directory that is gone reads as EACCES to a guest: what is above it is not the guest's to see. */
  #read(): Promise<number | undefined> {
    return readNumber(this.#store, `${this.#directory}/state`, STATE.Unknown).catch((error: unknown) =>
      codeOf(error) === 'EACCES' ? STATE.Unknown : undefined,
    )
  }

  #saw(state: number): void {
    this.state = state
    this.#changed(state)
    for (const waiter of [...this.#waiters]) if (waiter.test(state)) waiter.done(state)
  }

  #lose(): void {
    this.lost = true
    this.#changed(this.state)
    for (const waiter of [...this.#waiters]) waiter.done(undefined)
  }
}
