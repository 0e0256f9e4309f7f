/**
 * @packageDocumentation
 * How long it is worth to spin before sleeping. A wake-up costs 30 to 40 µs; spinning costs a processor. So: spin only
 * when the gaps of late (a moving average) were shorter than the most that may be spun, and then for twice such a gap.
 */
export class SpinGovernor {
  private readonly maxNs: number
  private averageNs: number

  constructor(maxNs: number) {
    this.maxNs = maxNs
    this.averageNs = maxNs
  }

  /** Work came `gapNs` after the work before it. */
  noteGap(gapNs: number): void {
    // A long silence must not take long to forget: what is beyond the limit counts as four times the limit.
    const gap = gapNs < this.maxNs * 4 ? gapNs : this.maxNs * 4
    this.averageNs += (gap - this.averageNs) / 8
  }

  get budgetNs(): number {
    if (this.maxNs === 0 || this.averageNs > this.maxNs) return 0
    return Math.min(this.maxNs, this.averageNs * 2 + 2000)
  }
}
