/**
 * @packageDocumentation
 * The timers of one queue: one wakes its Worker when its device's rate limit lets the next request go, one keeps its
 * device from hearing at every turn that it is at its limit and no more, one tries a full medium again.
 *
 * A queue under load meets its limit hundreds of times a second; told is that it does, at once, and that it does not
 * any more when it has not for a while:
 *
 *   core    ▁█▁██▁█▁▁▁▁▁▁▁▁▁▁▁      Throttled as the charts and the journal of the queue have it
 *   device  ▁██████████████▁▁▁      Throttled as its device, `xbbd list` and the metrics have it
 */
import { LEVEL_THROTTLED } from '../ports/queues.js'

/** So long it has to be below its limit. */
const HOLD_MS = 1000
/** A timer is not set for longer; whoever still waits then sets another. */
const LONGEST_MS = 60_000
/** A full medium is tried again after a pause that doubles from the first of these to the second. */
const RETRY_FIRST_MS = 250
const RETRY_MAX_MS = 5000

export interface QueueTimersParts {
  /** Calls `fire` once, after so many milliseconds. @returns what cancels it. */
  readonly after: (milliseconds: number, fire: () => void) => () => void
  /** Somebody may go now. */
  readonly wake: () => void
  /** The levels may be others now. */
  readonly look: () => void
  /** There may be space on the medium. */
  readonly retry: () => void
}

export class QueueTimers {
  private readonly parts: QueueTimersParts
  private cancelWake: (() => void) | undefined
  private cancelLook: (() => void) | undefined
  private cancelRetry: (() => void) | undefined
  private throttledNs = -Infinity

  constructor(parts: QueueTimersParts) {
    this.parts = parts
  }

  /** Whether the Worker will be woken for the rate limit. */
  get willWake(): boolean {
    return this.cancelWake !== undefined
  }

  /** The next request may go at `wakeNs`. */
  wakeAt(wakeNs: number, nowNs: number): void {
    this.cancelWake?.()
    const milliseconds = Math.min(LONGEST_MS, Math.max(1, Math.ceil((wakeNs - nowNs) / 1e6)))
    this.cancelWake = this.parts.after(milliseconds, () => {
      this.cancelWake = undefined
      this.parts.wake()
    })
  }

  /** The levels as they are to be told. */
  steady(levels: number, nowNs: number): number {
    if (levels & LEVEL_THROTTLED) this.throttledNs = nowNs
    else if (nowNs - this.throttledNs >= HOLD_MS * 1e6) return levels
    this.cancelLook ??= this.parts.after(HOLD_MS, () => {
      this.cancelLook = undefined
      this.parts.look()
    })
    return levels | LEVEL_THROTTLED
  }

  /** While requests wait for space they are tried again and again, ever more slowly; each try is an input. */
  mediumFull(full: boolean): void {
    this.stopRetrying()
    if (full) this.retryAfter(RETRY_FIRST_MS)
  }

  stopRetrying(): void {
    this.cancelRetry?.()
    this.cancelRetry = undefined
  }

  end(): void {
    this.cancelWake?.()
    this.cancelLook?.()
    this.stopRetrying()
  }

  private retryAfter(pauseMs: number): void {
    this.cancelRetry = this.parts.after(pauseMs, () => {
      this.parts.retry()
      this.retryAfter(Math.min(2 * pauseMs, RETRY_MAX_MS))
      this.parts.wake()
    })
  }
}
