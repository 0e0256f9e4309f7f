/**
 * Fifty deaths of the daemon: at random moments and at every named kill point of the data path, under a front end in a
 * process of its own that verifies every block it wrote. Many more rounds: `npm run soak:kill`.
 */
import { KILL_POINTS } from '../../src/actors/kill-points.js'
import { killAgainAndAgain } from '../support/kill-rig.js'

test('S31: 50 deaths, at random and at every kill point: no error, no mismatch, nothing answered twice or never', async () => {
  const report = await killAgainAndAgain({ rounds: 50, seed: 7 })
  expect(report.result).toMatchObject({ errors: 0, violations: 0, events: [] })
  expect(report.result['finding']).toBeUndefined()
  expect(report.result['answers']).toBe(report.result['requests'])
  expect(report.status).toBe(0)
  const places = Object.keys(report.deaths).filter((place) => place !== 'random')
  expect(new Set(places)).toEqual(new Set(KILL_POINTS))
}, 300_000)
