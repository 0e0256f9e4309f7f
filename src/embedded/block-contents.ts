/**
 * @packageDocumentation
 * What front ends of ours write: a sector's bytes follow from its number and from how many writes of it came before,
 * and from nothing else. So a reader knows what must stand there, and a journal, which holds no guest data, is enough
 * to make the very bytes again: whoever counts the writes of each sector in the journal's order comes to the same.
 *
 *   sector n, write k (1, 2, …) ► 128 words: n · k · hash(n, k) …      k = 0: never written
 *
 * The order of two writes of one sector must be defined, so they must not be in flight together; that is the writer's
 * affair. This pure function is shared by the demo's load and by `xbbd redrive`.
 */
import { SECTOR_BYTES } from '../protocol/blkif.js'

export const SECTOR_WORDS = SECTOR_BYTES / 4

/** A 32-bit mixing of two words: full avalanche, so that neighbouring sectors share nothing. */
export function mixed(a: number, b: number): number {
  let value = Math.imul(a ^ (b >>> 16), 0x45d9f3b) ^ Math.imul(b, 0x119de1f3)
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d)
  return (value ^ (value >>> 13)) | 0
}

/** Writes what write number `count` puts into `sector` to words[at, at + 128). */
export function fillSector(words: Int32Array, at: number, sector: number, count: number): void {
  words.fill(mixed(sector, count), at + 2, at + SECTOR_WORDS)
  words[at] = sector
  words[at + 1] = count
}

/** Whether words[at, at + 128) are what {@link fillSector} writes there. */
export function holdsSector(words: Int32Array, at: number, sector: number, count: number): boolean {
  if (words[at] !== (sector | 0) || words[at + 1] >>> 0 !== count) return false
  const body = mixed(sector, count)
  for (let word = at + 2; word < at + SECTOR_WORDS; word++) if (words[word] !== body) return false
  return true
}

/** How often each sector has been written: one counter for all loads on a disk. */
export class WriteCounts {
  private readonly counts: Uint32Array

  /** `before`: how many writes of each sector are taken to have come before, on a disk whose history is not known. */
  constructor(sectors: number, before = 0) {
    this.counts = new Uint32Array(sectors).fill(before)
  }

  get sectors(): number {
    return this.counts.length
  }

  of(sector: number): number {
    return this.counts[sector]
  }

  /** A write of this sector begins. @returns its number. */
  next(sector: number): number {
    return ++this.counts[sector]
  }
}
