/**
 * @packageDocumentation
 * The requests of one queue that are in flight, oldest first: what each is, where it stands in its chart and since
 * when, what would take it on. One that is chosen is shown alone in the chart.
 */
import type { RequestMoment } from '../../src/journal/moment.js'
import type { QueueView } from '../../src/observe/page/types.js'
import { bytes, duration } from './format.js'
import { without, type Place } from './place.js'

interface Props {
  readonly queue: QueueView
  readonly queues: readonly QueueView[]
  readonly place: Place
  readonly go: (next: Place, quietly?: boolean) => void
}

export function Requests({ queue, queues, place, go }: Props) {
  const { requests, inFlight } = queue
  const choose = (slot: number) => go({ ...place, queue: queue.journal, slot, chart: 'request' }, true)
  return (
    <section aria-label="Requests in flight" class="requests">
      <h2>
        Requests in flight{' '}
        <small>
          {inFlight} of {queue.slots} slots, the oldest first
        </small>
      </h2>
      {queues.length > 1 && (
        <p class="tabs">
          {queues.map(({ journal }) => (
            <button
              key={journal}
              aria-pressed={journal === queue.journal}
              onClick={() => go({ ...without(place, 'slot'), queue: journal }, true)}
            >
              {journal.split('/').at(-1)}
            </button>
          ))}
        </p>
      )}
      <p class="places">
        {Object.entries(queue.counts).map(([state, number]) => (
          <span key={state} class="chip">
            <b>{number}</b> {state}
          </span>
        ))}
      </p>
      {requests.length === 0 ? (
        <p class="empty">No request is in flight.</p>
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label="table of requests">
          <table>
            <thead>
              <tr>
                <th scope="col">slot</th>
                <th scope="col">what</th>
                <th scope="col" class="number">
                  sector
                </th>
                <th scope="col" class="number">
                  size
                </th>
                <th scope="col">stands in</th>
                <th scope="col" class="number">
                  for
                </th>
                <th scope="col" class="number">
                  age
                </th>
                <th scope="col">waits for</th>
              </tr>
            </thead>
            <tbody>
              {requests.map((request) => (
                <Row key={request.slot} request={request} isChosen={request.slot === place.slot} choose={choose} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {inFlight > requests.length && <p class="quiet">The {requests.length} oldest are shown.</p>}
    </section>
  )
}

interface RowProps {
  readonly request: RequestMoment
  readonly isChosen: boolean
  readonly choose: (slot: number) => void
}

/** Older than this shows. */
const OLD_NS = 1e9

function Row({ request, isChosen, choose }: RowProps) {
  const { slot, what, refused, sector, bytes: size, state, description, inStateNs, ageNs, waitsFor } = request
  const isOld = ageNs > OLD_NS && state !== 'Answered'
  return (
    <tr class={`${isChosen ? 'chosen' : ''}${isOld ? ' old' : ''}`} onClick={() => choose(slot)}>
      <td>
        <button class="link" onClick={() => choose(slot)}>
          {slot}
        </button>
      </td>
      <td>
        {what}
        {refused !== undefined && <em> refused: {refused}</em>}
      </td>
      <td class="number">{sector}</td>
      <td class="number">{bytes(size)}</td>
      <td title={description}>{state}</td>
      <td class="number">{inStateNs === undefined ? '–' : duration(inStateNs)}</td>
      <td class="number age">{duration(ageNs)}</td>
      <td>{waitsFor}</td>
    </tr>
  )
}
