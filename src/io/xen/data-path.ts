/**
 * @packageDocumentation
 * The data path on real Xen, as a Worker opens it from plain plans: the ring over mapped grants, segments by grant
 * copy, events over a descriptor that this thread alone polls. Everything is borrowed from the process (table of
 * owners), and the supervisor can take it back only after it was closed here.
 */
import { GntdevCopier } from '../native/gntdev.js'
import { notifyEvtchn } from '../native/evtchn.js'
import { PolledChannel } from '../native/polled-channel.js'
import { NativeBackRing } from '../native/ring.js'
import type { DataPath } from '../../ports/host.js'
import { assert } from '../../protocol/errors.js'

/** Pages that one queue keeps mapped at most in mode `persistent`; as many as Linux's own back end keeps per ring. */
const PERSISTENT_MAX = 1056

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
      const { eventHandle, notifyHandle, port } = plan
      return new PolledChannel('evtchn', eventHandle, () => notifyEvtchn(notifyHandle, port))
    },
  }
}
