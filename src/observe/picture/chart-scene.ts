/**
 * @packageDocumentation
 * A chart as a scene: every state is a box, nested as in the chart; every edge is told once, in one of three ways.
 *
 *   an arrow        between the two outermost boxes that one of its ends is in and the other is not; all edges between
 *                   the same two share it, so that a state with forty ways out has one arrow for each place it leads to
 *   a line ▸ in the box it leaves, when the same event leads from four or more states to the same one, or when a box
 *                   of states is reached from most others (a request is abandoned from everywhere, a device parked
 *                   from everywhere: arrows that say so hide all others)
 *   a line ↻ in the box, or only in its tooltip, when the state stays
 *
 * Who stands for what is written into the tooltips in full: event, guard, actions, description, and from which inner
 * state to which. An arrow between inner states says the same in its label; one between outer boxes says why (its
 * events, or the guard that decided), and where inside it arrives.
 */
import { nodesOf, rootOf } from '../../machines/compile/xstate-view.js'
import type { Chart, NodeView } from '../../machines/compile/xstate-view.js'
import {
  actionsLabel, edgesOf, effectsOf, eventLabel, guardLabel, initialOf, pathOf, shortened, type Edge,
} from '../chart-words.js'
import type { Arrow, Box, Line, LineStyle, Scene } from './scene.js'
import { wrap } from './text-width.js'
import { toneOf } from './tones.js'

/** Widths at which words are broken, in pixels. */
const NOTE_WIDTH = 190
const LAW_WIDTH = 200
const REASON_WIDTH = 250
const NOTE_LENGTH = 110
/** From so many states on, the same event to the same place is a line in each, and no arrow. */
const COMMON_FROM = 4
/** More events that change something without leaving than this are only counted in the box. */
const STAYS_MAX = 2
/** Edges between two boxes that differ in guard or actions are told in full, up to so many; more by their events. */
const IN_FULL_MAX = 3
/** An arrow into a box names the places inside where it arrives, up to so many. */
const LANDINGS_MAX = 4

const SIGNS = ['● begins', '▸ leads to', '◂ comes from', '↻ stays', '[guard]', '/ actions']

/** An edge on its way into the picture: the two boxes between which it is drawn, in the box around both. */
interface Drawn {
  readonly edge: Edge
  readonly target: NodeView
  readonly within: NodeView
  /** Null when it leaves `within` itself, whatever is active inside. */
  readonly from: NodeView | null
  readonly to: NodeView
}

interface Plan {
  readonly chart: string
  readonly drawn: readonly Drawn[]
  readonly common: readonly Drawn[]
  /** Edges that lead nowhere else, by the state that stays. */
  readonly stays: ReadonlyMap<NodeView, readonly Edge[]>
}

const isNested = (node: NodeView) => Object.keys(node.states).length > 0

const isWithin = (node: NodeView, box: NodeView) => box.path.every((key, at) => node.path[at] === key)

function drawnBetween(edge: Edge, target: NodeView): Drawn | NodeView {
  const { source } = edge
  if (isWithin(source, target)) return target
  let within = source
  while (!isWithin(target, within)) within = within.parent ?? within
  const depth = within.path.length
  const below = (node: NodeView) => within.states[node.path[depth]]
  return { edge, target, within, from: within === source ? null : below(source), to: below(target) }
}

const isWhole = ({ edge, from, to, target }: Drawn) => edge.source === from && target === to

function planOf(chart: Chart): Plan {
  const stays = new Map<NodeView, Edge[]>()
  const stay = (node: NodeView, edge: Edge) => stays.set(node, [...(stays.get(node) ?? []), edge])
  const drawn: Drawn[] = []
  for (const edge of nodesOf(chart).flatMap(edgesOf)) {
    const { target } = edge.transition
    if (target === undefined) stay(edge.source, edge)
    for (const one of target ?? []) {
      const where = drawnBetween(edge, one)
      if ('edge' in where) drawn.push(where)
      else stay(where, edge)
    }
  }
  const origins = (some: readonly Drawn[]) => new Set(some.map(({ from }) => from)).size
  const isCommon = (one: Drawn) => {
    const alike = drawn.filter(({ within, to }) => within === one.within && to === one.to)
    const others = Object.keys(one.within.states).length - 1
    if (one.from !== null && isNested(one.to) && origins(alike) > others / 2) return true
    const same = alike.filter((other) => other.edge.event === one.edge.event && isWhole(other))
    return isWhole(one) && origins(same) >= COMMON_FROM
  }
  return { chart: chart.id, drawn: drawn.filter((one) => !isCommon(one)), common: drawn.filter(isCommon), stays }
}

const styled = (style: LineStyle, texts: readonly string[]): Line[] => texts.map((text) => ({ style, text }))

/** `queue.drained, crashed`: what several events have in common is said once. */
function together(events: readonly string[]): string {
  const groups = new Map<string, string[]>()
  for (const event of new Set(events)) {
    const [prefix, ...rest] = event.split('.')
    const key = rest.length === 0 ? event : `${prefix}.`
    groups.set(key, [...(groups.get(key) ?? []), rest.join('.')])
  }
  return [...groups].map(([key, rests]) => (rests[0] === '' ? key : key + rests.join('\u00a0· '))).join(', ')
}

