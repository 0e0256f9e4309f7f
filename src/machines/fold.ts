/**
 * @packageDocumentation
 * A chart as a fold: inputs in, states and effects out, nothing in between. It is what replay runs over the inputs of
 * an actor's journal, and what tests of charts are written with; the living actor (actors/chart-actor.ts) runs the
 * same chart with XState's own interpreter and collects the same effects.
 */
import {
  createActor, initialTransition, type AnyActorScope, type AnyStateMachine, type EmittedFrom, type EventFrom,
  type InputFrom, type SnapshotFrom,
} from 'xstate'

/** What one input made of an actor. */
export interface Folded<M extends AnyStateMachine> {
  readonly snapshot: SnapshotFrom<M>
  /** Where it stands: leaf states, each with its path, in the chart's order. */
  readonly state: string
  /** What it asks for, in order. */
  readonly effects: readonly EmittedFrom<M>[]
}

/** `Connected.intake.Running Connected.medium.Present` */
export function statePath(value: unknown): string {
  return leaves(value).join(' ')
}

function leaves(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, below]) => {
    const inner = leaves(below)
    return inner.length === 0 ? [name] : inner.map((leaf) => `${name}.${leaf}`)
  })
}

interface ActionData {
  readonly type: string
  readonly params?: unknown
}

function effectsOf<M extends AnyStateMachine>(actions: readonly ActionData[]): EmittedFrom<M>[] {
  return actions
    .filter((action) => action.type === 'xstate.emit')
    .map((action) => (action.params as { event: EmittedFrom<M> }).event)
}

function folded<M extends AnyStateMachine>(snapshot: SnapshotFrom<M>, actions: readonly ActionData[]): Folded<M> {
  return { snapshot, state: statePath((snapshot as { value: unknown }).value), effects: effectsOf<M>(actions) }
}

/** The actor before its first input. */
export function begin<M extends AnyStateMachine>(machine: M, input: InputFrom<M>): Folded<M> {
  const [snapshot, actions] = initialTransition<M>(machine, ...([input] as never))
  return folded<M>(snapshot, actions)
}

/** By chart: an actor that never lives, for XState to hold on to while it thinks. */
const scopes = new WeakMap<AnyStateMachine, AnyActorScope>()

/** XState's own `transition` makes such an actor at each call, which costs twice as much as the step. */
function scopeOf(machine: AnyStateMachine): AnyActorScope {
  const known = scopes.get(machine)
  if (known !== undefined) return known
  const self = createActor(machine)
  const nothing = () => undefined
  const scope: AnyActorScope = {
    self, system: self.system, id: '', sessionId: '', logger: nothing, defer: nothing, emit: nothing,
    stopChild: nothing, actionExecutor: nothing,
  }
  scopes.set(machine, scope)
  return scope
}

/** One input more. */
export function fold<M extends AnyStateMachine>(machine: M, snapshot: SnapshotFrom<M>, event: EventFrom<M>): Folded<M> {
  const actions: ActionData[] = []
  const scope = { ...scopeOf(machine), actionExecutor: (action: ActionData) => void actions.push(action) }
  return folded<M>(machine.transition(snapshot, event, scope) as SnapshotFrom<M>, actions)
}

/**
 * All inputs of a journal, from the first: what the actor was and asked for at its start and after each of them.
 * Ends early when the actor reaches a final state, as the living one does.
 */
export function replayActor<M extends AnyStateMachine>(
  machine: M, input: InputFrom<M>, events: readonly EventFrom<M>[],
): Folded<M>[] {
  const history = [begin(machine, input)]
  for (const event of events) {
    const last = history[history.length - 1]
    if ((last.snapshot as { status: string }).status !== 'active') break
    history.push(fold(machine, last.snapshot, event))
  }
  return history
}
