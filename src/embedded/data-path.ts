/**
 * @packageDocumentation
 * The embedded world's data path, as a Worker opens it from plain plans: ring and grants over shared memory, event
 * channels over eventfds. The descriptors and mappings belong to the process (table of owners); what is opened here
 * borrows them, and the supervisor can take them back only after it was closed here.
 */
import { EmbeddedGrantCopier } from '../io/native/embedded-grants.js'
import { PolledChannel } from '../io/native/polled-channel.js'
import { NativeBackRing } from '../io/native/ring.js'
import { eventfdWrite } from '../io/native/shm.js'
import type { DataPath } from '../ports/host.js'
import { assert } from '../protocol/errors.js'

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
      const { eventHandle, notifyHandle } = plan
      return new PolledChannel('channel', eventHandle, () => eventfdWrite(notifyHandle))
    },
  }
}
