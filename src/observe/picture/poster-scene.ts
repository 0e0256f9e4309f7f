/**
 * @packageDocumentation
 * The whole program on one sheet: its actors, who supervises whom, and which events flow from where. The actors' words
 * come from their charts, the events too: all of them, by whom they come from. A chart that learns an event from a
 * source that this sheet does not know makes no picture but an error, so that the sheet stays complete.
 *
 *   daemon ═► supervisor ═► device ═► medium, queue ═► request        ═► supervises
 *   front end, XenStore, hypervisor, disk, operator, clock            ──► events, named on the arrow
 */
import { nodesOf, rootOf } from '../../machines/compile/xstate-view.js'
import type { Chart } from '../../machines/compile/xstate-view.js'
import type { ChartEntry } from '../../machines/index.js'
import type { Arrow, Box, Line, Scene, Tone } from './scene.js'
import { wrap } from './text-width.js'

const NOTE_WIDTH = 190
const EVENTS_WIDTH = 220

interface Player {
  readonly name: string
  readonly tone: Tone
  readonly note: string
  /** Where it lives. */
  readonly place: string
}

const OUTSIDE: Readonly<Record<string, Player>> = {
  frontend: {
    name: 'front end', tone: 'xen', place: 'guest', note: 'The guest’s driver: publishes its ring, puts requests in.',
  },
  xenstore: {
    name: 'XenStore', tone: 'xen', place: 'dom0', note: 'Where toolstack, guest and we read each other’s words.',
  },
  host: { name: 'hypervisor', tone: 'xen', note: 'Grants, event channels, the mapped ring.', place: 'Xen' },
  disk: { name: 'disk', tone: 'world', note: 'A file or a block device, by io_uring.', place: 'kernel' },
  operator: { name: 'operator', tone: 'world', note: 'The command xbbd, signals, systemd.', place: 'dom0' },
  clock: { name: 'clock', tone: 'world', note: 'A timer that a chart asked for has run out.', place: 'dom0' },
}

const DAEMON: Player = {
  name: 'daemon', tone: 'ours', place: 'main thread',
  note: 'Watches XenStore, and has one supervisor for every device.',
}

/** Who sends what a chart knows: by what the events are called after, or by each where they are called after nobody. */
const SENDERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  supervisor: { 'child.': 'device', 'operator.': 'operator', 'clock.': 'clock' },
  device: {
    'frontend.': 'frontend', 'xenstore.': 'xenstore', 'medium.': 'medium', 'queue.': 'queue', 'host.': 'host',
    'operator.': 'operator', 'clock.': 'clock',
  },
  medium: {
    'device.': 'device', 'opener.': 'disk', 'medium.': 'disk', 'connection.': 'connection', 'clock.': 'clock',
  },
  connection: { 'port.': 'disk', 'queue.': 'queue', 'clock.': 'clock' },
  queue: {
    attached: 'device', drainAsked: 'device', frontEndGone: 'device', detached: 'device', ringBroken: 'frontend',
    short: 'request', throttled: 'request', relieved: 'request', recovered: 'request', emptied: 'request',
    yielded: 'device',
  },
  request: {
    taken: 'frontend', copied: 'host', copyFailed: 'host', completed: 'disk', failed: 'disk', full: 'disk',
    rejected: 'queue', held: 'queue', waited: 'queue', admitted: 'queue', redone: 'queue', abandoned: 'queue',
    answered: 'queue', freed: 'queue', retried: 'queue', gaveUp: 'queue',
  },
}

const PLACES: Readonly<Record<string, string>> = {
  supervisor: 'main thread, one per device', device: 'main thread, one per disk', medium: 'main thread, one per disk',
  connection: 'main thread, one per ring on NBD',
  queue: 'a Worker, one per ring', request: 'a Worker, one per slot of the ring',
}

