/**
 * Scenarios that once broke a law, one file each below test/sim/scenarios/: none of them does any more. And shrinking:
 * a planted fault's first seed becomes a scenario that is simpler, breaks the same law, and can be kept as a file.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import { play } from '../../src/sim/family.js'
import { queueFamily } from '../../src/sim/queue/family.js'
import { QueueRun } from '../../src/sim/queue/player.js'
import type { QueuePlan } from '../../src/sim/queue/plan.js'
import { parseScenario, scenarioText } from '../../src/sim/scenario.js'
import { shrink } from '../../src/sim/shrink.js'
import { SLIPS } from '../support/planted-slips.js'

const folder = join(packageRoot(), 'test/sim/scenarios')
const files = readdirSync(folder).filter((name) => name.endsWith('.json'))

test.each(files)('%s breaks no law any more', async (name) => {
  const { family, plan, why } = parseScenario(readFileSync(join(folder, name), 'utf8'), name)
  expect(why.length).toBeGreaterThan(20)
  expect((await play(family, plan)).violations).toEqual([])
})

test('what fails is shrunk to something simpler that fails alike, and is a file', async () => {
  const { fault } = SLIPS.find(({ title }) => title === 'nothing is held for a barrier')!
  const broken = { ...queueFamily, play: (plan: QueuePlan) => new QueueRun(plan, {}, fault).run('queue') }
  let seed = 1
  let outcome = await play(broken, broken.draw(seed))
  while (outcome.violations.length === 0) outcome = await play(broken, broken.draw(++seed))
  const first = broken.draw(seed)
  const { plan, outcome: simple, tries } = await shrink(broken, first, outcome)
  expect(simple.violations[0].law).toBe('barrier-orders')
  expect(simple.counts.entries).toBeLessThanOrEqual(outcome.counts.entries)
  expect(plan.steps).toBeLessThan(first.steps)
  expect([plan.deaths, plan.parks, plan.limit, plan.recalls]).toEqual([undefined, undefined, undefined, undefined])
  expect(tries).toBeLessThanOrEqual(400)
  const kept = parseScenario(scenarioText('queue', 'planted', plan), 'kept.json')
  expect((await play(broken, kept.plan as QueuePlan)).violations).toEqual(simple.violations)
})

test('a file that is no scenario is refused in one sentence', () => {
  expect(() => parseScenario('{', 'x.json')).toThrow(/x\.json is no scenario/)
  expect(() => parseScenario('{"family":"none"}', 'x.json')).toThrow(/no family "none"/)
  expect(() => parseScenario('{"family":"queue","plan":{}}', 'x.json')).toThrow(/no plan with a seed/)
})
