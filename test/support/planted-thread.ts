/**
 * @packageDocumentation
 * A thread that looks for planted faults: it is told the number of one (planted-slips.ts), and posts the first seed that
 * shows it. A thread of its own, because code in a jest environment runs many times as slow.
 */
import { parentPort } from 'node:worker_threads'
import { play } from '../../src/sim/family.js'
import { hostileFamily, queueFamily } from '../../src/sim/queue/family.js'
import type { QueuePlan } from '../../src/sim/queue/plan.js'
import { QueueRun } from '../../src/sim/queue/player.js'
import { SLIPS } from './planted-slips.js'

/** Seeds that are tried. */
export const SEEDS = 200

export interface FirstSeed {
  readonly seed: number
  readonly law: string
}

async function firstSeed(index: number): Promise<FirstSeed | undefined> {
  const { family: name = 'queue', fault } = SLIPS[index]
  const family = name === 'queue' ? queueFamily : hostileFamily
  const broken = { ...family, play: (plan: QueuePlan) => new QueueRun(plan, {}, fault).run(name) }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { violations } = await play(broken, family.draw(seed))
    if (violations.length > 0) return { seed, law: violations[0].law }
  }
  return undefined
}

parentPort?.on('message', (index: number) => void firstSeed(index).then((first) => parentPort?.postMessage(first)))
