/**
 * @packageDocumentation
 * Several journals of one machine as one recording: their batches in the order in which things happened, and a cursor
 * that walks it in both directions.
 *
 *   vbd/5/51712     ──▪────────▪───────────▪──          order: time; at the same time a device before its queues,
 *   vbd/5/51712/q0  ────▪▪▪▪▪▪▪──▪▪▪▪▪▪▪▪▪────          because it is told of what they do and tells them what to do
 *
 * All journals of one boot have the same monotonic clock. Those of another boot are placed by the wall clocks that
 * their headers note. A batch is stamped when it begins, before its effects go out; so whoever is told something has
 * the later stamp, and the order by time is an order of cause and effect.
 */
import type { JournalChain } from './chain.js'
import { ChainCursor } from './chain-cursor.js'
import type { OnStep } from './queue-track.js'
import type { Batch } from './segment-reader.js'

/** One batch of one of the journals, with its time on the recording's clock. */
export interface RecordedBatch {
  readonly cursor: ChainCursor
  readonly batch: Batch
  readonly timeNs: number
}

/** Monotonic nanoseconds of the recording's clock minus those of the chain's own. */
export function clockOffsetNs(chain: JournalChain, reference: JournalChain): number {
  const [own, its] = [chain.identity, reference.identity]
  if (own.boot === its.boot) return 0
  return (own.wallMs - its.wallMs) * 1e6 - (own.monotonicNs - its.monotonicNs)
}

interface Track {
  readonly cursor: ChainCursor
  readonly offsetNs: number
}

export class Recording {
  readonly chains: readonly JournalChain[]
  private readonly tracks: readonly Track[]

  /** `onStep` hears the transitions of all queues; which one, its cursor knows. */
  constructor(chains: readonly JournalChain[], onStep?: (chain: JournalChain) => OnStep) {
    this.chains = chains
    this.tracks = chains.map((chain) => ({
      cursor: new ChainCursor(chain, onStep?.(chain)),
      offsetNs: clockOffsetNs(chain, chains[0]),
    }))
  }

  get cursors(): readonly ChainCursor[] {
    return this.tracks.map(({ cursor }) => cursor)
  }

  /** Time on this recording's clock of a chain's own. */
  timeOf(cursor: ChainCursor, timeNs: number): number {
    return timeNs + (this.tracks.find((track) => track.cursor === cursor)?.offsetNs ?? 0)
  }

  /** The batch that comes next, not yet applied. */
  peek(): RecordedBatch | undefined {
    let next: RecordedBatch | undefined
    for (const { cursor, offsetNs } of this.tracks) {
      const batch = cursor.next
      if (batch === undefined) continue
      const timeNs = batch.timeNs + offsetNs
      if (next === undefined || timeNs < next.timeNs) next = { cursor, batch, timeNs }
    }
    return next
  }

  /** Applies the next batch. @returns it; undefined at the end. */
  forward(): RecordedBatch | undefined {
    const next = this.peek()
    next?.cursor.forward()
    return next
  }

  /** Takes the latest batch back. @returns it; undefined at the beginning. */
  back(): RecordedBatch | undefined {
    const last = this.latest()
    last?.cursor.back()
    return last
  }

  /** The batch that was applied last. */
  latest(): RecordedBatch | undefined {
    let last: RecordedBatch | undefined
    for (const { cursor, offsetNs } of this.tracks) {
      const batch = cursor.last
      if (batch === undefined) continue
      const timeNs = batch.timeNs + offsetNs
      if (last === undefined || timeNs >= last.timeNs) last = { cursor, batch, timeNs }
    }
    return last
  }

  /** To behind everything that was sealed at this time of the recording's clock or before. */
  seek(timeNs: number): void {
    for (const { cursor, offsetNs } of this.tracks) cursor.seekTime(timeNs - offsetNs)
  }

  /** To the end. */
  end(): void {
    this.seek(Infinity)
  }

  /** To before the first batch. */
  begin(): void {
    this.seek(-Infinity)
  }
}
