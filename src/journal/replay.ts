/**
 * @packageDocumentation
 * Replays every journal of a set, whatever its kind, and gives one report of one form: what `xbbd replay`, the demo and
 * the tests ask for.
 *
 *   queue  ─► replayQueue  (generated code and XState side by side, effects, digests)
 *   actor  ─► replayActors (XState, states)
 */
import type { JournalChain } from './chain.js'
import type { JournalFiles } from './journal-files.js'
import { replayActors } from './replay-actor.js'
import { agrees, replayQueue } from './replay-queue.js'
import type { FinalState, ReplayDivergence, ReplayOptions } from './replay-queue.js'

/** One run of one journal, replayed. */
export interface JournalReplay {
  readonly journal: string
  readonly run: string
  readonly kind: 'queue' | 'actor'
  readonly agrees: boolean
  /** Recorded with other charts: a comparison, differences are information. */
  readonly otherCharts: boolean
  readonly segments: number
  readonly recycled: number
  readonly batches: number
  /** Of a queue. */
  readonly requests?: number
  /** Transitions of a queue, events of actors. */
  readonly steps: number
  readonly divergences: readonly ReplayDivergence[]
  readonly divergenceCount: number
  readonly damage: readonly string[]
  readonly final?: FinalState | { readonly [actor: string]: string }
}

export interface ReplayReport {
  /** Whether everything agrees and nothing is damaged; false also when there was nothing to replay. */
  readonly agrees: boolean
  readonly journals: readonly JournalReplay[]
  /** Files that cannot be read as journals. */
  readonly problems: readonly string[]
}

/** Replays all chains, in order. */
export function replayJournals({ chains, problems }: JournalFiles, options: ReplayOptions = {}): ReplayReport {
  const journals = chains.map((chain) => replayChain(chain, options))
  const sentences = problems.map(({ file, offset, sentence }) => `${file}, byte ${offset}: ${sentence}`)
  const agreed = journals.length > 0 && sentences.length === 0 && journals.every((journal) => journal.agrees)
  return { agrees: agreed, journals, problems: sentences }
}

/** Replays one chain. */
export function replayChain(chain: JournalChain, options: ReplayOptions = {}): JournalReplay {
  if (chain.identity.kind === 'queue') {
    const { statistics: _, transitions, ...replay } = replayQueue(chain, options)
    return { kind: 'queue', agrees: agrees(replay), steps: transitions, ...replay }
  }
  const { events, unfounded: _, ...replay } = replayActors(chain)
  const agreed = replay.damage.length === 0 && (replay.otherCharts || replay.divergenceCount === 0)
  return { kind: 'actor', agrees: agreed, steps: events, ...replay }
}
