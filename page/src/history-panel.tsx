/**
 * @packageDocumentation
 * Latency over time: a heat map (each column a piece of time, each row twice the latency of the second below it, the
 * darker the more requests), with the median and the 99th percentile drawn over it, and below it what was moved.
 */
import { useEffect, useRef } from 'preact/hooks'
import type { Bin, History, View } from '../../src/observe/page/types.js'
import { bytes, clock, count, duration } from './format.js'
import type { Place } from './place.js'
import { useHistory } from './use-history.js'

const BINS = 240
const ROW = 5

interface Props {
  readonly view: View
  readonly place: Place
  readonly go: (next: Place, quietly?: boolean) => void
}

export function HistoryPanel({ view, place, go }: Props) {
  const { fromNs, toNs } = view.span
  const history = useHistory(view, { fromNs, toNs, device: place.device, bins: BINS })
  if (history === undefined) return null
  const rows = usedRows(history)
  if (rows === undefined) return null
  const { span } = history
  const at = ((place.atNs ?? view.atNs) - span.fromNs) / (span.toNs - span.fromNs)
  const here = Math.min(BINS - 1, Math.max(0, Math.floor(at * BINS)))
  // What is now is not summed up yet: then the latest that is.
  const bin = view.live ? history.bins.findLast((one) => one !== null && one.answered > 0) : history.bins[here]
  return (
    <section aria-label="Latency and throughput">
      <h2>
        Latency <small>{place.device ?? 'of all disks'}, from ring to answer</small>
      </h2>
      <Figures bin={bin ?? undefined} />
      <div class="heat" style={{ height: `${(rows.high - rows.low) * ROW + 20}px` }}>
        <Scale rows={rows} rowsNs={history.rowsNs} />
        <div
          class="plot"
          onClick={(event) => {
            const share = event.offsetX / Math.max(1, event.currentTarget.clientWidth)
            go({ ...place, atNs: Math.round(span.fromNs + share * (span.toNs - span.fromNs)) }, true)
          }}
        >
          <Heat history={history} rows={rows} />
          <Percentiles history={history} rows={rows} at={at} />
        </div>
      </div>
      <Throughput history={history} at={at} />
      <div class="ends">
        <small>{clock(view.epochMs + (span.fromNs - fromNs) / 1e6)}</small>
        <small class="legend">
          <i class="p50" /> median <i class="p99" /> 99 % <i class="read" /> read <i class="written" /> written
        </small>
        <small>{clock(view.epochMs + (span.toNs - fromNs) / 1e6)}</small>
      </div>
    </section>
  )
}

