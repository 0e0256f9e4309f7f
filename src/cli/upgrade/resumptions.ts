/**
 * @packageDocumentation
 * Notes when queues are left to another process, and when those that another process left are gone on with, so that the
 * pause of each can be told: by the machine's monotonic clock, which both processes share.
 */
import { filter, firstValueFrom, map, merge, take, timer, type Observable } from 'rxjs'
import type { DaemonApi } from '../../ports/daemon-api.js'
import type { QueueEvent, QueueName } from '../../ports/queues.js'
import type { ResumedQueue } from './dialogue.js'

/** States of a device that may still come to go on, or whose queue has, and is about to say so. */
const ON_THE_WAY = /^(Initialising|Recovering|Connected|Closing\.(serving|draining))/

export class Resumptions {
  /** When each stopped taking, nanoseconds. */
  readonly yielded = new Map<QueueName, number>()
  private readonly atNs = new Map<QueueName, number>()
  private readonly event$: Observable<QueueEvent>

  constructor(event$: Observable<QueueEvent>) {
    this.event$ = event$
    event$.subscribe((event) => {
      if (event.kind === 'resumed') this.atNs.set(event.name, event.atNs)
      if (event.kind === 'yielded') this.yielded.set(event.name, event.atNs)
    })
  }

  /** When each was; resolves when every queue has come to something, or the time is up. */
  async of(
    queues: readonly QueueName[], api: Pick<DaemonApi, 'list' | 'changed$'>, withinMs: number,
  ): Promise<readonly ResumedQueue[]> {
    const stateOf = (queue: QueueName) =>
      api.list().find(({ name }) => queue.startsWith(`${name}/`))?.state ?? 'Removed'
    const over = () => queues.every((queue) => this.atNs.has(queue) || !ON_THE_WAY.test(stateOf(queue)))
    if (!over()) {
      const came$ = merge(this.event$, api.changed$).pipe(filter(over), map(() => undefined))
      await firstValueFrom(merge(came$, timer(withinMs)).pipe(take(1)))
    }
    return queues.map((queue) => {
      const atNs = this.atNs.get(queue)
      return { queue, state: stateOf(queue), ...(atNs !== undefined && { atNs }) }
    })
  }
}
