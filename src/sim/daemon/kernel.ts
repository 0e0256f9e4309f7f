/**
 * @packageDocumentation
 * The one clock of a simulated world: everything that takes time is an event in its queue, and what becomes possible by
 * an event (promises of the real code) is done before the next one. So a run is a function of its seed, though the code
 * that runs in it is the asynchronous code of the daemon.
 *
 *   next event by time ─► run it ─► promises, until none is ready ─► next …
 *
 * A reading of the clock takes a little time of its own, or who waits for it by looking would wait for ever.
 */
import type { Clock } from '../../ports/clock.js'

interface Event {
  readonly dueNs: number
  readonly order: number
  readonly run: () => void
}

/** What a reading of the clock takes. */
const LOOK_NS = 20
const MS = 1e6

export class Kernel {
  #nowNs = 1e9
  #order = 0
  /** A binary heap: who is due first stands first. */
  readonly #heap: Event[] = []

  get nowNs(): number {
    return this.#nowNs
  }

  readonly read = (): number => (this.#nowNs += LOOK_NS)

  get nowMs(): number {
    return this.#nowNs / MS
  }

  /** Runs `run` after so many nanoseconds. */
  after(nanoseconds: number, run: () => void): void {
    this.#push({ dueNs: this.#nowNs + Math.max(0, nanoseconds), order: this.#order++, run })
  }

  /** So many milliseconds pass for whoever waits. */
  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds * MS, resolve))
  }

  /** A clock for code that lives only as long as `alive` says so. */
  clock(alive: () => boolean): Clock {
    return {
      nowNs: this.read,
      wallMs: () => Math.floor(this.nowMs),
      after: (milliseconds, fire) => {
        let cancelled = false
        this.after(milliseconds * MS, () => {
          if (!cancelled && alive()) fire()
        })
        return () => void (cancelled = true)
      },
    }
  }

  /** Lets time pass until `over`, or for so many milliseconds. @returns whether it was over in time. */
  async run(over: () => boolean, milliseconds: number): Promise<boolean> {
    const end = this.#nowNs + milliseconds * MS
    for (await settled(); !over(); await settled()) {
      const next = this.#heap[0]
      if (next === undefined || next.dueNs > end) {
        this.#nowNs = Math.max(this.#nowNs, end)
        return false
      }
      this.#pop()
      this.#nowNs = Math.max(this.#nowNs, next.dueNs)
      next.run()
    }
    return true
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!before(event, heap[above])) break
      heap[at] = heap[above]
      at = above
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
      if (!before(heap[child], last)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = last
  }
}

function before(one: Event, other: Event): boolean {
  return one.dueNs < other.dueNs || (one.dueNs === other.dueNs && one.order < other.order)
}

/** Every promise that can go on has gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
