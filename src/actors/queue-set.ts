/**
 * @packageDocumentation
 * The queues of one device, as one. The device's chart knows a single queue that is attached, drained, detached, or
 * dies; a device with several rings has as many, each in the Worker that had least to do, each with its own journal.
 * What the chart orders goes to all of them, and what it hears is said when the last of them has said it:
 *
 *   attached   all are                    drained, detached   all are          levels   what any has, once all are
 *   refused    one is: the others are let go of again first
 *   crashed    one did: the others are brought to rest and let go of first, so that all begin anew together, the dead
 *              one from its journal and the others where they rested
 *
 * What must never happen: a word to the chart while a queue of the connection that it speaks of still holds something.
 */
import type { MediumPlan } from '../ports/medium.js'
import type { OnEnospc, QueueAttachment, QueueEvent, QueueName, QueuePool, SharedRateLimit } from '../ports/queues.js'
import { isLimited, sameRateLimit, type RateLimit } from '../protocol/rate-limit.js'
import { shareRateLimit } from './rate-bucket.js'

type Phase = 'attaching' | 'attached' | 'drained' | 'gone'

interface Member {
  readonly name: QueueName
  phase: Phase
  levels: number
  abandoned: number
  renewal: number
  /** It was told to come to rest, or to let go. */
  resting: boolean
  leaving: boolean
}

export class QueueSet {
  private readonly pool: QueuePool
  private readonly tell: (event: QueueEvent) => void
  private members: Member[] = []
  /** Why all have to go. */
  private failure: Extract<QueueEvent, { kind: 'refused' | 'crashed' }> | undefined
  private shared: SharedRateLimit | undefined
  /** It was said that all are attached. */
  private begun = false
  private restAsked = false
  private yielding = false
  private yieldedAtNs = 0
  private released: (() => void) | undefined

  /** `tell` hears events of the whole, under the name of the first queue. */
  constructor(pool: QueuePool, tell: (event: QueueEvent) => void) {
    this.pool = pool
    this.tell = tell
  }

  /** Queues that hold something. */
  get living(): readonly QueueName[] {
    return this.members.filter(({ phase }) => phase !== 'gone').map(({ name }) => name)
  }

  /** Every queue with its levels, the first first. */
  get levels(): readonly { readonly name: QueueName; readonly levels: number }[] {
    return this.members.map(({ name, levels }) => ({ name, levels }))
  }

  attach(attachments: readonly QueueAttachment[]): void {
    this.failure = undefined
    this.begun = this.restAsked = this.yielding = false
    this.members = attachments.map(({ settings: { name } }) => ({
      name, phase: 'attaching', levels: 0, abandoned: 0, renewal: 0, resting: false, leaving: false,
    }))
    const limit = this.shared && { limit: this.shared }
    for (const attachment of attachments) this.pool.attach({ ...attachment, ...limit })
  }

  /**
   * The rate limit of the device, for its queues together, now and whenever it is attached again; the same again is no
   * new limit, and what was used of it stays used.
   */
  limit(limit: RateLimit): void {
    if (sameRateLimit(limit, this.shared?.limit ?? {})) return
    this.shared = isLimited(limit) ? shareRateLimit(limit) : undefined
    for (const name of this.living) this.pool.limit(name, this.shared)
  }

  /** XenStore says Connected: what was held back may be taken. */
  serve(): void {
    for (const name of this.living) this.pool.serve(name)
  }

  drain(onEnospc: OnEnospc): void {
    this.rest((name) => this.pool.drain(name, onEnospc))
  }

  abandon(): void {
    this.rest((name) => this.pool.abandon(name))
  }

  /** Another process takes over: those that do not come to rest by themselves yield. */
  yield(): void {
    this.yielding = true
    this.rest((name) => this.pool.yield(name))
  }

  retry(): void {
    for (const name of this.living) this.pool.retry(name)
  }

  detach(): void {
    for (const member of this.members) this.letGo(member)
  }

  /** The device is broken: however far its queues have come, they are let go of. Resolves when none holds anything. */
  release(): Promise<void> {
    if (this.living.length === 0) return Promise.resolve()
    this.failure ??= { kind: 'crashed', name: this.first, sentence: 'its device is salvaged' }
    return new Promise((resolve) => {
      this.released = resolve
      this.fail()
    })
  }

  mediumOpened(plan: MediumPlan, renewal: number): void {
    for (const name of this.living) this.pool.mediumOpened(name, plan, renewal)
  }

