/**
 * @packageDocumentation
 * The family `queue`: one queue between a guest and a disk, its back end killed at any effect and gone on with by a
 * successor, from a plan. The laws of the data path watch at the borders, and the front end at its own end.
 */
import { QueueState } from '../../machines/generated/queue.js'
import { RunDigest } from '../digest.js'
import type { Family, Finding, Outcome, Plan } from '../family.js'
import { Random } from '../random.js'
import { World } from '../world.js'
import { Killed, Reaper } from './reaper.js'

interface QueuePlan extends Plan {
  readonly steps: number
  readonly deaths?: number
}

function play(plan: QueuePlan): Outcome {
  const random = new Random(plan.seed + 7919)
  const reaper = new Reaper()
  const seams = reaper.seams(() => world.ring)
  const world: World = new World({ seed: plan.seed, steps: plan.steps, sectors: 512, seams })
  let step = 0
  let left = plan.deaths ?? 0
  const strike = (within: number) => void (reaper.left = left-- > 0 ? random.below(within) : Infinity)
  const live = (act: () => void): void => {
    for (let again: () => void = act; ; again = () => world.recover()) {
      try {
        return again()
      } catch (error) {
        if (!(error instanceof Killed)) throw error
        strike(random.chance(0.5) ? 160 : 6)
      }
    }
  }
  strike(160)
  for (; step < plan.steps; step++) live(() => world.step(true))
  live(() => world.drain())
  const end = plan.steps + 10_000
  for (; step < end && world.core.queueState !== QueueState.Drained; step++) live(() => world.step(false))
  reaper.left = Infinity
  const drained = world.finish()
  const violations: Finding[] = world.laws.violations.map(({ law, text }) => ({ law, sentence: text, step }))
  violations.push(...world.front.complaints.map((sentence) => ({ law: 'front-end', sentence, step })))
  if (!drained) violations.push({ law: 'progress', sentence: 'the queue does not drain', step })
  const digest = new RunDigest()
  for (const words of world.segments) digest.words(words)
  digest.words(world.ring.sharedAnswers)
  const counts = { entries: world.front.answered, hostile: 0, answers: world.front.answered, kills: world.deaths }
  return { family: 'queue', seed: plan.seed, violations, digest: digest.hex(), counts }
}

export const queueFamily: Family<QueuePlan> = {
  name: 'queue',
  description: 'one queue between a guest and a disk, its back end killed at any effect and gone on with',
  draw: (seed) => ({ seed, steps: 200, ...(seed % 2 === 1 && { deaths: 6 }) }),
  play,
}
