/** A Worker's warm-up: the real code over a ring of its own, bounded, and nothing of it left. */
import { WarmUp } from '../../src/cli/run/warm-up.js'
import { compiledSteppers } from '../../src/core/steppers.js'
import { crcOfWords } from '../../src/io/native/clock.js'
import { owned } from '../../src/io/native/owners.js'

const origin = { program: 'test', boot: 'none', pid: 1, wallMs: 0, monotonicNs: 0 }

/** A clock that goes on by itself, so that a slice ends after so many looks and not after so much time. */
function warmUp(): WarmUp {
  let now = 0
  return new WarmUp({ nowNs: () => (now += 10_000), crcOfWords, steppers: () => compiledSteppers, origin })
}

test('it ends by itself after a bounded number of slices, and gives everything back', () => {
  const before = owned()
  const warm = warmUp()
  let slices = 1
  while (warm.slice()) slices++
  expect(slices).toBeGreaterThan(10)
  expect(slices).toBeLessThan(2000)
  expect(warm.slice()).toBe(false)
  warm.close()
  expect(owned()).toEqual(before)
})

test('it can be ended in its midst', () => {
  const before = owned()
  const warm = warmUp()
  expect(warm.slice()).toBe(true)
  warm.close()
  expect(owned()).toEqual(before)
})
