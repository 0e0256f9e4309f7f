/**
 * @packageDocumentation
 * The charts of one disk, of its queue and of its requests: which of them is shown, what is lit in it, and in words
 * where everyone stands and how he came there. A request that is chosen is shown alone.
 */
import type { RequestMoment } from '../../src/journal/moment.js'
import type { ActorView, DeviceView, QueueView, TrailStep, View } from '../../src/observe/page/types.js'
import { Chart } from './chart.js'
import { clock, duration } from './format.js'
import { CHARTS, without, type ChartName, type Place } from './place.js'

interface Props {
  readonly view: View
  readonly device: DeviceView
  readonly queue: QueueView | undefined
  readonly place: Place
  readonly go: (next: Place, quietly?: boolean) => void
}

/** Charts that have a picture for each state that holds states. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  device: ['Closed', 'Closing', 'Connected', 'Connecting', 'InitWait', 'Initialising', 'Parking', 'Recovering'],
}

export function Charts({ view, device, queue, place, go }: Props) {
  const actorOf = (chart: string) => device.actors.findLast((actor) => actor.chart === chart)
  const known = CHARTS.filter((chart) =>
    chart === 'request' || chart === 'queue' ? queue !== undefined : actorOf(chart) !== undefined,
  )
  const chart = known.find((name) => name === place.chart) ?? firstOf(known, queue)
  if (chart === undefined) return null
  const what = chart === 'request' || chart === 'queue' ? ofQueue(chart, queue, place.slot) : ofActor(actorOf(chart))
  return (
    <section aria-label="Charts" class="charts">
      <h2>
        Charts <small>where everyone stands, and how he came there</small>
      </h2>
      <div class="tabs" role="tablist">
        {known.map((name) => (
          <button
            key={name}
            role="tab"
            aria-selected={name === chart}
            onClick={() => go({ ...place, chart: name }, true)}
          >
            {name}
          </button>
        ))}
        {place.slot !== undefined && chart === 'request' && (
          <button class="plain" onClick={() => go(without(place, 'slot'), true)}>
            slot {place.slot} alone · show all
          </button>
        )}
      </div>
      <p class="standing">{what.standing}</p>
      <div class="columns">
        <div class="pictures">
          {picturesOf(chart, what.states).map((name) => (
            <Chart
              key={name}
              chart={chart}
              name={name}
              states={what.states}
              trail={what.trail}
              {...(what.counts === undefined ? {} : { counts: what.counts })}
            />
          ))}
        </div>
        <Steps steps={what.trail} view={view} place={place} go={go} />
      </div>
    </section>
  )
}

/** What there is to see first: requests, while there are any. */
function firstOf(known: readonly ChartName[], queue: QueueView | undefined): ChartName | undefined {
  if (queue !== undefined && queue.inFlight > 0) return 'request'
  return known.find((name) => name === 'device') ?? known.at(0)
}

interface Shown {
  readonly states: readonly string[]
  readonly counts?: Readonly<Record<string, number>>
  readonly trail: readonly TrailStep[]
  readonly standing: string
}

function ofQueue(chart: 'request' | 'queue', queue: QueueView | undefined, slot: number | undefined): Shown {
  if (queue === undefined) return { states: [], trail: [], standing: '' }
  if (chart === 'queue') {
    const since = queue.inStateNs === undefined ? '' : ` for ${duration(queue.inStateNs)}`
    return {
      states: [queue.state],
      trail: queue.queueTrail,
      standing: `${queue.journal} is in ${queue.state}${since}: ${queue.description}.`,
    }
  }
  const request = queue.requests.find((one) => one.slot === slot)
  if (slot === undefined || request === undefined) {
    const gone = slot === undefined ? '' : `The request in slot ${slot} has ended. `
    return {
      states: [],
      counts: queue.counts,
      trail: queue.requestTrail.slice(-40),
      standing: `${gone}All requests of ${queue.journal}, by where they stand.`,
    }
  }
  const trail = queue.requestTrail.filter((step) => step.slot === slot)
  const last = trail.findLastIndex(({ event }) => event === 'taken')
  return {
    states: [request.state],
    trail: trail.slice(Math.max(0, last)),
    standing: requestText(request),
  }
}

function requestText({ slot, what, sector, state, description, waitsFor }: RequestMoment): string {
  return `Slot ${slot}, ${what} at sector ${sector}: ${state}, ${description}. It waits for ${waitsFor}.`
}

function ofActor(actor: ActorView | undefined): Shown {
  if (actor === undefined) return { states: [], trail: [], standing: '' }
  const { state, trail, inStateNs, description, crashed } = actor
  const end = crashed ? ' It crashed there.' : ''
  return {
    states: [state],
    trail,
    standing: `${actor.actor} is in ${state} for ${duration(inStateNs)}: ${description}${end}`,
  }
}

function picturesOf(chart: string, states: readonly string[]): string[] {
  const tops = new Set(states.flatMap((state) => state.split(' ')).map((leaf) => leaf.split('.')[0]))
  const parts = (PARTS[chart] ?? []).filter((part) => tops.has(part)).map((part) => `${chart}.${part}`)
  return [...parts, chart]
}

function Steps({
  steps,
  view,
  place,
  go,
}: { readonly steps: readonly TrailStep[] } & Pick<Props, 'view' | 'place' | 'go'>) {
  if (steps.length === 0) return <p class="empty steps">No step is known here.</p>
  const time = (ns: number) => clock(view.epochMs + (ns - view.span.fromNs) / 1e6, 6)
  return (
    <ol class="steps" aria-label="latest steps, newest first">
      {[...steps]
        .reverse()
        .slice(0, 24)
        .map((step, at) => (
          <li key={`${step.timeNs} ${at}`} class={at === 0 ? 'latest' : ''}>
            <button class="plain" onClick={() => go({ ...place, atNs: step.timeNs })} title="to this moment">
              <time>{time(step.timeNs)}</time>
            </button>
            {step.slot !== undefined && place.slot === undefined && <small> slot {step.slot}</small>}
            <b> {step.event}</b>
            {step.from !== step.to && (
              <span>
                {' '}
                {shortened(step.from)} → {shortened(step.to)}
              </span>
            )}
          </li>
        ))}
    </ol>
  )
}

const shortened = (state: string) =>
  state
    .split(' ')
    .map((leaf) => leaf.split('.').slice(-2).join('.'))
    .join(' ') || '(begun)'
