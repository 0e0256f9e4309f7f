/**
 * @packageDocumentation
 * What disks did between two looks at their counters, in iostat's words. Everything is a difference: two samples of
 * `list` and `statistics`, and the time between them.
 *
 *   reads, writes, discards, flushes     a second          readBytes, writtenBytes      a second
 *   await      mean time from ring to answer, from the histogram (each request as the middle of its bucket)
 *   queueSize  requests in flight on average: Little's law over all latencies of the interval
 *   p50, p99   of everything answered in the interval; the end of a bucket, so never short of the truth
 *
 * A device whose counters went backwards (another daemon, attached anew) has no rates until the next sample: undefined,
 * never a negative number.
 */
import { bucketFloorNs, LATENCY_BUCKETS, percentileNs } from '../core/statistics.js'
import type { DeviceListing, DeviceStatistics } from '../ports/daemon-api.js'

/** One look. */
export interface RateSample {
  readonly atNs: number
  readonly devices: readonly DeviceListing[]
  readonly statistics: readonly DeviceStatistics[]
}

/** Of one device, per second; times in nanoseconds, undefined where nothing was answered. */
export interface Rates {
  readonly reads: number
  readonly writes: number
  readonly discards: number
  readonly flushes: number
  readonly readBytes: number
  readonly writtenBytes: number
  readonly errors: number
  readonly readAwaitNs: number | undefined
  readonly writeAwaitNs: number | undefined
  readonly queueSize: number
  readonly p50Ns: number | undefined
  readonly p99Ns: number | undefined
  readonly p999Ns: number | undefined
}

export interface DeviceRates {
  readonly device: DeviceListing
  /** Now: requests in flight, and entries of the ring (0 without one). */
  readonly inFlight: number
  readonly ringEntries: number
  /** Part of the interval in which nothing was taken for want of something; shortages that ended in it. */
  readonly shortage: number
  /** The same for its rate limit. */
  readonly throttled: number
  readonly rates: Rates | undefined
}

type Histogram = readonly number[]

const total = (counts: Histogram) => counts.reduce((sum, count) => sum + count, 0)

const timeNs = (counts: Histogram) =>
  counts.reduce((sum, count, bucket) => sum + (count * (bucketFloorNs(bucket) + bucketFloorNs(bucket + 1))) / 2, 0)

const meanNs = (counts: Histogram) => (total(counts) === 0 ? undefined : timeNs(counts) / total(counts))

const together = (...all: readonly Histogram[]): number[] =>
  Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => total(all.map((counts) => counts[bucket] ?? 0)))

/** Of a device that has done nothing. */
const NONE: Rates = {
  reads: 0, writes: 0, discards: 0, flushes: 0, readBytes: 0, writtenBytes: 0, errors: 0, readAwaitNs: undefined,
  writeAwaitNs: undefined, queueSize: 0, p50Ns: undefined, p99Ns: undefined, p999Ns: undefined,
}

/** Differences of one device's counters; undefined when one of them fell. */
class Difference {
  readonly #before: DeviceStatistics
  readonly #after: DeviceStatistics

  constructor(before: DeviceStatistics, after: DeviceStatistics) {
    this.#before = before
    this.#after = after
  }

  /** `taken` counts every request, so it falls whenever a device begins anew. */
  get holds(): boolean {
    return this.counter('taken') >= 0
  }

  counter(name: string): number {
    return (this.#after.counters[name] ?? 0) - (this.#before.counters[name] ?? 0)
  }

  histogram(name: string): Histogram {
    const before = this.#before.histograms[name] ?? []
    return (this.#after.histograms[name] ?? []).map((count, bucket) => Math.max(0, count - (before[bucket] ?? 0)))
  }
}

function ratesOf(difference: Difference, seconds: number): Rates {
  const [read, write, other] = ['readLatency', 'writeLatency', 'otherLatency'].map((name) => difference.histogram(name))
  const all = together(read, write, other)
  const rate = (...names: readonly string[]) =>
    names.reduce((sum, name) => sum + difference.counter(name), 0) / seconds
  const percentile = (share: number) => (total(all) === 0 ? undefined : percentileNs(all, share))
  return {
    reads: rate('reads'),
    writes: rate('writes'),
    discards: rate('discards'),
    flushes: rate('flushes', 'barriers'),
    readBytes: rate('readBytes'),
    writtenBytes: rate('writtenBytes'),
    errors: rate('answeredError', 'answeredUnsupported', 'abandoned'),
    readAwaitNs: meanNs(read),
    writeAwaitNs: meanNs(write),
    queueSize: timeNs(all) / (seconds * 1e9),
    p50Ns: percentile(0.5),
    p99Ns: percentile(0.99),
    p999Ns: percentile(0.999),
  }
}

/** What every device that stands now did since `before`. */
export function ratesBetween(before: RateSample, after: RateSample): DeviceRates[] {
  const seconds = (after.atNs - before.atNs) / 1e9
  const byName = ({ statistics }: RateSample) => new Map(statistics.map((one) => [one.name, one]))
  const [earlier, later] = [byName(before), byName(after)]
  return after.devices.map((device): DeviceRates => {
    const [was, is] = [earlier.get(device.name), later.get(device.name)]
    // Whoever counts hands out the same object again while there is nothing to count.
    const isIdle = was !== undefined && was.counters === is?.counters && was.histograms === is.histograms
    const difference = was && is && new Difference(was, is)
    const partOf = (counter: string): number => {
      const ns = difference?.holds ? difference.counter(counter) : 0
      return Math.min(1, Math.max(0, ns / (seconds * 1e9)))
    }
    return {
      device,
      inFlight: is?.counters['inFlight'] ?? 0,
      ringEntries: device.connection?.ringEntries ?? 0,
      shortage: partOf('shortageNs'),
      throttled: partOf('throttledNs'),
      rates: difference?.holds && seconds > 0 ? (isIdle ? NONE : ratesOf(difference, seconds)) : undefined,
    }
  })
}
