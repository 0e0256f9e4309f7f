/**
 * @packageDocumentation
 * A queue's counters: one Float64Array (shared memory when the queue runs in a Worker), written by the core, read by
 * anyone at any time. Doubles count exactly to 2^53. A replay derives the same numbers from the journal, latencies
 * included, because batches carry their time.
 *
 *   [ scalars ][ rejected by reason: 32 ][ read latency: 128 ][ write latency: 128 ][ other latency: 128 ]
 *
 * Latency buckets: four equal ones to the octave of quanta of 256 ns; bucket b covers [bucketFloorNs(b),
 * bucketFloorNs(b + 1)). A percentile is the end of its bucket: never short of the truth, at most 25 % beyond it.
 */
export const COUNTERS = [
  'reads', 'writes', 'flushes', 'barriers', 'discards', 'readBytes', 'writtenBytes', 'discardedBytes',
  'answeredOkay', 'answeredError', 'answeredUnsupported', 'abandoned', 'mediumErrors', 'grantErrors', 'shortTransfers',
  'shortages', 'shortageNs', 'oldestWaitNs', 'batches', 'notifications', 'wakeUps', 'inFlight', 'inFlightMax', 'taken',
  'copyCalls', 'submitCalls', 'stalls', 'spaceWanted', 'indirects',
  'throttles', 'throttledNs', 'tokensWanted', 'operations',
] as const
export type CounterName = (typeof COUNTERS)[number]

/** Index of each counter. */
export const COUNTER = Object.fromEntries(COUNTERS.map((name, index) => [name, index])) as {
  readonly [Name in CounterName]: number
}

export const REASON_COUNT = 32
export const LATENCY_BUCKETS = 128
export const REASONS_AT = COUNTERS.length
export const READ_LATENCY_AT = REASONS_AT + REASON_COUNT
export const WRITE_LATENCY_AT = READ_LATENCY_AT + LATENCY_BUCKETS
export const OTHER_LATENCY_AT = WRITE_LATENCY_AT + LATENCY_BUCKETS
export const STATISTICS_LENGTH = OTHER_LATENCY_AT + LATENCY_BUCKETS

const QUANTUM_NS = 256
const LATENCY_LIMIT_NS = QUANTUM_NS * 4294967296

/** The bucket of a latency in nanoseconds. */
export function latencyBucket(ns: number): number {
  // Beyond 18 minutes the quanta leave 32 bits: all that is longer is in the last bucket of those.
  const quanta = ns < LATENCY_LIMIT_NS ? (ns / QUANTUM_NS) >>> 0 : 0xffffffff
  if (quanta < 4) return quanta
  const octave = 31 - Math.clz32(quanta)
  const bucket = (octave - 1) * 4 + ((quanta >>> (octave - 2)) & 3)
  return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1
}

/** The least latency, in nanoseconds, that falls into bucket `bucket`. */
export function bucketFloorNs(bucket: number): number {
  if (bucket < 4) return bucket * QUANTUM_NS
  const octave = (bucket >>> 2) + 1
  return (4 + (bucket & 3)) * 2 ** (octave - 2) * QUANTUM_NS
}

/**
 * The latency below which `share` (0..1) of the requests of `histogram` lie, rounded up to the end of its bucket.
 * @returns nanoseconds; 0 when there are none.
 */
export function percentileNs(histogram: ArrayLike<number>, share: number): number {
  let total = 0
  for (let bucket = 0; bucket < histogram.length; bucket++) total += histogram[bucket]
  let left = Math.ceil(total * share)
  if (left === 0) return 0
  let bucket = 0
  while (left > histogram[bucket]) left -= histogram[bucket++]
  return bucketFloorNs(bucket + 1)
}
