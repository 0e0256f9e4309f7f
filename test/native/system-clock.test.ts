import { systemClock } from '../../src/io/native/system-clock.js'

test('a timer fires not before its time on the monotonic clock, and not at all once cancelled', async () => {
  const began = systemClock.nowNs()
  let cancelled = false
  const cancel = systemClock.after(1, () => (cancelled = true))
  cancel()
  await new Promise<void>((resolve) => systemClock.after(20, resolve))
  // Node rounds timers to its own millisecond tick
  expect(systemClock.nowNs() - began).toBeGreaterThanOrEqual(19e6)
  expect(cancelled).toBe(false)
  expect(Math.abs(systemClock.wallMs() - Date.now())).toBeLessThan(60_000)
})
