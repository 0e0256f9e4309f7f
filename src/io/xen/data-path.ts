/**
 * @packageDocumentation
 * The data path on real Xen, as a Worker opens it from plain plans: the ring over mapped grants, segments by grant
 * copy, events over a descriptor that this thread alone polls. Everything is borrowed from the process (table of
 * owners), and the supervisor can take it back only after it was closed here.
 *
 *   guest ── event ──► poller reads the port: masked by the kernel ──► listener, once ──► unmask: port written back
 *         ◄── event ── notify: one ioctl
 *
 * Unmasking late is what keeps a guest that storms from holding this thread (XSA-332): until then it can set one bit.
 */
import { GntdevCopier } from '../native/gntdev.js'
import { notifyEvtchn } from '../native/evtchn.js'
import { Poller } from '../native/poller.js'
import { NativeBackRing } from '../native/ring.js'
import type { EventPort } from '../../ports/data-path.js'
import type { ChannelPlan, DataPath } from '../../ports/host.js'
import { assert } from '../../protocol/errors.js'

/** Pages that one queue keeps mapped at most in mode `persistent`; as many as Linux's own back end keeps per ring. */
const PERSISTENT_MAX = 1056

class EvtchnPort implements EventPort {
  readonly #plan: ChannelPlan
  readonly #poller: Poller
  #listener: (() => void) | undefined

  constructor(plan: ChannelPlan) {
    this.#plan = plan
    this.#poller = new Poller(plan.eventHandle, 'evtchn', () => this.#listener?.(), true)
  }

  notify(): void {
    notifyEvtchn(this.#plan.notifyHandle, this.#plan.port)
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

/** The data path of the world xen on this thread. */
export function xenDataPath(): DataPath {
  return {
    openRing(plan) {
      assert(plan.world === 'xen', `a ring of the world ${plan.world} was given to the data path of xen`)
      return new NativeBackRing(plan.ringHandle, plan.pages, plan.abi)
    },
    openGrants(plan, arena) {
      assert(plan.world === 'xen', `grants of the world ${plan.world} were given to the data path of xen`)
      return new GntdevCopier(plan.memoryHandle, arena.handle, plan.domid, plan.mode, PERSISTENT_MAX)
    },
    openChannel(plan) {
      assert(plan.world === 'xen', `a channel of the world ${plan.world} was given to the data path of xen`)
      return new EvtchnPort(plan)
    },
  }
}
