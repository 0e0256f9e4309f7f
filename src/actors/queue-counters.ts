/**
 * @packageDocumentation
 * The counters of a device's queues by name, over all connections that this process served: a queue's counters end
 * with it, the device's go on. Sums for counts, the larger for maxima, the newest for what is a level.
 */
import {
  COUNTERS, LATENCY_BUCKETS, OTHER_LATENCY_AT, READ_LATENCY_AT, REASONS_AT, REASON_COUNT, STATISTICS_LENGTH,
  WRITE_LATENCY_AT,
} from '../core/statistics.js'

export interface NamedCounters {
  readonly counters: Readonly<Record<string, number>>
  readonly histograms: Readonly<Record<string, readonly number[]>>
}

const MAXIMA = new Set<string>(['inFlightMax', 'oldestWaitNs'])
const LEVELS = new Set<string>(['inFlight', 'spaceWanted', 'tokensWanted'])

const part = (raw: Float64Array, at: number, length: number): number[] => [...raw.subarray(at, at + length)]

/** A queue's raw counters, by the names of core/statistics.ts. */
export function namedCounters(raw: Float64Array): NamedCounters {
  return {
    counters: Object.fromEntries(COUNTERS.map((name, index) => [name, raw[index]])),
    histograms: {
      rejectedByReason: part(raw, REASONS_AT, REASON_COUNT),
      readLatency: part(raw, READ_LATENCY_AT, LATENCY_BUCKETS),
      writeLatency: part(raw, WRITE_LATENCY_AT, LATENCY_BUCKETS),
      otherLatency: part(raw, OTHER_LATENCY_AT, LATENCY_BUCKETS),
    },
  }
}

/** Those of a queue that has done nothing. */
export const noCounters: NamedCounters = namedCounters(new Float64Array(STATISTICS_LENGTH))

/** `before` and then `after`. */
export function addCounters(before: NamedCounters, after: NamedCounters): NamedCounters {
  const combine = (name: string, a: number, b: number): number =>
    MAXIMA.has(name) ? Math.max(a, b) : LEVELS.has(name) ? b : a + b
  const counters = Object.entries({ ...before.counters, ...after.counters }).map(
    ([name]) => [name, combine(name, before.counters[name] ?? 0, after.counters[name] ?? 0)] as const,
  )
  const histograms = Object.keys({ ...before.histograms, ...after.histograms }).map((name) => {
    const [a, b] = [before.histograms[name] ?? [], after.histograms[name] ?? []]
    return [name, (a.length > b.length ? a : b).map((_, index) => (a[index] ?? 0) + (b[index] ?? 0))] as const
  })
  return { counters: Object.fromEntries(counters), histograms: Object.fromEntries(histograms) }
}

/**
 * The counters of connections before, and those of the queues that stand on top of them. Remembers its last answer, and
 * gives the same object as long as nothing was counted: of many disks that somebody watches most are idle.
 */
export class CountersTotal {
  #before: NamedCounters | undefined
  #raw: readonly Float64Array[] = []
  #total: NamedCounters = noCounters

  of(before: NamedCounters, raw: readonly Float64Array[]): NamedCounters {
    if (before === this.#before && isSame(raw, this.#raw)) return this.#total
    this.#before = before
    this.#raw = raw
    const now = sumCounters(raw.map(namedCounters))
    return (this.#total = before === noCounters ? now : addCounters(before, now))
  }
}

function isSame(one: readonly Float64Array[], other: readonly Float64Array[]): boolean {
  if (one.length !== other.length) return false
  return one.every((raw, queue) => raw.every((count, index) => count === other[queue][index]))
}

/** Queues of one connection, side by side: levels are sums here. */
export function sumCounters(all: readonly NamedCounters[]): NamedCounters {
  const levelsOf = (name: string) => all.reduce((sum, { counters }) => sum + (counters[name] ?? 0), 0)
  const { counters, histograms } = all.reduce(addCounters, noCounters)
  const levels = all.length > 1 ? Object.fromEntries([...LEVELS].map((name) => [name, levelsOf(name)])) : {}
  return { counters: { ...counters, ...levels }, histograms }
}
