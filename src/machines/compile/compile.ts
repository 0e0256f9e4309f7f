/**
 * @packageDocumentation
 * From a chart to a table of decision trees, by asking XState and nobody else. For every product state and every
 * event a twin of the chart is stepped by XState's own interpreter; the twin's named guards ask an oracle, its named
 * actions only leave their name. Hierarchy, parallel regions, `always`, raised events, `and/or/not/stateIn`, final
 * states and the order of exit, transition and entry actions are right by construction.
 *
 *   (Submitted, completed)   moreOutstanding? ─ yes ─ [countDown]            → Submitted
 *                                  no └ hasFailed? ─ yes ─ [queueAnswer]     → Copied
 *                                            no └ …
 *
 * An oracle's unknown question is answered no first, then yes, which builds the tree. An answer holds until the next
 * assign runs, since nothing else changes the context. A guard whose answer makes no difference is dropped. Guards
 * count as independent, so a tree may hold leaves that no context reaches: harmless, and reported by the tests.
 * What must never happen: a transition worked out here by hand.
 */
import type { StateValue } from 'xstate'
import { XbbdError } from '../../protocol/errors.js'
import { checkChart } from './check.js'
import type { ChartCheck } from './check.js'
import { chartHash } from './hash.js'
import { implementationsOf, nodesOf, resolve, Scope, twinOf } from './xstate-view.js'
import type { Chart, SnapshotView } from './xstate-view.js'

/** What happens for one event in one state: run `actions`, then end or ask. */
export type Decision =
  | { readonly kind: 'goto'; readonly actions: readonly string[]; readonly state: number }
  /** The chart has no edge: nothing changes. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'ask'
      readonly actions: readonly string[]
      readonly guard: string
      readonly yes: Decision
      readonly no: Decision
    }

/** A chart with everything that can happen in it worked out. */
export interface CompiledChart {
  readonly name: string
  readonly hash: string
  readonly chart: Chart
  /** Names of the product states; the initial one is 0, the others stand in the chart's order. */
  readonly states: readonly string[]
  readonly values: readonly StateValue[]
  readonly events: readonly string[]
  readonly guards: readonly string[]
  readonly actions: readonly string[]
  /** `cells[state][event]`. */
  readonly cells: readonly (readonly Decision[])[]
}

export const MAX_STATES = 250
const MAX_EVENTS = 255
const MAX_LEAVES = 1024
const MAX_MICROSTEPS = 64

type Operation = { readonly guard: string; readonly answer: boolean } | { readonly action: string }

/** The twin of a chart, the oracle its guards ask, and the tape its actions write to. */
class Explorer {
  readonly #twin: Chart
  readonly #scope: Scope
  #answers: readonly boolean[] = []
  #asked = 0
  #known = new Map<string, boolean>()
  #tape: Operation[] = []

  constructor(chart: Chart, check: ChartCheck) {
    const guards = Object.fromEntries(check.guards.map((name) => [name, () => this.#ask(name)]))
    const actions = Object.fromEntries(check.actions.map((name) => [name, () => undefined]))
    this.#twin = twinOf(chart, { guards, actions }, MAX_MICROSTEPS)
    const originals = implementationsOf(chart).actions
    this.#scope = new Scope(({ type }) => {
      if (originals[type].type === 'xstate.assign') this.#known.clear()
      this.#tape.push({ action: type })
    })
  }

  #ask(guard: string): boolean {
    const known = this.#known.get(guard)
    if (known !== undefined) return known
    const answer = this.#answers[this.#asked++] ?? false
    this.#known.set(guard, answer)
    this.#tape.push({ guard, answer })
    return answer
  }

