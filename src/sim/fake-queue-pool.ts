/**
 * @packageDocumentation
 * A pool of queues without Workers and without requests: it says what a real pool would say, and insists on the order
 * of commands (no detach before drained, no command to a queue that is not there). Levels, refusals and crashes are
 * given from outside.
 */
import { Subject } from 'rxjs'
import type { ConnectionOrder } from '../ports/data-path.js'
import type { MediumPlan } from '../ports/medium.js'
import type {
  OnEnospc, QueueAttachment, QueueEvent, QueueLegacy, QueueName, QueuePool, SharedRateLimit,
} from '../ports/queues.js'
import { assert } from '../protocol/errors.js'

type Phase = 'attached' | 'draining' | 'drained'

export class FakeQueuePool implements QueuePool {
  readonly event$ = new Subject<QueueEvent>()
  readonly log: string[] = []
  readonly attachments = new Map<QueueName, QueueAttachment>()
  /** What an earlier life left of a queue; parked in good order unless a test says otherwise. */
  readonly legacies = new Map<QueueName, QueueLegacy>()
  /** False: queues drain only when {@link FakeQueuePool.finish} is called, as on a medium that is slow. */
  drainsAtOnce = true
  /** True: what a queue says on its own is heard a turn later, as from a Worker. */
  answersLater = false
  readonly #phases = new Map<QueueName, Phase>()
  #refusal: string | undefined

  /** The next attach is refused. */
  refuse(sentence: string): void {
    this.#refusal = sentence
  }

  legacy(name: QueueName): QueueLegacy {
    return this.legacies.get(name) ?? { kind: 'rested' }
  }

  attach(attachment: QueueAttachment): void {
    const { name } = attachment.settings
    this.log.push(`attach ${name}`)
    assert(!this.#phases.has(name), `${name} is attached twice`)
    if (this.#refusal !== undefined) {
      const sentence = this.#refusal
      this.#refusal = undefined
      return this.event$.next({ kind: 'refused', name, sentence })
    }
    this.#phases.set(name, 'attached')
    this.attachments.set(name, attachment)
    this.#say({ kind: 'attached', name })
  }

  serve(name: QueueName): void {
    this.log.push(`serve ${name}`)
    assert(this.#phases.has(name), `${name} is not attached`)
  }

  drain(name: QueueName, onEnospc: OnEnospc): void {
    this.#rest(onEnospc === 'error' ? 'drain' : 'drain patiently', name)
  }

  retry(name: QueueName): void {
    this.log.push(`retry ${name}`)
    assert(this.#phases.has(name), `${name} is not attached`)
  }

  abandon(name: QueueName): void {
    this.#rest('abandon', name)
  }

  detach(name: QueueName): void {
    this.log.push(`detach ${name}`)
    assert(this.#phases.get(name) === 'drained', `${name} is detached before it was drained`)
    this.#forget(name)
    this.#say({ kind: 'detached', name })
  }

  yield(name: QueueName): void {
    this.log.push(`yield ${name}`)
    assert(this.#phases.has(name), `${name} is not attached`)
    if (this.#phases.get(name) !== 'attached') return
    this.#forget(name)
    this.#say({ kind: 'yielded', name, atNs: 0 })
  }

  orderConnection(name: QueueName, order: ConnectionOrder): void {
    this.log.push(`${order} ${name}`)
  }

  mediumOpened(name: QueueName, plan: MediumPlan, renewal: number): void {
    this.log.push(`medium ${name} ${plan.geometry.sectorCount}`)
    assert(this.#phases.has(name), `${name} is not attached`)
    this.#say({ kind: 'mediumRenewed', name, renewal })
  }

  limit(name: QueueName, shared: SharedRateLimit | undefined): void {
    this.log.push(`limit ${name} ${JSON.stringify(shared?.limit ?? {})}`)
    assert(this.#phases.has(name), `${name} is not attached`)
  }

  statistics(_name: QueueName): Float64Array | undefined {
    return undefined
  }

  ping(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** The last I/O of a queue that drains slowly has ended. */
  finish(name: QueueName): void {
    assert(this.#phases.has(name), `${name} is not attached`)
    this.#phases.set(name, 'drained')
    this.#say({ kind: 'drained', name, abandoned: 0 })
  }

  /** Its plane threw; everything is given back. */
  crash(name: QueueName, sentence: string): void {
    this.#forget(name)
    this.event$.next({ kind: 'crashed', name, sentence })
  }

  levels(name: QueueName, levels: number): void {
    this.event$.next({ kind: 'levels', name, levels })
  }

  #say(event: QueueEvent): void {
    if (this.answersLater) setImmediate(() => this.event$.next(event))
    else this.event$.next(event)
  }

  #rest(command: string, name: QueueName): void {
    this.log.push(`${command} ${name}`)
    assert(this.#phases.has(name), `${command} of ${name}, which is not attached`)
    this.#phases.set(name, 'draining')
    if (this.drainsAtOnce) this.finish(name)
  }

  #forget(name: QueueName): void {
    this.#phases.delete(name)
    this.attachments.delete(name)
  }
}
