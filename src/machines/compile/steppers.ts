/**
 * @packageDocumentation
 * The generated step as a Stepper, alone or with XState's interpreter beside it. The shadow is for replay, tests and
 * sampling: it gives the generated code's answers, and reports whatever XState would have done differently.
 *
 *   step(slot, event) ─┬─► generated(recording host) ─► state, actions ─┐
 *                      └─► ChartInterpreter ─────────► state, actions ─┴─► equal? no: onDivergence, then go on
 *
 * After a divergence the interpreter's slot is put where the generated code went, so that one fault is reported once
 * and not at every later event.
 */
import type { StateValue } from 'xstate'
import { assert } from '../../protocol/errors.js'
import { ChartInterpreter } from './interpret.js'
import type { StepHost, Stepper } from './interpret.js'
import type { Chart, FlatContext } from './xstate-view.js'

/** The form of every generated step function. */
export type GeneratedStep<Host extends StepHost> = (host: Host, slot: number, event: number) => number

/** What the names of a chart's numbers are, and which methods its host has. */
export interface ChartNames {
  readonly states: readonly string[]
  readonly values: readonly StateValue[]
  readonly events: readonly string[]
  readonly guards: readonly string[]
  readonly actions: readonly string[]
}

/** One event after which generated code and chart disagree. */
export interface Divergence {
  readonly slot: number
  readonly event: string
  readonly generated: { readonly state: string; readonly actions: readonly string[] }
  readonly xstate: { readonly state: string; readonly actions: readonly string[]; readonly context: FlatContext }
}

/** A plain call of the generated function. */
export function generatedStepper<Host extends StepHost>(generated: GeneratedStep<Host>, host: Host): Stepper {
  return { step: (slot, event) => generated(host, slot, event) }
}

/**
 * A stepper in the form of a generated function, made for the host of the first call: whoever hands steppers to the
 * core need not have the core's host yet. One such function serves one host.
 */
export function boundAtFirstCall<Host extends StepHost>(make: (host: Host) => Stepper): GeneratedStep<Host> {
  let bound: { readonly host: Host; readonly stepper: Stepper } | undefined
  return (host, slot, event) => {
    bound ??= { host, stepper: make(host) }
    assert(bound.host === host, 'a stepper that keeps state serves one host only')
    return bound.stepper.step(slot, event)
  }
}

/** The host with every action noted in `ran` before it runs; state column and digest are the host's own. */
export function recordingHost<Host extends StepHost>(
  host: Host,
  names: Pick<ChartNames, 'guards' | 'actions'>,
  ran: string[],
): Host {
  const methods = host as unknown as Readonly<Record<string, (slot: number) => unknown>>
  const guards = names.guards.map((name) => [name, (slot: number) => methods[name](slot)])
  const noted = (name: string) => (slot: number) => {
    ran.push(name)
    methods[name](slot)
  }
  const actions = names.actions.map((name) => [name, noted(name)])
  const recording = Object.fromEntries([...guards, ...actions]) as Record<string, unknown>
  Object.defineProperty(recording, 'state', { get: () => host.state })
  Object.defineProperty(recording, 'digest', {
    get: () => host.digest,
    set: (value: number) => void (host.digest = value),
  })
  return recording as unknown as Host
}

/** Settings of a shadow. */
export interface ShadowOptions<Host extends StepHost> {
  readonly chart: Chart
  readonly names: ChartNames
  readonly generated: GeneratedStep<Host>
  readonly host: Host
  /** Context keys that the core writes before an event (not the chart's actions); read before every event. */
  readonly given?: (slot: number) => FlatContext
  readonly onDivergence: (divergence: Divergence) => void
}

const equalLists = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((entry, index) => entry === b[index])

/** Generated code with the chart beside it. */
export function shadowStepper<Host extends StepHost>(options: ShadowOptions<Host>): Stepper {
  const { chart, names, generated, host, given, onDivergence } = options
  const interpreter = new ChartInterpreter(chart, host.state.length)
  host.state.forEach((state, slot) => {
    if (state !== 0) interpreter.place(slot, names.values[state], interpreter.look(slot).context)
  })
  const ran: string[] = []
  const recording = recordingHost(host, names, ran)
  const step = (slot: number, event: number): number => {
    ran.length = 0
    if (given !== undefined) interpreter.assign(slot, given(slot))
    const next = generated(recording, slot, event)
    const stateDid = names.states[host.state[slot]]
    const { taken, state, actions, context } = interpreter.step(slot, names.events[event])
    if (next >= 0 === taken && stateDid === state && equalLists(ran, actions)) return next
    const did = { state: stateDid, actions: [...ran] }
    onDivergence({ slot, event: names.events[event], generated: did, xstate: { state, actions, context } })
    interpreter.place(slot, names.values[host.state[slot]], context)
    return next
  }
  return { step }
}
