/**
 * @packageDocumentation
 * What queues left that nobody has gone on with yet: found in run.dir when the daemon starts, or left by a Worker that
 * died. Each keeps its newest segment from being recycled until its successor has a journal of its own, so that a death
 * in the middle of a recovery leaves the next one as much.
 *
 *   found at start ─┐                    ┌ taken by the queue that goes on ─ its own journal stands ─► settled
 *   a queue died   ─┴► legacy, judged ───┤
 *   a queue rested ──►                   └ nobody came for it ─► dropped
 *
 * How often a journal was gone on with is counted on disk, because what it kills is the process that counts. A journal
 * that killed everybody who went on from it is hopeless: its device fails, and the daemon lives.
 */
import { judgeLegacy } from '../journal/legacy.js'
import type { QueueLegacy, QueueName, RecoveryLedger } from '../ports/queues.js'

/** The newest segment of a journal. */
export interface LegacySegment {
  readonly queue: QueueName
  readonly words: Int32Array
  /** It may be recycled. */
  readonly letGo: () => void
  /** It was left to this process on purpose: going on from it says nothing against it, the first time. */
  readonly announced?: boolean
}

/** For queues that nobody goes on with: measurements, tests. */
export const noLedger: RecoveryLedger = { attempts: () => 0, begun: () => undefined, survived: () => undefined }

export interface LegaciesParts {
  /** Identifies this boot of the machine. */
  readonly boot: string
  readonly ledger: RecoveryLedger
  /** More attempts than this, and a journal is given up. */
  readonly attemptsMax: number
}

const nothing: QueueLegacy = {
  kind: 'unknown', sentence: 'no journal in run.dir tells who served this ring before, and how it stood',
}

export class Legacies {
  private readonly parts: LegaciesParts
  private readonly segments = new Map<QueueName, LegacySegment>()
  /** Queues of this process that were let go in good order. */
  private readonly rested = new Set<QueueName>()

  constructor(parts: LegaciesParts) {
    this.parts = parts
  }

  of(queue: QueueName): QueueLegacy {
    if (this.rested.has(queue)) return { kind: 'rested' }
    const { ledger, attemptsMax, boot } = this.parts
    const segment = this.segments.get(queue)
    const legacy = segment ? judgeLegacy(segment.words, boot) : nothing
    const attempts = ledger.attempts(queue)
    if (legacy.kind !== 'recoverable' || attempts < attemptsMax) return legacy
    const sentence = `its journal was gone on from ${attempts} times, and whoever did so died of it: detach the disk`
    return { kind: 'hopeless', sentence }
  }

  /** Somebody goes on from it now. @returns the segment's words; undefined when there are none. */
  take(queue: QueueName): Int32Array | undefined {
    const segment = this.segments.get(queue)
    if (segment !== undefined && !segment.announced) this.parts.ledger.begun(queue)
    return segment?.words
  }

  /** A queue serves, with a journal of its own or none: what was left before is history. */
  settled(queue: QueueName): void {
    this.rested.delete(queue)
    this.segments.get(queue)?.letGo()
    this.segments.delete(queue)
  }

  /** It has answered what its predecessor owed. */
  survived(queue: QueueName): void {
    this.parts.ledger.survived(queue)
  }

  rest(queue: QueueName): void {
    this.rested.add(queue)
  }

  /** Found at the start, or left by a queue of this process. */
  left(segment: LegacySegment): void {
    this.segments.set(segment.queue, segment)
  }

  /** Only these devices exist: what belonged to others is history. */
  keepOnly(exists: (queue: QueueName) => boolean): void {
    for (const queue of [...this.segments.keys()]) if (!exists(queue)) this.settled(queue)
  }
}
