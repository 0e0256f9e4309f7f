/**
 * @packageDocumentation
 * The bar of time: what happened when, and where one looks. It is a slider over the window that is shown; wheel and
 * buttons make the window narrower or wider, arrows go event by event, space plays.
 *
 *   load (requests a second) as a silhouette · marks where an actor or a queue changed its state · the moment
 */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { EventKind, History, Span, View } from '../../src/observe/page/types.js'
import { isTyping } from './app.js'
import { clock, day, duration } from './format.js'
import { without, type Place } from './place.js'
import { ask, Latest } from './server.js'
import { useHistory } from './use-history.js'

const ICONS = {
  begin: 'M2 3h2v10H2zM14 3v10L5 8z',
  back: 'M11 3v10L4 8zM12 3h2v10h-2z',
  play: 'M4 2v12l9-6z',
  pause: 'M3 2h4v12H3zM9 2h4v12H9z',
  next: 'M5 3v10l7-5zM2 3h2v10H2z',
  end: 'M12 3h2v10h-2zM2 3v10l9-5z',
  narrower: 'M7 2h2v5h5v2H9v5H7V9H2V7h5z',
  wider: 'M2 7h12v2H2z',
} as const

function Icon({ name }: { readonly name: keyof typeof ICONS }) {
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  )
}

const SPEEDS = [0.0001, 0.001, 0.01, 0.1, 1, 10, 100] as const
const BINS = 240
const STEPS = 10_000
/** A window is not made narrower than this. */
const NARROWEST_NS = 20_000

interface Props {
  readonly view: View
  readonly place: Place
  readonly go: (next: Place, quietly?: boolean) => void
}

export function TimeBar({ view, place, go }: Props) {
  const [zoom, setZoom] = useState<Span>()
  const window_ = zoom ?? view.span
  const width = Math.max(1, window_.toNs - window_.fromNs)
  const history = useHistory(view, { fromNs: window_.fromNs, toNs: window_.toNs, device: place.device, bins: BINS })
  const atNs = place.atNs ?? view.atNs
  const goTo = (ns: number) => go({ ...place, atNs: Math.round(clamp(ns, view.span)) }, true)
  const goEnd = () => go(without(place, 'atNs'), true)
  const step = useStep(place, view, go)
  const begin = () => goTo(view.span.fromNs)
  const play = usePlay(view, place, goTo, goEnd)
  useKeys({ step, toggle: () => play.setPlaying(!play.isPlaying), begin, end: goEnd })
  const scale = (factor: number, aroundNs = atNs) => setZoom(zoomed(window_, view.span, factor, aroundNs))
  const epoch = (ns: number) => view.epochMs + (ns - view.span.fromNs) / 1e6
  return (
    <section class="time" aria-label="Time">
      <div class="controls">
        <Transport
          begin={begin}
          step={step}
          play={play}
          end={goEnd}
          isEnd={place.atNs === undefined}
          canLive={view.canLive}
        />
        <button onClick={() => scale(1 / 4)} aria-label="narrower window" title="narrower">
          <Icon name="narrower" />
        </button>
        <button onClick={() => scale(4)} aria-label="wider window" title="wider">
          <Icon name="wider" />
        </button>
        {zoom !== undefined && <button onClick={() => setZoom(undefined)}>all</button>}
        <output class="moment">
          <b>{clock(epoch(atNs), 6)}</b>{' '}
          <small>
            {day(epoch(atNs))} UTC · +{duration(atNs - view.span.fromNs)}
          </small>
        </output>
      </div>
      <div
        class="track"
        onWheel={(event) => {
          event.preventDefault()
          const share = event.offsetX / Math.max(1, event.currentTarget.clientWidth)
          scale(event.deltaY > 0 ? 2 : 0.5, window_.fromNs + share * width)
        }}
      >
        <Silhouette history={history} window={window_} atNs={atNs} />
        <input
          type="range"
          min={0}
          max={STEPS}
          step={1}
          aria-label="moment"
          aria-valuetext={clock(epoch(atNs), 6)}
          value={Math.round(((atNs - window_.fromNs) / width) * STEPS)}
          onInput={(event) => goTo(window_.fromNs + (Number(event.currentTarget.value) / STEPS) * width)}
        />
      </div>
      <Ends
        from={clock(epoch(window_.fromNs))}
        to={clock(epoch(window_.toNs))}
        width={width}
        done={history?.done ?? 1}
      />
    </section>
  )
}

interface EndsProps {
  readonly from: string
  readonly to: string
  readonly width: number
  /** Part of the window that has been looked at. */
  readonly done: number
}

function Ends({ from, to, width, done }: EndsProps) {
  return (
    <div class="ends">
      <small>{from}</small>
      <small>{done < 1 ? `${Math.floor(done * 100)} % looked at` : `window ${duration(width)}`}</small>
      <small>{to}</small>
    </div>
  )
}

interface TransportProps {
  readonly begin: () => void
  readonly step: (direction: 1 | -1) => void
  readonly play: ReturnType<typeof usePlay>
  readonly end: () => void
  readonly isEnd: boolean
  readonly canLive: boolean
}

