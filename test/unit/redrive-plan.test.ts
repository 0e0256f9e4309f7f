/**
 * The plan of a redrive: every request once, in the order of the ring, and nothing overlaps that did not overlap.
 */
import { RECORD_ANSWERED, RECORD_TAKEN } from '../../src/core/records.js'
import { redrivePlan } from '../../src/journal/redrive-plan.js'
import { runWorld } from '../../src/sim/run-world.js'
import { chainIn, recordsOf } from '../support/journal-tools.js'

const { segments, answered } = runWorld({ seed: 41, steps: 500, segmentWords: 2048, delayMax: 20 })

test('puts each request once, in order, and awaits what was answered before it', () => {
  const takenIn = recordsOf(segments, RECORD_TAKEN).map(({ batch }) => batch)
  const answersBefore = (batch: number) =>
    recordsOf(segments, RECORD_ANSWERED)
      .filter((place) => place.batch < batch)
      .reduce((sum, { segment, at }) => sum + (segments[segment][at] >>> 16), 0)
  let put = 0
  let awaited = 0
  for (const step of redrivePlan([chainIn(segments)], (sentence) => expect(sentence).toBe(''))) {
    if (step.kind === 'await') awaited += step.answers.length
    if (step.kind !== 'put') continue
    for (const { number } of step.requests) expect(number).toBe(put++)
    expect(awaited).toBe(answersBefore(takenIn[put - 1]))
  }
  expect([put, awaited]).toEqual([answered, answered])
})

test('a recording whose beginning is gone starts with what was in flight', () => {
  const later = segments.slice(3)
  const steps = [...redrivePlan([chainIn(later)], () => undefined)]
  const first = steps[0]
  expect(first.kind).toBe('put')
  const numbers = steps.flatMap((step) => (step.kind === 'put' ? step.requests.map(({ number }) => number) : []))
  expect(numbers).toEqual(numbers.map((_, index) => index))
  expect(numbers.length).toBeGreaterThan(recordsOf(later, RECORD_TAKEN).length)
})
