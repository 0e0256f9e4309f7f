/**
 * @packageDocumentation
 * One recorded queue, folded batch by batch: the core that recorded it takes its inputs again, and whoever folds (a
 * replay that compares, a moment that is looked at, a timeline that is drawn) watches the steps and looks at the
 * core between two batches.
 *
 *   checkpoint ─► restore ─► core          batch ─► inputs ─► copies ─► settle ─► effects (derived), end of inputs
 *
 * A fold begins at any checkpoint and may begin anew at any other. What must never happen: an input that is applied
 * although the one before it could not be. So whatever cannot follow is an error that ends the fold at that batch.
 */
import { restoreCheckpoint } from '../core/checkpoint.js'
import { QueueCore } from '../core/queue-core.js'
import type { CoreSettings } from '../core/queue-core.js'
import {
  RECORD_CHECKPOINT, RECORD_COPIED, RECORD_ENTERED, recordWords,
} from '../core/records.js'
import type { Steppers } from '../core/steppers.js'
import { isTaken } from '../protocol/record.js'
import type { Batch } from './segment-reader.js'
import { asItIs } from './upcast.js'
import type { Upcast } from './upcast.js'

/** Makes the steppers of a fresh core; `core` may be asked only once it steps. */
export type MakeSteppers = (core: () => QueueCore) => Steppers

/** What a batch came to: the derived effects stand in `derived`[0, end), the recorded ones in the batch from `from`. */
export interface FoldedBatch {
  readonly from: number
  readonly derived: Int32Array
  readonly end: number
}

export class QueueFold {
  readonly settings: CoreSettings
  /** Requests taken so far. */
  requests = 0
  private readonly makeSteppers: MakeSteppers
  private readonly statistics: Float64Array | undefined
  private readonly upcast: Upcast
  private current: QueueCore | undefined
  private scratch = new Int32Array(0)

  /**
   * `upcast`: how the batches were lifted that it will be given; `statistics`: counters that go on when the fold begins
   * anew; absent, each core counts for itself.
   */
  constructor(
    settings: CoreSettings, makeSteppers: MakeSteppers, upcast: Upcast | undefined, statistics?: Float64Array,
  ) {
    this.settings = settings
    this.makeSteppers = makeSteppers
    this.upcast = upcast ?? asItIs
    this.statistics = statistics
  }

  /** The queue as it stands; undefined before the first checkpoint. */
  get core(): QueueCore | undefined {
    return this.current
  }

  /** Batches are missing: nothing is known until the next checkpoint. */
  forget(): void {
    this.current = undefined
  }

  /** Whether the batch is a checkpoint. Throws when it is one and something stands behind it. */
  isCheckpoint({ words, from, to }: Batch): boolean {
    const size = recordWords(words, from, to - from)
    if (size === 0 || (words[from] & 0xff) !== RECORD_CHECKPOINT) return false
    if (from + size !== to) throw new Error('something stands behind the checkpoint in its batch')
    return true
  }

  /** Begins at this checkpoint. Throws when it is none that this queue can have written. */
  restore({ words, from, timeNs }: Pick<Batch, 'words' | 'from' | 'timeNs'>): QueueCore {
    this.current = undefined
    const steppers = this.upcast.digesting(this.makeSteppers(() => core))
    const core: QueueCore = new QueueCore(this.settings, steppers, this.statistics)
    const scratch = core.effectWordsMax() + this.settings.arenaChunks
    if (this.scratch.length < scratch) this.scratch = new Int32Array(scratch)
    restoreCheckpoint(core, words, from)
    core.nowNs = timeNs
    this.current = core
    return core
  }

  /** One batch that is no checkpoint. Throws when its inputs cannot follow on those before. */
  round(batch: Batch): FoldedBatch {
    const { words, from, to, timeNs } = batch
    const core = this.current
    if (core === undefined) throw new Error('there is no checkpoint before it')
    const inputsEnd = this.endOfInputs(words, from, to)
    core.beginBatch(timeNs)
    core.apply(words, from, inputsEnd)
    core.endInputs()
    let at = inputsEnd
    if (at < to && (words[at] & 0xff) === RECORD_COPIED) {
      const [asked, copied] = [core.effects.copyCount, words[at + 1]]
      if (asked !== copied) throw new Error(`the recording copied ${copied} segments, the charts ask for ${asked}`)
      core.applyCopied(words, at)
      at += recordWords(words, at, to - at)
    } else if (core.effects.copyCount > 0) {
      throw new Error(`the charts ask for ${core.effects.copyCount} copies, the recording has none`)
    }
    const end = core.settle(this.scratch, 0)
    core.effects.forgetSubmits(core.effects.submitCount)
    return { from: at, derived: this.scratch, end }
  }

  /**
   * A round that does nothing but free answered slots leaves no batch: makes one.
   * @returns whether it was such a round.
   */
  silentRound(timeNs: number): boolean {
    const core = this.current
    if (core === undefined) return false
    core.beginBatch(timeNs)
    core.endInputs()
    return core.settle(this.scratch, 0) === 0
  }

  /** Inputs end at the first record that is none: the grant copy's outcome, or an effect. */
  private endOfInputs(words: Int32Array, from: number, to: number): number {
    let at = from
    while (at < to) {
      const kind = words[at] & 0xff
      if (kind === RECORD_COPIED || kind >= RECORD_ENTERED) break
      const size = recordWords(words, at, to - at)
      if (size === 0) throw new Error(`a record of kind ${kind} does not end within the batch`)
      if (isTaken(words, at)) this.requests++
      at += size
    }
    return at
  }
}
