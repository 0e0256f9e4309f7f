/**
 * @packageDocumentation
 * From a plan that fails to one that fails as well and says less. Simpler plans are tried one after another, the
 * boldest first, and whichever still breaks the same law is gone on with; when none does, the last one is what a person
 * reads, and what is kept as a file (scenario.ts).
 *
 *   plan ─► simpler plans ─► play ─► the same law broken? yes: from there on · no: the next
 *
 * What must never happen: that another failure is taken for the one that was looked for, or that it goes on for ever.
 */
import { play } from './family.js'
import type { Family, Outcome, Plan } from './family.js'

export interface Shrunk<P extends Plan> {
  readonly plan: P
  readonly outcome: Outcome
  /** Plans that were played. */
  readonly tries: number
}

/** Plans played at most. */
const TRIES_MAX = 400

/** `outcome`: what the plan came to, with the law in question as its first violation. */
export async function shrink<P extends Plan>(
  family: Family<P>, plan: P, outcome: Outcome, onTry: (tries: number) => void = () => undefined,
): Promise<Shrunk<P>> {
  const [{ law }] = outcome.violations
  let best: Shrunk<P> = { plan, outcome, tries: 0 }
  let tries = 0
  for (let found = true; found && family.simpler !== undefined; ) {
    found = false
    for (const simpler of family.simpler(best.plan)) {
      if (tries >= TRIES_MAX) break
      onTry(++tries)
      const now = await play(family, simpler)
      if (now.violations[0]?.law !== law) continue
      best = { plan: simpler, outcome: now, tries }
      found = true
      break
    }
  }
  return { ...best, tries }
}

/** `plan` without one of its properties each, of those that may be absent. */
export function* without<T extends object>(plan: T, keys: readonly (keyof T)[]): Generator<T> {
  for (const key of keys) {
    if (plan[key] === undefined) continue
    const rest: Partial<T> = { ...plan }
    delete rest[key]
    yield rest as T
  }
}

/** Smaller numbers than `now`, not below `least`: the least itself, half of the way, one less. */
export function smaller(now: number, least: number): number[] {
  const numbers = new Set([least, least + ((now - least) >>> 1), now - 1])
  return [...numbers].filter((number) => number >= least && number < now)
}
