/**
 * @packageDocumentation
 * What happened around the moment, record by record, as `xbbd journal cat` says it: newest first, what is still to come
 * above. Filters: whose, of what kind, and a word. A row goes to its moment.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { EVENT_KINDS, type EventKind, type EventRow, type Events, type View } from '../../src/observe/page/types.js'
import { clock } from './format.js'
import type { Place } from './place.js'
import { ask, Latest } from './server.js'

const BEFORE = 60
const AFTER = 8

interface Props {
  readonly view: View
  readonly place: Place
  readonly go: (next: Place, quietly?: boolean) => void
}

export function EventStream({ view, place, go }: Props) {
  const [kinds, setKinds] = useState<readonly EventKind[]>(EVENT_KINDS)
  const [text, setText] = useState('')
  const [count, setCount] = useState(BEFORE)
  const [events, setEvents] = useState<Events>()
  const latest = useRef(new Latest())
  const { device } = place
  // Of all disks together only what is rare: a million requests side by side tell nobody anything.
  const asked = device === undefined ? kinds.filter((kind) => kind === 'device') : kinds
  const wanted = asked.join(',')
  const { atNs } = view
  useEffect(() => {
    latest.current.run(async () => {
      const after = view.live ? 0 : AFTER
      const seen = await ask('events', {
        at: atNs,
        device,
        kinds: wanted || 'none',
        text,
        before: count,
        after,
      }).catch(() => undefined)
      if (seen !== undefined) setEvents(seen)
    })
  }, [atNs, device, wanted, text, count])
  const rows = [...(events?.rows ?? [])].reverse()
  return (
    <section aria-label="Events" class="events">
      <h2>
        Events <small>{device ?? 'of all devices'}, newest first</small>
      </h2>
      <Filters kinds={kinds} setKinds={setKinds} text={text} setText={setText} hasKinds={device !== undefined} />
      <Rows rows={rows} view={view} place={place} go={go} />
      {rows.length === 0 && <p class="empty">Nothing of that kind up to this moment.</p>}
      {events?.more === true && (
        <button onClick={() => setCount(Math.min(500, count * 2))} disabled={count >= 500}>
          older
        </button>
      )}
    </section>
  )
}

interface FilterProps {
  readonly kinds: readonly EventKind[]
  readonly setKinds: (kinds: readonly EventKind[]) => void
  readonly text: string
  readonly setText: (text: string) => void
  readonly hasKinds: boolean
}

function Filters({ kinds, setKinds, text, setText, hasKinds }: FilterProps) {
  const turn = (kind: EventKind) =>
    setKinds(kinds.includes(kind) ? kinds.filter((one) => one !== kind) : [...kinds, kind])
  return (
    <div class="filters">
      {hasKinds &&
        EVENT_KINDS.map((kind) => (
          <label key={kind}>
            <input type="checkbox" checked={kinds.includes(kind)} onChange={() => turn(kind)} /> {kind}
          </label>
        ))}
      <input
        id="event-filter"
        type="search"
        placeholder="a word: slot 5, answered, medium …"
        value={text}
        aria-label="filter events"
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </div>
  )
}

function Rows({ rows, view, place, go }: Props & { readonly rows: readonly EventRow[] }) {
  const { device } = place
  const time = (ns: number) => clock(view.epochMs + (ns - view.span.fromNs) / 1e6, 6)
  const whose = (journal: string) => (device === undefined ? journal : journal.slice(device.length + 1) || 'device')
  return (
    <ol>
      {rows.map(({ timeNs, journal, batch, kind, text }, at) => (
        <li key={`${journal} ${batch} ${at}`} class={`${kind}${timeNs > view.atNs ? ' to-come' : ''}`}>
          <button class="plain" onClick={() => go({ ...place, atNs: timeNs })} title="to this moment">
            <time>{time(timeNs)}</time> <span class="journal">{whose(journal)}</span> <span>{text}</span>
          </button>
        </li>
      ))}
    </ol>
  )
}
