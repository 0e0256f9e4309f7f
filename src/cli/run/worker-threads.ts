/**
 * @packageDocumentation
 * Threads for Workers, begun before it is known what they will work on: a thread takes as long to begin as the rest of
 * the daemon takes to be loaded, and a killed daemon's guests wait for both. So the threads come first, and what a
 * Worker needs is posted to it when it is there; messages behind it wait in the thread (queue-worker-main.ts).
 *
 *   run ─► WorkerThreads ─ thread 0, 1 … begin ──────────────► wait for their data ─► Workers
 *       └► the world is loaded, journals are opened ─ take() ──────┘
 *
 * A Worker that died gets a successor's thread then, not before.
 */
import { Worker } from 'node:worker_threads'
import type { QueueWorkerData } from './queue-worker-main.js'

export class WorkerThreads {
  readonly #waiting: Worker[]

  /** Begins so many threads. */
  constructor(count: number) {
    this.#waiting = Array.from({ length: count }, begin)
  }

  /** A thread that works with this data: one that waits, or one that begins now. */
  take(data: QueueWorkerData): Worker {
    const thread = this.#waiting.pop() ?? begin()
    thread.postMessage(data)
    return thread
  }

  /** Ends the threads that nobody took. */
  async close(): Promise<void> {
    await Promise.all(this.#waiting.splice(0).map((thread) => thread.terminate()))
  }
}

function begin(): Worker {
  // A small young generation: the data path allocates nothing, and memory per Worker counts.
  const resourceLimits = { maxYoungGenerationSizeMb: 2, stackSizeMb: 1 }
  return new Worker(new URL('./queue-worker-main.js', import.meta.url), { resourceLimits })
}
