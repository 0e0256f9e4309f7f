/**
 * @packageDocumentation
 * All Workers together, as the device actors see them: gives each new queue to the Worker with the fewest, passes
 * commands down and edges up, and owns what a Worker's death must not take along (counters, journal numbers).
 *
 * A Worker that dies takes its queues with it. Its arena is the target of I/O that the kernel still has, so its
 * successor starts, and its queues are reported as crashed, only when the last of that has come back; what is attached
 * meanwhile waits for the successor.
 */
import { Subject } from 'rxjs'
import { STATISTICS_LENGTH } from '../core/statistics.js'
import type { SegmentTable } from '../journal/segment-table.js'
import type { ConnectionOrder } from '../ports/data-path.js'
import type { MediumPlan } from '../ports/medium.js'
import type {
  OnEnospc, QueueAttachment, QueueEvent, QueueLegacy, QueueName, QueuePool, SharedRateLimit,
} from '../ports/queues.js'
import { assert } from '../protocol/errors.js'
import type { Legacies, LegacySegment } from './legacies.js'
import type { DownMessage, UpMessage } from './worker-messages.js'

/** One Worker, as this file needs it; the composition root makes them. */
export interface WorkerHandle {
  post(message: DownMessage): void
  onMessage(listener: (message: UpMessage) => void): void
  /** The thread has ended without being asked; called once. */
  onDeath(listener: (sentence: string) => void): void
  /** Ends the thread; resolves when it has. */
  end(): Promise<void>
}

export interface WorkerQueuePoolParts {
  readonly workers: number
  readonly startWorker: (index: number) => WorkerHandle
  readonly table: SegmentTable
  /** What earlier queues left. */
  readonly legacies: Legacies
  /** The newest segment of a writer of this process, a copy; it is kept until `letGo`. */
  readonly leave: (journal: number, name: QueueName) => LegacySegment | undefined
  /** I/O that dead Workers' engines still owe; polled until 0. */
  readonly reapOrphans: () => number
  readonly after: (milliseconds: number, fire: () => void) => void
}

interface Assigned {
  readonly worker: number
  readonly statistics: SharedArrayBuffer
  readonly journal: number
}

/** A question to all Workers; whoever has not answered yet. */
interface Ping {
  readonly silent: Set<number>
  readonly answered: Promise<void>
  readonly resolve: () => void
}

/** After these nothing of the queue is left. */
const ENDS: ReadonlySet<QueueEvent['kind']> = new Set(['refused', 'detached', 'crashed', 'yielded'])

/** Stands where a Worker died, until its successor starts. */
const nobody: Omit<WorkerHandle, 'post'> = {
  onMessage: () => undefined,
  onDeath: () => undefined,
  end: () => Promise.resolve(),
}

export class WorkerQueuePool implements QueuePool {
  readonly event$ = new Subject<QueueEvent>()
  /** Resolves when every Worker is as fast as it gets. */
  readonly warm: Promise<void>
  private readonly parts: WorkerQueuePoolParts
  private readonly workers: WorkerHandle[] = []
  private readonly assigned = new Map<QueueName, Assigned>()
  /** The queue whose end is being told: its counters can still be read. */
  private ended: { readonly name: QueueName; readonly statistics: SharedArrayBuffer } | undefined
  /** Where a Worker died and its successor has not started. */
  private readonly vacant = new Set<number>()
  private round: Ping | undefined
  private closing = false
  private readonly cold = new Set<number>()
  private warmed: () => void = () => undefined

  constructor(parts: WorkerQueuePoolParts) {
    this.parts = parts
    this.warm = new Promise((resolve) => void (this.warmed = resolve))
    for (let index = 0; index < parts.workers; index++) this.cold.add(index)
    for (let index = 0; index < parts.workers; index++) this.start(index)
  }

  attach(attachment: QueueAttachment): void {
    const { name } = attachment.settings
    assert(!this.assigned.has(name), `${name} is attached already`)
    const { legacies, table } = this.parts
    const legacy = attachment.takeover === 'journal' ? legacies.take(name) : undefined
    if (attachment.takeover === 'journal' && legacy === undefined)
      return this.later({ kind: 'refused', name, sentence: 'there is no journal to go on from' })
    const journal = table.register()
    if (journal === 0) {
      const sentence = 'the journal pool cannot keep two segments for one more device: raise journal.size'
      return this.later({ kind: 'refused', name, sentence })
    }
    const statistics = new SharedArrayBuffer(STATISTICS_LENGTH * 8)
    const worker = this.leastLoaded()
    this.assigned.set(name, { worker, statistics, journal })
    this.workers[worker].post({ kind: 'attach', attachment, statistics, journal, ...(legacy && { legacy }) })
  }

  legacy(name: QueueName): QueueLegacy {
    return this.parts.legacies.of(name)
  }

  serve(name: QueueName): void {
    this.post(name, { kind: 'serve', name })
  }

  drain(name: QueueName, onEnospc: OnEnospc): void {
    this.post(name, { kind: 'drain', name, onEnospc })
  }

