/**
 * @packageDocumentation
 * What a front end may rely on: of each sector, which stamps may be found there after the power was cut. Nobody has two
 * requests with overlapping sectors in flight, so the writes of a sector are one after another.
 *
 *   writes of a sector   ── w1 ── w2 ── w3 ── w4        w2 answered, then a flush put and answered: w2 is the floor
 *                           │     └──┬──┴─────┘
 *                           gone     one of these is there, whole: what is newer than the floor may have been written
 *                                    already, whether it was answered or not, with success or without
 */
import { SECTOR_BYTES } from '../protocol/blkif.js'

/** One write; of its sectors each holds `stamp` once it has taken effect. */
export interface StampedWrite {
  readonly stamp: number
  readonly sector: number
  readonly sectors: number
  /** Its place in the order of what was put on the ring. */
  readonly put: number
  /** How many answers there were with its own, successful one; Infinity before. */
  answered: number
}

const SECTOR_WORDS = SECTOR_BYTES / 4

export class Promised {
  private readonly floor: Int32Array
  /** Writes that are newer than the floor, oldest first. */
  private readonly later = new Map<number, StampedWrite[]>()

  constructor(sectors: number) {
    this.floor = new Int32Array(sectors)
  }

  /** A write was put on the ring: from now on it may take effect. */
  begin(write: StampedWrite): void {
    for (let sector = write.sector; sector < write.sector + write.sectors; sector++) {
      const writes = this.later.get(sector)
      if (writes) writes.push(write)
      else this.later.set(sector, [write])
    }
  }

  /** A flush was answered that was put when so many answers had been consumed. */
  flushed(putAfter: number): void {
    this.raiseFloor(({ answered }) => answered <= putAfter)
  }

  /** A barrier was answered that was put as the `put`-th: it and all before it are durable. */
  barred(put: number): void {
    this.raiseFloor((write) => write.put <= put && write.answered < Infinity)
  }

  /** Whether the sector may hold this while nobody knows what became of a write. */
  admits(sector: number, words: Int32Array): boolean {
    const stamp = stampOf(words)
    if (stamp === undefined) return false
    if (stamp === this.floor[sector]) return true
    return this.later.get(sector)?.some((write) => write.stamp === stamp) ?? false
  }

  /** @returns what is wrong with what a power cut left. */
  judgeImage(image: Uint8Array): string | undefined {
    const words = new Int32Array(image.buffer, image.byteOffset, image.length >>> 2)
    for (let sector = 0; sector < this.floor.length; sector++) {
      const found = words.subarray(sector * SECTOR_WORDS, (sector + 1) * SECTOR_WORDS)
      if (this.admits(sector, found)) continue
      const held = stampOf(found) ?? 'a mixture'
      return `after a power cut sector ${sector} holds ${held}, durable was ${this.floor[sector]}`
    }
    return undefined
  }

  private raiseFloor(covers: (write: StampedWrite) => boolean): void {
    for (const [sector, writes] of this.later) {
      const index = writes.findLastIndex(covers)
      if (index < 0) continue
      this.floor[sector] = writes[index].stamp
      if (index === writes.length - 1) this.later.delete(sector)
      else writes.splice(0, index + 1)
    }
  }
}

/** Of a sector that holds one stamp throughout. */
function stampOf(words: Int32Array): number | undefined {
  const [stamp] = words
  for (let at = 1; at < SECTOR_WORDS; at++) if (words[at] !== stamp) return undefined
  return stamp
}
