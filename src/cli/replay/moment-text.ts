/**
 * @packageDocumentation
 * A moment of a recording for people: one line per actor with the chart's own description, then the requests in flight,
 * oldest first. The same data goes out as JSON; nothing is decided here.
 */
import type { ChainCursor } from '../../journal/chain-cursor.js'
import { dateOf } from '../../journal/cat.js'
import { momentOf } from '../../journal/moment.js'
import type { JournalMoment, QueueMoment, RequestMoment } from '../../journal/moment.js'
import type { Recording } from '../../journal/recording.js'
import { renderTable, type Column } from '../table.js'
import { formatBytes, formatNanoseconds } from '../units.js'

/** All journals of a recording at one moment. `timeNs` is the recording's clock. */
export interface RecordingMoment {
  readonly timeNs: number
  readonly date: string
  readonly journals: readonly JournalMoment[]
}

/** Runs that had ended and were followed by another of the same journal are left out. */
export function recordingMoment(recording: Recording, nowNs: number): RecordingMoment {
  const begun = recording.cursors.filter(({ last }) => last !== undefined)
  const isSuperseded = (cursor: ChainCursor) =>
    begun.some((other) => other !== cursor && other.chain.journal === cursor.chain.journal && isLater(other, cursor))
  const isLater = (a: ChainCursor, b: ChainCursor) => began(a) > began(b)
  const began = (cursor: ChainCursor) => recording.timeOf(cursor, cursor.chain.identity.monotonicNs)
  const journals = begun
    .filter((cursor) => !isSuperseded(cursor))
    .map((cursor) => momentOf(cursor, nowNs - recording.timeOf(cursor, 0)))
  const reference = recording.chains.at(0)
  return { timeNs: nowNs, date: reference === undefined ? '-' : dateOf(reference.identity, nowNs), journals }
}

const REQUESTS: readonly Column[] = [
  { title: 'SLOT', align: 'right' },
  { title: 'ID' },
  { title: 'WHAT' },
  { title: 'SECTOR', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'STATE' },
  { title: 'FOR', align: 'right' },
  { title: 'AGE', align: 'right' },
  { title: 'WAITS FOR' },
]

/** The moment as text. */
export function momentText({ date, journals }: RecordingMoment): string {
  const parts = journals.map((one) => {
    const problems = one.problems.map((sentence) => `${one.journal}: ${sentence}\n`).join('')
    return `${actorsText(one)}${one.queue === undefined ? '' : queueText(one.queue)}${problems}`
  })
  return `${date}\n${parts.join('')}`
}

function actorsText({ actors = [] }: JournalMoment): string {
  const line = ({ actor, state, description, inStateNs, lastEvent, crashed }: (typeof actors)[number]) => {
    const place = `${actor} in ${state} for ${formatNanoseconds(inStateNs)}`
    return `${place}${crashed ? ' (crashed there)' : ''}: ${description} (told last: ${lastEvent})\n`
  }
  return actors.map(line).join('')
}

function queueText(queue: QueueMoment): string {
  const { journal, state, description, inStateNs, shortOf, reqProd, reqCons, rspProd, requests, slots } = queue
  const since = inStateNs === undefined ? '' : ` for ${formatNanoseconds(inStateNs)}`
  const short = shortOf === undefined ? '' : `, short of ${shortOf}`
  const ring = `ring: req_prod ${reqProd} (as seen), req_cons ${reqCons}, rsp_prod ${rspProd}`
  const lost = queue.syncLost ? '; a sync was lost: nothing promises durability until the medium is opened anew' : ''
  const used = `${requests.length} of ${slots} slots in use`
  const head = `${journal} in ${state}${since}${short}: ${description}\n  ${ring}; ${used}${lost}\n`
  return requests.length === 0 ? head : head + indent(renderTable(REQUESTS, requests.map(requestRow)))
}

/** One row of the table of requests. */
export function requestRow(request: RequestMoment): string[] {
  const { slot, id, what, sector, bytes, state, inStateNs, ageNs, waitsFor, refused } = request
  const inState = inStateNs === undefined ? '-' : formatNanoseconds(inStateNs)
  const why = refused === undefined ? waitsFor : `${waitsFor}; refused: ${refused}`
  return [`${slot}`, id, what, `${sector}`, formatBytes(bytes), state, inState, formatNanoseconds(ageNs), why]
}

export { REQUESTS as REQUEST_COLUMNS }

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}
