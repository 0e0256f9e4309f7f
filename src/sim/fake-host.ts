/**
 * @packageDocumentation
 * A hypervisor that only keeps books: what is mapped, bound and open, by whom, and never twice. It is the seam for
 * tests and for simulations of the control plane; no byte moves. Faults are planted by step: the next call of that
 * step is refused, or hangs until it is let go.
 */
import type {
  ChannelPlan, GrantMode, GrantPlan, Host, HostFailure, RingLook, RingPlan, RingRequest,
} from '../ports/host.js'
import { assert } from '../protocol/errors.js'

export type HostStep = 'openGrants' | 'mapRing' | 'bindChannel'

/** Settles as the outside decides: at once, or when `release` is called. */
export class FakeHost implements Host {
  readonly world = 'sim'
  readonly log: string[] = []
  readonly #rings = new Map<number, RingPlan>()
  readonly #channels = new Map<number, ChannelPlan>()
  readonly #grants = new Map<number, GrantPlan>()
  readonly #refusals = new Map<HostStep, HostFailure>()
  #held: { step: HostStep; release: () => void } | undefined
  #hold: HostStep | undefined
  #next = 1

  /** The next `step` is refused. */
  refuse(step: HostStep, sentence = 'the guest revoked it'): void {
    this.#refusals.set(step, { ok: false, code: 'EINVAL', sentence })
  }

  /** The next `step` waits for {@link FakeHost.release}. */
  hold(step: HostStep): void {
    this.#hold = step
  }

  get holding(): HostStep | undefined {
    return this.#held?.step
  }

  release(): void {
    const held = this.#held
    this.#held = undefined
    held?.release()
  }

  async mapRing(request: RingRequest): Promise<{ ok: true; plan: RingPlan } | HostFailure> {
    const refused = await this.#begin('mapRing')
    if (refused !== undefined) return refused
    const { domid, abi, grefs } = request
    const plan: RingPlan = { world: 'embedded', domid, abi, pages: grefs.length, ringHandle: this.#next++ }
    this.#rings.set(plan.ringHandle, plan)
    return { ok: true, plan }
  }

  unmapRing(plan: RingPlan): Promise<void> {
    return this.#end('unmapRing', this.#rings.delete(plan.ringHandle))
  }

  async bindChannel(domid: number, port: number): Promise<{ ok: true; plan: ChannelPlan } | HostFailure> {
    const refused = await this.#begin('bindChannel')
    if (refused !== undefined) return refused
    const bound = [...this.#channels.values()].some((plan) => plan.domid === domid && plan.port === port)
    if (bound) return { ok: false, code: 'EINVAL', sentence: `port ${port} of domain ${domid} is bound already` }
    const handle = this.#next++
    const plan: ChannelPlan = { world: 'embedded', domid, port, eventHandle: handle, notifyHandle: handle }
    this.#channels.set(handle, plan)
    return { ok: true, plan }
  }

  unbindChannel(plan: ChannelPlan): Promise<void> {
    return this.#end('unbindChannel', this.#channels.delete(plan.eventHandle))
  }

  async openGrants(domid: number, mode: GrantMode): Promise<{ ok: true; plan: GrantPlan } | HostFailure> {
    const refused = await this.#begin('openGrants')
    if (refused !== undefined) return refused
    const plan: GrantPlan = { world: 'embedded', domid, mode, memoryHandle: this.#next++, tableHandle: 0 }
    this.#grants.set(plan.memoryHandle, plan)
    return { ok: true, plan }
  }

  closeGrants(plan: GrantPlan): Promise<void> {
    return this.#end('closeGrants', this.#grants.delete(plan.memoryHandle))
  }

  /** No byte is there, so nothing can be read. */
  rings(): readonly RingLook[] {
    return []
  }

  held(): { readonly rings: number; readonly channels: number; readonly grants: number } {
    return { rings: this.#rings.size, channels: this.#channels.size, grants: this.#grants.size }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #begin(step: HostStep): Promise<HostFailure | undefined> {
    this.log.push(step)
    if (this.#hold === step) {
      this.#hold = undefined
      await new Promise<void>((release) => (this.#held = { step, release }))
    }
    const refusal = this.#refusals.get(step)
    this.#refusals.delete(step)
    return refusal
  }

  #end(step: string, was: boolean): Promise<void> {
    this.log.push(step)
    assert(was, `${step} of what was not held`)
    return Promise.resolve()
  }
}
