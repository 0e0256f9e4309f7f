/**
 * @packageDocumentation
 * What Prometheus is told, made anew at every scrape from what the daemon says of itself anyway (`list`, `statistics`):
 * nothing is counted for it, so a scrape costs the data path nothing, and a device that is detached is simply not there
 * any more.
 *
 * Cardinality is bounded: labels are devices, and words from fixed lists (operations, results, reasons, states of the
 * device's chart). Counters begin at zero with the process, as counters of Prometheus may.
 *
 * Durations come from the queue's own histogram (core/statistics.ts), whose buckets are finer: every bound here is a
 * bound there, so that nothing is interpolated. Only the sum is: each request counts with the middle of its bucket.
 */
import { bucketFloorNs, LATENCY_BUCKETS } from '../core/statistics.js'
import { notesOf } from '../machines/notes.js'
import type { DeviceListing, DeviceStatistics } from '../ports/daemon-api.js'
import { REASONS } from '../protocol/validate.js'
import { histogramSamples, type Family, type Labels, type Sample } from './exposition.js'

/** What a scrape looks at. */
export interface Measured {
  readonly version: string
  /** Seconds since 1970. */
  readonly startedAt: number
  readonly devices: readonly DeviceListing[]
  readonly statistics: readonly DeviceStatistics[]
  /** Seconds that a device has spent draining, by its name. */
  readonly drainingSeconds: (name: string) => number
  readonly journal: JournalUse
}

/** The pool of journal segments. */
export interface JournalUse {
  readonly poolBytes: number
  /** In segments that a living writer, or one to be gone on from, has. */
  readonly heldBytes: number
  /** Segments begun since the pool was made. */
  readonly segmentsBegun: number
}

/** What is known of one device. */
interface Device {
  readonly labels: Labels
  readonly listing: DeviceListing
  readonly counter: (name: string) => number
  readonly histogram: (name: string) => readonly number[]
}

type Values = Readonly<Record<string, number>>

/** 8 µs to 17 s, an octave each, by their first bucket in the queue's histogram. */
const FIRST_BOUND = 16
const LAST_BOUND = 100
const PER_OCTAVE = 4
const OCTAVES = (LAST_BOUND - FIRST_BOUND) / PER_OCTAVE
const BOUNDS = Array.from({ length: OCTAVES + 1 }, (_, octave) => FIRST_BOUND + octave * PER_OCTAVE)
const BOUND_SECONDS = BOUNDS.map((bucket) => bucketFloorNs(bucket) / 1e9)
const MIDDLE_SECONDS = Array.from(
  { length: LATENCY_BUCKETS }, (_, bucket) => (bucketFloorNs(bucket) + bucketFloorNs(bucket + 1)) / 2e9,
)

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
const NS = 1e-9

function deviceOf(listing: DeviceListing, statistics: readonly DeviceStatistics[]): Device {
  const own = statistics.find(({ name }) => name === listing.name)
  return {
    labels: { device: listing.name },
    listing,
    counter: (name) => own?.counters[name] ?? 0,
    histogram: (name) => own?.histograms[name] ?? [],
  }
}

/** One sample for each value, with one label more. */
function split(device: Device, label: string, values: Values): Sample[] {
  return Object.entries(values).map(([word, value]) => ({ labels: { ...device.labels, [label]: word }, value }))
}

const REQUESTS = { read: 'reads', write: 'writes', flush: 'flushes', barrier: 'barriers', discard: 'discards' }
const RESULTS = {
  okay: 'answeredOkay', error: 'answeredError', unsupported: 'answeredUnsupported', abandoned: 'abandoned',
}
const BYTES = { read: 'readBytes', written: 'writtenBytes', discarded: 'discardedBytes' }
const DURATIONS = { read: 'readLatency', write: 'writeLatency', other: 'otherLatency' }

const named = (names: Readonly<Record<string, string>>) => ({ counter }: Device): Values =>
  Object.fromEntries(Object.entries(names).map(([word, name]) => [word, counter(name)]))

function durations(device: Device): Sample[] {
  return Object.entries(DURATIONS).flatMap(([operation, name]) => {
    const counts = device.histogram(name)
    const between = BOUNDS.map((bound, index) => sum(counts.slice(index === 0 ? 0 : BOUNDS[index - 1], bound)))
    const seconds = sum(counts.map((count, bucket) => count * MIDDLE_SECONDS[bucket]))
    return histogramSamples({ ...device.labels, operation }, BOUND_SECONDS, between, sum(counts), seconds)
  })
}

function guestErrors(device: Device): Values {
  const rejected = device.histogram('rejectedByReason')
  const reasons = REASONS.slice(1).map(({ name }, index) => [name, rejected[index + 1] ?? 0] as const)
  return { ...Object.fromEntries(reasons), 'grant.failed': device.counter('grantErrors') }
}

const STATES = [...notesOf('device').keys()].filter((path) => !path.includes('.'))

function states({ listing }: Device): Values {
  const leaves = listing.state.split(' ')
  return Object.fromEntries(STATES.map((state) => [state, leaves.some((leaf) => leaf.split('.')[0] === state) ? 1 : 0]))
}

const ringEntries = ({ listing }: Device) => listing.connection?.ringEntries ?? 0
const ringUse = (device: Device) => device.counter('inFlight') / Math.max(1, ringEntries(device))

type Make = (device: Device) => Sample[]
const one = (value: (device: Device) => number): Make => (device) => [{ labels: device.labels, value: value(device) }]
const by = (label: string, values: (device: Device) => Values): Make => (device) => split(device, label, values(device))
const counted = (name: string, unit = 1) => one(({ counter }) => counter(name) * unit)
const flag = (holds: (listing: DeviceListing) => boolean) => one(({ listing }) => (holds(listing) ? 1 : 0))

