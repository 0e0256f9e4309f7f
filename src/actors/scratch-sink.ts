/**
 * @packageDocumentation
 * The journal that is none: records are written to the same scratch memory again and again, and the core folds them
 * from there. Only for measuring what the journal costs; a queue that runs on it cannot be recovered or replayed.
 */
import type { BatchSink } from './queue-plane.js'

export class ScratchSink implements BatchSink {
  words = new Int32Array(0)
  at = 0

  get dirty(): boolean {
    return this.at > 0
  }

  begin(room: number): void {
    if (this.words.length < room) this.words = new Int32Array(room)
    this.at = 0
  }

  seal(): void {
    this.at = 0
  }
}
