/**
 * @packageDocumentation
 * The page as a whole: one place (device, moment) and one view of it. The place is the address; the view is what the
 * server says of that place; everything on the screen is made of these two.
 *
 *   address ─► place ─► /api/view ─► View ─► bar of time · answer · table of disks, or one disk
 *
 * What is now is asked for every second, while the page is seen; a moment of the past is asked for once.
 */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { View } from '../../src/observe/page/types.js'
import { Answer } from './answer.js'
import { DevicePage } from './device-page.js'
import { DeviceTable } from './device-table.js'
import { EventStream } from './event-stream.js'
import { HistoryPanel } from './history-panel.js'
import { readPlace, without, writePlace, type Place } from './place.js'
import { ask, Latest } from './server.js'
import { TimeBar } from './time-bar.js'

const REFRESH_MS = 1000

/** The place in the address, and how to go to another; `quietly` leaves no step for Back. */
function usePlace(): [Place, (next: Place, quietly?: boolean) => void] {
  const [place, setPlace] = useState(() => readPlace(location.hash))
  useEffect(() => {
    const changed = () => setPlace(readPlace(location.hash))
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  const go = useCallback((next: Place, quietly = false) => {
    if (quietly) history.replaceState(null, '', writePlace(next))
    else history.pushState(null, '', writePlace(next))
    setPlace(next)
  }, [])
  return [place, go]
}

function useView({ device, atNs }: Place): { view: View | undefined; error: string | undefined } {
  const [view, setView] = useState<View>()
  const [error, setError] = useState<string>()
  const latest = useRef(new Latest())
  useEffect(() => {
    let timer = 0
    let isOver = false
    const look = () =>
      latest.current.run(async () => {
        if (isOver) return
        try {
          const seen = await ask('view', { device, at: atNs })
          if (isOver) return
          setView(seen)
          setError(undefined)
          if (seen.live && !document.hidden) timer = window.setTimeout(look, REFRESH_MS)
        } catch (problem) {
          setError(String((problem as Error).message))
          timer = window.setTimeout(look, REFRESH_MS * 2)
        }
      })
    const seenAgain = () => {
      clearTimeout(timer)
      if (!document.hidden && atNs === undefined) look()
    }
    look()
    document.addEventListener('visibilitychange', seenAgain)
    return () => {
      isOver = true
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', seenAgain)
    }
  }, [device, atNs])
  return { view, error }
}

export function App() {
  const [place, go] = usePlace()
  const { view, error } = useView(place)
  const [isHelp, setHelp] = useState(false)
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return
      if (event.key === 'Escape' && place.device !== undefined) go(allDisks(place))
      if (event.key === '?') setHelp((is) => !is)
      if (event.key !== '/') return
      event.preventDefault()
      document.getElementById('event-filter')?.focus()
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [place, go])
  if (view === undefined) return <p class="loading">{error ?? 'xbbd: the journals are opened …'}</p>
  const device = view.device?.name === place.device ? view.device : undefined
  return (
    <>
      <Top view={view} isHelp={isHelp} help={() => setHelp(!isHelp)} home={() => go(allDisks(place))} />
      {isHelp && <Help />}
      {error !== undefined && (
        <p class="trouble" role="alert">
          {error}
        </p>
      )}
      <TimeBar view={view} place={place} go={go} />
      <main>
        <Answer
          view={view}
          device={device}
          go={(name) => go({ ...without(place, 'slot', 'queue', 'chart'), device: name })}
        />
        {place.device === undefined ? (
          <DeviceTable rows={view.devices} go={(name) => go({ ...place, device: name })} />
        ) : device === undefined ? (
          <p class="empty">At this moment there was no device {place.device}.</p>
        ) : (
          <DevicePage view={view} device={device} place={place} go={go} />
        )}
        <HistoryPanel view={view} place={place} go={go} />
        <EventStream view={view} place={place} go={go} />
        {view.problems.length > 0 && (
          <section>
            <h2>What could not be read</h2>
            <ul>
              {view.problems.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          </section>
        )}
      </main>
    </>
  )
}

/** The same moment, of all disks. */
const allDisks = (place: Place) => without(place, 'device', 'queue', 'slot', 'chart')

interface TopProps {
  readonly view: View
  readonly isHelp: boolean
  readonly help: () => void
  readonly home: () => void
}

function Top({ view, isHelp, help, home }: TopProps) {
  return (
    <header class="top">
      <h1>
        <button class="plain" title="all disks" onClick={home}>
          xbbd
        </button>
      </h1>
      <span class={`mode ${view.live ? 'live' : ''}`}>
        {view.live ? 'now' : view.canLive ? 'the past' : 'a recording'}
      </span>
      <span class="source" title={`xbbd ${view.version}`}>
        {view.title}
      </span>
      <button class="plain" aria-pressed={isHelp} onClick={help}>
        keys
      </button>
    </header>
  )
}

export function isTyping({ target }: Event): boolean {
  return (
    target instanceof HTMLSelectElement ||
    target instanceof HTMLTextAreaElement ||
    (target instanceof HTMLInputElement && target.type !== 'range' && target.type !== 'checkbox')
  )
}

const KEYS = [
  ['← →', 'one event back, one further'],
  ['space', 'play, pause'],
  ['Home End', 'the beginning; now, or the end'],
  ['/', 'filter the events'],
  ['Esc', 'all disks'],
  ['?', 'this list'],
] as const

function Help() {
  return (
    <dl class="help">
      {KEYS.map(([key, what]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  )
}