/** A family that has samples of every device. */
interface Kind {
  readonly type: Family['type']
  readonly help: string
  readonly make: Make
}

const counter = (help: string, make: Make): Kind => ({ type: 'counter', help, make })
const gauge = (help: string, make: Make): Kind => ({ type: 'gauge', help, make })

const isShort = ({ connection }: DeviceListing) => connection?.queues.some(({ shortage }) => shortage) ?? false
const isThrottled = ({ connection }: DeviceListing) => connection?.queues.some(({ throttled }) => throttled) ?? false
const infoOf: Make = ({ labels, listing: { domid, vdev, mode, target } }) => {
  return [{ labels: { ...labels, domid: `${domid}`, vdev, mode, target }, value: 1 }]
}

const REQUEST_KINDS: Readonly<Record<string, Kind>> = {
  xbbd_requests_total: counter('Requests taken from the ring, by operation.', by('operation', named(REQUESTS))),
  xbbd_answers_total: counter(
    'Requests that ended, by result; abandoned ones without an answer.', by('result', named(RESULTS)),
  ),
  xbbd_transferred_bytes_total: counter(
    'Bytes of requests, by what was done with them.', by('direction', named(BYTES)),
  ),
  xbbd_request_duration_seconds: {
    type: 'histogram',
    help: 'From the ring to the answer; the sum counts each request as the middle of a bucket of at most 25 %.',
    make: durations,
  },
  xbbd_requests_in_flight: gauge('Requests taken and not answered.', counted('inFlight')),
  xbbd_ring_entries: gauge('Size of the ring that stands, 0 without one.', one(ringEntries)),
  xbbd_ring_use_ratio: gauge('Part of the ring that is in flight, 0 to 1.', one(ringUse)),
  xbbd_requests_waiting_for_space: gauge('Requests that wait for space on a full medium.', counted('spaceWanted')),
  xbbd_requests_waiting_for_rate_limit: gauge(
    'Requests taken that wait for the rate limit of the device.', counted('tokensWanted'),
  ),
  xbbd_throttled: gauge('1 while the device is at its rate limit.', flag(isThrottled)),
  xbbd_throttled_seconds_total: counter(
    'Time at the rate limit, of each time that has ended.', counted('throttledNs', NS),
  ),
  xbbd_limit_operations_per_second: gauge(
    'Rate limit of requests, 0 without one.', one(({ listing }) => listing.limit.iops ?? 0),
  ),
  xbbd_limit_bytes_per_second: gauge(
    'Rate limit of bytes, 0 without one.', one(({ listing }) => listing.limit.bps ?? 0),
  ),
  xbbd_guest_errors_total: counter(
    'Requests that were refused, or whose pages could not be reached, by reason.', by('reason', guestErrors),
  ),
  xbbd_medium_operations_total: counter(
    'Operations asked of a file or device, fewer than requests where neighbours are one.', counted('operations'),
  ),
  xbbd_medium_errors_total: counter('I/Os that the medium failed.', counted('mediumErrors')),
  xbbd_shortages_total: counter('How often nothing more was taken for want of something.', counted('shortages')),
  xbbd_shortage_seconds_total: counter('Time in shortages that have ended.', counted('shortageNs', NS)),
  xbbd_shortage: gauge('1 while a queue of the device is short of something.', flag(isShort)),
}

const DEVICE_KINDS: Readonly<Record<string, Kind>> = {
  xbbd_device_state: gauge('1 for the state that the device is in, 0 for all others.', by('state', states)),
  xbbd_device_size_bytes: gauge(
    'Capacity of the medium, 0 until it is open.', one(({ listing }) => (listing.sectorCount ?? 0) * 512),
  ),
  xbbd_device_connections_total: counter(
    'How often a front end reached Connected.', one(({ listing }) => listing.connections),
  ),
  xbbd_device_restarts_total: counter(
    'How often the device was started again after a crash.', one(({ listing }) => listing.restarts),
  ),
  xbbd_device_given_up: gauge('1 when it crashed too often and stays down.', flag(({ gaveUp }) => gaveUp)),
  xbbd_device_info: gauge('What the device is; always 1.', infoOf),
}

function daemonFamilies({ version, startedAt, devices, journal }: Measured): Family[] {
  const said = (type: Family['type'], name: string, help: string, value: number, labels: Labels = {}): Family => {
    return { name, type, help, samples: [{ labels, value }] }
  }
  return [
    said('gauge', 'xbbd_build_info', 'The version that runs; always 1.', 1, { version }),
    said('gauge', 'xbbd_start_time_seconds', 'When the daemon started, in seconds since 1970.', startedAt),
    said('gauge', 'xbbd_devices', 'Devices that are listed.', devices.length),
    said('gauge', 'xbbd_journal_pool_bytes', 'Memory of all journals together.', journal.poolBytes),
    said('gauge', 'xbbd_journal_bytes', 'Memory of journals that somebody writes, or goes on from.', journal.heldBytes),
    said('counter', 'xbbd_journal_segments_total', 'Segments begun: how fast they turn over.', journal.segmentsBegun),
  ]
}

/** Everything that is told, in a fixed order. */
export function metrics(measured: Measured): Family[] {
  const devices = measured.devices.map((listing) => deviceOf(listing, measured.statistics))
  const draining = one(({ listing }) => measured.drainingSeconds(listing.name))
  const kinds = {
    ...REQUEST_KINDS,
    xbbd_draining_seconds_total: counter('Time in which the device was being brought to rest.', draining),
    ...DEVICE_KINDS,
  }
  const families = Object.entries(kinds).map(([name, { type, help, make }]): Family => {
    return { name, type, help, samples: devices.flatMap(make) }
  })
  return [...daemonFamilies(measured), ...families]
}
