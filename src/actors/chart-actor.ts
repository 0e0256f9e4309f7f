/**
 * @packageDocumentation
 * A living actor of the control plane: one chart run by XState's interpreter, one mailbox, one journal. For each
 * input, in this order: it is committed to the journal; the chart folds it; the effects that the chart asked for are
 * executed. An effect that answers at once (a fake, a full queue) only puts its answer into the mailbox.
 *
 *   tell(event) ─► mailbox ─► journal.input ─► chart ─► [effects] ─► execute each ─► next of the mailbox
 *
 * Whatever throws on the way, chart or execution, ends this actor alone: it is reported once, and nothing is applied
 * afterwards. What must never happen: an effect before its input is in the journal; a re-entered chart.
 */
import { createActor, type Actor, type AnyStateMachine, type EmittedFrom, type EventFrom, type InputFrom } from 'xstate'
import { statePath } from '../machines/fold.js'
import type { ActorJournal } from '../ports/journal.js'
import { sentenceOf } from '../protocol/errors.js'

export interface ChartActorOptions<M extends AnyStateMachine> {
  readonly machine: M
  readonly input: InputFrom<M>
  readonly journal: ActorJournal
  /** May throw: that is a crash of this actor. */
  readonly execute: (effect: EmittedFrom<M>) => void
  /** Called at most once. */
  readonly crashed: (sentence: string) => void
  /** The chart stands somewhere else now. */
  readonly moved?: (state: string) => void
}

/** The first record of every actor's journal: what the actor was made with. */
export interface StartedRecord {
  readonly type: '@started'
  readonly input: unknown
}

export class ChartActor<M extends AnyStateMachine> {
  readonly #options: ChartActorOptions<M>
  readonly #actor: Actor<M>
  readonly #mailbox: EventFrom<M>[] = []
  #effects: EmittedFrom<M>[] = []
  #busy = false
  #ended = false
  #state = ''

  constructor(options: ChartActorOptions<M>) {
    this.#options = options
    this.#actor = createActor<M>(options.machine, { input: options.input })
    this.#actor.on('*', (effect) => void this.#effects.push(effect))
    this.#actor.subscribe({ error: (error) => this.#crash(error) })
  }

  /** Applies the actor's input; the effects of the first state are executed. */
  start(): void {
    this.#turn({ type: '@started', input: this.#options.input } satisfies StartedRecord, () => void this.#actor.start())
    this.#work()
  }

  /** Puts one input into the mailbox; nothing happens after the actor has ended. */
  tell(event: EventFrom<M>): void {
    if (this.#ended) return
    this.#mailbox.push(event)
    this.#work()
  }

  /** `Connected.intake.Running Connected.medium.Present` */
  get state(): string {
    return this.#state
  }

  get context(): ReturnType<Actor<M>['getSnapshot']>['context'] {
    return (this.#actor.getSnapshot() as { context: ReturnType<Actor<M>['getSnapshot']>['context'] }).context
  }

  /** Nothing told from now on is applied. */
  stop(): void {
    this.#ended = true
    this.#mailbox.length = 0
    this.#actor.stop()
  }

  #work(): void {
    if (this.#busy) return
    for (let event = this.#mailbox.shift(); event !== undefined && !this.#ended; event = this.#mailbox.shift()) {
      const told = event
      this.#turn(told, () => this.#actor.send(told))
    }
  }

  #turn(record: object, apply: () => void): void {
    this.#busy = true
    try {
      this.#options.journal.input(record)
      apply()
      this.#note()
      for (const effect of this.#take()) if (!this.#ended) this.#options.execute(effect)
    } catch (error) {
      this.#crash(error)
    } finally {
      this.#busy = false
    }
  }

  #take(): EmittedFrom<M>[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #note(): void {
    const state = statePath((this.#actor.getSnapshot() as { value: unknown }).value)
    if (state === this.#state) return
    this.#state = state
    this.#options.journal.state(state)
    this.#options.moved?.(state)
  }

  #crash(error: unknown): void {
    if (this.#ended) return
    this.stop()
    this.#options.crashed(sentenceOf(error))
  }
}