/** The buttons that go somewhere. */
function Transport({ begin, step, play, end, isEnd, canLive }: TransportProps) {
  const { speed, setSpeed, isPlaying, setPlaying } = play
  return (
    <>
      <button onClick={begin} title="the beginning (Home)" aria-label="to the beginning">
        <Icon name="begin" />
      </button>
      <button onClick={() => step(-1)} title="one event back (←)" aria-label="one event back">
        <Icon name="back" />
      </button>
      <button onClick={() => setPlaying(!isPlaying)} title="play (space)" aria-label={isPlaying ? 'pause' : 'play'}>
        <Icon name={isPlaying ? 'pause' : 'play'} />
      </button>
      <button onClick={() => step(1)} title="one event further (→)" aria-label="one event further">
        <Icon name="next" />
      </button>
      <button onClick={end} title="now, or the end (End)" aria-pressed={isEnd}>
        {canLive ? 'now' : <Icon name="end" />}
      </button>
      <label>
        speed{' '}
        <select value={speed} onChange={(event) => setSpeed(Number(event.currentTarget.value))}>
          {SPEEDS.map((one) => (
            <option key={one} value={one}>
              {one < 1 ? `1/${Math.round(1 / one)}` : `${one}`}×
            </option>
          ))}
        </select>
      </label>
    </>
  )
}

const clamp = (ns: number, { fromNs, toNs }: Span) => Math.min(toNs, Math.max(fromNs, ns))

function zoomed(window_: Span, all: Span, factor: number, aroundNs: number): Span | undefined {
  const width = Math.max(NARROWEST_NS, (window_.toNs - window_.fromNs) * factor)
  if (width >= all.toNs - all.fromNs) return undefined
  const share = (aroundNs - window_.fromNs) / Math.max(1, window_.toNs - window_.fromNs)
  const fromNs = Math.min(all.toNs - width, Math.max(all.fromNs, aroundNs - width * Math.min(1, Math.max(0, share))))
  return { fromNs, toNs: fromNs + width }
}

const EVERYTHING: readonly EventKind[] = ['device', 'queue', 'request']

/** Goes to the next thing that happened, of this disk or, among all disks, of devices. */
function useStep(place: Place, view: View, go: Props['go']) {
  const latest = useRef(new Latest())
  return (direction: 1 | -1) =>
    latest.current.run(async () => {
      const kinds = (place.device === undefined ? ['device'] : EVERYTHING).join(',')
      const { atNs } = await ask('step', { at: place.atNs ?? view.atNs, device: place.device, direction, kinds })
      if (atNs !== undefined) go({ ...place, atNs }, true)
    })
}

function usePlay(view: View, place: Place, goTo: (ns: number) => void, goEnd: () => void) {
  const [speed, setSpeed] = useState(1)
  const [isPlaying, setPlaying] = useState(false)
  const latest = useRef({ view, place, goTo, goEnd })
  latest.current = { view, place, goTo, goEnd }
  useEffect(() => {
    if (!isPlaying) return undefined
    let before = performance.now()
    const { view: first, place: from } = latest.current
    // Whoever plays at the end begins anew.
    let ns = from.atNs === undefined || from.atNs >= first.span.toNs ? first.span.fromNs : from.atNs
    const timer = window.setInterval(() => {
      const now = performance.now()
      const { view: seen, goTo: to, goEnd: end } = latest.current
      ns += (now - before) * 1e6 * speed
      before = now
      if (ns < seen.span.toNs) return to(ns)
      setPlaying(false)
      end()
    }, 60)
    return () => clearInterval(timer)
  }, [isPlaying, speed])
  return { speed, setSpeed, isPlaying, setPlaying }
}

interface KeyActions {
  readonly step: (direction: 1 | -1) => void
  readonly toggle: () => void
  readonly begin: () => void
  readonly end: () => void
}

function useKeys(actions: KeyActions): void {
  const latest = useRef(actions)
  latest.current = actions
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return
      const { step, toggle, begin, end } = latest.current
      const isButton =
        event.target instanceof HTMLButtonElement ||
        (event.target instanceof HTMLElement && event.target.tagName === 'SUMMARY')
      const doing = {
        ArrowLeft: () => step(-1),
        ArrowRight: () => step(1),
        Home: begin,
        End: end,
        ...(isButton ? {} : { ' ': toggle }),
      }[event.key]
      if (doing === undefined) return
      event.preventDefault()
      doing()
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [])
}

const HEIGHT = 44

function Silhouette({
  history,
  window: { fromNs, toNs },
  atNs,
}: {
  readonly history: History | undefined
  readonly window: Span
  readonly atNs: number
}) {
  const shape = useMemo(() => (history === undefined ? undefined : outline(history)), [history])
  const width = Math.max(1, toNs - fromNs)
  const x = (ns: number) => ((ns - fromNs) / width) * 1000
  return (
    <svg class="silhouette" viewBox={`0 0 1000 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {shape !== undefined && <path class="load" d={shape} />}
      {history?.marks.map(({ timeNs, journal, text, isFailure }) => (
        <line
          key={`${timeNs} ${journal} ${text}`}
          class={isFailure ? 'mark failure' : 'mark'}
          x1={x(timeNs)}
          x2={x(timeNs)}
          y1={isFailure ? 0 : HEIGHT - 12}
          y2={HEIGHT}
        >
          <title>{text}</title>
        </line>
      ))}
      <line class="now" x1={x(atNs)} x2={x(atNs)} y1={0} y2={HEIGHT} />
    </svg>
  )
}

/** Requests a second, by their square root: what is little shows beside what is much. */
function outline({ bins }: History): string {
  const heights = bins.map((bin) => Math.sqrt(bin?.answered ?? 0))
  const most = Math.max(...heights, 1e-9)
  const points = heights.map((height, at) => {
    const y = HEIGHT - (height / most) * (HEIGHT - 4)
    return `L${(at / bins.length) * 1000} ${y}L${((at + 1) / bins.length) * 1000} ${y}`
  })
  return `M0 ${HEIGHT}${points.join('')}L1000 ${HEIGHT}Z`
}
