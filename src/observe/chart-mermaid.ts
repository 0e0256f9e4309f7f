/**
 * @packageDocumentation
 * A chart as Mermaid text (stateDiagram-v2), which code hosts draw in place. States are nested as in the chart,
 * parallel regions are parted by `--`, every edge is labelled `event [guard] / actions`, a state's description becomes
 * a short note beside it. Edges between the same two states are kept apart: each is a sentence of the law.
 *
 *   Taken --> Granted : admitted [bringsData] / queueCopyFromGuest
 *
 * Mermaid has one namespace for states and gives a meaning to `:`, `;` and `#`; so ids are joined paths, and text is
 * stripped of these. An edge stands in the box that holds both its ends, or Mermaid draws them twice. An edge
 * without a target is drawn as a loop; one that does nothing at all is a word in the note.
 */
import { nodesOf, rootOf } from '../machines/compile/xstate-view.js'
import type { Chart, NodeView, TransitionView } from '../machines/compile/xstate-view.js'
import { actionsLabel, effectsOf, eventLabel, guardLabel, initialOf, isIdle } from './chart-words.js'

const NOTE_LENGTH = 60

const idOf = (node: NodeView) => node.path.join('_').replace(/\W/g, '_')
const text = (raw: string) => raw.replace(/[:;#"]/g, ' ').replace(/\s+/g, ' ').trim()

/** The first sentence or clause of a description, cut at a word. */
function short(description: string): string {
  const clause = text(description.split(/[.;:]/)[0])
  if (clause.length <= NOTE_LENGTH) return clause
  return `${clause.slice(0, clause.lastIndexOf(' ', NOTE_LENGTH))} …`
}

const labelOf = (event: string, transition: TransitionView) =>
  text(`${eventLabel(event)}${guardLabel(transition)}${actionsLabel(transition)}`)

/** One arrow, and the state within whose box it is drawn. */
interface Edge {
  readonly within: NodeView
  readonly line: string
}

/** The innermost state that holds both ends; never a parallel one, whose insides are regions. */
function commonBox(from: NodeView, to: NodeView): NodeView {
  let box = from.parent ?? from
  while (box.parent && (box.type === 'parallel' || !box.path.every((key, at) => to.path[at] === key) || box === to))
    box = box.parent
  return box
}

function transitionsOf(node: NodeView): [string, TransitionView][] {
  return [
    ...[...node.transitions].flatMap(([event, list]) => list.map((one): [string, TransitionView] => [event, one])),
    ...(node.always ?? []).map((one): [string, TransitionView] => ['', one]),
  ]
}

function edgesOf(node: NodeView): Edge[] {
  const all = transitionsOf(node).filter(([, transition]) => !isIdle(transition))
  // The root is the whole diagram, and has no box that an edge could leave.
  const sources = node.path.length > 0 ? [node] : Object.values(node.states)
  return all.flatMap(([event, transition]) =>
    sources.flatMap((source) =>
      (transition.target ?? [source]).map((target) => {
        const end = target.path.length > 0 ? target : source
        const line = `${idOf(source)} --> ${idOf(end)} : ${labelOf(event, transition)}`
        return { within: commonBox(source, end), line }
      }),
    ),
  )
}

function bodyOf(node: NodeView, edges: readonly Edge[], indent: string): string[] {
  const children = Object.values(node.states)
  const initial = initialOf(node)
  const entry = initial === undefined ? [] : [`${indent}[*] --> ${idOf(initial)}`]
  const regions = children.map((child) => [
    ...boxOf(child, edges, indent),
    ...(child.type === 'final' ? [`${indent}${idOf(child)} --> [*]`] : []),
  ])
  const separator = node.type === 'parallel' ? [`${indent}--`] : []
  const parted = regions.flatMap((lines, at) => (at > 0 ? [...separator, ...lines] : lines))
  const own = edges.filter(({ within }) => within === node).map(({ line }) => indent + line)
  return [...entry, ...parted, ...own]
}

function boxOf(node: NodeView, edges: readonly Edge[], indent: string): string[] {
  const declared = idOf(node) === node.key ? [] : [`${indent}state "${text(node.key)}" as ${idOf(node)}`]
  if (Object.keys(node.states).length === 0) return declared.length > 0 ? declared : [`${indent}${idOf(node)}`]
  return [...declared, `${indent}state ${idOf(node)} {`, ...bodyOf(node, edges, `${indent}  `), `${indent}}`]
}

/** Entry and exit actions, and events that change nothing, are part of the note: Mermaid has no place for them. */
function noteOf(node: NodeView): string[] {
  const idle = transitionsOf(node).filter(([, transition]) => isIdle(transition))
  const ignored = idle.length === 0 ? [] : [`ignores ${idle.map(([event]) => eventLabel(event)).join(', ')}`]
  const described = node.description === undefined ? [] : [short(node.description)]
  const lines = [...described, ...[...effectsOf(node), ...ignored].map(text)]
  if (lines.length === 0) return []
  return [`  note right of ${idOf(node)}`, ...lines.map((line) => `    ${line}`), '  end note']
}

/** The chart as a Mermaid state diagram, ending in a newline. */
export function chartToMermaid(chart: Chart): string {
  const root = rootOf(chart)
  const nodes = nodesOf(chart)
  const title = root.description === undefined ? chart.id : `${chart.id}, ${short(root.description)}`
  return [
    '---',
    `title: ${title}`,
    '---',
    'stateDiagram-v2',
    ...bodyOf(root, nodes.flatMap(edgesOf), '  '),
    ...nodes.filter((node) => node !== root).flatMap(noteOf),
    '',
  ].join('\n')
}
