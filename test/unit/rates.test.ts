/** What `xbbd top` computes and prints. */
import { latencyBucket, LATENCY_BUCKETS } from '../../src/core/statistics.js'
import { SORT_KEYS, shortState, sorted, topReport, topText } from '../../src/cli/top/view.js'
import { ratesBetween, type RateSample } from '../../src/observe/rates.js'
import type { DeviceListing } from '../../src/ports/daemon-api.js'

const device = (domid: number, more: Partial<DeviceListing> = {}): DeviceListing => ({
  domid, devid: 51712, vdev: 'xvda', name: `vbd/${domid}/51712`, path: '',
  state: 'Connected.intake.Running Connected.medium.Present', backendState: 'Connected', frontendState: 'Connected',
  online: true, target: '/a', mode: 'w', sectorCount: 8, sectorSize: 512, error: undefined, notes: [], restarts: 0,
  connection: { abi: 'x86_64', ringPages: 1, ringEntries: 32, queues: [] }, gaveUp: false, connections: 1, limit: {}, ...more,
})

function histogram(...times: number[]): number[] {
  const counts = new Array<number>(LATENCY_BUCKETS).fill(0)
  for (const ns of times) counts[latencyBucket(ns)]++
  return counts
}

function sample(second: number, ...counters: Record<string, number>[]): RateSample {
  const devices = counters.map((_, index) => device(index + 1))
  const statistics = devices.map(({ name, domid, vdev }, index) => {
    const { taken = 0 } = counters[index]
    const writeLatency = histogram(...new Array<number>(taken).fill(1e6))
    return { name, domid, vdev, counters: counters[index], histograms: { writeLatency, readLatency: [] } }
  })
  return { atNs: second * 1e9, devices, statistics }
}

test('rates are differences over the time between two samples', () => {
  const [row] = ratesBetween(
    sample(10, { taken: 100, writes: 100, writtenBytes: 409600, answeredError: 1 }),
    sample(12, { taken: 300, writes: 300, writtenBytes: 1228800, answeredError: 2, inFlight: 4, shortageNs: 1e9 }),
  )
  expect(row).toMatchObject({ inFlight: 4, ringEntries: 32, shortage: 0.5 })
  expect(row.rates).toMatchObject({ writes: 100, writtenBytes: 409600, errors: 0.5, reads: 0, readAwaitNs: undefined })
  const { writeAwaitNs = 0, queueSize = 0, p50Ns = 0, p99Ns = 0 } = row.rates ?? {}
  expect(Math.abs(writeAwaitNs - 1e6)).toBeLessThan(0.125e6)
  // Little: 100 a second, of a millisecond each.
  expect(Math.abs(queueSize - 0.1)).toBeLessThan(0.0125)
  expect(p50Ns).toBe(p99Ns)
  expect(p99Ns).toBeGreaterThanOrEqual(1e6)
})

test('a device that is new, or began anew, has no rates: never a negative one', () => {
  const before = sample(0, { taken: 100, writes: 100 })
  const after = sample(1, { taken: 3, writes: 3 }, { taken: 5 })
  expect(ratesBetween(before, after).map(({ rates }) => rates)).toEqual([undefined, undefined])
  expect(topText(ratesBetween(before, after), 'device')).not.toMatch(/NaN|undefined|Infinity|-\d/)
})

test('sorting puts the largest first, and equals by guest; every key is one', () => {
  const rows = ratesBetween(
    sample(0, {}, {}, {}), sample(1, { writes: 1 }, { writes: 5, inFlight: 9 }, { writes: 5, answeredError: 2 }),
  )
  const order = (key: (typeof SORT_KEYS)[number]) => sorted(rows, key).map(({ device: { domid } }) => domid)
  expect([order('device'), order('writes'), order('ring'), order('errors')]).toEqual([
    [1, 2, 3], [2, 3, 1], [2, 1, 3], [3, 1, 2],
  ])
  for (const key of SORT_KEYS) expect(order(key)).toHaveLength(3)
})

test('a narrow terminal has the columns that matter most', () => {
  const rows = ratesBetween(sample(0, {}), sample(1, { writes: 1 }))
  const [all, few] = [topText(rows, 'device'), topText(rows, 'device', 100)].map((text) => text.split('\n')[0].split(/ +/))
  expect(all.filter((title) => !few.includes(title))).toEqual(['VDEV', 'rareq-sz', 'wareq-sz', 'd/s', 'f/s', 'p50', 'p99.9'])
  expect(few).toEqual(all.filter((title) => few.includes(title)))
})

test('a state says only what is not as usual', () => {
  expect(shortState('Connected.intake.Running Connected.medium.Present')).toBe('Connected')
  expect(shortState('Connected.intake.Shortage Connected.medium.Present')).toBe('Connected.Shortage')
  expect(shortState('Connected.intake.Running Connected.medium.Changing.opening')).toBe('Connected.Changing.opening')
  expect(shortState('Closing.draining')).toBe('Closing.draining')
})

test('JSON has every member, null where nothing is known', () => {
  const rows = ratesBetween(sample(0, {}), sample(2, { reads: 4 }, {}))
  const report = JSON.parse(JSON.stringify(topReport(rows, 'device', 2, 'now'))) as { devices: { rates: object | null }[] }
  expect(report).toMatchObject({ at: 'now', seconds: 2, devices: [{ rates: { reads: 2, readAwaitNs: null } }, { rates: null }] })
})
