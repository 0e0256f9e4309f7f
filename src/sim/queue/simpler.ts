/**
 * @packageDocumentation
 * Simpler plans of one queue, for shrinking: a shorter run, without a kind of trouble, of a more usual shape, with
 * fewer requests. Each differs from its plan in one respect.
 */
import type { Lies } from '../hostile-front.js'
import { without, smaller } from '../shrink.js'
import type { QueuePlan, Weather } from './plan.js'

const TROUBLES: readonly (keyof QueuePlan)[] = [
  'deaths', 'parks', 'yields', 'limits', 'limit', 'recalls', 'storms', 'forgets', 'sleeps', 'trace', 'shadow',
  'indirect', 'readOnly', 'sectorSize', 'refuses', 'asks', 'deathWithin',
]
const WEATHER: readonly (keyof Weather)[] = [
  'hangs', 'fills', 'onEnospc', 'vanishes', 'resizes', 'errorShare', 'shortShare', 'syncErrorShare', 'buffered',
  'depth', 'lagShare',
]

/** What most plans have, where it is a matter of taste. */
const USUAL = {
  abi: 'x86_64', ringEntries: 32, slots: 32, arenaChunks: 16, segmentWords: 16_384, ending: 'drain',
} as const

export function* simplerQueue(plan: QueuePlan): Generator<QueuePlan> {
  for (const steps of smaller(plan.steps, 1)) yield { ...plan, steps }
  yield* without(plan, TROUBLES)
  for (const weather of without(plan.weather, WEATHER)) yield { ...plan, weather }
  const { lies: all = {} } = plan
  for (const lies of without(all, Object.keys(all) as (keyof Lies)[])) yield { ...plan, lies }
  for (const key of Object.keys(USUAL) as (keyof typeof USUAL)[])
    if (plan[key] !== USUAL[key]) yield { ...plan, [key]: USUAL[key] }
  if (plan.manner !== undefined && plan.manner !== 'linux') yield { ...plan, manner: 'linux' }
  for (const requests of smaller(plan.requests ?? 64, 1)) yield { ...plan, requests }
  for (const depth of smaller(plan.depth, 1)) yield { ...plan, depth }
  for (const putsMax of smaller(plan.putsMax, 1)) yield { ...plan, putsMax }
  for (const deaths of smaller(plan.deaths ?? 0, 1)) yield { ...plan, deaths }
  for (const delayMax of smaller(plan.weather.delayMax, 0)) yield { ...plan, weather: { ...plan.weather, delayMax } }
}
