/**
 * @packageDocumentation
 * A histogram of latencies of fixed size: sixteen buckets per doubling, from 1 ns to hours, so every percentile is
 * right to about four per cent whatever the number of samples.
 *
 *   bucket = 16 · log2(ns)          a bucket's value is its upper edge
 */
const PER_OCTAVE = 16

export class LatencyHistogram {
  readonly #buckets = new Float64Array(48 * PER_OCTAVE)
  #count = 0
  #max = 0

  add(ns: number): void {
    const bucket = Math.floor(Math.log2(Math.max(1, ns)) * PER_OCTAVE)
    this.#buckets[Math.min(bucket, this.#buckets.length - 1)]++
    this.#count++
    if (ns > this.#max) this.#max = ns
  }

  /** Nanoseconds below which the share `quantile` (0 to 1) of the samples lies; 0 without samples. */
  quantile(quantile: number): number {
    let left = quantile * this.#count
    if (left === 0) return 0
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      left -= this.#buckets[bucket]
      if (left <= 0) return Math.min(this.#max, 2 ** ((bucket + 1) / PER_OCTAVE))
    }
    return this.#max
  }

  summaryUs(): { p50: number; p99: number; p999: number; max: number } {
    const us = (quantile: number) => this.quantile(quantile) / 1000
    return { p50: us(0.5), p99: us(0.99), p999: us(0.999), max: this.#max / 1000 }
  }
}
