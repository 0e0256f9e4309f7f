/**
 * @packageDocumentation
 * "Why is this disk stuck": one paragraph for a person, from a moment of the device's journals. It names the oldest
 * request, where it stands in its chart, since when, and what would take it on; then whatever else stands in the way.
 *
 *   device ─ medium ─ queue ─ oldest request ─► sentences, the nearest cause first
 *
 * Texts about states are the charts' own. What the journals do not tell is not claimed: what a front end has consumed
 * of its answers, only the ring's page tells, and that of a daemon that runs; of a recording only what was published is
 * said. A queue whose process is gone while its device goes on is recovering: its requests are those of the dead.
 */
import { RequestState, requestStateNames } from '../machines/generated/request.js'
import { notesOf } from '../machines/notes.js'
import type { RingLook } from '../ports/host.js'
import type { JournalChain } from '../journal/chain.js'
import type { ActorMoment, JournalMoment, QueueMoment, RequestMoment } from '../journal/moment.js'

export interface Explanation {
  readonly device: string
  /** `idle`, `working`, `waiting` (the oldest request is older than a second), `recovering`, `not serving`. */
  readonly verdict: 'idle' | 'working' | 'waiting' | 'recovering' | 'not serving'
  readonly sentences: readonly string[]
  readonly oldest?: RequestMoment
  readonly actors: readonly ActorMoment[]
  readonly queues: readonly QueueMoment[]
}

/** The ring's page of a queue, by the name of its journal; of a daemon that runs. */
export type RingOf = (queue: string) => RingLook | undefined

/** The ring whose references stand in the header of the queue's newest journal. */
export function ringOf(
  queue: string, chains: readonly JournalChain[], rings: readonly RingLook[],
): RingLook | undefined {
  const connection = chains.findLast(({ journal }) => journal === queue)?.identity.connection
  const domid = Number(queue.split('/')[1])
  return rings.find((ring) => ring.domid === domid && `${ring.grefs}` === `${connection?.grefs}`)
}

/** How a duration is written; the caller has the units. */
export type Duration = (nanoseconds: number) => string

const WAITING_NS = 1e9
const ANSWERED = requestStateNames[RequestState.Answered]

/** One explanation per device of these moments. */
export function explain(
  journals: readonly JournalMoment[], duration: Duration, ringOf: RingOf = () => undefined,
): Explanation[] {
  const devices = new Map<string, JournalMoment[]>()
  for (const one of journals) {
    const device = one.journal.replace(/\/q\d+$/, '')
    devices.set(device, [...(devices.get(device) ?? []), one])
  }
  return [...devices].map(([device, moments]) => explainDevice(device, moments, duration, ringOf))
}

function explainDevice(
  device: string, moments: readonly JournalMoment[], duration: Duration, ringOf: RingOf,
): Explanation {
  const actors = moments.flatMap((moment) => moment.actors ?? [])
  const queues = moments.flatMap(({ queue }) => (queue === undefined ? [] : [queue]))
  // Nobody waits for what is answered, though it keeps its slot until the queue has something else to do.
  const unanswered = queues.flatMap((queue) => queue.requests).filter(({ state }) => state !== ANSWERED)
  const requests = unanswered.sort((a, b) => a.takenNs - b.takenNs)
  const oldest = requests.at(0)
  const left = leftBehind(moments)
  const sentences = [
    ...(left === undefined ? [] : [left]),
    ...(oldest === undefined ? ['No request is in flight.'] : oldestSentences(oldest, requests, duration)),
    ...queues.flatMap((queue) => queueSentences(queue, duration, ringOf(queue.journal))),
    ...actors.map((actor) => actorSentence(actor, duration)),
    ...moments.flatMap(({ journal, problems }) => problems.slice(0, 3).map((problem) => `${journal}: ${problem}.`)),
  ]
  const base = { device, sentences, actors, queues, ...(oldest === undefined ? {} : { oldest }) }
  return { ...base, verdict: left === undefined ? verdictOf(oldest, queues) : 'recovering' }
}