  #rewind(answers: readonly boolean[]): void {
    this.#answers = answers
    this.#asked = 0
    this.#known.clear()
    this.#tape = []
  }

  initial(): { snapshot: SnapshotView; tape: readonly Operation[] } {
    this.#rewind([])
    return { snapshot: this.#scope.initial(this.#twin), tape: this.#tape }
  }

  /** One macrostep from `value`, guards answered as given, then no. */
  run(value: StateValue, event: string, answers: readonly boolean[]) {
    this.#rewind(answers)
    const snapshot = this.#scope.step(this.#twin, resolve(this.#twin, value, {}), event)
    return { snapshot, tape: this.#tape, taken: this.#scope.taken }
  }
}

/** `Connected.(intake.Running & medium.Present)`: how a product state is called. */
export function nameOfValue(value: StateValue): string {
  if (typeof value === 'string') return value
  const parts = Object.entries(value).map(([key, inner]) => {
    const below = inner === undefined ? '' : nameOfValue(inner)
    return below === '' ? key : `${key}.${below}`
  })
  return parts.length > 1 ? `(${parts.join(' & ')})` : (parts[0] ?? '')
}

function eventsOf(chart: Chart): string[] {
  const written = nodesOf(chart).flatMap((node) => [...node.transitions.keys()])
  return [...new Set(written)].filter((event) => !event.startsWith('xstate.') && !event.includes('*'))
}

/** Whether two trees say the same. */
function same(a: Decision, b: Decision): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

const namesIn = (tape: readonly Operation[]) => tape.flatMap((entry) => ('action' in entry ? [entry.action] : []))

/** Breadth-first over all product states; `cells` grows with `values`. */
class Enumeration {
  readonly values: StateValue[] = []
  readonly orders: (readonly number[])[] = []
  readonly cells: Decision[][] = []
  readonly #numbers = new Map<string, number>()
  readonly #explorer: Explorer
  readonly #report: (violation: string) => void

  constructor(explorer: Explorer, report: (violation: string) => void) {
    this.#explorer = explorer
    this.#report = report
  }

  run(chart: Chart, events: readonly string[]): void {
    const { snapshot, tape } = this.#explorer.initial()
    const consulted = tape.some((entry) => 'guard' in entry)
    if (consulted) this.#report(`#${chart.id} initial: a guard is consulted while entering the initial state`)
    const names = namesIn(tape)
    if (names.length > 0) this.#report(`#${chart.id} initial: entering the initial state runs ${names.join(', ')}`)
    this.#numberOf(snapshot)
    for (let state = 0; state < this.values.length && this.values.length <= MAX_STATES; state++)
      this.cells.push(events.map((event) => this.#cell(state, event)))
    if (this.values.length > MAX_STATES) this.#report(`#${chart.id}: more than ${MAX_STATES} product states`)
  }

  #numberOf(snapshot: SnapshotView): number {
    const name = nameOfValue(snapshot.value)
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    const number = this.values.length
    this.#numbers.set(name, number)
    this.values.push(snapshot.value)
    this.orders.push(snapshot._nodes.map((node) => node.order).sort((a, b) => a - b))
    return number
  }

  #cell(state: number, event: string): Decision {
    let leaves = 0
    const build = (answers: readonly boolean[], done: number): Decision => {
      if (++leaves > MAX_LEAVES) throw new Error(`more than ${MAX_LEAVES} outcomes`)
      const { snapshot, tape, taken } = this.#explorer.run(this.values[state], event, answers)
      if (snapshot.status === 'error') throw snapshot.error
      const next = nthGuard(tape, answers.length)
      const actions = namesIn(tape.slice(done, next ?? tape.length))
      if (next === undefined)
        return taken ? { kind: 'goto', actions, state: this.#numberOf(snapshot) } : { kind: 'none' }
      const { guard } = tape[next] as { guard: string }
      const no = build([...answers, false], next + 1)
      const yes = build([...answers, true], next + 1)
      if (!same(yes, no)) return { kind: 'ask', actions, guard, yes, no }
      return yes.kind === 'none' ? yes : { ...yes, actions: [...actions, ...yes.actions] }
    }
    try {
      return build([], 0)
    } catch (error) {
      const why = error instanceof Error ? error.message.split(':')[0] : String(error)
      this.#report(`#${nameOfValue(this.values[state])} on ${event}: ${why}`)
      return { kind: 'none' }
    }
  }
}

/** Index in the tape of the guard that was asked as number `n`, counted from zero. */
function nthGuard(tape: readonly Operation[], n: number): number | undefined {
  let seen = 0
  const at = tape.findIndex((entry) => 'guard' in entry && seen++ === n)
  return at < 0 ? undefined : at
}

/** Numbers states by the chart's order, the initial one first: a new edge must not renumber them. */
function inOrder(enumeration: Enumeration): { values: StateValue[]; cells: Decision[][] } {
  const { values, orders, cells } = enumeration
  const compare = (a: readonly number[], b: readonly number[]) => {
    const at = a.findIndex((order, index) => order !== b[index])
    return at < 0 ? a.length - b.length : a[at] - (b[at] ?? -1)
  }
  const rest = values.map((_, state) => state).slice(1)
  const order = [0, ...rest.sort((a, b) => compare(orders[a], orders[b]))]
  const renumber = (decision: Decision): Decision => {
    if (decision.kind === 'none') return decision
    if (decision.kind === 'goto') return { ...decision, state: order.indexOf(decision.state) }
    return { ...decision, yes: renumber(decision.yes), no: renumber(decision.no) }
  }
  return { values: order.map((state) => values[state]), cells: order.map((state) => cells[state].map(renumber)) }
}

function refuse(chart: Chart, violations: readonly string[]): never {
  const lines = violations.map((violation) => `\n  ${violation}`).join('')
  throw new XbbdError('XBBD_CHART_NOT_COMPILABLE', `chart ${chart.id} cannot be compiled:${lines}`)
}

/**
 * Works out everything that can happen in a chart.
 * @throws {XbbdError} CHART_NOT_COMPILABLE, whose sentence lists every violation with its place.
 */
export function compileChart(chart: Chart): CompiledChart {
  const check = checkChart(chart)
  const events = eventsOf(chart)
  const violations = [...check.violations]
  if (events.length > MAX_EVENTS) violations.push(`#${chart.id}: more than ${MAX_EVENTS} events`)
  if (violations.length > 0) refuse(chart, violations)
  const enumeration = new Enumeration(new Explorer(chart, check), (violation) => violations.push(violation))
  enumeration.run(chart, events)
  if (violations.length > 0) refuse(chart, violations)
  const { values, cells } = inOrder(enumeration)
  return {
    name: chart.id,
    hash: chartHash(chart),
    chart,
    states: values.map(nameOfValue),
    values,
    events,
    guards: check.guards,
    actions: check.actions,
    cells,
  }
}
