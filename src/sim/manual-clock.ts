/**
 * @packageDocumentation
 * Time that passes when it is told to. Timers fire in the order of their due time, those of one moment in the order
 * in which they were set.
 */
import type { Clock } from '../ports/clock.js'

export class ManualClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<{ readonly dueMs: number; readonly fire: () => void }>()

  nowNs(): number {
    return this.#nowMs * 1e6
  }

  wallMs(): number {
    return this.#nowMs
  }

  after(milliseconds: number, fire: () => void): () => void {
    const timer = { dueMs: this.#nowMs + milliseconds, fire }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size
  }

  /** Lets time pass; timers that are set on the way fire too when they fall due. */
  advance(milliseconds: number): void {
    const end = this.#nowMs + milliseconds
    for (;;) {
      const due = [...this.#timers].filter(({ dueMs }) => dueMs <= end).sort((a, b) => a.dueMs - b.dueMs)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#nowMs = Math.max(this.#nowMs, due.dueMs)
      due.fire()
    }
    this.#nowMs = end
  }
}
