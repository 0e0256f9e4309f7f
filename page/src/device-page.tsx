/**
 * @packageDocumentation
 * One disk: its rings, its requests in flight with where each stands, and its charts with what is active lit and the
 * way that led there. Of several queues one is looked at: the one that was chosen, else one that has something to do.
 */
import type { DeviceView, View } from '../../src/observe/page/types.js'
import { Charts } from './device-charts.js'
import { without, type Place } from './place.js'
import { Requests } from './request-table.js'
import { Ring } from './ring.js'

interface Props {
  readonly view: View
  readonly device: DeviceView
  readonly place: Place
  readonly go: (next: Place, quietly?: boolean) => void
}

export function DevicePage({ view, device, place, go }: Props) {
  const queue =
    device.queues.find(({ journal }) => journal === place.queue) ??
    device.queues.find(({ requests }) => requests.length > 0) ??
    device.queues.at(0)
  return (
    <>
      <nav class="trail">
        <button class="link" onClick={() => go(without(place, 'device', 'queue', 'slot', 'chart'))}>
          ← all disks
        </button>
      </nav>
      <div class="columns">
        <section aria-label="Rings" class="rings">
          <h2>{device.queues.length === 1 ? 'Ring' : 'Rings'}</h2>
          {device.queues.map((one) => (
            <Ring key={one.journal} queue={one} />
          ))}
          {device.queues.length === 0 && (
            <p class="empty">
              No ring is mapped: the disk is{' '}
              {device.actors.find(({ chart }) => chart === 'device')?.state ?? 'not there'}.
            </p>
          )}
        </section>
        {queue !== undefined && <Requests queue={queue} queues={device.queues} place={place} go={go} />}
      </div>
      <Charts view={view} device={device} queue={queue} place={place} go={go} />
    </>
  )
}
