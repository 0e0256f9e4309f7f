/** What Prometheus is told: every family, exact buckets, nothing of a device that is gone, and the judge's own verdict. */
import { spawnSync } from 'node:child_process'
import { bucketFloorNs, latencyBucket, LATENCY_BUCKETS } from '../../src/core/statistics.js'
import { DrainClock } from '../../src/observe/drain-clock.js'
import { exposition, histogramSamples } from '../../src/observe/exposition.js'
import { metrics, type Measured } from '../../src/observe/metrics.js'
import type { DeviceListing, DeviceStatistics } from '../../src/ports/daemon-api.js'
import { REASONS } from '../../src/protocol/validate.js'
import { testWith } from '../support/clients.js'

function listing(name: string, more: Partial<DeviceListing> = {}): DeviceListing {
  const [, domid, devid] = name.split('/')
  return {
    domid: Number(domid), devid: Number(devid), vdev: 'xvda', name, path: '',
    state: 'Connected.intake.Running Connected.medium.Present', backendState: 'Connected', frontendState: 'Connected',
    online: true, target: '/srv/a "b"\\c\n.img', mode: 'w', sectorCount: 2048, sectorSize: 512, error: undefined, notes: [],
    connection: {
      abi: 'x86_64', ringPages: 1, ringEntries: 32,
      queues: [{
        name: `${name}/q0`, evtchn: 9, ringRefs: [8], busy: true, shortage: true, broken: false, mediumGone: false, mediumFull: false, throttled: true,
      }],
    },
    limit: { iops: 1000 },
    restarts: 2, gaveUp: false, connections: 3, ...more,
  }
}

const latencies = [5e3, 1e6, 1.5e6, 3e9, 100e9]
function statistics(name: string): DeviceStatistics {
  const readLatency = new Array<number>(LATENCY_BUCKETS).fill(0)
  for (const ns of latencies) readLatency[latencyBucket(ns)]++
  const rejectedByReason = [0, 0, 0, 4]
  return {
    name, domid: 1, vdev: 'xvda',
    counters: { reads: 5, inFlight: 8, shortageNs: 2.5e9, grantErrors: 1, readBytes: 4096, answeredOkay: 4 },
    histograms: { readLatency, rejectedByReason },
  }
}

function measured(names: readonly string[]): Measured {
  return {
    version: '1', startedAt: 1, devices: names.map((name) => listing(name)), statistics: names.map(statistics),
    drainingSeconds: () => 1.25, journal: { poolBytes: 100, heldBytes: 50, segmentsBegun: 3 },
  }
}

/** `name{labels}` → value. */
function samples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

test('says what was counted, under stable names', () => {
  const all = samples(exposition(metrics(measured(['vbd/1/51712']))))
  const d = 'device="vbd/1/51712"'
  expect(Object.fromEntries(all)).toMatchObject({
    [`xbbd_requests_total{${d},operation="read"}`]: 5,
    [`xbbd_requests_total{${d},operation="discard"}`]: 0,
    [`xbbd_answers_total{${d},result="okay"}`]: 4,
    [`xbbd_transferred_bytes_total{${d},direction="read"}`]: 4096,
    [`xbbd_requests_in_flight{${d}}`]: 8,
    [`xbbd_ring_use_ratio{${d}}`]: 0.25,
    [`xbbd_shortage_seconds_total{${d}}`]: 2.5,
    [`xbbd_shortage{${d}}`]: 1,
    [`xbbd_draining_seconds_total{${d}}`]: 1.25,
    [`xbbd_guest_errors_total{${d},reason="disk.readOnly"}`]: 4,
    [`xbbd_guest_errors_total{${d},reason="grant.failed"}`]: 1,
    [`xbbd_device_state{${d},state="Connected"}`]: 1,
    [`xbbd_device_state{${d},state="Failed"}`]: 0,
    [`xbbd_device_restarts_total{${d}}`]: 2,
    xbbd_journal_bytes: 50,
  })
  expect(all.get(`xbbd_device_info{${d},domid="1",vdev="xvda",mode="w",target="/srv/a \\"b\\"\\\\c\\n.img"}`)).toBe(1)
})

test('the histogram is cumulative, and its bounds are bounds of the finer one: a bucket has exactly what is below', () => {
  const all = samples(exposition(metrics(measured(['vbd/1/51712']))))
  const buckets = [...all].flatMap(([name, value]) => {
    const bound = /_bucket\{.*operation="read",le="([^"]+)"/.exec(name)?.[1]
    return bound === undefined ? [] : [{ bound: bound === '+Inf' ? Infinity : Number(bound), value }]
  })
  const floors = Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => bucketFloorNs(bucket) / 1e9)
  expect(buckets.length).toBeGreaterThan(20)
  for (const { bound, value } of buckets) {
    expect(value).toBe(latencies.filter((ns) => ns / 1e9 < bound).length)
    if (bound !== Infinity) expect(floors).toContain(bound)
  }
  const total = latencies.reduce((sum, ns) => sum + ns, 0) / 1e9
  const sum = all.get('xbbd_request_duration_seconds_sum{device="vbd/1/51712",operation="read"}') ?? 0
  expect(Math.abs(sum - total) / total).toBeLessThan(0.125)
  expect(histogramSamples({}, [1, 2], [3, 4], 9, 1).map(({ value }) => value)).toEqual([3, 7, 9, 1, 9])
})

test('labels are bounded: a device has the same series whatever its guest does, and none when it is detached', () => {
  const two = [...samples(exposition(metrics(measured(['vbd/1/51712', 'vbd/2/51712'])))).keys()]
  const one = [...samples(exposition(metrics(measured(['vbd/1/51712'])))).keys()]
  const ofSecond = two.filter((name) => name.includes('vbd/2/'))
  expect(two.filter((name) => !ofSecond.includes(name))).toEqual(one)
  expect(ofSecond.length).toBeLessThan(200)
  expect(ofSecond.filter((name) => name.includes('reason=')).length).toBe(REASONS.length)
})

test('draining is counted while it lasts, and forgotten with its device', () => {
  let now = 0
  const clock = new DrainClock(() => now * 1e9)
  const at = (second: number, ...states: string[]) => {
    now = second
    clock.look(states.map((state, index) => listing(`vbd/${index}/1`, { state })))
  }
  at(0, 'Connected.intake.Running', 'Closing.draining')
  at(5, 'Parking.draining', 'Closing.draining')
  now = 7
  expect([clock.seconds('vbd/0/1'), clock.seconds('vbd/1/1')]).toEqual([2, 7])
  at(8, 'Parking.detachingQueue', 'Closing.unmappingRing')
  at(20, 'Parking.draining')
  at(21, 'Parked')
  expect([clock.seconds('vbd/0/1'), clock.seconds('vbd/1/1')]).toEqual([4, 0])
})

testWith(['promtool'], 'Prometheus’ own tool has nothing to say against it', () => {
  const input = exposition(metrics(measured(['vbd/1/51712', 'vbd/2/51728'])))
  const judged = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
  expect(judged).toMatchObject({ status: 0, stdout: '', stderr: '' })
  const wrong = spawnSync('promtool', ['check', 'metrics'], { input: input.replace('# HELP xbbd_devices', '# HELP x'), encoding: 'utf8' })
  expect(wrong.status).not.toBe(0)
  return Promise.resolve()
})