function Figures({ bin }: { readonly bin: Bin | undefined }) {
  const time = (ns: number | undefined) => (ns === undefined ? '–' : duration(ns))
  const figures = [
    ['median', time(bin?.p50Ns)],
    ['99 %', time(bin?.p99Ns)],
    ['99.9 %', time(bin?.p999Ns)],
    ['answered', bin === undefined ? '–' : `${count(bin.answered)}/s`],
    ['read', bin === undefined ? '–' : `${bytes(bin.readBytes)}/s`],
    ['written', bin === undefined ? '–' : `${bytes(bin.writtenBytes)}/s`],
    ['in flight', bin === undefined ? '–' : `≤ ${bin.inFlightMax}`],
    ...(bin !== undefined && bin.errors > 0.5 ? [['errors', count(bin.errors)]] : []),
    ...(bin !== undefined && bin.shortage > 0.005
      ? [['short of something', `${Math.round(bin.shortage * 100)} %`]]
      : []),
  ]
  return (
    <dl class="figures" aria-label="at this moment">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

interface Rows {
  readonly low: number
  readonly high: number
}

/** The rows that hold anything, with one to spare; undefined when none does. */
function usedRows({ bins, rowsNs }: History): Rows | undefined {
  let [low, high] = [Infinity, -Infinity]
  for (const bin of bins)
    for (let at = 0; bin !== null && at < bin.heat.length; at += 2) {
      low = Math.min(low, bin.heat[at])
      high = Math.max(high, bin.heat[at])
    }
  if (high < low) return undefined
  return { low: Math.max(0, low - 1), high: Math.min(rowsNs.length, Math.max(high + 2, low + 12)) }
}

function Heat({ history, rows }: { readonly history: History; readonly rows: Rows }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const height = rows.high - rows.low
  useEffect(() => {
    const draw = () => {
      const context = canvas.current?.getContext('2d')
      if (context && canvas.current) paint(context, canvas.current, history, rows)
    }
    draw()
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', draw)
    return () => dark.removeEventListener('change', draw)
  }, [history, rows.low, rows.high])
  return <canvas ref={canvas} width={BINS} height={height} role="img" aria-label="heat map of latencies over time" />
}

function paint(context: CanvasRenderingContext2D, canvas: HTMLCanvasElement, { bins }: History, rows: Rows): void {
  const height = rows.high - rows.low
  context.clearRect(0, 0, BINS, height)
  const style = getComputedStyle(canvas)
  const [heat, unknown] = [style.getPropertyValue('--heat').trim(), style.getPropertyValue('--unknown').trim()]
  const most = Math.log1p(
    Math.max(1e-9, ...bins.flatMap((bin) => (bin === null ? [] : bin.heat.filter((_, at) => at % 2 === 1)))),
  )
  bins.forEach((bin, x) => {
    if (bin === null) {
      context.globalAlpha = 1
      context.fillStyle = unknown
      context.fillRect(x, 0, 1, height)
    }
    for (let at = 0; bin !== null && at < bin.heat.length; at += 2) {
      context.globalAlpha = 0.12 + 0.88 * (Math.log1p(bin.heat[at + 1]) / most)
      context.fillStyle = heat
      context.fillRect(x, rows.high - 1 - bin.heat[at], 1, 1)
    }
  })
}

/** Where a latency lies between the rows, from the top, 0 to 1. */
function heightOf(ns: number, { low, high }: Rows, rowsNs: readonly number[]): number {
  const row = rowsNs.findIndex((end) => end >= ns)
  return (high - (row < 0 ? rowsNs.length : row) - 1 + 0.02) / (high - low)
}

function Percentiles({
  history: { bins, rowsNs },
  rows,
  at,
}: {
  readonly history: History
  readonly rows: Rows
  readonly at: number
}) {
  const line = (of: (bin: Bin) => number | undefined) => {
    let isDown = false
    return bins
      .map((bin, x) => {
        const ns = bin === null ? undefined : of(bin)
        if (ns === undefined) {
          isDown = false
          return ''
        }
        const y = heightOf(ns, rows, rowsNs) * 100
        const move = isDown ? 'L' : 'M'
        isDown = true
        return `${move}${x} ${y}L${x + 1} ${y}`
      })
      .join('')
  }
  return (
    <svg viewBox={`0 0 ${BINS} 100`} preserveAspectRatio="none" aria-hidden="true">
      <path class="p50" d={line(({ p50Ns }) => p50Ns)} />
      <path class="p99" d={line(({ p99Ns }) => p99Ns)} />
      <line class="now" x1={at * BINS} x2={at * BINS} y1="0" y2="100" />
    </svg>
  )
}

function Scale({ rows, rowsNs }: { readonly rows: Rows; readonly rowsNs: readonly number[] }) {
  const shown = rowsNs
    .map((ns, row) => ({ ns, row }))
    .filter(({ row }) => row >= rows.low && row < rows.high && (row - rows.low) % 4 === 2)
  return (
    <div class="scale" aria-hidden="true">
      {shown.map(({ ns, row }) => (
        <span key={row} style={{ top: `${((rows.high - 1 - row) / (rows.high - rows.low)) * 100}%` }}>
          {duration(ns)}
        </span>
      ))}
    </div>
  )
}

function Throughput({ history: { bins }, at }: { readonly history: History; readonly at: number }) {
  const most = Math.max(1, ...bins.map((bin) => (bin === null ? 0 : bin.readBytes + bin.writtenBytes)))
  const path = (of: (bin: Bin) => number) =>
    `M0 100${bins
      .map((bin, x) => {
        const y = 100 - ((bin === null ? 0 : of(bin)) / most) * 96
        return `L${x} ${y}L${x + 1} ${y}`
      })
      .join('')}L${BINS} 100Z`
  return (
    <div class="throughput">
      <div class="scale" aria-hidden="true">
        <span style={{ top: '0' }}>{bytes(most)}/s</span>
      </div>
      <svg
        viewBox={`0 0 ${BINS} 100`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`bytes a second over time, at most ${bytes(most)}`}
      >
        <path class="written" d={path((bin) => bin.readBytes + bin.writtenBytes)} />
        <path class="read" d={path((bin) => bin.readBytes)} />
        <line class="now" x1={at * BINS} x2={at * BINS} y1="0" y2="100" />
      </svg>
    </div>
  )
}
