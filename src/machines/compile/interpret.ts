/**
 * @packageDocumentation
 * The chart itself as something that steps: what compiled code is compared with, and what may run in its place.
 *
 *   Stepper              step(slot, event) → new state or -1: what the core is given, three implementations
 *     generated          a plain call of the generated function (see steppers.ts)
 *     pooledActors       every slot a real XState actor whose guards and actions call the core's host
 *     shadow             generated, with a ChartInterpreter beside it (see steppers.ts)
 *   ChartInterpreter     one snapshot per slot, stepped by `machine.transition` with one reused scope (≈ 3 µs); guards
 *                        and assigns are the chart's own, from setup(), on the chart's own context
 *
 * What must never happen: an error thrown by a host's action being swallowed by an actor; it is thrown again by step.
 */
import { createActor } from 'xstate'
import type { AnyActor, AnyMachineSnapshot, StateValue } from 'xstate'
import { assert } from '../../protocol/errors.js'
import { checkChart } from './check.js'
import { nameOfValue } from './compile.js'
import { mixDigest } from './digest.js'
import { implementationsOf, resolve, Scope, twinOf } from './xstate-view.js'
import type { Chart, FlatContext, Implementation, SnapshotView } from './xstate-view.js'

const MAX_MICROSTEPS = 64

/** Something that takes one slot through one event. @returns the new state's number, or -1 for no edge. */
export interface Stepper {
  step(slot: number, event: number): number
}

/** What generated code needs of a host besides guards and actions. */
export interface StepHost {
  readonly state: Uint8Array
  digest: number
}

/** What one event did to one slot. */
export interface Interpretation {
  /** Name of the new product state, as generated code calls it. */
  readonly state: string
  readonly value: StateValue
  readonly context: FlatContext
  /** Names of the actions in the order in which XState ran them. */
  readonly actions: readonly string[]
  /** Whether the chart had an edge. */
  readonly taken: boolean
}

/** An implementation that does what it did and says that it ran. */
function announced(name: string, action: Implementation, ran: (name: string) => void): unknown {
  const { resolve: original } = action
  if (original === undefined) {
    return (info: unknown, params: unknown) => {
      ran(name)
      return action(info, params)
    }
  }
  const copy = (info: unknown, params: unknown) => action(info, params)
  const announce = (...args: unknown[]) => {
    ran(name)
    return original(...args)
  }
  return Object.assign(copy, action, { resolve: announce })
}

/** XState's interpreter over many slots of one chart. */
export class ChartInterpreter {
  readonly #chart: Chart
  readonly #scope: Scope
  readonly #initial: SnapshotView
  readonly #slots: SnapshotView[]
  #ran: string[] = []

  /** @param slots - how many slots; all in the initial state with the chart's initial context. */
  constructor(chart: Chart, slots = 1) {
    const { actions } = implementationsOf(chart)
    const ran = (name: string) => void this.#ran.push(name)
    const wrapped = checkChart(chart).actions.map((name) => [name, announced(name, actions[name], ran)])
    this.#chart = twinOf(chart, { actions: Object.fromEntries(wrapped) as Record<string, unknown> }, MAX_MICROSTEPS)
    this.#scope = new Scope((action) => action.exec?.(action.info, action.params))
    this.#initial = this.#scope.initial(this.#chart)
    assert(this.#initial.status !== 'error', `chart ${chart.id} cannot be entered: ${String(this.#initial.error)}`)
    this.#slots = Array.from({ length: slots }, () => this.#initial)
  }

  /** Takes `slot` through one event. */
  step(slot: number, event: string): Interpretation {
    this.#ran = []
    const snapshot = this.#scope.step(this.#chart, this.#slots[slot], event)
    this.#slots[slot] = snapshot
    const { value, context } = snapshot
    return { state: nameOfValue(value), value, context, actions: this.#ran, taken: this.#scope.taken }
  }

  /** What the slot is in now. */
  look(slot: number): { readonly state: string; readonly value: StateValue; readonly context: FlatContext } {
    const { value, context } = this.#slots[slot]
    return { state: nameOfValue(value), value, context }
  }

  /** Writes context keys from outside: those that the core's intake sets before an event. */
  assign(slot: number, given: FlatContext): void {
    const { value, context } = this.#slots[slot]
    // Almost always they have these values already, and making a snapshot costs as much as a step.
    for (const key in given)
      if (context[key] !== given[key]) {
        this.#slots[slot] = resolve(this.#chart, value, { ...context, ...given })
        return
      }
  }

  /** Puts the slot into any state with any context. */
  place(slot: number, value: StateValue, context: FlatContext): void {
    this.#slots[slot] = resolve(this.#chart, value, context)
  }
}

type HostMethod = (slot: number) => boolean | void

function methodOf(host: object, name: string): HostMethod {
  const method = (host as Readonly<Record<string, unknown>>)[name]
  assert(typeof method === 'function', `the host has no method ${name}`)
  return (slot) => (method as HostMethod).call(host, slot)
}

/**
 * Every slot a real XState actor; its guards and actions call the host's methods of the same name. For inspection
 * (the setting `requests = xstate`): the same events, the same answers, a thousand times the cost.
 *
 * @param names - state and event names in the generated code's numbering.
 * @param host - the host of the generated step; its state column and digest are kept as generated code keeps them.
 */
export function pooledActors(
  chart: Chart,
  names: { readonly states: readonly string[]; readonly events: readonly string[] },
  host: StepHost,
): Stepper {
  const { guards, actions } = checkChart(chart)
  let current = 0
  let acted = false
  const guard = (name: string) => {
    const ask = methodOf(host, name)
    return [name, () => ask(current) === true]
  }
  const action = (name: string) => {
    const act = methodOf(host, name)
    const run = () => {
      acted = true
      act(current)
    }
    return [name, run]
  }
  const parts = {
    guards: Object.fromEntries(guards.map(guard)) as Record<string, unknown>,
    actions: Object.fromEntries(actions.map(action)) as Record<string, unknown>,
  }
  const bound = twinOf(chart, parts, MAX_MICROSTEPS)
  const start = () => {
    const actor = createActor(bound)
    // Without an observer of errors XState throws them from a timer, where nobody can catch them.
    actor.subscribe({ error: () => undefined })
    return actor.start()
  }
  const actors: readonly AnyActor[] = Array.from(host.state, start)
  const numbers = new Map(names.states.map((name, number) => [name, number]))
  const step = (slot: number, event: number): number => {
    const actor = actors[slot]
    const before = actor.getSnapshot() as AnyMachineSnapshot
    if (before.status !== 'active') return -1
    const message = { type: names.events[event] }
    current = slot
    acted = false
    actor.send(message)
    const after = actor.getSnapshot() as AnyMachineSnapshot
    if (after.status === 'error') throw (after as { readonly error: unknown }).error
    // An edge without target and actions leaves the very same snapshot behind, as no edge does: ask which it was.
    if (after === before && !acted && bound.getTransitionData(before, message).length === 0) return -1
    const next = numbers.get(nameOfValue(after.value as StateValue))
    assert(next !== undefined, `chart ${chart.id} is in a state that its compilation does not know`)
    host.state[slot] = next
    host.digest = mixDigest(host.digest, slot, event, next)
    return next
  }
  return { step }
}
