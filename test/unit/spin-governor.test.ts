/**
 * @packageDocumentation
 * The spin governor: spins where work comes soon, sleeps where it does not, and finds its way back from both.
 */
import { SpinGovernor } from '../../src/actors/spin-governor.js'

const MAX = 50_000

/** `times` gaps of `gapNs`, each slept through if the governor does not spin that long; `wakeNs` is added then. */
function live(governor: SpinGovernor, gapNs: number, times: number, wakeNs = 60_000): { spun: number; slept: number } {
  let spun = 0
  let slept = 0
  for (let index = 0; index < times; index++) {
    if (governor.budgetNs >= gapNs) {
      spun++
      governor.noteGap(gapNs)
    } else {
      slept++
      governor.noteSleep()
      governor.noteGap(gapNs + wakeNs)
    }
  }
  return { spun, slept }
}

test('it spins while work comes soon, and not when it does not', () => {
  const governor = new SpinGovernor(MAX)
  expect(live(governor, 5000, 100).slept).toBe(0)
  live(governor, 300_000, 100)
  expect(live(governor, 300_000, 1000).spun).toBe(0)
  expect(governor.budgetNs === 0 || governor.budgetNs === MAX).toBe(true)
})

test('having slept is no reason to sleep again, however slow wake-ups are', () => {
  for (const wakeNs of [30_000, 60_000, 400_000]) {
    const governor = new SpinGovernor(MAX)
    live(governor, 1_000_000, 50, wakeNs)
    expect(governor.budgetNs).toBeLessThanOrEqual(MAX)
    live(governor, 3000, 600, wakeNs)
    expect(live(governor, 3000, 100, wakeNs).slept).toBe(0)
  }
})

test('probes in vain become rare', () => {
  const governor = new SpinGovernor(MAX)
  live(governor, 1_000_000, 5000)
  let probes = 0
  for (let index = 0; index < 5000; index++) {
    if (governor.budgetNs > 0) probes++
    governor.noteSleep()
    governor.noteGap(1_000_000)
  }
  expect(probes).toBeGreaterThan(0)
  expect(probes).toBeLessThan(20)
})

test('with a limit of zero it never spins', () => {
  const governor = new SpinGovernor(0)
  expect(live(governor, 1, 100).spun).toBe(0)
})

test('where wake-ups are dear it spins longer, but never longer than it may', () => {
  const dear = 400_000
  expect(live(new SpinGovernor(1_000_000, dear), 300_000, 100).slept).toBe(0)
  expect(new SpinGovernor(100_000, dear).budgetNs).toBe(100_000)
  expect(new SpinGovernor(1_000_000, 30_000).budgetNs).toBe(50_000)
  expect(new SpinGovernor(0, dear).budgetNs).toBe(0)
})
