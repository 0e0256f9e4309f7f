/**
 * @packageDocumentation
 * Calls a function when a descriptor becomes readable, in the event loop of the thread that opened the poller.
 *
 *   plain     the callback must read the descriptor itself, or it is called again at once
 *   eventfd   the counter is read natively: one call for all that was counted
 *   channel   as eventfd, then masked until {@link Poller.unmask}; what comes meanwhile calls once after it
 *   evtchn    the same for a descriptor of /dev/xen/evtchn with one port: masked and unmasked by the kernel
 *
 * A poller borrows its descriptor: closing the descriptor before the poller throws EBUSY. What the callback throws is
 * an uncaught exception of the thread, as from any event.
 */
import { loadAddon } from './load.js'

/** How a wake-up is treated; see above. */
export type PollerMode = 'plain' | 'eventfd' | 'channel' | 'evtchn'

interface PollerAddon {
  pollerOpen(descriptor: number, mode: number, callback: () => void): number
  pollerPause(id: number): void
  pollerResume(id: number): void
  pollerUnmask(id: number): void
  pollerKeepAlive(id: number, keep: boolean): void
  pollerClose(id: number): void
}

const addon = loadAddon<PollerAddon>()
const modes: readonly PollerMode[] = ['plain', 'eventfd', 'channel', 'evtchn']

/** One watched descriptor. Throws EBADF from every method after `close`, but from `close` itself. */
export class Poller {
  #id: number

  /** Begins watching, unless `paused`. Throws EBADF for an unknown handle, EEXIST when this thread polls it already. */
  constructor(handle: number, mode: PollerMode, callback: () => void, paused = false) {
    this.#id = addon.pollerOpen(handle, modes.indexOf(mode), callback)
    if (!paused) addon.pollerResume(this.#id)
  }

  /** Stops watching; what becomes readable meanwhile calls after `resume`. */
  pause(): void {
    addon.pollerPause(this.#id)
  }

  resume(): void {
    addon.pollerResume(this.#id)
  }

  /** Modes `channel` and `evtchn` only: further wake-ups may call from now on. */
  unmask(): void {
    addon.pollerUnmask(this.#id)
  }

  /** Whether this poller alone keeps its thread alive; it does unless told otherwise. */
  keepAlive(keep: boolean): void {
    addon.pollerKeepAlive(this.#id, keep)
  }

  /** Ends the watching and the borrow of the descriptor; no call comes after it. Safe twice and inside the callback. */
  close(): void {
    if (this.#id === 0) return
    const id = this.#id
    this.#id = 0
    addon.pollerClose(id)
  }
}
