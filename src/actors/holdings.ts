/**
 * @packageDocumentation
 * What one device holds of the hypervisor and of the Workers, in one place outside of its chart: so that it can all be
 * given back when the chart itself is what crashed. The order of giving back is the reverse of the table of steps.
 */
import type { ChannelPlan, GrantMode, GrantPlan, Host, HostFailure, RingPlan, RingRequest } from '../ports/host.js'
import type { QueueAttachment, QueueEvent, QueuePool } from '../ports/queues.js'
import { QueueSet } from './queue-set.js'

type Result<Plan> = { ok: true; plan: Plan } | HostFailure

/** The first of several things, and those behind it. */
export interface Several<Plan> {
  readonly plan: Plan
  readonly others: readonly Plan[]
}

export class Holdings {
  /** The queues of the connection, as one. */
  readonly queues: QueueSet
  readonly #host: Host
  readonly #pool: QueuePool
  #grants: GrantPlan | undefined
  #rings: RingPlan[] = []
  #channels: ChannelPlan[] = []
  /** Whose counters are not taken over yet. */
  #counted: string[] = []

  /** `tell` hears of the queues. */
  constructor(world: { readonly host: Host; readonly queues: QueuePool }, tell: (event: QueueEvent) => void) {
    this.#host = world.host
    this.#pool = world.queues
    this.queues = new QueueSet(world.queues, tell)
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

  /** The rings of all queues, or none. */
  async mapRings(requests: readonly RingRequest[]): Promise<Result<Several<RingPlan>>> {
    return this.#takeAll(requests, this.#rings, (request) => this.#host.mapRing(request), () => this.unmapRings())
  }

  async unmapRings(): Promise<void> {
    await this.#giveBack(this.#rings, (plan) => this.#host.unmapRing(plan))
  }

  /** The channels of all queues, or none. */
  async bindChannels(domid: number, ports: readonly number[]): Promise<Result<Several<ChannelPlan>>> {
    const bind = (port: number) => this.#host.bindChannel(domid, port)
    return this.#takeAll(ports, this.#channels, bind, () => this.unbindChannels())
  }

  async unbindChannels(): Promise<void> {
    await this.#giveBack(this.#channels, (plan) => this.#host.unbindChannel(plan))
  }

  async #takeAll<Asked, Plan>(
    all: readonly Asked[], held: Plan[], take: (asked: Asked) => Promise<Result<Plan>>, undo: () => Promise<void>,
  ): Promise<Result<Several<Plan>>> {
    for (const asked of all) {
      const result = await take(asked)
      if (result.ok) held.push(result.plan)
      else {
        await undo()
        return result
      }
    }
    const [plan, ...others] = held
    return { ok: true, plan: { plan, others } }
  }

  /** Newest first; what cannot be given back keeps nothing else from it. Rejects with the first problem. */
  async #giveBack<Plan>(held: Plan[], back: (plan: Plan) => Promise<void>): Promise<void> {
    const problems: unknown[] = []
    for (const plan of held.splice(0).reverse()) await back(plan).catch((error: unknown) => problems.push(error))
    if (problems.length > 0) throw problems[0]
  }

  attachQueues(attachments: readonly QueueAttachment[]): void {
    this.#counted = attachments.map(({ settings }) => settings.name)
    this.queues.attach(attachments)
  }

  /** Raw counters of each queue, until they were taken over by {@link Holdings.takeStatistics}. */
  statistics(): readonly Float64Array[] {
    return this.#counted.flatMap((name) => this.#pool.statistics(name) ?? [])
  }

  /** The counters of one queue for the last time; undefined when they were taken already. */
  takeStatistics(name: string): Float64Array | undefined {
    if (!this.#counted.includes(name)) return undefined
    this.#counted = this.#counted.filter((counted) => counted !== name)
    return this.#pool.statistics(name)
  }

  /** Everything, in reverse; queues that are attached come to rest first, so that its front end sees only a pause. */
  async release(): Promise<void> {
    await this.queues.release()
    await this.unbindChannels()
    await this.unmapRings()
    await this.closeGrants()
  }
}
