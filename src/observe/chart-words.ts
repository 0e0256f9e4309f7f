/**
 * @packageDocumentation
 * What a chart's parts are called in pictures, whatever draws them: `event [guard] / actions` for an edge, the
 * beginning of a description for a state, the lists of actions on entry and exit. Edges come with a stable id, by which
 * a picture, a page and a test mean the same one:
 *
 *   Connected.intake.Running|queue.ranShort|0      state's path (empty for the root), event (empty for `always`), place
 */
import type { NodeView, TransitionView } from '../machines/compile/xstate-view.js'

/** One edge of a chart, with where it starts and what it is called. */
export interface Edge {
  readonly id: string
  readonly source: NodeView
  /** Empty for an edge that needs no event. */
  readonly event: string
  readonly transition: TransitionView
}

export const pathOf = (node: NodeView) => node.path.join('.')

/** All edges that start at `node` itself, in the chart's order. */
export function edgesOf(node: NodeView): Edge[] {
  const lists = [...node.transitions, ['', node.always ?? []] as const]
  return lists.flatMap(([event, list]) =>
    list.map((transition, place) => ({ id: `${pathOf(node)}|${event}|${place}`, source: node, event, transition })),
  )
}

/** Whether the edge only says that the event is known here. */
export const isIdle = ({ target, actions, guard }: TransitionView) =>
  target === undefined && actions.length === 0 && guard === undefined

/** The name of an action or guard as the configuration refers to it. */
export function nameOf(reference: unknown): string {
  if (typeof reference === 'string') return reference
  if (typeof reference === 'object' && reference !== null && 'type' in reference) return String(reference.type)
  return typeof reference === 'function' ? reference.name : 'inline'
}

export function eventLabel(event: string): string {
  if (event.startsWith('xstate.done.state.')) return 'done'
  return event === '' ? 'always' : event
}

export const guardLabel = ({ guard }: TransitionView) => (guard === undefined ? '' : ` [${nameOf(guard)}]`)

export const actionsLabel = ({ actions }: TransitionView) =>
  actions.length === 0 ? '' : ` / ${actions.map(nameOf).join(', ')}`

/** `entry / a, b` and `exit / c`, as far as there are any. */
export function effectsOf(node: NodeView): string[] {
  const lists = [['entry', node.config.entry], ['exit', node.config.exit]] as const
  return lists.flatMap(([when, list]) => {
    const names = (Array.isArray(list) ? list : list === undefined ? [] : [list]).map(nameOf)
    return names.length === 0 ? [] : [`${when} / ${names.join(', ')}`]
  })
}

/** The state in which `node` begins. */
export function initialOf(node: NodeView): NodeView | undefined {
  const { initial } = node.config
  if (typeof initial === 'string') return node.states[initial]
  if (typeof initial !== 'object' || initial === null || !('target' in initial)) return undefined
  return node.states[String(initial.target)]
}

/** A description without its full stop, cut at a word beyond `length`. */
export function shortened(description: string, length: number): string {
  const text = description.replace(/\.$/, '')
  return text.length <= length ? text : `${text.slice(0, text.lastIndexOf(' ', length)).replace(/[,;:.]$/, '')} …`
}
