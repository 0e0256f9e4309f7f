/**
 * @packageDocumentation
 * How long it is worth to spin before sleeping. A wake-up costs 30 to 60 µs (measured at start, since an emulator needs
 * ten times as much); spinning costs a processor, so it never pays to spin much longer than a wake-up takes. Spin only
 * when the gaps of late (a moving average) were shorter than the most that may be spun, and then for that long: a disk
 * that completes in bursts leaves gaps much longer than the average, and sleeping through one delays a whole burst.
 *
 *   work ── gap, found by spinning ──► work            counts as it is
 *   work ── sleep ── wake-up ── work                   the wake-up's own share is taken off
 *   now and then, while not spinning: one spin as a probe; what it finds decides at once, a probe in vain makes the
 *   next one rarer
 *
 * What must never happen: that having slept is the reason to sleep again. Without probe and discount it is: each gap is
 * as long as a wake-up, so a queue that once fell asleep under a busy front end would never spin again.
 */

/** What a wake-up takes, from the eventfd to JavaScript, where nobody measured it. */
const WAKE_UP_NS = 40_000
/** Spinning so long is worth it on every machine. */
const LEAST_NS = 50_000
/** Sleeps between two probes: at first, and when probes keep failing. */
const PROBE_FIRST = 8
const PROBE_LAST = 512

export class SpinGovernor {
  private readonly maxNs: number
  private readonly wakeUpNs: number
  private averageNs: number
  private slept = false
  private sleeps = 0
  private probeAfter = PROBE_FIRST
  private probing = false

  /** `mostNs`: never longer, 0 = never. `wakeUpNs`: what being woken costs here; half as much again is spun at most. */
  constructor(mostNs: number, wakeUpNs = WAKE_UP_NS) {
    this.maxNs = Math.min(mostNs, Math.max(LEAST_NS, 1.5 * wakeUpNs))
    this.wakeUpNs = wakeUpNs
    this.averageNs = this.maxNs
  }

  /** Work came `gapNs` after the work before it. */
  noteGap(gapNs: number): void {
    const waited = this.slept ? gapNs - this.wakeUpNs : gapNs
    // A long silence must not take long to forget: what is beyond the limit counts as four times the limit.
    const gap = waited < 0 ? 0 : waited < this.maxNs * 4 ? waited : this.maxNs * 4
    if (this.probing && !this.slept) {
      this.probing = false
      this.probeAfter = PROBE_FIRST
      this.averageNs = gap
    } else this.averageNs += (gap - this.averageNs) / 8
    this.slept = false
  }

  /** Nothing came: everyone was asked for a wake-up. */
  noteSleep(): void {
    this.slept = true
    if (this.probing) this.probeAfter = Math.min(this.probeAfter * 2, PROBE_LAST)
    this.probing = false
    if (this.averageNs <= this.maxNs || ++this.sleeps < this.probeAfter) return
    this.sleeps = 0
    this.probing = true
  }

  get budgetNs(): number {
    if (this.maxNs === 0) return 0
    if (this.averageNs > this.maxNs) return this.probing ? this.maxNs : 0
    return this.maxNs
  }
}
