/**
 * @packageDocumentation
 * A scenario as a file: a family's plan that once broke a law, kept so that it never does again. JSON, because a plan
 * is plain data and a person may want to change a number in it.
 *
 *   { "family": "queue", "why": "what was wrong, in one sentence", "plan": { "seed": 1571, "steps": 12, … } }
 *
 * They lie below test/sim/scenarios/, and a test plays each of them; `xbbd simulate --scenario FILE` plays one.
 */
import { XbbdError, sentenceOf } from '../protocol/errors.js'
import { familyNamed } from './families.js'
import type { Family, Plan } from './family.js'

export interface Scenario {
  readonly family: Family
  readonly why: string
  readonly plan: Plan
}

/** Throws XbbdError: what is wrong with the file. */
export function parseScenario(text: string, file: string): Scenario {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw wrong(file, sentenceOf(error))
  }
  const { family: name, why, plan } = (value ?? {}) as Partial<Record<string, unknown>>
  const family = typeof name === 'string' ? familyNamed(name) : undefined
  if (family === undefined) throw wrong(file, `there is no family ${JSON.stringify(name)}`)
  if (typeof plan !== 'object' || plan === null || typeof (plan as Partial<Plan>).seed !== 'number')
    throw wrong(file, 'it has no plan with a seed')
  return { family, why: typeof why === 'string' ? why : '', plan: plan as Plan }
}

/** The text of a scenario's file. */
export function scenarioText(family: string, why: string, plan: Plan): string {
  return `${JSON.stringify({ family, why, plan }, undefined, 2)}\n`
}

function wrong(file: string, sentence: string): XbbdError {
  return new XbbdError('XBBD_SCENARIO', `${file} is no scenario: ${sentence}`, { exitCode: 65 })
}
