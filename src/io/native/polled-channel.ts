/**
 * @packageDocumentation
 * An event channel as a Worker has it, whatever it is made of: a descriptor that this thread alone polls, and a way to
 * notify. What comes in is drained natively and masked until `unmask()`, so a guest that storms cannot hold the thread
 * (XSA-332): it can set one bit, and no more.
 *
 *   front end ── event ──► poller, drained, masked ──► listener, once per wake-up ──► unmask
 *             ◄── event ── notify()
 *
 * What must never happen: a wake-up lost between opening and listening. So the poller begins when the listener is
 * there; what was counted before is still in the descriptor.
 */
import type { EventPort } from '../../ports/data-path.js'
import { Poller } from './poller.js'

export class PolledChannel implements EventPort {
  readonly notify: () => void
  readonly #poller: Poller
  #listener: (() => void) | undefined

  /** `kind` says how `eventHandle`, of the table of owners, is drained. */
  constructor(kind: 'channel' | 'evtchn', eventHandle: number, notify: () => void) {
    this.notify = notify
    this.#poller = new Poller(eventHandle, kind, () => this.#listener?.(), true)
  }

  onNotified(listener: () => void): void {
    this.#listener = listener
    this.#poller.resume()
  }

  unmask(): void {
    this.#poller.unmask()
  }

  close(): void {
    this.#listener = undefined
    this.#poller.close()
  }
}
