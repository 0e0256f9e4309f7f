/**
 * @packageDocumentation
 * What the guests know of one disk, whoever of them has it: the stamp that each sector must hold, and which answered
 * writes a flush owes to the platter.
 *
 *   contents[s]   stamp of the last write that was answered, -1 when one failed or was never answered (either is right)
 *   owed[s]       number of the answered write that is to be durable, 0 when a later one was begun, or it was found
 */
import type { SimStore } from './disks.js'

export class DiskModel {
  readonly contents: Int32Array
  /** Writes answered so far. */
  answered = 0
  readonly #owed: Int32Array
  readonly #store: SimStore
  readonly #platter: Int32Array
  #stamp = 1

  constructor(store: SimStore) {
    const sectors = store.platter.length / 512
    this.#store = store
    this.contents = new Int32Array(sectors)
    this.#owed = new Int32Array(sectors)
    this.#platter = new Int32Array(store.platter.buffer)
  }

  readonly stamp = (): number => this.#stamp++

  /** A request that changes these sectors was put: what they held before is owed no more. */
  begun(sector: number, sectors: number): void {
    this.#owed.fill(0, sector, sector + sectors)
  }

  wrote(sector: number, sectors: number): void {
    this.answered++
    this.#owed.fill(this.answered, sector, sector + sectors)
  }

  /** A flush was answered that was put after so many writes. @returns what is not durable though it should be. */
  flushed(until: number): string | undefined {
    for (let sector = 0; sector < this.#owed.length; sector++) {
      const owed = this.#owed[sector]
      if (owed === 0 || owed > until) continue
      const [is, was] = [this.#platter[sector * 128], this.contents[sector]]
      if (is !== was) return `sector ${sector} of ${this.#store.name} holds ${is} on the platter, ${was} was written`
      this.#owed[sector] = 0
    }
    return undefined
  }

  /** Whether the disk holds what was answered, sector by sector. @returns where it does not. */
  compare(): string | undefined {
    const cache = new Int32Array(this.#store.cache.buffer)
    for (let sector = 0; sector < this.contents.length; sector++) {
      const [is, was] = [cache[sector * 128], this.contents[sector]]
      if (was !== -1 && is !== was) return `sector ${sector} of ${this.#store.name} holds ${is}, ${was} was answered`
    }
    return undefined
  }
}
