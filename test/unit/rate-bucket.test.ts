/**
 * A rate limit that several queues share, each asking when it happens to be awake; and what a toolstack may write.
 */
import { RateBucket, shareRateLimit } from '../../src/actors/rate-bucket.js'
import { judgeRateLimit } from '../../src/protocol/rate-limit.js'

const MS = 1e6

describe('a shared bucket', () => {
  test('gives its burst at once, and then one at a time', () => {
    const bucket = new RateBucket(shareRateLimit({ iops: 1000, iopsBurst: 4 }))
    const due = Array.from({ length: 6 }, () => (bucket.take(1, 0, 100 * MS, 0) - 100 * MS) / MS)
    expect(due).toEqual([-3, -2, -1, 0, 1, 2])
  })

  test('is fair to whoever asks rarely: a place is had by asking, and nobody gets another’s', () => {
    const shared = shareRateLimit({ iops: 1000, iopsBurst: 1 })
    const queues = [1, 7].map((everyMs) => ({ everyMs, bucket: new RateBucket(shared), dueNs: 0, served: 0 }))
    for (let ms = 1; ms <= 7000; ms++)
      for (const queue of queues) {
        if (ms % queue.everyMs !== 0 || ms * MS < queue.dueNs) continue
        queue.served++
        queue.dueNs = queue.bucket.take(1, 0, ms * MS, ms * MS - queue.dueNs)
      }
    const [often, rarely] = queues.map(({ served }) => served)
    expect(often).toBeGreaterThan(3000)
    expect(rarely).toBeGreaterThanOrEqual(7000 / 7 - 2)
    expect(often + rarely).toBeLessThanOrEqual(7010)
  })

  test('loses nothing to whoever wakes up late, and keeps nothing for whoever was away', () => {
    const bucket = new RateBucket(shareRateLimit({ iops: 1000, iopsBurst: 1 }))
    let [nowNs, dueNs, served] = [1000 * MS, 1000 * MS, 0]
    while (nowNs < 2000 * MS) {
      dueNs = bucket.take(1, 0, nowNs, nowNs - dueNs)
      served++
      if (dueNs > nowNs) nowNs = dueNs + 0.7 * MS
    }
    expect(served).toBeGreaterThanOrEqual(998)
    expect(bucket.operations(9000 * MS, 9000 * MS, 0)).toBe(1)
  })

  test('counts requests and bytes, and the later of both is when it may go', () => {
    const bucket = new RateBucket(shareRateLimit({ iops: 10, iopsBurst: 10, bps: 1000, bpsBurst: 1000 }))
    expect(bucket.take(1, 500, 5e9, 0)).toBeLessThanOrEqual(5e9)
    expect(bucket.take(1, 1000, 5e9, 0)).toBe(5.5e9)
    expect(bucket.take(9, 0, 5e9, 0)).toBe(5.1e9)
  })
})

describe('what a toolstack wrote', () => {
  test('is the limit; a node of nonsense is said and is none', () => {
    expect(judgeRateLimit({ 'limit-iops': '1000', 'limit-bps': '4096', 'limit-bps-burst': '8192' })).toEqual({
      limit: { iops: 1000, bps: 4096, bpsBurst: 8192 }, problems: [],
    })
    const { limit, problems } = judgeRateLimit({ 'limit-iops': '-1', 'limit-bps': '10M' })
    expect(limit).toEqual({})
    expect(problems).toEqual([expect.stringMatching(/^limit-iops .*"-1"/), expect.stringMatching(/^limit-bps .*"10M"/)])
  })

  test('goes before the settings, figure by figure; zero is no limit, and a burst of nothing is none', () => {
    const defaults = { iops: 500, iopsBurst: 50, bps: 1000 }
    expect(judgeRateLimit({}, defaults).limit).toEqual(defaults)
    expect(judgeRateLimit({ 'limit-iops': '0' }, defaults).limit).toEqual({ bps: 1000 })
    expect(judgeRateLimit({ 'limit-iops': '2000' }, defaults).limit).toEqual({ iops: 2000, bps: 1000 })
    expect(judgeRateLimit({ 'limit-iops-burst': '9' }, defaults).limit).toEqual({ iops: 500, iopsBurst: 9, bps: 1000 })
    expect(judgeRateLimit({ 'limit-iops-burst': '9' }).limit).toEqual({})
  })
})