  /** What a queue of this device said. */
  heard(event: QueueEvent): void {
    const member = this.members.find(({ name }) => name === event.name)
    if (member === undefined || member.phase === 'gone') return
    switch (event.kind) {
      case 'attached':
        member.phase = 'attached'
        break
      case 'drained':
        member.phase = 'drained'
        member.abandoned = event.abandoned
        break
      case 'refused':
      case 'crashed':
        this.failure ??= event
        this.gone(member)
        break
      case 'yielded':
        this.yieldedAtNs = Math.max(this.yieldedAtNs, event.atNs)
        this.gone(member)
        break
      case 'detached':
        this.gone(member)
        break
      case 'levels':
        return this.levelsChanged(member, event.levels)
      case 'mediumRenewed':
        return this.renewed(member, event.renewal)
      case 'resumed':
      case 'recovered':
      case 'connection':
        return
    }
    this.judge(event)
  }

  private gone(member: Member): void {
    member.phase = 'gone'
    member.levels = 0
  }

  private rest(command: (name: QueueName) => void): void {
    this.restAsked = true
    for (const member of this.members) {
      if (member.phase !== 'attached' && member.phase !== 'attaching') continue
      member.resting = true
      command(member.name)
    }
    this.sayDrained()
  }

  private letGo(member: Member): void {
    if (member.phase !== 'drained' || member.leaving) return
    member.leaving = true
    this.pool.detach(member.name)
  }

  /** Something has moved: is there a word to be said of the whole? */
  private judge(event: QueueEvent): void {
    if (this.failure !== undefined) return this.fail()
    if (this.yielding && this.members.some(({ phase }) => phase === 'gone')) return this.sayYielded()
    if (event.kind === 'attached' && this.haveBegun) this.sayAttached()
    if (event.kind === 'drained') this.sayDrained()
    if (event.kind === 'detached' && this.all('gone')) this.tell({ kind: 'detached', name: this.first })
  }

  /** Whoever heard of wants before would take them for those of an earlier connection, and not hear of them again. */
  private sayAttached(): void {
    this.begun = true
    this.tell({ kind: 'attached', name: this.first })
    if (this.together !== 0) this.sayLevels()
  }

  /** One whose ring its front end broke may be at rest before another has begun. */
  private get haveBegun(): boolean {
    return this.members.every(({ phase }) => phase === 'attached' || phase === 'drained')
  }

  /** A broken ring may come to rest before it is told to; the answer then waits for the question. */
  private sayDrained(): void {
    if (this.failure !== undefined || !this.restAsked || !this.all('drained')) return
    this.restAsked = false
    const abandoned = this.members.reduce((sum, member) => sum + member.abandoned, 0)
    this.tell({ kind: 'drained', name: this.first, abandoned })
  }

  /** Some yielded, others came to rest by themselves: these are let go of, and then it is said. */
  private sayYielded(): void {
    for (const member of this.members) this.letGo(member)
    if (!this.all('gone')) return
    this.yielding = this.restAsked = false
    this.tell({ kind: 'yielded', name: this.first, atNs: this.yieldedAtNs })
  }

  /** One is refused or dead: the others are brought to rest, let go of, and then it is said. */
  private fail(): void {
    for (const member of this.members) {
      if (member.phase === 'attached' && !member.resting) {
        member.resting = true
        this.pool.drain(member.name, 'wait')
      }
      this.letGo(member)
    }
    if (this.failure === undefined || !this.all('gone')) return
    const said = { ...this.failure, name: this.first }
    this.failure = undefined
    this.tell(said)
    this.released?.()
  }

  private levelsChanged(member: Member, levels: number): void {
    member.levels = levels
    if (this.begun) this.sayLevels()
  }

  private get together(): number {
    return this.members.reduce((all, { levels }) => all | levels, 0)
  }

  private sayLevels(): void {
    this.tell({ kind: 'levels', name: this.first, levels: this.together })
  }

  private renewed(member: Member, renewal: number): void {
    member.renewal = renewal
    const late = this.members.some(({ phase, renewal: has }) => phase !== 'gone' && has !== renewal)
    if (!late) this.tell({ kind: 'mediumRenewed', name: this.first, renewal })
  }

  private all(phase: Phase): boolean {
    return this.members.every((member) => member.phase === phase)
  }

  private get first(): QueueName {
    return this.members[0]?.name ?? ''
  }
}
