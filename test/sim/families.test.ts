/**
 * Families of scenarios and the campaign over them: the same seed is the same run, on whatever thread; a law that was
 * broken is named with the command that breaks it again.
 */
import { runCampaign } from '../../src/cli/simulate/campaign.js'
import { campaignText, failureText } from '../../src/cli/simulate/report.js'
import { FAMILIES } from '../../src/sim/families.js'
import { play, playSeed } from '../../src/sim/family.js'
import type { Family } from '../../src/sim/family.js'

describe.each(FAMILIES.map(({ name }) => name))('family %s', (name) => {
  const family = FAMILIES.find((one) => one.name === name)!

  test('a seed is a run: its digest is the same twice, another seed has another, and no law is broken', async () => {
    const digests = new Set<string>()
    for (const seed of [1, 3]) {
      const [first, again] = [await playSeed(family, seed), await playSeed(family, seed)]
      expect(first.violations).toEqual([])
      expect(first).toEqual(again)
      expect(first.digest).toMatch(/^[0-9a-f]{16}$/)
      expect(first.counts.answers).toBeGreaterThan(0)
      digests.add(first.digest)
    }
    expect(digests.size).toBe(2)
  })

  test('a plan is plain data: what JSON holds of it is the same run', async () => {
    const plan = family.draw(3)
    const kept = JSON.parse(JSON.stringify(plan)) as typeof plan
    expect(await play(family, kept)).toEqual(await play(family, plan))
  })
})

test('a campaign has the same sums on one thread and on two', async () => {
  const campaign = { families: FAMILIES.map(({ name, every = 1 }) => ({ name, every })), from: 10, seeds: 4 }
  const [alone, together] = [await runCampaign({ ...campaign, jobs: 1 }), await runCampaign({ ...campaign, jobs: 2 })]
  const said = ({ sums }: typeof alone) => sums.map(({ elapsedMs: _, ...sum }) => sum)
  expect(said(together)).toEqual(said(alone))
  expect(alone.sums.map(({ runs, failed }) => [runs, failed])).toEqual(FAMILIES.map(({ every = 1 }) => [4 / every, 0]))
  expect(campaignText(alone)).toMatch(/^FAMILY +RUNS +FAILED/)
})

test('what a family throws is a violation, and a failure names the command that repeats it', async () => {
  const family: Family = {
    name: 'broken', description: '', draw: (seed) => ({ seed }),
    play: () => {
      throw new Error('it fell over')
    },
  }
  const outcome = await playSeed(family, 77)
  expect(outcome.violations).toEqual([{ law: 'no-exception', sentence: 'it fell over', step: -1 }])
  expect(failureText(outcome)).toBe(
    'FAILED: xbbd simulate --seed 77 --family broken\n  step -1: no-exception: it fell over\n',
  )
})
