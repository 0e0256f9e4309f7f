/**
 * @packageDocumentation
 * The proof that generated code and chart agree. For every product state, event and context combination XState says
 * what happens; the generated function then runs over a host whose "columns" are that very context, and whose guards
 * and actions are the chart's own from setup(). Next state, action names in order and context must be equal.
 *
 *   expectations(chart)          once, by ChartInterpreter
 *   disagreements(step, …)       a list, empty when they agree; run again for every planted fault
 */
import { createRequire } from 'node:module'
import { compileFunction } from 'node:vm'
import type * as TypeScript from 'typescript'
import { ChartInterpreter } from '../../src/machines/compile/index.js'
import type { CompiledChart, FlatContext, StepHost } from '../../src/machines/compile/index.js'
import { implementationsOf } from '../../src/machines/compile/xstate-view.js'
import type { Implementation } from '../../src/machines/compile/xstate-view.js'
import { pascal } from '../../src/machines/compile/emit.js'
import { contextsOf } from '../../src/machines/index.js'
import type { ContextDomain } from '../../src/machines/index.js'

export type Step = (host: StepHost, slot: number, event: number) => number

const typescript = createRequire(import.meta.url)('typescript') as typeof TypeScript

/** Generated TypeScript as JavaScript text, comments kept. */
export function toJavaScript(source: string): string {
  const compilerOptions = {
    module: typescript.ModuleKind.CommonJS,
    target: typescript.ScriptTarget.ES2023,
  }
  return typescript.transpileModule(source, { compilerOptions }).outputText
}

/** Evaluates generated code (tests only) and gives everything it exports. */
export function evaluate(javaScript: string): Record<string, unknown> {
  const exported: Record<string, unknown> = {}
  const run = compileFunction(javaScript, ['exports']) as (exports: Record<string, unknown>) => void
  run(exported)
  return exported
}

/** The step function among what a generated file exports. */
export function stepOf(exported: Record<string, unknown>, compiled: CompiledChart): Step {
  const step = exported[`step${pascal(compiled.name)}`]
  if (typeof step !== 'function') throw new Error(`no step function for ${compiled.name}`)
  return step as Step
}

/** A host whose columns are context objects and whose methods are the chart's own guards and assigns. */
export class ContextHost implements StepHost {
  readonly state: Uint8Array
  digest = 1
  readonly contexts: FlatContext[]
  ran: string[] = []

  constructor(compiled: CompiledChart, slots = 1) {
    this.state = new Uint8Array(slots)
    const initial = (compiled.chart.config.context ?? {}) as FlatContext
    this.contexts = Array.from({ length: slots }, () => ({ ...initial }))
    const { guards, actions } = implementationsOf(compiled.chart)
    const members = this as unknown as Record<string, unknown>
    for (const name of compiled.guards)
      members[name] = (slot: number) => guards[name]({ context: this.contexts[slot] }, undefined)
    for (const name of compiled.actions)
      members[name] = (slot: number) => {
        this.ran.push(name)
        this.contexts[slot] = applied(actions[name], this.contexts[slot])
      }
  }
}

/** What an action of setup() makes of a context: an assign's result, or the context unchanged. */
function applied(action: Implementation, context: FlatContext): FlatContext {
  if (action.type !== 'xstate.assign') return context
  const { assignment } = action as unknown as { assignment: unknown }
  type Compute = (info: { context: FlatContext }) => unknown
  if (typeof assignment === 'function') return { ...context, ...((assignment as Compute)({ context }) as FlatContext) }
  const entries = Object.entries(assignment as FlatContext)
  const computed = entries.map(([key, value]) => [
    key,
    typeof value === 'function' ? (value as Compute)({ context }) : value,
  ])
  return { ...context, ...(Object.fromEntries(computed) as FlatContext) }
}

export interface Expectation {
  readonly state: number
  readonly event: number
  readonly context: FlatContext
  /** The new state, or -1. */
  readonly next: number
  readonly actions: readonly string[]
  readonly after: FlatContext
}

const sameList = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((x, i) => x === b[i])

function sameContext(a: FlatContext, b: FlatContext): boolean {
  for (const key in a) if (a[key] !== b[key]) return false
  return Object.keys(a).length === Object.keys(b).length
}

const outcome = (next: number, actions: readonly string[], context: FlatContext) =>
  `${next} [${actions.join(' ')}] ${JSON.stringify(context)}`

/** What XState does, for every combination. */
export function expectations(compiled: CompiledChart, domain: ContextDomain): Expectation[] {
  const interpreter = new ChartInterpreter(compiled.chart)
  const contexts = contextsOf(domain)
  return compiled.values.flatMap((value, state) =>
    compiled.events.flatMap((name, event) =>
      contexts.map((context) => {
        interpreter.place(0, value, context)
        const did = interpreter.step(0, name)
        const next = did.taken ? compiled.states.indexOf(did.state) : -1
        return { state, event, context, next, actions: did.actions, after: did.context }
      }),
    ),
  )
}

/** Where generated code does something else, at most `limit` sentences. */
export function disagreements(
  step: Step,
  compiled: CompiledChart,
  expected: readonly Expectation[],
  limit = 5,
): string[] {
  const host = new ContextHost(compiled)
  const found: string[] = []
  for (const { state, event, context, next, actions, after } of expected) {
    host.state[0] = state
    host.contexts[0] = context
    host.ran = []
    const got = step(host, 0, event)
    const stored = host.state[0] === (next < 0 ? state : next)
    if (got === next && stored && sameList(host.ran, actions) && sameContext(host.contexts[0], after)) continue
    const where = `${compiled.states[state]} on ${compiled.events[event]} with ${JSON.stringify(context)}`
    const generated = outcome(got, host.ran, host.contexts[0])
    found.push(`${where}: generated ${generated}, XState ${outcome(next, actions, after)}`)
    if (found.length === limit) break
  }
  return found
}
