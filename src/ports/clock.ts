/**
 * @packageDocumentation
 * Time, injected. Nothing below cli/ reads a clock or sets a timer but through this, so that the simulated world is
 * one seed and a replay needs no time at all. Nanoseconds are doubles: exact for 104 days of uptime.
 */
export interface Clock {
  /** Monotonic nanoseconds since an arbitrary origin (CLOCK_MONOTONIC on a real machine). */
  nowNs(): number
  /** Wall clock, milliseconds since 1970; for people only, never for decisions. */
  wallMs(): number
  /** Calls `fire` once, not before `milliseconds` have passed. @returns what cancels it. */
  after(milliseconds: number, fire: () => void): () => void
}
