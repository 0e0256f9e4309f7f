/**
 * @packageDocumentation
 * The four indices of rings that a host has mapped, for whoever asks why a disk is stuck: above all `rsp_event`, the
 * answer for which the front end last asked to be woken. It asks so when it has consumed all that it saw; so answers
 * from `rsp_event` on are those that it has not been seen to consume.
 *
 *   ring.h   req_prod · req_event · rsp_prod · rsp_event          u32 each, the guest's to write: shown, never believed
 *
 * Native code reads each once; nothing is decided by them.
 */
import type { RingLook, RingPlan } from '../../ports/host.js'
import { loadAddon } from './load.js'

const addon = loadAddon<{ ringLook(mapping: number): [number, number, number, number] }>()

export class RingLooks {
  readonly #grefs = new WeakMap<RingPlan, readonly number[]>()

  /** The ring was mapped for these references. @returns the plan. */
  remember(plan: RingPlan, grefs: readonly number[]): RingPlan {
    this.#grefs.set(plan, grefs)
    return plan
  }

  /** How they stand now. All must be mapped. */
  of(plans: Iterable<RingPlan>): RingLook[] {
    return Array.from(plans, (plan) => {
      const [reqProd, reqEvent, rspProd, rspEvent] = addon.ringLook(plan.ringHandle)
      return { domid: plan.domid, grefs: this.#grefs.get(plan) ?? [], reqProd, reqEvent, rspProd, rspEvent }
    })
  }
}
