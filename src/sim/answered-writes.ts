/**
 * @packageDocumentation
 * What a flush owes, sector by sector: which write was answered last there, and what the sector holds since. Whoever
 * asks compares that with the platter, which is what a crash would leave.
 *
 *   sequence[s]   number of the answered write of sector s, 0 when nothing is owed      expected   its bytes
 *
 * A sector is forgiven when a later I/O that changes it was submitted (its content may then be either), and settled
 * when it was found on the platter.
 */
import type { SimDisk } from './sim-disk.js'

const SECTOR_BYTES = 512

export class AnsweredWrites {
  /** Writes answered so far. */
  count = 0
  private readonly sequence: Int32Array
  private readonly expected: Uint8Array
  private readonly disk: SimDisk

  constructor(disk: SimDisk) {
    this.disk = disk
    this.sequence = new Int32Array(disk.cache.length / SECTOR_BYTES)
    this.expected = new Uint8Array(disk.cache.length)
  }

  /** A write was answered with success: from now on a flush owes what the disk's cache holds there. */
  answered(sector: number, sectors: number): void {
    this.count++
    this.sequence.fill(this.count, sector, sector + sectors)
    const from = sector * SECTOR_BYTES
    this.expected.set(this.disk.cache.subarray(from, from + sectors * SECTOR_BYTES), from)
  }

  /** An I/O that changes these sectors was submitted: their old content is owed no more. */
  forgive(sector: number, sectors: number): void {
    this.sequence.fill(0, sector, sector + sectors)
  }

  /** @returns a sector of one of the first `until` answered writes that is not on the platter, or -1. */
  findLost(until: number): number {
    for (let sector = 0; sector < this.sequence.length; sector++) {
      const sequence = this.sequence[sector]
      if (sequence === 0 || sequence > until) continue
      if (!this.isOnPlatter(sector)) return sector
      this.sequence[sector] = 0
    }
    return -1
  }

  private isOnPlatter(sector: number): boolean {
    const from = sector * SECTOR_BYTES
    const to = from + SECTOR_BYTES
    return Buffer.compare(this.expected.subarray(from, to), this.disk.platter.subarray(from, to)) === 0
  }
}
