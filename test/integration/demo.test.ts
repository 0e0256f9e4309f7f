/**
 * The demo is the main job, shown: it must end with 0 when all is well, and find every fault that it plants itself.
 */
import { xbbd } from '../support/xbbd-process.js'

const QUICK = ['demo', '--seconds', '0.3']

test('the demo runs from image to replay and everything agrees', async () => {
  const { status, stdout, stderr } = await xbbd(...QUICK)
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout).toContain('every byte is what the guest sees')
  expect(stdout).toMatch(/replay of vbd\/1\/51712\/q0: .*: agrees/)
  expect(stdout).toMatch(/replay of vbd\/1\/51712: .* events: agrees/)
  expect(stdout).toContain('every byte and every transition agreed')
}, 60_000)

test.each([
  ['read', /the guest found a fault at depth \d+: sector \d+ was written as version|the image differs/],
  ['answer', /the guest found a fault at depth 1: .* failed: EIO/],
  ['journal', /the replay of vbd\/1\/51712\/q0 found: .*checksum/],
])('the demo finds a fault planted in: %s', async (what, sentence) => {
  const { status, stderr } = await xbbd(...QUICK, '--break', what)
  expect(status).toBe(1)
  expect(stderr).toMatch(sentence)
}, 60_000)
