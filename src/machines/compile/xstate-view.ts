/**
 * @packageDocumentation
 * The parts of XState 5.33.3 that lie below its public API, each named once. The compiler and the interpreter drive
 * `machine.transition(snapshot, event, scope)` with a scope of their own, because the public `transition()` builds an
 * actor on every call (7.8 µs in place of 2.9). XState is pinned to this version; whoever raises it reads this file
 * against `createActor.ts` (the real scope) and `stateUtils.ts` (what a macrostep asks of it).
 *
 *   macrostep ──► scope.actionExecutor(action)          once per custom action, in order, before the next is resolved
 *             └─► scope.system._sendInspectionEvent(m)  once per microstep; m._transitions is empty when none was taken
 *
 * Nothing here may reach a clock or an actor: the scope has neither, so a chart that spawns or delays fails at once.
 */
import type { AnyMachineSnapshot, AnyStateMachine, StateValue } from 'xstate'

/** Any chart made by `setup().createMachine()`. */
export type Chart = AnyStateMachine

type ActorScope = Parameters<Chart['transition']>[2]

/** A chart's context as the compiler sees it: flat, and small enough to enumerate. */
export type FlatContext = Record<string, unknown>

/** What is read of a state node's transition. */
export interface TransitionView {
  readonly target?: readonly NodeView[]
  readonly actions: readonly unknown[]
  readonly guard?: unknown
  readonly description?: string
  readonly eventType: string
  readonly reenter: boolean
}

/** What is read of a state node. */
export interface NodeView {
  readonly id: string
  readonly key: string
  readonly path: readonly string[]
  readonly order: number
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history'
  readonly description?: string
  readonly parent?: NodeView
  readonly config: { readonly [key: string]: unknown }
  readonly states: { readonly [key: string]: NodeView }
  readonly transitions: ReadonlyMap<string, readonly TransitionView[]>
  readonly always?: readonly TransitionView[]
}

/** What is read of a snapshot. */
export interface SnapshotView {
  readonly value: StateValue
  readonly context: FlatContext
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly error: unknown
  readonly _nodes: readonly NodeView[]
}

/** A custom action as the executor receives it. */
export interface ActionView {
  readonly type: string
  readonly info: unknown
  readonly params: unknown
  readonly exec?: (info: unknown, params: unknown) => void
}

/** An implementation from `setup()`: a custom function, or one of XState's builtins with its own fields. */
export type Implementation = ((info: unknown, params: unknown) => unknown) & {
  readonly type?: string
  readonly resolve?: (...args: unknown[]) => unknown
  readonly check?: unknown
  readonly guards?: readonly unknown[]
  readonly event?: unknown
  readonly delay?: unknown
}

/** The chart's root node. */
export function rootOf(chart: Chart): NodeView {
  return chart.root as unknown as NodeView
}

/** All nodes of the chart in document order, the root first. */
export function nodesOf(chart: Chart): NodeView[] {
  const below = (node: NodeView): NodeView[] => [node, ...Object.values(node.states).flatMap(below)]
  return below(rootOf(chart))
}

/** Guards and actions as `setup()` holds them. */
export function implementationsOf(chart: Chart): {
  guards: Readonly<Record<string, Implementation>>
  actions: Readonly<Record<string, Implementation>>
} {
  return chart.implementations as unknown as ReturnType<typeof implementationsOf>
}

/** The same chart with other guards and actions, and a bound on its microsteps. */
export function twinOf(
  chart: Chart,
  parts: { guards?: Record<string, unknown>; actions?: Record<string, unknown> },
  maxIterations: number,
): Chart {
  const provided = chart.provide(parts as Parameters<Chart['provide']>[0]) as Chart
  provided.options = { ...provided.options, maxIterations }
  return provided
}

/** One scope for any number of transitions. */
export class Scope {
  /** Whether any transition was taken since {@link Scope.taken} was last set to false. */
  taken = false
  readonly #scope: ActorScope

  /** @param onAction - gets every custom action, in order. Builtins (assign, raise) do not come here. */
  constructor(onAction: (action: ActionView) => void) {
    const forbidden = (what: string) => () => {
      throw new Error(`a chart may not ${what}`)
    }
    const system = {
      _sendInspectionEvent: (event: { readonly _transitions?: readonly unknown[] }) => {
        if (event._transitions !== undefined && event._transitions.length > 0) this.taken = true
      },
    }
    this.#scope = {
      id: '', sessionId: '', self: undefined, system,
      logger: forbidden('log'), defer: forbidden('defer'), emit: forbidden('emit'),
      stopChild: forbidden('stop a child'),
      actionExecutor: (action: ActionView) => {
        if (action.type !== 'xstate.raise') onAction(action)
      },
    } as unknown as ActorScope
  }

  /** The chart's first snapshot; its entry actions go to `onAction`. */
  initial(chart: Chart): SnapshotView {
    this.taken = false
    return chart.getInitialSnapshot(this.#scope) as unknown as SnapshotView
  }

  /** One macrostep. `taken` tells whether the chart had an edge; a chart that has ended has none. */
  step(chart: Chart, snapshot: SnapshotView, event: string): SnapshotView {
    this.taken = false
    if (snapshot.status !== 'active') return snapshot
    const before = snapshot as unknown as AnyMachineSnapshot
    return chart.transition(before, { type: event }, this.#scope) as unknown as SnapshotView
  }
}

/** A snapshot in the given state with the given context. */
export function resolve(chart: Chart, value: StateValue, context: FlatContext): SnapshotView {
  return chart.resolveState({ value, context }) as unknown as SnapshotView
}
