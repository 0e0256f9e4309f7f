/**
 * @packageDocumentation
 * Faults of a queue that tests and `xbbd demo --break` plant: the plane misbehaves once, and everyone must notice.
 *
 *   throw    the plane throws                  die     its Worker dies             hang   its Worker hangs
 *   journal  a sealed batch is changed         answer  an answer has another status than was journalled
 */
import { ANSWER_WORDS } from '../ports/data-path.js'
import type { QueuePlant } from '../ports/queues.js'

/** @returns whether it has happened; a wrong answer waits until there is one. */
export function misbehave(
  kind: QueuePlant, sink: { readonly words: Int32Array; readonly at: number }, answers: Int32Array, count: number,
): boolean {
  switch (kind) {
    case 'throw':
      throw new Error('a planted fault: the queue throws')
    case 'die':
      queueMicrotask(() => {
        throw new Error('a planted fault: the Worker dies')
      })
      return true
    case 'hang':
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      return true
    case 'journal':
      // The last word of the batch just sealed is its CRC; two words before is the time stamp.
      sink.words[sink.at - 8] ^= 1
      return true
    case 'answer':
      if (count > 0) answers[ANSWER_WORDS - 1] = -1
      return count > 0
  }
}
