/**
 * @packageDocumentation
 * What a chart may not contain if it is to be compiled. All violations are found in one walk and reported together,
 * each with its place, so that a chart is mended in one go:
 *
 *   #request.Taken on admitted: inline action function        (transition of an event)
 *   #request.Taken entry: action "raise it" …                 (entry, exit, always, initial, onDone)
 *   action queueIo: sendTo acts on other actors               (an implementation in setup())
 *
 * The reason is one for all: a compiled chart is a switch over (state, event) whose guards and actions are methods of
 * a host that get a slot number. What has no name cannot be a method; what starts actors or timers is not a
 * transition; what computes its parameters has no second implementation to compare with.
 */
import { implementationsOf, nodesOf } from './xstate-view.js'
import type { Chart, Implementation, NodeView, TransitionView } from './xstate-view.js'

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/
/** Members of a host that are not guards or actions. */
const RESERVED = ['state', 'digest', 'constructor']

/** Says what is forbidden at the places found. */
type Report = (place: string, what: string) => void

/** Name of a guard or action in a config, or undefined with the violation reported. */
function nameOf(reference: unknown, place: string, noun: 'guard' | 'action', report: Report): string | undefined {
  if (typeof reference === 'string') return reference
  if (typeof reference === 'function') {
    const kind = (reference as Implementation).type ?? ('check' in reference ? reference.name : undefined)
    report(place, kind === undefined ? `inline ${noun} function` : `inline ${noun} ${kind}: name it in setup()`)
    return undefined
  }
  if (typeof reference === 'object' && reference !== null && 'type' in reference) {
    if ('params' in reference && reference.params !== undefined) {
      report(place, `${noun} ${String(reference.type)} has parameters: give each case a name of its own`)
      return undefined
    }
    return String(reference.type)
  }
  report(place, `${noun} is neither a name nor a function`)
  return undefined
}

function asList(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}

function placeOf(node: NodeView, what: string): string {
  return `#${node.id} ${what}`
}

/** A guard of `setup()`: a function of the context, or `and`, `or`, `not`, `stateIn` over names. */
function checkGuard(name: string, place: string, chart: Chart, report: Report, used: Set<string>): void {
  const guard = implementationsOf(chart).guards[name] as Implementation | undefined
  if (guard === undefined) return report(place, `guard ${name} is not in setup()`)
  if (guard.check === undefined) return void used.add(name)
  for (const part of guard.guards ?? []) checkPart(part, `guard ${name}`, chart, report, used)
}

function checkPart(part: unknown, place: string, chart: Chart, report: Report, used: Set<string>): void {
  const builtin = typeof part === 'function' && 'check' in part ? (part as unknown as Implementation) : undefined
  if (builtin === undefined) {
    const name = nameOf(part, place, 'guard', report)
    if (name !== undefined) checkGuard(name, place, chart, report, used)
    return
  }
  for (const inner of builtin.guards ?? []) checkPart(inner, place, chart, report, used)
}

/** @returns whether the action is the host's (an assign or a custom function); a static raise is the chart's own. */
function checkAction(name: string, place: string, chart: Chart, report: Report): boolean {
  const action = implementationsOf(chart).actions[name] as Implementation | undefined
  if (action === undefined) {
    report(place, `action ${name} is not in setup()`)
    return false
  }
  if (action.resolve === undefined || action.type === 'xstate.assign') return true
  if (action.type !== 'xstate.raise') report(`action ${name}`, `${String(action.type)} is no transition of this chart`)
  else if (typeof action.event !== 'object') report(`action ${name}`, 'raise with an event expression')
  else if (action.delay !== undefined) report(`action ${name}`, 'raise with a delay: timers are events')
  return false
}

function checkContext(chart: Chart, report: Report): void {
  const context: unknown = chart.config.context
  if (context === undefined) return
  if (typeof context === 'function') return report(`#${chart.id} context`, 'a function: write the initial values')
  for (const [key, value] of Object.entries(context as object)) {
    const kind = typeof value
    if (kind === 'bigint') report(`#${chart.id} context.${key}`, 'a bigint')
    else if (value !== null && (kind === 'object' || kind === 'function'))
      report(`#${chart.id} context.${key}`, `a ${kind}: a compiled chart's context is flat`)
  }
}

const FORBIDDEN: Readonly<Record<string, string>> = {
  invoke: 'invoke starts an actor',
  after: 'after needs a timer: time is an event',
  route: 'route jumps from anywhere',
}

function checkNode(node: NodeView, report: Report, action: (name: string, place: string) => void): void {
  for (const [key, why] of Object.entries(FORBIDDEN))
    if (node.config[key] !== undefined) report(placeOf(node, key), why)
  if (node.type === 'history') report(`#${node.id}`, 'history state')
  if (typeof node.config.output === 'function') report(placeOf(node, 'output'), 'inline output function')
  const lists = { entry: node.config.entry, exit: node.config.exit, initial: initialActions(node) }
  for (const [what, list] of Object.entries(lists))
    for (const reference of asList(list)) {
      const place = placeOf(node, what)
      const name = nameOf(reference, place, 'action', report)
      if (name !== undefined) action(name, place)
    }
}

function initialActions(node: NodeView): unknown {
  const initial = node.config.initial
  return typeof initial === 'object' && initial !== null && 'actions' in initial ? initial.actions : undefined
}

/** The transitions of a node that were written by the chart's author, each with its place. */
export function transitionsOf(node: NodeView): { place: string; transition: TransitionView }[] {
  const placed = [...node.transitions]
    .filter(([event]) => !/^xstate\.(after|done\.actor|error\.actor|snapshot|route)/.test(event))
    .flatMap(([event, list]) => {
      const what = event.startsWith('xstate.done.state.') ? 'onDone' : `on ${event}`
      return list.map((transition) => ({ place: placeOf(node, what), transition }))
    })
  return [...placed, ...(node.always ?? []).map((transition) => ({ place: placeOf(node, 'always'), transition }))]
}

/** What the walk found: the host's names in order of appearance, and everything that is forbidden. */
export interface ChartCheck {
  readonly guards: readonly string[]
  readonly actions: readonly string[]
  readonly violations: readonly string[]
}

/** Walks the chart once. */
export function checkChart(chart: Chart): ChartCheck {
  const violations = new Set<string>()
  const guards = new Set<string>()
  const actions = new Set<string>()
  const report: Report = (place, what) => void violations.add(`${place}: ${what}`)
  const takeAction = (name: string, place: string) => {
    if (checkAction(name, place, chart, report)) actions.add(name)
  }
  checkContext(chart, report)
  for (const node of nodesOf(chart)) {
    checkNode(node, report, takeAction)
    for (const { place, transition } of transitionsOf(node)) {
      for (const reference of transition.actions) {
        const name = nameOf(reference, place, 'action', report)
        if (name !== undefined) takeAction(name, place)
      }
      if (transition.guard === undefined) continue
      const name = nameOf(transition.guard, place, 'guard', report)
      if (name !== undefined) checkGuard(name, place, chart, report, guards)
    }
  }
  for (const name of [...guards, ...actions])
    if (!IDENTIFIER.test(name) || RESERVED.includes(name)) report(name, 'cannot be the name of a method')
  for (const name of guards) if (actions.has(name)) report(name, 'names a guard and an action')
  return { guards: [...guards], actions: [...actions], violations: [...violations] }
}
