/**
 * @packageDocumentation
 * One moment as the page shows it: every device in a row, and one of them with all that is known of it. It is made of
 * journals alone, as they stood at that moment; of a daemon that runs, what it says of itself is laid over (live.ts).
 *
 *   rows      actors' cursors, a glance at each queue         the device      cursors, with the ways that led there
 *
 * Nothing here decides what a device does: verdicts and sentences are those of `explain`.
 */
import type { JournalMoment, QueueMoment, RequestMoment } from '../../journal/moment.js'
import type { JournalChain } from '../../journal/chain.js'
import { momentOf } from '../../journal/moment.js'
import type { QueueTrack } from '../../journal/queue-track.js'
import { isIn } from '../../machines/notes.js'
import type { RingLook } from '../../ports/host.js'
import { explain } from '../explain.js'
import type { Duration, Explanation } from '../explain.js'
import { FAILURES } from '../picture/tones.js'
import { glance } from './glance.js'
import { Library } from './library.js'
import type { JournalFiles } from '../../journal/journal-files.js'
import { ActorTrail, QueueTrail } from './trail.js'
import type { ActorView, DeviceRow, DeviceView, QueueView, Verdict } from './types.js'

const ENTRIES_PER_PAGE = 32
/** Requests of one queue that are sent, the oldest ones; `inFlight` says how many there are. */
const REQUESTS_SHOWN = 128
/** Of requests that one does not look at. */
const STEPS_SHOWN = 160

/** What a daemon that runs knows of a ring that no journal tells. */
export type PageOf = (queue: string) => RingLook | undefined

/** Journals, and the ways of those who wrote them. */
export class Shelf {
  readonly library: Library
  /** By journal and run. */
  private readonly trails = new Map<string, { readonly queue: QueueTrail; readonly actors: ActorTrail }>()

  /** `runUps`: of the library's cursors, if not the usual ones. */
  constructor(files: JournalFiles, runUps?: readonly number[]) {
    const library: Library = new Library(files, (chain) => {
      const trails = { queue: new QueueTrail(), actors: new ActorTrail() }
      this.trails.set(keyOf(chain), trails)
      let track: QueueTrack | undefined
      trails.queue.nowNs = () => (track ??= library.heldCursor(chain)?.queue)?.last?.timeNs ?? 0
      return { onStep: trails.queue.hear, onBatch: trails.actors.hear }
    }, runUps)
    this.library = library
  }

  /** A later look at the same files. */
  follow(files: JournalFiles): void {
    this.library.follow(files)
    const standing = new Set(files.chains.map(keyOf))
    for (const key of this.trails.keys()) if (!standing.has(key)) this.trails.delete(key)
  }

  trailsOf(chain: JournalChain) {
    return this.trails.get(keyOf(chain))
  }
}

const keyOf = ({ journal, run }: JournalChain) => `${journal} ${run}`

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
  const calm = oldest === undefined ? device?.description : waitText(oldest)
  const state = device?.state ?? queues.at(0)?.state ?? 'unknown'
  return {
    name, state,
    verdict: failed === undefined ? verdict : 'failed',
    headline: failed?.description ?? calm ?? sentences.at(0) ?? '',
    inFlight: queues.reduce((sum, { requests }) => sum + requests.filter(isOpen).length, 0),
    entries: queues.reduce((sum, { slots }) => sum + slots, 0),
    ...(oldest === undefined ? {} : { oldestNs: oldest.ageNs }),
    ...(shortOf === undefined ? {} : { shortOf }),
  }
}

/** `A read at sector 16 waits for the medium (1 I/O).` */
function waitText({ what, sector, waitsFor }: RequestMoment): string {
  return `Its oldest request, a ${what} at sector ${sector}, waits for ${waitsFor}.`
}

/** Of how many disks the journals are asked in one look at what is now. */
const GLANCES_MAX = 8

/** Rows of now: of those that have something in flight and answer nothing, the journals know since when, and why. */
export function presentRows(
  library: Library, rows: readonly DeviceRow[], nowNs: number, duration: Duration,
): DeviceRow[] {
  let left = GLANCES_MAX
  return rows.map((row) => {
    const isStill = row.rates === undefined || row.rates.reads + row.rates.writes === 0
    if (row.inFlight === 0 || row.verdict === 'failed' || !isStill || left-- <= 0) return row
    const moments = library.journals(row.name).flatMap((journal) => glanceOfQueue(library, journal, nowNs) ?? [])
    const [explanation] = explain(moments, duration)
    const { oldest } = explanation ?? {}
    if (oldest === undefined) return row
    const verdict = row.verdict === 'recovering' ? row.verdict : explanation.verdict
    return { ...row, verdict, oldestNs: oldest.ageNs, headline: waitText(oldest) }
  })
}

function glanceOfQueue(library: Library, journal: string, nowNs: number): JournalMoment | undefined {
  return library.runAt(journal, nowNs)?.identity.kind === 'queue' ? glance(library, journal, nowNs) : undefined
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
  const trails = new Map(cursors.flatMap((cursor) => [
    ...(shelf.trailsOf(cursor.chain)?.actors.stepsBefore(cursor, library.offsetNs(cursor.chain)) ?? []),
  ]))
  const actors: ActorView[] = explanation.actors.map((actor) => ({ ...actor, trail: trails.get(actor.actor) ?? [] }))
  const queues = cursors.flatMap((cursor) => {
    const moment = moments.find(({ journal }) => journal === cursor.chain.journal)?.queue
    if (moment === undefined) return []
    const trail = shelf.trailsOf(cursor.chain)?.queue
    trail?.forgetAfter(atNs - library.offsetNs(cursor.chain))
    return [queueView(moment, cursor.chain, trail, pageOf(cursor.chain.journal), library.offsetNs(cursor.chain))]
  })
  const verdict: Verdict = rowOf(name, explanation).verdict
  return { name, verdict, sentences: explanation.sentences, actors, queues }
}

/** Rings have a power of two of entries, and at least so many as the queue has slots. */
function roundUp(slots: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, slots)))
}

function queueView(
  moment: QueueMoment, chain: JournalChain, trail: QueueTrail | undefined, page: RingLook | undefined, offsetNs: number,
): QueueView {
  const pages = chain.identity.connection?.grefs.length
  const counts: Record<string, number> = {}
  for (const { state } of moment.requests) counts[state] = (counts[state] ?? 0) + 1
  // Nobody waits for what is answered, though it keeps its slot for a while.
  const ended = moment.requests.filter((request) => !isOpen(request))
  const shown = [...moment.requests.filter(isOpen), ...ended].slice(0, REQUESTS_SHOWN)
  const slots = new Set(shown.map(({ slot }) => slot))
  const inTime = <Step extends { readonly timeNs: number }>(step: Step) => ({ ...step, timeNs: step.timeNs + offsetNs })
  return {
    ...moment, timeNs: moment.timeNs + offsetNs, requests: shown, counts,
    entries: pages === undefined ? roundUp(moment.slots) : ENTRIES_PER_PAGE * pages,
    requestTrail: (trail?.requestSteps(slots, STEPS_SHOWN) ?? []).map(inTime),
    queueTrail: (trail?.queueSteps ?? []).map(inTime),
    ...(page === undefined ? {} : { page }),
  }
}
