/**
 * @packageDocumentation
 * A family of scenarios: what one seed becomes, and how it is played. The seed is spent in one place, on a plan of
 * plain data; the run depends on nothing else, so that a plan can be kept in a file, played again, and made simpler
 * step by step while it still fails.
 *
 *   seed ─ draw ─► plan ─ play ─► outcome (violations, digest, counts)
 *                   ▲       │ it failed
 *                   └ simpler ┘          (shrink.ts)
 *
 * What must never happen: that the same plan gives two digests; that a run looks at a clock, or draws from anywhere
 * but a Random of its plan's seed.
 */
import { sentenceOf } from '../protocol/errors.js'

/** A law that was broken. */
export interface Finding {
  readonly law: string
  readonly sentence: string
  /** The step of the run in which it was noticed. */
  readonly step: number
}

/** What was done, summed up over runs. Entries: ring entries put. Families may count more. */
export interface Counts {
  readonly entries: number
  /** Entries of which something was a lie. */
  readonly hostile: number
  readonly answers: number
  /** How often a back end died. */
  readonly kills: number
  readonly [more: string]: number
}

/** Of one run. */
export interface Outcome {
  readonly family: string
  readonly seed: number
  readonly violations: readonly Finding[]
  /** Of all journals and of all that the front ends saw (digest.ts). */
  readonly digest: string
  readonly counts: Counts
}

/** All that a run depends on, as JSON holds it. What is absent is off. */
export interface Plan {
  readonly seed: number
}

export interface PlayOptions {
  /** Hears what happens, step by step. */
  readonly note?: (step: number, sentence: string) => void
}

export interface Family<P extends Plan = Plan> {
  readonly name: string
  /** One line. */
  readonly description: string
  /** Beside other families it gets one seed in so many, for its worlds are larger; absent: every one. */
  readonly every?: number
  draw(seed: number): P
  /** Throws only for a fault of ours; see {@link play}. */
  play(plan: P, options?: PlayOptions): Outcome | Promise<Outcome>
  /** Plans that are simpler by one step, the boldest first. Absent: what fails is not shrunk. */
  simpler?(plan: P): Iterable<P>
}

const NOTHING: Counts = { entries: 0, hostile: 0, answers: 0, kills: 0 }

/** Plays a plan; what is thrown is a violation like any other. */
export async function play<P extends Plan>(family: Family<P>, plan: P, options?: PlayOptions): Promise<Outcome> {
  try {
    return await family.play(plan, options)
  } catch (error) {
    const finding = { law: 'no-exception', sentence: sentenceOf(error), step: -1 }
    return { family: family.name, seed: plan.seed, violations: [finding], digest: '', counts: NOTHING }
  }
}

/** What a seed is in a family. */
export function playSeed<P extends Plan>(family: Family<P>, seed: number, options?: PlayOptions): Promise<Outcome> {
  return play(family, family.draw(seed), options)
}

/** Adds `counts` to `sum`. */
export function addCounts(sum: Record<string, number>, counts: Counts): void {
  for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count
}