  retry(name: QueueName): void {
    this.post(name, { kind: 'retry', name })
  }

  abandon(name: QueueName): void {
    this.post(name, { kind: 'abandon', name })
  }

  detach(name: QueueName): void {
    this.post(name, { kind: 'detach', name })
  }

  yield(name: QueueName): void {
    this.post(name, { kind: 'yield', name })
  }

  mediumOpened(name: QueueName, plan: MediumPlan, renewal: number): void {
    this.post(name, { kind: 'mediumOpened', name, plan, renewal })
  }

  orderConnection(name: QueueName, order: ConnectionOrder): void {
    this.post(name, { kind: 'connection', name, order })
  }

  limit(name: QueueName, limit: SharedRateLimit | undefined): void {
    this.post(name, { kind: 'limit', name, limit })
  }

  statistics(name: QueueName): Float64Array | undefined {
    const of = this.assigned.get(name) ?? (this.ended?.name === name ? this.ended : undefined)
    return of && Float64Array.from(new Float64Array(of.statistics))
  }

  /** Who asks while an answer is missing waits for that one. A Worker that died is nobody to wait for. */
  ping(): Promise<void> {
    if (this.round) return this.round.answered
    let resolve = () => undefined as void
    const answered = new Promise<void>((done) => void (resolve = done))
    const silent = new Set(this.workers.keys())
    for (const vacant of this.vacant) silent.delete(vacant)
    this.round = { silent, answered, resolve }
    for (const index of silent) this.workers[index].post({ kind: 'ping' })
    this.settleRound()
    return answered
  }

  async close(): Promise<void> {
    this.closing = true
    await Promise.all(this.workers.map((worker) => worker.end()))
    this.event$.complete()
  }

  private start(index: number): void {
    const worker = this.parts.startWorker(index)
    this.workers[index] = worker
    this.vacant.delete(index)
    worker.onMessage((message) => {
      if (message.kind === 'pong') this.lives(index)
      else if (message.kind === 'warm') this.warmedUp(index)
      else this.heard(message)
    })
    worker.onDeath((sentence) => this.died(index, sentence))
  }

  /** The Worker has answered, or is not there to answer. */
  private lives(index: number): void {
    this.round?.silent.delete(index)
    this.settleRound()
  }

  private warmedUp(index: number): void {
    this.cold.delete(index)
    if (this.cold.size === 0) this.warmed()
  }

  private settleRound(): void {
    if (this.round?.silent.size !== 0) return
    this.round.resolve()
    this.round = undefined
  }

  private heard(event: QueueEvent): void {
    const { legacies } = this.parts
    if (event.kind === 'attached') legacies.settled(event.name)
    if (event.kind === 'recovered') legacies.survived(event.name)
    if (ENDS.has(event.kind)) this.over(event)
    else this.event$.next(event)
  }

  /** It is forgotten before its end is told: whoever hears of it may attach its successor at once. */
  private over(event: QueueEvent): void {
    const { name } = event
    const assigned = this.assigned.get(name)
    this.assigned.delete(name)
    if (assigned !== undefined) {
      // Its journal is to be gone on from, here or by another process: it must not be recycled before.
      if (event.kind === 'crashed' || event.kind === 'yielded') this.inherit(name, assigned.journal)
      if (event.kind === 'detached') this.parts.legacies.rest(name)
      this.parts.table.release(assigned.journal)
      this.ended = { name, statistics: assigned.statistics }
    }
    this.event$.next(event)
    this.ended = undefined
  }

  private inherit(name: QueueName, journal: number): void {
    const segment = this.parts.leave(journal, name)
    if (segment !== undefined) this.parts.legacies.left(segment)
  }

  private died(index: number, sentence: string): void {
    if (this.closing) return
    const lost = [...this.assigned].filter(([, { worker }]) => worker === index).map(([name]) => name)
    const kept: DownMessage[] = []
    this.vacant.add(index)
    this.lives(index)
    this.workers[index] = { ...nobody, post: (message) => void kept.push(message) }
    this.whenReaped(() => {
      if (this.closing) return
      this.start(index)
      for (const message of kept) this.workers[index].post(message)
      for (const name of lost) this.heard({ kind: 'crashed', name, sentence: `its Worker died: ${sentence}` })
    })
  }

  private whenReaped(then: () => void): void {
    if (this.parts.reapOrphans() === 0) then()
    else this.parts.after(10, () => this.whenReaped(then))
  }

  private post(name: QueueName, message: DownMessage): void {
    const assigned = this.assigned.get(name)
    if (assigned) this.workers[assigned.worker].post(message)
  }

  /** Callers of `attach` expect its outcome as an event after it, not during it. */
  private later(event: QueueEvent): void {
    this.parts.after(0, () => this.event$.next(event))
  }

  private leastLoaded(): number {
    const loads = this.workers.map(() => 0)
    for (const { worker } of this.assigned.values()) loads[worker]++
    return loads.indexOf(Math.min(...loads))
  }
}
