/**
 * @packageDocumentation
 * The embedded world's data path, as a Worker opens it from plain plans: ring and grants over shared memory, event
 * channels over eventfds. The descriptors and mappings belong to the process (table of owners); what is opened here
 * borrows them, and the supervisor can take them back only after it was closed here.
 *
 *   front end's process ── eventfd ──► poller, drained natively, masked until unmask() ──► listener, once per wake-up
 *                       ◄── eventfd ── notify()
 *
 * What must never happen: a wake-up lost between opening and listening. So the poller begins when the listener is
 * there; what was counted before is still in the eventfd.
 */
import { EmbeddedGrantCopier } from '../io/native/embedded-grants.js'
import { Poller } from '../io/native/poller.js'
import { NativeBackRing } from '../io/native/ring.js'
import { eventfdWrite } from '../io/native/shm.js'
import type { EventPort } from '../ports/data-path.js'
import type { ChannelPlan, DataPath } from '../ports/host.js'
import { assert } from '../protocol/errors.js'

/** An event channel over two eventfds: one to hear (`eventHandle`), one to be heard (`notifyHandle`). */
class EventfdPort implements EventPort {
  readonly #poller: Poller
  readonly #notifyHandle: number
  #listener: (() => void) | undefined

  constructor(plan: ChannelPlan) {
    this.#notifyHandle = plan.notifyHandle
    this.#poller = new Poller(plan.eventHandle, 'channel', () => this.#listener?.(), true)
  }

  notify(): void {
    eventfdWrite(this.#notifyHandle)
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

/**
 * The data path of the embedded world on this thread.
 * @param ownDomid - the back end's domain: grants made for another one are refused with GNTST_bad_gntref.
 */
export function embeddedDataPath(ownDomid: number): DataPath {
  return {
    openRing(plan) {
      assert(plan.world === 'embedded', `a ring of the world ${plan.world} was given to the embedded data path`)
      return new NativeBackRing(plan.ringHandle, plan.pages, plan.abi)
    },
    openGrants(plan, arena) {
      assert(plan.world === 'embedded', `grants of the world ${plan.world} were given to the embedded data path`)
      return new EmbeddedGrantCopier(plan.memoryHandle, plan.tableHandle, arena.handle, ownDomid)
    },
    openChannel(plan) {
      assert(plan.world === 'embedded', `a channel of the world ${plan.world} was given to the embedded data path`)
      return new EventfdPort(plan)
    },
  }
}
