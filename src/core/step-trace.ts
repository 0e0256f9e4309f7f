/**
 * @packageDocumentation
 * `journal = full`: every transition of both charts becomes a record of its batch, before the other effects, so that a
 * replay can name the very event at which it and the recording part. Off by default: then the core steps with the bare
 * generated functions and nothing of this exists.
 *
 *   STEPPED   kind | event << 8 | slot << 16 · from | to << 8 | chart << 16     chart: 0 request, 1 queue
 */
import { RECORD_STEPPED } from './records.js'
import type { QueueStepper, RequestStepper, Steppers } from './steppers.js'

/** A request passes at most so many transitions in one batch; the queue's own are few. */
const STEPS_PER_SLOT = 12
const QUEUE_STEPS = 16

export class StepTrace {
  private readonly words: Int32Array
  private count = 0

  constructor(slots: number) {
    this.words = new Int32Array(2 * (slots * STEPS_PER_SLOT + QUEUE_STEPS))
  }

  /** Words that {@link StepTrace.write} needs at most, for a queue of so many slots. */
  static wordsMax(slots: number): number {
    return 2 * (slots * STEPS_PER_SLOT + QUEUE_STEPS)
  }

  /** The same steps, noted. */
  around({ request, queue }: Steppers): Steppers {
    const requests: RequestStepper = (host, slot, event) => {
      const from = host.state[slot]
      const to = request(host, slot, event)
      this.note(slot, event, from, to, 0)
      return to
    }
    const queues: QueueStepper = (host, slot, event) => {
      const from = host.state[slot]
      const to = queue(host, slot, event)
      this.note(slot, event, from, to, 1)
      return to
    }
    return { request: requests, queue: queues }
  }

  /** Writes what was noted since the last time at words[at..]. @returns the end. */
  write(words: Int32Array, at: number): number {
    words.set(this.words.subarray(0, this.count), at)
    const end = at + this.count
    this.count = 0
    return end
  }

  private note(slot: number, event: number, from: number, to: number, chart: number): void {
    if (to < 0 || this.count >= this.words.length) return
    this.words[this.count++] = RECORD_STEPPED | (event << 8) | (slot << 16)
    this.words[this.count++] = from | (to << 8) | (chart << 16)
  }
}
