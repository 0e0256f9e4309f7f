/**
 * @packageDocumentation
 * A fuzzer for parsers written in TypeScript: changes inputs at random and keeps those that reach code which none reached
 * before (coverage.ts). Looking at coverage costs far more than a run, so it looks once for a group of runs, and runs
 * them again one by one when there was something new in the group.
 *
 *   corpus ─► mutate ×64 ─► run, run, … ─► new code? ─► each alone ─► corpus grows          throws? ─► found
 */
import { Random } from '../../src/sim/random.js'
import { Coverage } from './coverage.js'
import { mutate } from './mutate.js'

export interface FuzzTarget {
  readonly name: string
  /** What is fuzzed: the addresses of its modules. */
  readonly watched: RegExp
  /** Inputs that are good, or nearly. */
  readonly seeds: () => readonly Uint8Array[]
  /** Words of its language. */
  readonly words?: readonly string[]
  /** Longest input; default 4096. */
  readonly most?: number
  /** Throws when something is wrong: that is a find. */
  readonly run: (bytes: Uint8Array) => void
}

export interface FuzzOptions {
  readonly seed: number
  /** Ends it, asked between two groups. */
  readonly until: (runs: number) => boolean
  /** Inputs from earlier. */
  readonly corpus: readonly Uint8Array[]
}

export interface FuzzResult {
  readonly runs: number
  readonly corpus: readonly Uint8Array[]
  /** Functions reached, and bytes of their source. */
  readonly functions: number
  readonly reached: number
  readonly found: { readonly input: Uint8Array; readonly error: unknown } | undefined
}

const GROUP = 64
const MOST = 4096

/** Runs until it is told to end, or has found something. */
export function fuzz(target: FuzzTarget, { seed, until, corpus: earlier }: FuzzOptions): FuzzResult {
  const random = new Random(seed)
  const coverage = new Coverage(target.watched)
  const corpus: Uint8Array[] = []
  let runs = 0
  let found: FuzzResult['found']
  const run = (input: Uint8Array) => {
    runs++
    try {
      target.run(input)
    } catch (error) {
      found ??= { input, error }
    }
  }
  try {
    for (const input of [...target.seeds(), ...earlier]) {
      run(input)
      if (coverage.look() || corpus.length === 0) corpus.push(input)
    }
    while (found === undefined && !until(runs)) {
      const mutator = { random, most: target.most ?? MOST, words: target.words ?? [] }
      const group = Array.from({ length: GROUP }, () => mutate(mutator, random.pick(corpus), random.pick(corpus)))
      for (const input of group) run(input)
      if (!coverage.look(false)) continue
      for (const input of group) {
        run(input)
        if (coverage.look()) corpus.push(input)
      }
    }
    return { runs, corpus, functions: coverage.functions, reached: coverage.reached, found }
  } finally {
    coverage.close()
  }
}
