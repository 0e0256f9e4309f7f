/**
 * @packageDocumentation
 * The daemon's {@link Host} in the embedded world. What the pocket host hands over as descriptors is mapped here and
 * entered in the table of owners; Workers open it from the plans (data-path.ts).
 *
 *   mapRing      memory descriptor + frames ► one row of pages        unmapRing    unmap, then tell the host
 *   bindChannel  two eventfds                                         openGrants   guest memory and grant table, mapped
 *
 * Undo is always in this order: first ours is gone, then the host is told, so that the guest never gets a page back
 * that is still mapped here.
 */
import { mapPages } from '../io/native/pages.js'
import { closeDescriptor, map, unmap } from '../io/native/owners.js'
import { RingLooks } from '../io/native/ring-looks.js'
import { memfdSize } from '../io/native/shm.js'
import type { ChannelPlan, GrantMode, GrantPlan, Host, HostFailure, RingPlan, RingRequest } from '../ports/host.js'
import { assert, codeOf, sentenceOf } from '../protocol/errors.js'
import type { HostAnswer, HostRequest } from './host/wire.js'
import { HypervisorClient } from './hypervisor-client.js'

type Mapped<Plan> = { ok: true; plan: Plan } | HostFailure

export class EmbeddedHostClient implements Host {
  readonly world = 'embedded'
  readonly #client: HypervisorClient
  /** Plans to the host's numbers for them. */
  readonly #rings = new Map<RingPlan, number>()
  readonly #looks = new RingLooks()
  readonly #channels = new Map<ChannelPlan, number>()
  readonly #grants = new Map<GrantPlan, number>()

  private constructor(client: HypervisorClient) {
    this.#client = client
  }

  /** Connects to the host in `dir`; `gone` is called when it dies. Throws an XbbdError when there is none. */
  static connect(dir: string, gone: () => void = () => undefined): EmbeddedHostClient {
    const client = HypervisorClient.connect(dir)
    client.onGone = gone
    return new EmbeddedHostClient(client)
  }

  mapRing({ domid, grefs, abi }: RingRequest): Promise<Mapped<RingPlan>> {
    return this.#obtain({ op: 'mapRing', domid, grefs }, ({ mapping = 0, frames = [] }, [memory]) => {
      const ringHandle = mapPages(memory, frames)
      const plan: RingPlan = { world: 'embedded', domid, abi, pages: frames.length, ringHandle }
      this.#rings.set(plan, mapping)
      return this.#looks.remember(plan, grefs)
    })
  }

  async unmapRing(plan: RingPlan): Promise<void> {
    const mapping = this.#rings.get(plan)
    assert(mapping !== undefined, 'a ring is unmapped that was not mapped here')
    unmap(plan.ringHandle)
    this.#rings.delete(plan)
    await this.#client.ask({ op: 'unmapRing', mapping })
  }

  async bindChannel(domid: number, remotePort: number): Promise<Mapped<ChannelPlan>> {
    const outcome = await this.#client.ask({ op: 'bindChannel', domid, port: remotePort })
    if (!outcome.ok) return outcome
    const [eventHandle, notifyHandle] = outcome.handles
    const port = outcome.answer.port ?? 0
    const plan: ChannelPlan = { world: 'embedded', domid, port, eventHandle, notifyHandle }
    this.#channels.set(plan, port)
    return { ok: true, plan }
  }

  async unbindChannel(plan: ChannelPlan): Promise<void> {
    assert(this.#channels.has(plan), 'a channel is unbound that was not bound here')
    closeDescriptor(plan.eventHandle)
    closeDescriptor(plan.notifyHandle)
    this.#channels.delete(plan)
    await this.#client.ask({ op: 'unbindChannel', port: plan.port })
  }

  openGrants(domid: number, mode: GrantMode): Promise<Mapped<GrantPlan>> {
    return this.#obtain({ op: 'openGrants', domid }, ({ grants = 0 }, [memory, table]) => {
      const memoryHandle = map(memory, memfdSize(memory), 0, true)
      const tableHandle = map(table, memfdSize(table), 0, true)
      const plan: GrantPlan = { world: 'embedded', domid, mode, memoryHandle, tableHandle }
      this.#grants.set(plan, grants)
      return plan
    })
  }

  async closeGrants(plan: GrantPlan): Promise<void> {
    const grants = this.#grants.get(plan)
    assert(grants !== undefined, 'grants are closed that were not opened here')
    unmap(plan.memoryHandle)
    unmap(plan.tableHandle)
    this.#grants.delete(plan)
    await this.#client.ask({ op: 'closeGrants', grants })
  }

  held() {
    return { rings: this.#rings.size, channels: this.#channels.size, grants: this.#grants.size }
  }

  /** What is still held is unmapped; the host learns it by the connection's end. */
  rings() {
    return this.#looks.of(this.#rings.keys())
  }

  close(): Promise<void> {
    for (const { ringHandle } of this.#rings.keys()) unmap(ringHandle)
    for (const { eventHandle, notifyHandle } of this.#channels.keys())
      [eventHandle, notifyHandle].forEach(closeDescriptor)
    for (const { memoryHandle, tableHandle } of this.#grants.keys()) [memoryHandle, tableHandle].forEach(unmap)
    this.#rings.clear()
    this.#channels.clear()
    this.#grants.clear()
    this.#client.close()
    return Promise.resolve()
  }

  /** Asks, maps what comes, closes the descriptors: a mapping needs none. */
  async #obtain<Plan>(
    request: HostRequest, mapIt: (answer: HostAnswer, handles: readonly number[]) => Plan,
  ): Promise<Mapped<Plan>> {
    const outcome = await this.#client.ask(request)
    if (!outcome.ok) return outcome
    try {
      return { ok: true, plan: mapIt(outcome.answer, outcome.handles) }
    } catch (error) {
      return { ok: false, code: codeOf(error) ?? 'EIO', sentence: sentenceOf(error) }
    } finally {
      outcome.handles.forEach(closeDescriptor)
    }
  }
}
