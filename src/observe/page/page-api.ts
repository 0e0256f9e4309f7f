/**
 * @packageDocumentation
 * The page's questions and their answers: a path and parameters in, plain data out. Whatever is asked comes from a
 * browser and is believed in nothing; what cannot be read is an XbbdError with one sentence.
 *
 *   view ?at=NS &device=NAME                              one moment; without `at` now, or the recording's end
 *   history ?from= &to= &bins= &device=                   a span in bins
 *   events ?at= &device= &kinds=device,queue &text= &before= &after=
 *   step ?at= &device= &direction=1|-1 &kinds=            the moment of the next batch
 */
import { XbbdError } from '../../protocol/errors.js'
import type { Duration } from '../explain.js'
import { ringOf } from '../explain.js'
import { eventsAround, stepFrom } from './happenings.js'
import { Histories } from './history.js'
import { deviceAt, presentRows, rowsAt } from './screen.js'
import type { Source } from './source.js'
import { EVENT_KINDS } from './types.js'
import type { DeviceRow, EventKind, Events, History, Step, View } from './types.js'

const NAME_LENGTH_MAX = 256
const BINS_MAX = 1200
const ROWS_MAX = 500
/** Several who look at what is now at the same time are told the same of how it came to be. */
const SHARED_NS = 200e6

export class PageApi {
  private readonly source: Source
  private readonly duration: Duration
  private readonly histories: Histories
  private shared: { readonly of: string; readonly atNs: number; readonly history: History } | undefined

  /** `nowNs`: of any monotonic clock, to bound the work of one answer. */
  constructor(source: Source, duration: Duration, nowNs: () => number) {
    this.source = source
    this.duration = duration
    this.histories = new Histories(nowNs)
  }

  /** The answer, to be sent as JSON; undefined when there is no such question. @throws XbbdError 64. */
  answer(path: string, query: URLSearchParams): unknown {
    switch (path) {
      case 'view':
        return this.view(query)
      case 'history':
        return this.history(query)
      case 'events':
        return this.events(query)
      case 'step':
        return this.step(query)
      default:
        return undefined
    }
  }

  private view(query: URLSearchParams): View {
    const { title, version, present } = this.source
    const shelf = this.source.shelf()
    const { library } = shelf
    const live = present !== undefined && !query.has('at')
    const nowNs = present?.nowNs()
    const span = { fromNs: library.fromNs, toNs: nowNs ?? library.span.toNs }
    const atNs = live ? span.toNs : this.moment(query)
    const name = readName(query)
    const rings = live ? present.rings() : []
    const pageOf = live ? (queue: string) => ringOf(queue, library.chains, rings) : undefined
    const device = name === undefined ? undefined : deviceAt(shelf, name, atNs, this.duration, atNs, pageOf)
    const rows = live
      ? presentRows(library, present.rows(), atNs, this.duration)
      : this.withRates(rowsAt(library, atNs, this.duration), atNs)
    return {
      title, version, live, canLive: present !== undefined, atNs, span, epochMs: library.epochMs(span.fromNs),
      devices: rows, ...(device === undefined ? {} : { device }), problems: library.problems,
    }
  }

  /** What is known of the second before. */
  private withRates(rows: readonly DeviceRow[], atNs: number): DeviceRow[] {
    const { library } = this.source.shelf()
    const budgetNs = this.source.budgetNs / Math.max(1, rows.length)
    return rows.map((row) => {
      const fromNs = Math.max(atNs - 1e9, library.fromNs)
      const { bins } = this.histories.history(library, { fromNs, toNs: atNs, device: row.name, bins: 1, budgetNs })
      const bin = bins[0]
      if (bin === null) return row
      const { reads, writes, readBytes, writtenBytes, p50Ns, p99Ns } = bin
      const rates = { reads, writes, readBytes, writtenBytes }
      const times = { ...(p50Ns === undefined ? {} : { p50Ns }), ...(p99Ns === undefined ? {} : { p99Ns }) }
      return { ...row, rates: { ...rates, ...times } }
    })
  }

  private history(query: URLSearchParams): History {
    const nowNs = this.source.present?.nowNs()
    const of = query.toString()
    if (nowNs === undefined || query.has('to')) return this.summedUp(query)
    if (this.shared?.of === of && nowNs - this.shared.atNs < SHARED_NS) return this.shared.history
    const history = this.summedUp(query)
    this.shared = { of, atNs: nowNs, history }
    return history
  }

  private summedUp(query: URLSearchParams): History {
    const { library } = this.source.shelf()
    const { present, budgetNs } = this.source
    const toNs = present?.nowNs() ?? library.span.toNs
    const device = readName(query)
    return this.histories.history(library, {
      fromNs: readNumber(query, 'from', library.fromNs), toNs: readNumber(query, 'to', toNs),
      bins: Math.min(BINS_MAX, Math.max(1, Math.round(readNumber(query, 'bins', 240)))), budgetNs,
      ...(device === undefined ? {} : { device }),
    })
  }

  private events(query: URLSearchParams): Events {
    const { library } = this.source.shelf()
    const count = (name: string, fallback: number) =>
      Math.min(ROWS_MAX, Math.max(0, Math.round(readNumber(query, name, fallback))))
    return eventsAround(library, {
      ...readScope(query), atNs: this.moment(query),
      text: (query.get('text') ?? '').slice(0, NAME_LENGTH_MAX).toLowerCase(),
      before: count('before', 100), after: count('after', 20),
    })
  }

  /** What is asked for; else now, or where the recording ends. */
  private moment(query: URLSearchParams): number {
    return readNumber(query, 'at', this.source.present?.nowNs() ?? this.source.shelf().library.span.toNs)
  }

  private step(query: URLSearchParams): Step {
    const { library } = this.source.shelf()
    const { device, kinds } = readScope(query)
    const direction = query.get('direction') === '-1' ? -1 : 1
    return stepFrom(library, device, this.moment(query), direction, kinds)
  }
}

function readScope(query: URLSearchParams): { readonly device?: string; readonly kinds: ReadonlySet<EventKind> } {
  const device = readName(query)
  const words = query.get('kinds')?.split(',')
  const kinds = new Set(EVENT_KINDS.filter((kind) => words === undefined || words.includes(kind)))
  return { kinds, ...(device === undefined ? {} : { device }) }
}

function readName(query: URLSearchParams): string | undefined {
  const name = query.get('device')
  if (name === null || name === '') return undefined
  if (name.length <= NAME_LENGTH_MAX) return name
  throw new XbbdError('XBBD_PAGE', 'device is the name of a device: vbd/5/51712', { exitCode: 64 })
}

function readNumber(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name)
  if (text === null || text === '') return fallback
  const value = Number(text)
  if (Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value
  throw new XbbdError('XBBD_PAGE', `${name} must be a number`, { exitCode: 64 })
}
