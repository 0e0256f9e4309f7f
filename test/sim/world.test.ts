/**
 * The simulated world with an honest front end: whatever the seed, the front end has nothing to complain of, no law is
 * broken, everything is answered.
 */
import { runWorld } from '../../src/sim/run-world.js'

describe.each(['x86_64', 'x86_32'] as const)('an honest front end over the %s ABI', (abi) => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i', (seed) => {
    const report = runWorld({ seed, steps: 2000, abi })
    expect(report.complaints).toEqual([])
    expect(report.violations).toEqual([])
    expect(report.drained).toBe(true)
    expect(report.answered).toBeGreaterThan(500)
  })
})