const SUPERVISION: readonly (readonly [string, string, string])[] = [
  ['daemon', 'supervisor', 'one for every node below backend/'],
  ['supervisor', 'device', 'starts, salvages, starts again, gives up'],
  ['device', 'medium', 'opens, gives back'],
  ['device', 'connection', 'begins with a queue whose medium has a server, ends with it'],
  ['device', 'queue', 'attaches, drains, detaches'],
  ['queue', 'request', 'one event at a time'],
]

const idOf = (name: string) => `actors.${name}`
const lines = (style: Line['style'], texts: readonly string[]): Line[] => texts.map((text) => ({ style, text }))

function boxOf(key: string, { name, tone, note, place }: Player): Box {
  return {
    id: idOf(key), name, tone, kind: 'plain', packed: false, boxes: [], arrows: [],
    lines: [
      { style: 'name', text: name },
      ...lines('note', wrap(note, 'note', NOTE_WIDTH)),
      ...lines('law', [place]),
    ],
    tooltip: `${name}, ${place}: ${note}`,
  }
}

/** Every event that the chart knows, in its order. */
function eventsOf(chart: Chart): string[] {
  const events = nodesOf(chart).flatMap((node) => [...node.transitions.keys()])
  return [...new Set(events)].filter((event) => event !== '*' && !event.startsWith('xstate.'))
}

/** Who sends `event` to an actor of this chart. @throws {TypeError} when this sheet does not know. */
function senderOf(chart: string, event: string): string {
  const known = SENDERS[chart] ?? {}
  const sender = known[event] ?? known[`${event.split('.')[0]}.`]
  if (sender !== undefined) return sender
  throw new TypeError(`chart ${chart}: nobody on the poster sends ${event}: name its sender there`)
}

function flowsTo(chart: Chart): Arrow[] {
  const bySender = new Map<string, string[]>()
  for (const event of eventsOf(chart)) {
    const sender = senderOf(chart.id, event)
    bySender.set(sender, [...(bySender.get(sender) ?? []), event])
  }
  return [...bySender].map(([sender, events]) => {
    const bare = events.map((event) => event.split('.').at(-1) ?? event)
    return {
      id: `${idOf(sender)}--${chart.id}`, from: idOf(sender), to: idOf(chart.id), tone: 'ours',
      lines: lines('law', wrap(bare.join(', '), 'law', EVENTS_WIDTH)),
      tooltip: `${sender} ▸ ${chart.id}: ${events.join(', ')}`,
      edges: events.map((event) => `${chart.id}|${event}`),
    }
  })
}

const supervision = SUPERVISION.map(([from, to, text]): Arrow => {
  return {
    id: `${idOf(from)}==${to}`, from: idOf(from), to: idOf(to), tone: 'world',
    lines: lines('note', wrap(text, 'note', EVENTS_WIDTH)), tooltip: `${from} supervises ${to}: ${text}`, edges: [],
  }
})

/** The program as a scene. @throws {TypeError} when an event comes from somebody who is not on it. */
export function posterScene(entries: readonly ChartEntry[]): Scene {
  const actors = entries.map(({ chart }): [string, Player] => {
    const note = rootOf(chart).description ?? ''
    return [chart.id, { name: chart.id, tone: 'ours', note, place: PLACES[chart.id] ?? '' }]
  })
  const players = [['daemon', DAEMON] as const, ...actors.reverse(), ...Object.entries(OUTSIDE)]
  const boxes = players.map(([key, player]) => boxOf(key, player))
  const title = 'Who is there, who supervises whom, and which events flow.'
  return {
    title: 'actors',
    subtitle: title,
    signs: ['━ ━ ▸ supervises', '── ▸ sends these events'],
    root: {
      id: 'actors', name: 'xbbd', tone: 'ours', kind: 'plain', packed: false, tooltip: title,
      lines: [{ style: 'name', text: 'xbbd: the actors' }, { style: 'note', text: title }],
      boxes,
      arrows: [...supervision, ...entries.flatMap(({ chart }) => flowsTo(chart))],
    },
  }
}
