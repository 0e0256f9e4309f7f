/**
 * @packageDocumentation
 * What one device holds of the hypervisor and of the Workers, in one place outside of its chart: so that it can all be
 * given back when the chart itself is what crashed. The order of giving back is the reverse of the table of steps.
 */
import { filter, firstValueFrom, map, race, type Observable } from 'rxjs'
import type { ChannelPlan, GrantMode, GrantPlan, Host, HostFailure, RingPlan, RingRequest } from '../ports/host.js'
import type { QueueAttachment, QueueEvent, QueuePool } from '../ports/queues.js'

type Result<Plan> = { ok: true; plan: Plan } | HostFailure

export class Holdings {
  readonly #host: Host
  readonly #queues: QueuePool
  #grants: GrantPlan | undefined
  #ring: RingPlan | undefined
  #channel: ChannelPlan | undefined
  #queue: string | undefined
  #counted = true

  constructor(world: { readonly host: Host; readonly queues: QueuePool }) {
    this.#host = world.host
    this.#queues = world.queues
  }

  async openGrants(domid: number, mode: GrantMode): Promise<Result<GrantPlan>> {
    const result = await this.#host.openGrants(domid, mode)
    if (result.ok) this.#grants = result.plan
    return result
  }

  async closeGrants(): Promise<void> {
    const plan = this.#grants
    this.#grants = undefined
    if (plan !== undefined) await this.#host.closeGrants(plan)
  }

  async mapRing(request: RingRequest): Promise<Result<RingPlan>> {
    const result = await this.#host.mapRing(request)
    if (result.ok) this.#ring = result.plan
    return result
  }

  async unmapRing(): Promise<void> {
    const plan = this.#ring
    this.#ring = undefined
    if (plan !== undefined) await this.#host.unmapRing(plan)
  }

  async bindChannel(domid: number, port: number): Promise<Result<ChannelPlan>> {
    const result = await this.#host.bindChannel(domid, port)
    if (result.ok) this.#channel = result.plan
    return result
  }

  async unbindChannel(): Promise<void> {
    const plan = this.#channel
    this.#channel = undefined
    if (plan !== undefined) await this.#host.unbindChannel(plan)
  }

  attachQueue(attachment: QueueAttachment): void {
    this.#queue = attachment.settings.name
    this.#counted = true
    this.#queues.attach(attachment)
  }

  /** The queue has given everything back: refused, detached or crashed. */
  queueGone(): void {
    this.#queue = undefined
  }

  /** Raw counters of the queue, until they were taken over by {@link Holdings.forgetStatistics}. */
  statistics(): Float64Array | undefined {
    return this.#queue === undefined || !this.#counted ? undefined : this.#queues.statistics(this.#queue)
  }

  forgetStatistics(): void {
    this.#counted = false
  }

  /** Everything, in reverse; a queue that is attached is drained first, so that its front end sees only a pause. */
  async release(): Promise<void> {
    if (this.#queue !== undefined) await this.#releaseQueue(this.#queue)
    await this.unbindChannel()
    await this.unmapRing()
    await this.closeGrants()
  }

  async #releaseQueue(name: string): Promise<void> {
    const said = (kind: QueueEvent['kind']): Observable<QueueEvent> =>
      this.#queues.event$.pipe(filter((event) => event.name === name && event.kind === kind))
    const gone = race(said('crashed'), said('refused')).pipe(map(() => false))
    const drained = firstValueFrom(race(said('drained').pipe(map(() => true)), gone))
    this.#queues.drain(name, 'wait')
    if (await drained) {
      const detached = firstValueFrom(race(said('detached'), said('crashed')))
      this.#queues.detach(name)
      await detached
    }
    this.#queue = undefined
  }
}
