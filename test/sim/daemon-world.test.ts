/**
 * The whole daemon in simulated time: guests, a toolstack and deaths of the process at any effect. No violation for
 * any seed, the same seed is the same run, and every planted fault is seen.
 */
import { DaemonWorld } from '../../src/sim/daemon/daemon-world.js'
import { drawPlan, type DaemonPlan } from '../../src/sim/daemon/plan.js'
import type { ProcessSeams } from '../../src/sim/daemon/process.js'
import { DAEMON_FAULTS, type DaemonFault } from '../support/daemon-faults.js'

const SEEDS_PER_FAULT = 200

const run = (seed: number, seams: ProcessSeams = {}, world: Partial<DaemonPlan> = {}) =>
  new DaemonWorld({ plan: { ...drawPlan(seed), ...world }, seams }).run()

test.each([1, 101, 201])('eight worlds from seed %i on: nothing is lost, nothing is held, all replays', async (first) => {
  let answered = 0
  let deaths = 0
  for (let seed = first; seed < first + 8; seed++) {
    const outcome = await run(seed)
    expect({ seed, violations: outcome.violations }).toEqual({ seed, violations: [] })
    answered += outcome.counts.answers
    deaths += outcome.counts.kills
  }
  expect(answered).toBeGreaterThan(300)
  expect(deaths).toBeGreaterThan(5)
})

test('the same seed is the same run, journal by journal and node by node', async () => {
  for (const seed of [3, 5]) expect(await run(seed)).toEqual(await run(seed))
  expect((await run(3)).digest).not.toBe((await run(5)).digest)
})

/** The first seed that shows it, and how. */
async function find({ seams, plant, world, law, shows }: DaemonFault): Promise<string> {
  const undo = plant?.()
  try {
    for (let seed = 1; seed <= SEEDS_PER_FAULT; seed++) {
      const { violations } = await run(seed, seams, world)
      const seen = violations.find((broken) => law.some((one) => one === broken.law) && shows.test(broken.sentence))
      if (seen) return `seed ${seed}: ${seen.law}: ${seen.sentence}`
    }
    return ''
  } finally {
    undo?.()
  }
}

test.each(DAEMON_FAULTS)('is noticed: $title', async (fault) => {
  const found = await find(fault)
  process.stderr.write(`${fault.title}: ${found}\n`)
  expect(found).not.toBe('')
})
