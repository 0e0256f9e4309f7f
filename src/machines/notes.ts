/**
 * @packageDocumentation
 * What a chart says of its own states, for readers: the description of each, and what may happen next. It is the one
 * source of such texts; whoever shows a state to a person asks here instead of writing sentences of his own.
 *
 *   'Connected.intake.Running' ─► { description, ways: [ { event, description, to } … ] }
 *
 * A state of several regions is written as a list of leaves, `Connected.intake.Running Connected.medium.Present`.
 */
import { nodesOf } from './compile/xstate-view.js'
import type { NodeView } from './compile/xstate-view.js'
import { charts } from './index.js'

/** One edge out of a state, its ancestors' included. */
export interface Way {
  readonly event: string
  readonly description: string
  /** Path of where it leads; absent when it stays. */
  readonly to?: string
}

export interface StateNote {
  readonly path: string
  readonly description: string
  readonly ways: readonly Way[]
}

const known = new Map<string, ReadonlyMap<string, StateNote>>()

const pathOf = (node: NodeView) => node.path.join('.')

/** Every state of a chart by its path; empty for a chart that does not exist. */
export function notesOf(chart: string): ReadonlyMap<string, StateNote> {
  let notes = known.get(chart)
  if (notes === undefined) {
    const entry = charts.find(({ name }) => name === chart)
    const nodes = entry === undefined ? [] : nodesOf(entry.chart).filter(({ path }) => path.length > 0)
    notes = new Map(nodes.map((node) => [pathOf(node), noteOf(node)]))
    known.set(chart, notes)
  }
  return notes
}

function noteOf(node: NodeView): StateNote {
  const ways: Way[] = []
  for (let at: NodeView | undefined = node; at !== undefined; at = at.parent)
    for (const [event, edges] of at.transitions)
      for (const { target, description = '' } of edges)
        ways.push({ event, description, ...(target?.[0] === undefined ? {} : { to: pathOf(target[0]) }) })
  return { path: pathOf(node), description: node.description ?? '', ways }
}

/** The descriptions of a state as actors have it: one sentence or clause per leaf. */
export function describeState(chart: string, state: string): string {
  const notes = notesOf(chart)
  const sentences = state.split(' ').map((leaf) => notes.get(leaf)?.description ?? '')
  return sentences.filter((text) => text !== '').join(' ')
}

/** Names that people may use for states of a chart: every path, and every last part of one. */
export function stateNames(chart: string): ReadonlySet<string> {
  const paths = [...notesOf(chart).keys()]
  return new Set([...paths, ...paths.flatMap((path) => path.split('.').slice(-1))])
}

/** Names of a chart's events. */
export function eventNames(chart: string): ReadonlySet<string> {
  return new Set([...notesOf(chart).values()].flatMap(({ ways }) => ways.map(({ event }) => event)))
}

/** Whether an actor in `state` is in the state that a person calls `name`: a path, a part of one, or several parts. */
export function isIn(state: string, name: string): boolean {
  return state.split(' ').some((leaf) => `.${leaf}.`.includes(`.${name}.`))
}
