/**
 * @packageDocumentation
 * A recorded queue as it moves: the fold, and since when each of its requests and the queue itself stand where they do.
 * What cannot be folded is no exception: `trouble` says what is wrong, and the track goes on at the next checkpoint.
 *
 *   batch ─► QueueFold ─► steps ─► sinceNs[slot]      NaN: since before the first batch that was folded
 */
import type { QueueCore } from '../core/queue-core.js'
import type { CoreSettings } from '../core/queue-core.js'
import { STATISTICS_LENGTH } from '../core/statistics.js'
import { compiledSteppers } from '../core/steppers.js'
import type { Steppers } from '../core/steppers.js'
import { sentenceOf } from '../protocol/errors.js'
import { QueueFold } from './queue-fold.js'
import type { Batch } from './segment-reader.js'
import type { Upcast } from './upcast.js'

/** Hears every transition; `slot` is 0 for the queue's own. Columns of the slot are those after the step. */
export type OnStep = (chart: 'request' | 'queue', slot: number, event: number, from: number, to: number) => void

export class QueueTrack {
  /** Counters of everything folded so far (core/statistics.ts). */
  readonly statistics = new Float64Array(STATISTICS_LENGTH)
  /** By slot, monotonic nanoseconds; NaN when that is not known. */
  readonly sinceNs: Float64Array
  queueSinceNs = NaN
  trouble: string | undefined
  /** The batch that was folded last. */
  last: { readonly number: number; readonly timeNs: number } | undefined
  private readonly fold: QueueFold
  private readonly onStep: OnStep | undefined

  constructor(settings: CoreSettings, upcast: Upcast, onStep?: OnStep) {
    this.onStep = onStep
    this.sinceNs = new Float64Array(settings.slots).fill(NaN)
    this.fold = new QueueFold(settings, (core) => this.steppers(core), upcast, this.statistics)
  }

  /** Undefined before the first checkpoint, and where nothing could be folded. */
  get core(): QueueCore | undefined {
    return this.trouble === undefined ? this.fold.core : undefined
  }

  get requests(): number {
    return this.fold.requests
  }

  /** Whether some request stands where it does since before anything that was folded. */
  get hasUnknownTimes(): boolean {
    const { core } = this
    return core !== undefined && core.state.some((state, slot) => state !== 0 && Number.isNaN(this.sinceNs[slot]))
  }

  /** Nothing is known until the next checkpoint. */
  forget(): void {
    this.fold.forget()
    this.trouble = undefined
    this.sinceNs.fill(NaN)
    this.queueSinceNs = NaN
  }

  /** One batch more. */
  apply(batch: Batch): void {
    this.last = { number: batch.number, timeNs: batch.timeNs }
    try {
      if (!this.fold.isCheckpoint(batch)) {
        if (this.trouble === undefined) this.fold.round(batch)
      } else if (this.core === undefined) {
        this.forget()
        this.fold.restore(batch)
      }
    } catch (error) {
      this.trouble = `batch ${batch.number}: ${sentenceOf(error)}`
    }
  }

  private steppers(coreOf: () => QueueCore): Steppers {
    const { sinceNs, onStep } = this
    return {
      request: (host, slot, event) => {
        const from = host.state[slot]
        const to = compiledSteppers.request(host, slot, event)
        if (to !== from && to >= 0) sinceNs[slot] = coreOf().nowNs
        onStep?.('request', slot, event, from, to)
        return to
      },
      queue: (host, slot, event) => {
        const from = host.state[slot]
        const to = compiledSteppers.queue(host, slot, event)
        if (to !== from && to >= 0) this.queueSinceNs = coreOf().nowNs
        onStep?.('queue', slot, event, from, to)
        return to
      },
    }
  }
}
