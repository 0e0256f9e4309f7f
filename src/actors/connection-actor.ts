/**
 * @packageDocumentation
 * The shells of a device's connections to the server behind its medium: one chart for each queue whose port has one. It
 * stands beside the device's other actors and is journalled with them; the port itself is in a Worker, hears orders and
 * reports what came of them.
 *
 *   Worker: port ── report ──► chart ── order ──► Worker: port        first away, last back ──► medium's chart
 */
import {
  connectionMachine, type ConnectionEffect, type ConnectionInput, type ConnectionTimer,
} from '../machines/connection.machine.js'
import type { MediumEvent } from '../machines/medium.machine.js'
import type { Clock } from '../ports/clock.js'
import type { ConnectionOrder, ConnectionReport } from '../ports/data-path.js'
import type { ActorJournal } from '../ports/journal.js'
import type { MediumPlan, NbdCare } from '../ports/medium.js'
import { ChartActor } from './chart-actor.js'

/** Pauses between attempts: a server that is started again is there within a second. */
const PAUSES = { firstPauseMs: 50, maxPauseMs: 2000 }

export interface ConnectionActorOptions {
  readonly care: NbdCare
  /** A dead process may have left requests at the server. */
  readonly inherited: boolean
  readonly clock: Clock
  readonly journal: ActorJournal
  readonly order: (order: ConnectionOrder) => void
  /** What it means for the medium. */
  readonly tell: (event: Extract<ConnectionEffect, { type: 'tellAway' | 'tellBack' | 'tellGone' }>) => void
  readonly crashed: (sentence: string) => void
}

export class ConnectionActor {
  readonly #options: ConnectionActorOptions
  readonly #chart: ChartActor<typeof connectionMachine>
  readonly #timers = new Map<ConnectionTimer, () => void>()

  constructor(options: ConnectionActorOptions) {
    this.#options = options
    const { care: { reconnectMs, fenceMs }, inherited } = options
    const input: ConnectionInput = { reconnectMs, fenceMs, inherited, ...PAUSES }
    this.#chart = new ChartActor({
      machine: connectionMachine, input, journal: options.journal,
      execute: (effect) => this.#execute(effect), crashed: options.crashed,
    })
  }

  get state(): string {
    return this.#chart.state
  }

  start(): void {
    this.#chart.start()
  }

  heard(report: ConnectionReport): void {
    this.#chart.tell(report)
  }

  /** The queue is gone. */
  end(): void {
    this.#chart.tell({ type: 'queue.ended' })
    this.#chart.stop()
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  #execute(effect: ConnectionEffect): void {
    switch (effect.type) {
      case 'orderPort':
        return this.#options.order(effect.order)
      case 'startTimer':
        this.#timers.get(effect.timer)?.()
        this.#timers.set(effect.timer, this.#options.clock.after(effect.milliseconds, () =>
          this.#chart.tell({ type: 'clock.elapsed', timer: effect.timer }),
        ))
        return
      case 'stopTimer':
        return this.#timers.get(effect.timer)?.()
      default:
        return this.#options.tell(effect)
    }
  }
}

export interface ConnectionsParts {
  readonly clock: Clock
  /** The journal of the connection with this name below the device's. */
  readonly openJournal: (name: string) => ActorJournal
  readonly order: (queue: string, order: ConnectionOrder) => void
  readonly tellMedium: (event: MediumEvent) => void
  readonly crashed: (sentence: string) => void
}

/** What must be known of a queue that begins. */
interface NamedQueue {
  readonly settings: { readonly name: string }
  readonly takeover?: string
}

/** All connections of one device, by queue. */
export class Connections {
  readonly #parts: ConnectionsParts
  readonly #actors = new Map<string, ConnectionActor>()
  readonly #away = new Map<string, string>()

  constructor(parts: ConnectionsParts) {
    this.#parts = parts
  }

  /** Why requests are held, while they are. */
  get sentence(): string | undefined {
    const [why] = this.#away.values()
    return why === undefined ? undefined : `the server behind the medium is away, requests are held: ${why}`
  }

  /** Queues that have another port from now on; each connects for itself where there is a server. */
  begin(queues: readonly NamedQueue[], plan: MediumPlan): void {
    for (const { settings: { name }, takeover } of queues) {
      this.end(name)
      // Whoever died may have left requests at the server.
      if (plan.kind === 'nbd') this.#beginOne(name, plan, takeover === 'journal' || takeover === 'unknown')
    }
  }

  #beginOne(queue: string, care: NbdCare, inherited: boolean): void {
    const { clock, openJournal, order, crashed } = this.#parts
    const actor = new ConnectionActor({
      care, inherited, clock, journal: openJournal(queue.replace(/^.*\//, '')), crashed,
      order: (what) => order(queue, what),
      tell: (effect) => this.#hear(queue, effect),
    })
    this.#actors.set(queue, actor)
    actor.start()
  }

  heard(queue: string, report: ConnectionReport): void {
    this.#actors.get(queue)?.heard(report)
  }

  /** The queue, or its port, is gone. */
  end(queue: string): void {
    this.#actors.get(queue)?.end()
    this.#actors.delete(queue)
    this.#away.delete(queue)
  }

  endAll(): void {
    for (const queue of [...this.#actors.keys()]) this.end(queue)
  }

  #hear(queue: string, effect: Parameters<ConnectionActorOptions['tell']>[0]): void {
    const { tellMedium } = this.#parts
    if (effect.type === 'tellGone') return tellMedium({ type: 'medium.lost', sentence: effect.sentence })
    if (effect.type === 'tellAway') {
      if (this.#away.size === 0) tellMedium({ type: 'connection.lost', sentence: effect.sentence })
      this.#away.set(queue, effect.sentence)
    } else if (this.#away.delete(queue) && this.#away.size === 0) tellMedium({ type: 'connection.back' })
  }
}