/** Of a device that lives in another process than its queue did. */
function leftBehind(moments: readonly JournalMoment[]): string | undefined {
  const pidOf = ({ run }: JournalMoment) => run.split('@')[0]
  const device = moments.find(({ actors }) => actors !== undefined)
  const queue = moments.find(({ queue: own }) => own !== undefined && isServing(own.state))
  if (device === undefined || queue === undefined || pidOf(device) === pidOf(queue)) return undefined
  return (
    `Process ${pidOf(queue)} served ${queue.journal} and is gone; process ${pidOf(device)} is to go on from its ` +
    'journal, and what stands there in flight will be done again.'
  )
}

function verdictOf(oldest: RequestMoment | undefined, queues: readonly QueueMoment[]): Explanation['verdict'] {
  if (oldest !== undefined) return oldest.ageNs > WAITING_NS ? 'waiting' : 'working'
  return queues.some(({ state }) => isServing(state)) ? 'idle' : 'not serving'
}

/** A queue serves when it still has something to drain: its chart leads elsewhere when that is asked. */
function isServing(state: string): boolean {
  const ways = notesOf('queue').get(state)?.ways ?? []
  return ways.some(({ event, to }) => event === 'drainAsked' && to !== undefined)
}

function oldestSentences(oldest: RequestMoment, all: readonly RequestMoment[], duration: Duration): string[] {
  const { what, sector, slot, id, ageNs, state, inStateNs, description, waitsFor } = oldest
  const since = inStateNs === undefined ? 'since before the journal begins' : `for ${duration(inStateNs)}`
  const others = all.filter((request) => request !== oldest && request.waitsFor === waitsFor).length
  const same = others === 0 ? '' : ` ${others} more wait for the same.`
  return [
    `The oldest of ${all.length} requests in flight is a ${what} at sector ${sector} ` +
      `(slot ${slot}, id ${id}), taken ${duration(ageNs)} ago.`,
    `It has been in ${state} ${since}: ${description}. It waits for ${waitsFor}.${same}`,
  ]
}

const UNKNOWN = 'whether the front end has consumed them it alone knows'
const ENTRIES_PER_PAGE = 32

/** What rsp_event says: a front end sets it to the one behind the last that it has consumed, before it sleeps. */
function consumedText({ grefs, rspProd, rspEvent }: RingLook): string {
  const count = (rspProd - rspEvent + 1) | 0
  const entries = ENTRIES_PER_PAGE * grefs.length
  if (count < 0 || count > entries) return `what its front end has consumed is not known (rsp_event ${rspEvent})`
  if (count === 0) return 'the front end has consumed all of them'
  const which = count === 1 ? 'the last one has' : `the last ${count} have`
  return `${which} not been consumed by the front end, which last asked to be woken for answer ${rspEvent}`
}

function queueSentences(queue: QueueMoment, duration: Duration, ring: RingLook | undefined): string[] {
  const { journal, state, description, inStateNs, shortOf, rspProd, waitingInRing, syncLost } = queue
  const since = inStateNs === undefined ? '' : ` for ${duration(inStateNs)}`
  const short = shortOf === undefined ? '' : ` It is short of ${shortOf}.`
  const waiting = waitingInRing === 0 ? '' : ` ${waitingInRing} entries of the ring were seen and not taken.`
  const lost = syncLost ? ' A sync was lost: nothing promises durability until the medium is opened anew.' : ''
  return [
    `${journal} is in ${state}${since}: ${description}.${short}${waiting}${lost}`,
    `It has published answers up to rsp_prod ${rspProd}; ${ring ? consumedText(ring) : UNKNOWN}.`,
  ]
}

function actorSentence({ actor, state, inStateNs, description, lastEvent, crashed }: ActorMoment, duration: Duration) {
  const end = crashed ? ' It crashed there.' : ''
  return `${actor} is in ${state} for ${duration(inStateNs)}: ${description} It was told last: ${lastEvent}.${end}`
}
