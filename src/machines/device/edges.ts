/**
 * @packageDocumentation
 * Pieces from which the device chart's states are made. Every state answers every XenbusState of the front end, also
 * skipped, repeated and returning ones, because its edges come as a complete record: leaving one out does not compile.
 */
import { XENBUS_STATES, type XenbusState } from '../../protocol/xenbus-state.js'
import type { ActionName, GuardName } from './actions.js'

/** A described transition; without a target the state stays as it is. */
export interface Edge {
  readonly description: string
  readonly target?: string
  readonly guard?: GuardName
  readonly actions?: readonly ActionName[]
}

export type Edges = Readonly<Record<string, Edge | readonly Edge[]>>

/** One edge, or guarded alternatives, for each state that the front end can be in. */
export type FrontendEdges = Readonly<Record<XenbusState, Edge | readonly Edge[]>>

/** XState's own form of {@link Edge}: arrays that may be written to. */
interface PlainEdge {
  description: string
  target?: string
  guard?: GuardName
  actions?: ActionName[]
}

function plain(edge: Edge): PlainEdge {
  const { actions, ...rest } = edge
  return actions === undefined ? rest : { ...rest, actions: [...actions] }
}

function plainAll(edges: Edge | readonly Edge[]): PlainEdge[] {
  return (Array.isArray(edges) ? (edges as readonly Edge[]) : [edges as Edge]).map(plain)
}

/** `on` of a state. */
export function on(edges: Edges): Record<string, PlainEdge[]> {
  return Object.fromEntries(Object.entries(edges).map(([event, edge]) => [event, plainAll(edge)]))
}

/** `always` of a state. */
export function always(...edges: readonly Edge[]): PlainEdge[] {
  return edges.map(plain)
}

/** The nine events of the front end; each remembers where it stands before anything else. */
export function frontend(edges: FrontendEdges): Edges {
  const remembering = (edge: PlainEdge): Edge => ({ ...edge, actions: ['rememberFrontend', ...(edge.actions ?? [])] })
  return Object.fromEntries(
    XENBUS_STATES.map((state) => [`frontend.${state}`, plainAll(edges[state]).map(remembering)]),
  )
}

/** Remembered only: the state in which it comes waits for something else. */
export function notedFrontend(description: string): FrontendEdges {
  const edge: Edge = { description }
  return {
    Unknown: edge, Initialising: edge, InitWait: edge, Initialised: edge, Connected: edge,
    Closing: edge, Closed: edge, Reconfiguring: edge, Reconfigured: edge,
  }
}

/** The process is going to end, and XenStore is left alone: another goes on, later or at once. */
export function leavers(edge: Edge): Edges {
  const yielded = 'Another process takes over now. '
  return { 'operator.parked': edge, 'operator.yielded': { ...edge, description: yielded + edge.description } }
}

/** Whoever asks for the end asks in one of these ways. */
export function closers(edge: Omit<Edge, 'description'>): Edges {
  const actions = edge.actions ?? []
  return {
    'xenstore.closeRequested': {
      ...edge, actions: ['rememberOnline', ...actions],
      description: 'The toolstack wrote Closing or online=0 into our directory: libxl asks for the end.',
    },
    'operator.detached': {
      ...edge, actions: ['rememberOnline', ...actions], description: 'The operator detaches the device for good.',
    },
    'operator.closed': {
      ...edge, actions: ['rememberClosing', ...actions], description: 'The daemon stops and closes its devices.',
    },
  }
}
