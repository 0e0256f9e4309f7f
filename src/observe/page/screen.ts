/**
 * @packageDocumentation
 * One moment as the page shows it: every device in a row, and one of them with all that is known of it. It is made of
 * journals alone, as they stood at that moment; of a daemon that runs, what it says of itself is laid over (live.ts).
 *
 *   rows      actors' cursors, a glance at each queue         the device      cursors, with the ways that led there
 *
 * Nothing here decides what a device does: verdicts and sentences are those of `explain`.
 */
import type { JournalMoment, QueueMoment } from '../../journal/moment.js'
import { momentOf } from '../../journal/moment.js'
import { isIn } from '../../machines/notes.js'
import type { RingLook } from '../../ports/host.js'
import { explain } from '../explain.js'
import type { Duration, Explanation } from '../explain.js'
import { FAILURES } from '../picture/tones.js'
import { glance } from './glance.js'
import { Library } from './library.js'
import type { JournalFiles } from '../../journal/journal-files.js'
import { actorTrails, QueueTrail } from './trail.js'
import type { ActorView, DeviceRow, DeviceView, QueueView, Verdict } from './types.js'

/** Requests of one queue that are sent, the oldest ones; `inFlight` says how many there are. */
const REQUESTS_SHOWN = 128
/** Of requests that one does not look at. */
const STEPS_SHOWN = 160

/** What a daemon that runs knows of a ring that no journal tells. */
export type PageOf = (queue: string) => RingLook | undefined

/** Journals, and the ways of those who wrote them. */
export class Shelf {
  readonly library: Library
  private readonly trails = new Map<string, QueueTrail>()

  constructor(files: JournalFiles) {
    const library: Library = new Library(files, (chain) => {
      const trail = new QueueTrail()
      this.trails.set(`${chain.journal} ${chain.run}`, trail)
      trail.nowNs = () => library.heldCursor(chain)?.queue?.last?.timeNs ?? 0
      return trail.hear
    })
    this.library = library
  }

  trailOf({ chain }: { readonly chain: { readonly journal: string; readonly run: string } }): QueueTrail | undefined {
    return this.trails.get(`${chain.journal} ${chain.run}`)
  }
}

/** A row for each device that had begun by then. */
export function rowsAt(library: Library, atNs: number, duration: Duration): DeviceRow[] {
  return library.devices.flatMap((name) => {
    const moments = library.journals(name).flatMap((journal) => momentAt(library, journal, atNs) ?? [])
    if (moments.length === 0) return []
    const [explanation] = explain(moments, duration)
    return [rowOf(name, explanation)]
  })
}

function momentAt(library: Library, journal: string, atNs: number): JournalMoment | undefined {
  if (library.runAt(journal, atNs)?.identity.kind === 'queue') return glance(library, journal, atNs)
  const cursor = library.cursorAt(journal, atNs)
  return cursor && momentOf(cursor, atNs - library.offsetNs(cursor.chain))
}

/** What a row says of a device that is explained. */
export function rowOf(name: string, { verdict, sentences, oldest, actors, queues }: Explanation): DeviceRow {
  const device = actors.find(({ chart }) => chart === 'device')
  const supervisor = actors.find(({ chart }) => chart === 'supervisor')
  const shortOf = queues.find((queue) => queue.shortOf !== undefined)?.shortOf
  const failed = [device, supervisor].find((actor) => actor !== undefined && isFailure(actor.chart, actor.state))
  const state = device?.state ?? queues.at(0)?.state ?? 'unknown'
  return {
    name, state,
    verdict: failed === undefined ? verdict : 'failed',
    headline: failed?.description ?? device?.description ?? sentences.at(0) ?? '',
    inFlight: queues.reduce((sum, { requests }) => sum + requests.filter(isOpen).length, 0),
    entries: queues.reduce((sum, { slots }) => sum + slots, 0),
    ...(oldest === undefined ? {} : { oldestNs: oldest.ageNs }),
    ...(shortOf === undefined ? {} : { shortOf }),
  }
}

/** Whether the state is one of those that pictures draw in red. */
export function isFailure(chart: string, state: string): boolean {
  return (FAILURES[chart] ?? []).some((name) => isIn(state, name))
}

const isOpen = ({ state }: QueueMoment['requests'][number]) => state !== 'Answered'

/** All that is known of a device; undefined when it had not begun. `seenNs`: by whose clock ages are counted. */
export function deviceAt(
  shelf: Shelf, name: string, atNs: number, duration: Duration, seenNs = atNs, pageOf: PageOf = () => undefined,
): DeviceView | undefined {
  const { library } = shelf
  const cursors = library.journals(name).flatMap((journal) => library.cursorAt(journal, atNs) ?? [])
  if (cursors.length === 0) return undefined
  const moments = cursors.map((cursor) => momentOf(cursor, seenNs - library.offsetNs(cursor.chain)))
  const [explanation] = explain(moments, duration, pageOf)
  const trails = new Map(cursors.flatMap((cursor) => [...actorTrails(cursor, library.offsetNs(cursor.chain))]))
  const actors: ActorView[] = explanation.actors.map((actor) => ({ ...actor, trail: trails.get(actor.actor) ?? [] }))
  const queues = cursors.flatMap((cursor) => {
    const moment = moments.find(({ journal }) => journal === cursor.chain.journal)?.queue
    if (moment === undefined) return []
    const trail = shelf.trailOf(cursor)
    trail?.forgetAfter(atNs - library.offsetNs(cursor.chain))
    return [queueView(moment, trail, pageOf(cursor.chain.journal), library.offsetNs(cursor.chain))]
  })
  const verdict: Verdict = rowOf(name, explanation).verdict
  return { name, verdict, sentences: explanation.sentences, actors, queues }
}

function queueView(
  moment: QueueMoment, trail: QueueTrail | undefined, page: RingLook | undefined, offsetNs: number,
): QueueView {
  const counts: Record<string, number> = {}
  for (const { state } of moment.requests) counts[state] = (counts[state] ?? 0) + 1
  const shown = moment.requests.slice(0, REQUESTS_SHOWN)
  const slots = new Set(shown.map(({ slot }) => slot))
  const inTime = <Step extends { readonly timeNs: number }>(step: Step) => ({ ...step, timeNs: step.timeNs + offsetNs })
  return {
    ...moment, timeNs: moment.timeNs + offsetNs, requests: shown, counts,
    requestTrail: (trail?.requestSteps(slots, STEPS_SHOWN) ?? []).map(inTime),
    queueTrail: (trail?.queueSteps ?? []).map(inTime),
    ...(page === undefined ? {} : { page }),
  }
}