/** Edges that say the same but for the event are said at once. */
function grouped(edges: readonly Edge[], by: (edge: Edge) => string): Edge[][] {
  const groups = new Map<string, Edge[]>()
  for (const edge of edges) groups.set(by(edge), [...(groups.get(by(edge)) ?? []), edge])
  return [...groups.values()]
}

/** What an edge says beside its event. */
const ruleOf = ({ transition }: Edge) => guardLabel(transition) + actionsLabel(transition)

/** `event [guard] / actions`, the actions on lines of their own. */
function inFull(edges: readonly Edge[]): Line[] {
  return grouped(edges, ruleOf).flatMap((group) => {
    const [{ transition }] = group
    const events = together(group.map(({ event }) => eventLabel(event))) + guardLabel(transition)
    const actions = actionsLabel(transition).trim()
    return [
      ...styled('law', wrap(events, 'law', LAW_WIDTH)),
      ...styled('note', actions === '' ? [] : wrap(actions, 'note', LAW_WIDTH)),
    ]
  })
}

/** Why one leaves a box for another, and where inside it one arrives. */
function reasons(drawn: readonly Drawn[]): Line[] {
  const landing = ({ to, target }: Drawn) => target.path.slice(to.path.length).join('.')
  const places = [...new Set(drawn.map(landing))]
  const say = (some: readonly Drawn[], place: string) => {
    const why = some.map(({ edge }) => reasonOf(edge))
    const guards = new Set(why.filter((word) => word.startsWith('[')))
    const named = [together(why.filter((word) => !word.startsWith('['))), ...guards]
    const words = named.filter((word) => word !== '').join(', ')
    return wrap(words + (place === '' ? '' : ` ▸\u00a0${place}`), 'law', REASON_WIDTH)
  }
  if (places.length > LANDINGS_MAX) return styled('law', say(drawn, ''))
  return styled('law', places.flatMap((place) => say(drawn.filter((one) => landing(one) === place), place)))
}

function told({ event, source, transition }: Edge): string {
  const [target] = transition.target ?? []
  const way = target === undefined ? pathOf(source) : `${pathOf(source) || 'anywhere'} ▸ ${pathOf(target)}`
  const law = `${eventLabel(event)}${guardLabel(transition)}${actionsLabel(transition)}`
  return `${way}: ${law}\n    ${transition.description ?? ''}`
}

function arrowsOf(plan: Plan, node: NodeView): Arrow[] {
  const inside = plan.drawn.filter(({ within }) => within === node)
  const pairs = new Map<string, Drawn[]>()
  for (const one of inside) {
    const key = `${plan.chart}.${one.from === null ? `${pathOf(node)}.any` : pathOf(one.from)}--${pathOf(one.to)}`
    pairs.set(key, [...(pairs.get(key) ?? []), one])
  }
  return [...pairs].map(([id, drawn]) => {
    const [{ from, to }] = drawn
    const edges = drawn.map(({ edge }) => edge)
    const isTold = drawn.every(isWhole) && grouped(edges, ruleOf).length <= IN_FULL_MAX
    return {
      id,
      from: from === null ? `${idOf(plan, node)}.any` : idOf(plan, from),
      to: idOf(plan, to),
      tone: toneOf(plan.chart, to),
      lines: isTold ? inFull(edges) : reasons(drawn),
      tooltip: edges.map(told).join('\n'),
      edges: edges.map((edge) => edge.id),
    }
  })
}

const idOf = (plan: Plan, node: NodeView) => [plan.chart, ...node.path].join('.')

/** What is said in the box itself. */
function linesOf(plan: Plan, node: NodeView): Line[] {
  const isLeaf = !isNested(node)
  const note = shortened(node.description ?? '', NOTE_LENGTH)
  const stays = plan.stays.get(node) ?? []
  const acting = stays.filter(({ transition: { actions, target } }) => target || actions.length > 0)
  const groups = grouped(acting, ruleOf)
  const kept =
    groups.length <= STAYS_MAX && acting.length <= 2 * STAYS_MAX && isLeaf
      ? groups.map((group) => {
          const [{ transition }] = group
          const events = together(group.map(({ event }) => eventLabel(event)))
          return `↻ ${events}${guardLabel(transition)}${actionsLabel(transition)}`
        })
      : [`↻ ${acting.length} events, answered in place`]
  const common = plan.common.filter(({ from }) => from === node)
  const leaving = plan.drawn.filter(({ edge, from }) => edge.source === node && from !== null && from !== node)
  const places = new Set(leaving.map(({ to }) => pathOf(to)))
  return [
    { style: 'name', text: node.key },
    ...styled('note', wrap(note, 'note', isLeaf ? NOTE_WIDTH : 2 * NOTE_WIDTH)),
    ...styled('law', effectsOf(node).flatMap((effect) => wrap(effect, 'law', NOTE_WIDTH))),
    ...styled('law', (acting.length === 0 ? [] : kept).flatMap((line) => wrap(line, 'law', NOTE_WIDTH))),
    ...[...new Set(common.map(({ to }) => to))].map((to): Line => {
      const some = common.filter((one) => one.to === to)
      const why = [...new Set(some.map(({ edge }) => reasonOf(edge)))].join(', ')
      return { style: 'law', text: `${why} ▸\u00a0${to.key}`, edges: some.map(({ edge }) => edge.id) }
    }),
    ...styled('law', places.size === 0 || !isLeaf ? [] : wrap(`▸ ${[...places].join(', ')}`, 'law', NOTE_WIDTH)),
    ...styled('law', arriving(plan, node)),
  ]
}

