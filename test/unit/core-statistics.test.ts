/** Latency histograms: that buckets and their floors are inverse, ordered and fine enough, and what a percentile is. */
import { LATENCY_BUCKETS, bucketFloorNs, latencyBucket, percentileNs } from '../../src/core/statistics.js'

/** Buckets that 32 bits of quanta reach. */
const REACHED = 124

/** Latencies from nothing to an hour, twenty to the octave. */
const LATENCIES = Array.from({ length: 840 }, (_, index) => Math.floor(2 ** (index / 20)))

test('S30: a bucket begins at its floor and ends before the next one', () => {
  for (let bucket = 0; bucket < REACHED; bucket++) {
    expect(latencyBucket(bucketFloorNs(bucket))).toBe(bucket)
    expect(latencyBucket(bucketFloorNs(bucket + 1) - 1)).toBe(bucket)
  }
})

test('S30: a longer latency is never in a lower bucket, however long it is', () => {
  let last = 0
  for (const latency of [...LATENCIES, 2 ** 40, 2 ** 45, 2 ** 52]) {
    const bucket = latencyBucket(latency)
    expect(bucket).toBeGreaterThanOrEqual(last)
    expect(bucket).toBeLessThan(LATENCY_BUCKETS)
    last = bucket
  }
})

test('S30: a percentile is never short of the latency that it stands for, and at most a quarter beyond it', () => {
  for (const latency of LATENCIES.filter((ns) => ns >= 1024 && ns < 2 ** 40)) {
    const histogram = new Float64Array(LATENCY_BUCKETS)
    histogram[latencyBucket(latency)] = 7
    const excess = percentileNs(histogram, 0.5) / latency
    expect(excess).toBeGreaterThan(1)
    expect(excess).toBeLessThanOrEqual(1.25)
  }
})

test('S30: the share decides which request a percentile stands for; of nothing it is 0', () => {
  const histogram = new Float64Array(LATENCY_BUCKETS)
  expect(percentileNs(histogram, 0.99)).toBe(0)
  const [short, middle, long] = [10_000, 1_000_000, 100_000_000].map(latencyBucket)
  histogram[short] = 90
  histogram[middle] = 9
  histogram[long] = 1
  const expected = [[0.5, short], [0.9, short], [0.91, middle], [0.99, middle], [1, long]] as const
  for (const [share, bucket] of expected) expect(percentileNs(histogram, share)).toBe(bucketFloorNs(bucket + 1))
})
