/**
 * @packageDocumentation
 * Randomness from one seed: xorshift with 128 bits of state, filled by a 32-bit mixer. Two runs with one seed are one
 * run; nothing in the simulated world may draw from anywhere else.
 */
export class Random {
  private a: number
  private b: number
  private c: number
  private d: number

  constructor(seed: number) {
    let state = seed | 0
    const mix = () => {
      state = (state + 0x9e3779b9) | 0
      let word = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
      word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
      return (word ^ (word >>> 16)) | 0
    }
    this.a = mix()
    this.b = mix()
    this.c = mix()
    this.d = mix() | 1
  }

  /** A u32. */
  next(): number {
    let t = this.d
    const s = this.a
    this.d = this.c
    this.c = this.b
    this.b = s
    t ^= t << 11
    t ^= t >>> 8
    this.a = t ^ s ^ (s >>> 19)
    return this.a >>> 0
  }

  /** 0 ≤ result < limit. */
  below(limit: number): number {
    return Math.floor((this.next() / 4294967296) * limit)
  }

  /** True with probability `share`. */
  chance(share: number): boolean {
    return this.next() / 4294967296 < share
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }
}