/** The event; or the guard, where that is what decided. */
const reasonOf = ({ event, transition }: Edge) => guardLabel(transition).trim() || eventLabel(event)

/** Where many come from, the place says so, too. */
function arriving(plan: Plan, node: NodeView): string[] {
  const here = plan.common.filter(({ to }) => to === node)
  if (here.length === 0) return []
  const why = [...new Set(here.map(({ edge }) => reasonOf(edge)))].join(', ')
  return [`◂ ${why}, from ${new Set(here.map(({ from }) => from)).size} states`]
}

function tooltipOf(plan: Plan, node: NodeView): string {
  const ways = plan.common.filter(({ from }) => from === node).map(({ edge }) => told(edge))
  const stays = (plan.stays.get(node) ?? []).map((edge) => {
    const { event, transition } = edge
    return `↻ ${eventLabel(event)}${guardLabel(transition)}${actionsLabel(transition)}: ${transition.description ?? ''}`
  })
  const title = pathOf(node) || plan.chart
  return [`${title}: ${node.description ?? ''}`, ...effectsOf(node), ...ways, ...stays].join('\n')
}

const dot = (id: string, tooltip: string): Box => {
  return { id, name: '', kind: 'dot', tone: 'ours', packed: false, lines: [], tooltip, boxes: [], arrows: [] }
}

const kindOf = (node: NodeView) => (node.type === 'final' ? 'final' : 'plain')

/** A state of which only the name is shown, and the names of what is inside. */
function partOf(plan: Plan, node: NodeView): Box {
  const boxes = Object.values(node.states).map((child) => partOf(plan, child))
  return {
    id: idOf(plan, node), name: node.key, tone: toneOf(plan.chart, node), kind: kindOf(node), packed: true,
    lines: [{ style: 'part', text: node.key }], tooltip: tooltipOf(plan, node), boxes, arrows: [],
  }
}

function boxOf(plan: Plan, node: NodeView, inside: (child: NodeView) => Box): Box {
  const id = idOf(plan, node)
  const initial = initialOf(node)
  const arrows = arrowsOf(plan, node)
  const begin: Arrow[] =
    initial === undefined
      ? []
      : [{
          id: `${id}.begin--${initial.key}`, from: `${id}.begin`, to: idOf(plan, initial), tone: 'ours', lines: [],
          tooltip: `begins in ${initial.key}`, edges: [],
        }]
  const dots = [
    ...(initial === undefined ? [] : [dot(`${id}.begin`, 'where it begins')]),
    ...(arrows.some(({ from }) => from === `${id}.any`) ? [dot(`${id}.any`, 'whatever is active inside')] : []),
  ]
  return {
    id,
    name: node.key,
    tone: toneOf(plan.chart, node),
    kind: kindOf(node),
    packed: node.type === 'parallel',
    lines: linesOf(plan, node),
    tooltip: tooltipOf(plan, node),
    boxes: [...dots, ...Object.values(node.states).map(inside)],
    arrows: [...begin, ...arrows],
  }
}

/** A state with all that is in it. */
const wholeOf = (plan: Plan, node: NodeView): Box => boxOf(plan, node, (child) => wholeOf(plan, child))

/** A state with the names of what is in it. */
function outlineOf(plan: Plan, node: NodeView): Box {
  const parts = Object.values(node.states).map((child) => partOf(plan, child))
  return { ...boxOf(plan, node, () => parts[0]), packed: true, boxes: parts, arrows: [] }
}

/** The scenes of a chart: a flat one has one; of one with states in states an outline, and each of those by itself. */
export function chartScenes(chart: Chart): Scene[] {
  const root = rootOf(chart)
  const plan = planOf(chart)
  const nested = Object.values(root.states).filter(isNested)
  const outline = boxOf(plan, root, (child) => (isNested(child) ? outlineOf(plan, child) : wholeOf(plan, child)))
  const details = nested.map((node): Scene => {
    const { lines: [, ...lines], ...box } = wholeOf(plan, node)
    const name: Line = { style: 'name', text: `${chart.id}: ${node.key}` }
    const root = { ...box, lines: [name, ...lines] }
    return { title: idOf(plan, node), subtitle: node.description ?? '', signs: SIGNS, root }
  })
  return [{ title: chart.id, subtitle: root.description ?? '', signs: SIGNS, root: outline }, ...details]
}
