/**
 * @packageDocumentation
 * Proves that the daemon lives, for a watchdog that ends it otherwise. A sign is given only when the main thread's
 * event loop turned *and* every Worker has answered a question asked since the sign before:
 *
 *   ask all Workers ─► all have answered ─► sign ─► half the watchdog's time since the asking ─► ask …
 *
 * A Worker that hangs, or a main thread that does, thus ends the signs; a medium that hangs does not, for it keeps
 * nobody from turning. There is no timer unless a watchdog was asked for: an idle daemon sleeps.
 */
import type { Clock } from '../../ports/clock.js'

export interface WatchdogParts {
  readonly periodMs: number
  readonly clock: Clock
  /** Resolves when every thread has answered. */
  readonly alive: () => Promise<void>
  readonly sign: () => void
}

/** Begins at once. @returns what ends it. */
export function feedWatchdog({ periodMs, clock, alive, sign }: WatchdogParts): () => void {
  let over = false
  let cancel: () => void = () => undefined
  const round = async (): Promise<void> => {
    const due = new Promise<void>((resolve) => void (cancel = clock.after(periodMs, resolve)))
    await alive()
    if (over) return
    sign()
    await due
    if (!over) void round()
  }
  void round()
  return () => {
    over = true
    cancel()
  }
}
