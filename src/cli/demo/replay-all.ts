/**
 * @packageDocumentation
 * Replays every journal that a daemon left in its run-time directory, and says in sentences what did not agree: damage
 * that a checksum found, and every point where charts and recording part.
 */
import { openJournals } from '../../journal/journal-files.js'
import { agrees, replayQueue } from '../../journal/replay-queue.js'

export interface ReplayedJournal {
  readonly journal: string
  readonly batches: number
  readonly requests: number
  /** Empty when the recorded run obeyed its charts. */
  readonly faults: readonly string[]
}

/** One entry per journal and run, in the order of their names. Throws XbbdError when `directory` cannot be read. */
export function replayAll(directory: string): ReplayedJournal[] {
  return openJournals(directory)
    .chains.filter(({ identity }) => identity.kind === 'queue')
    .map((chain) => {
      const replay = replayQueue(chain, { compiledOnly: false })
      const faults = [...replay.damage, ...replay.divergences.map(({ sentence }) => sentence)]
      const { journal, batches, requests } = replay
      return { journal, batches, requests, faults: agrees(replay) ? [] : faults }
    })
}
