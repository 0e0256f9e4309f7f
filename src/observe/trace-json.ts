/**
 * @packageDocumentation
 * A timeline as JSON lines: one object per request when it has ended, one per change of a queue's or an actor's state.
 * For jq and for programs of one's own; the other formats are for tools that exist.
 *
 *   {"type":"request","journal":…,"slot":5,"what":"read",…,"states":[{"state":"Taken","timeNs":…},…],"status":0}
 */
import type { Happened, RequestSpan } from '../journal/timeline.js'

interface Passed {
  readonly state: string
  readonly event: string
  readonly timeNs: number
}

/** Lines with their newlines. What has not ended is told at the end, with no status and no end. */
export function* jsonTrace(events: Iterable<Happened>): Generator<string, void> {
  const open = new Map<RequestSpan, Passed[]>()
  for (const event of events) {
    if (event.type === 'taken') open.set(event.span, [])
    else if (event.type === 'state') {
      const { state, timeNs, event: told } = event
      open.get(event.span)?.push({ state, event: told, timeNs })
    } else if (event.type === 'ended') {
      const states = open.get(event.span) ?? []
      open.delete(event.span)
      const outcome = event.status === undefined ? { abandoned: true } : { status: event.status }
      yield line({ type: 'request', ...event.span, states, endedNs: event.timeNs, ...outcome })
    } else if (event.type === 'queue' || (event.type === 'actor' && event.moved)) yield line(event)
  }
  for (const [span, states] of open) yield line({ type: 'request', ...span, states })
}

const line = (value: object) => `${JSON.stringify(value)}\n`
