/**
 * The simulator finds what it is for: each of some fifty faults, planted in core, charts, journal, recovery and shell,
 * within 200 seeds, by plans that nobody chose for it. The seeds are printed.
 */
import { hostileFamily, queueFamily } from '../../src/sim/queue/family.js'
import { play } from '../../src/sim/family.js'
import { QueueRun } from '../../src/sim/queue/player.js'
import { SLIPS } from '../support/planted-slips.js'
import type { Slip } from '../support/planted-slips.js'

const SEEDS = 200
const found: string[] = []

/** The first seed that shows it, and the law that was broken there. */
async function firstSeed({ family: name = 'queue', fault }: Slip): Promise<{ seed: number; law: string } | undefined> {
  const family = name === 'queue' ? queueFamily : hostileFamily
  const broken = { ...family, play: (plan: ReturnType<typeof family.draw>) => new QueueRun(plan, {}, fault).run(name) }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violations } = await play(broken, family.draw(seed))
    if (violations.length > 0) return { seed, law: violations[0].law }
  }
  return undefined
}

test.each(SLIPS)('$area: $title', async (slip) => {
  const first = await firstSeed(slip)
  found.push(`${String(first?.seed ?? 'none').padStart(4)}  ${slip.area.padEnd(8)}  ${slip.title} (${first?.law})`)
  expect(first?.seed).toBeLessThanOrEqual(SEEDS)
})

test('there are faults enough in each part', () => {
  for (const area of ['core', 'charts', 'journal', 'recovery'] as const)
    expect(SLIPS.filter((slip) => slip.area === area).length).toBeGreaterThanOrEqual(5)
  expect(SLIPS.length).toBeGreaterThanOrEqual(40)
})

afterAll(() => void process.stderr.write(`seed  part      fault (law broken first)\n${found.join('\n')}\n`))
