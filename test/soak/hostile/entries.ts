/**
 * @packageDocumentation
 * Entries as a front end writes them that wants us to fall: a stock of a few thousand, each honest, or honest but for one
 * word, or nonsense throughout. What is put into the ring is one of them with an id of its own and now and then a flipped
 * bit, so no two need be equal.
 *
 *   honest ──► lie about one word ──► flip a bit                 or: 28 words of chance
 */
import {
  BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_INDIRECT, BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER,
} from '../../../src/protocol/blkif.js'
import type { AbiLayout } from '../../../src/protocol/abi.js'
import type { Random } from '../../../src/sim/random.js'

/** Where the references of a hostile guest lie: those below each bound are the ones of that kind. */
export const GREFS = {
  /** Named by direct requests alone, so that who may touch them when is known exactly. */
  direct: 256,
  /** Named by descriptors. */
  indirect: 384,
  /** Pages of descriptors, granted for reading. */
  descriptors: 416,
  /** Never granted. */
  absent: 512,
} as const

export const TEMPLATES = 4096
/** Requests whose id is unique carry this in the high word; the low word counts. */
export const UNIQUE = 0x5eed0000

const OPS = [BLKIF_OP_READ, BLKIF_OP_READ, BLKIF_OP_READ, BLKIF_OP_WRITE, BLKIF_OP_WRITE, BLKIF_OP_WRITE_BARRIER,
  BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_DISCARD, BLKIF_OP_INDIRECT]

export class HostileEntries {
  private readonly stock: Int32Array
  private readonly words: number
  private readonly layout: AbiLayout
  private readonly random: Random
  private readonly sectors: number
  private unique = 0

  constructor(layout: AbiLayout, random: Random, sectors: number) {
    this.layout = layout
    this.random = random
    this.sectors = sectors
    this.words = layout.entryWords
    this.stock = new Int32Array(TEMPLATES * this.words)
    for (let at = 0; at < this.stock.length; at += this.words) this.make(at)
  }

  /** Puts one entry at `to[at]`. */
  put(to: Int32Array, at: number): void {
    const { random, stock, words, layout } = this
    const chance = random.next()
    const from = (chance & (TEMPLATES - 1)) * words
    for (let word = 0; word < words; word++) to[at + word] = stock[from + word]
    // One of sixteen keeps the id of its template, so ids are outstanding several times.
    if (chance >>> 28 !== 0) {
      to[at + layout.idWord] = this.unique = (this.unique + 1) & 0xffff
      to[at + layout.idWord + 1] = UNIQUE
    }
    if ((chance >>> 24 & 15) === 0) to[at + random.below(words)] ^= 1 << (chance >>> 13 & 31)
  }

  private make(at: number): void {
    const { random, stock, words } = this
    if (random.chance(0.2)) {
      for (let word = 0; word < words; word++) stock[at + word] = random.next() | 0
      if (random.chance(0.5)) stock[at] = (stock[at] & ~0xff) | random.below(8)
      return
    }
    this.honest(at)
    if (random.chance(0.35)) this.lie(at)
  }

  private honest(at: number): void {
    const { random, stock, layout } = this
    const op = random.pick(OPS)
    const data = op === BLKIF_OP_READ || op === BLKIF_OP_WRITE
    const count = random.chance(0.05) ? 11 : data ? 1 + random.below(3) : random.below(2)
    stock[at] = op | (count << 8) | (random.below(0x10000) << 16)
    stock[at + layout.idWord] = random.below(4)
    stock[at + layout.sectorWord] = random.below(this.sectors - 8 * 11)
    if (op === BLKIF_OP_DISCARD) stock[at + layout.nrSectorsWord] = 1 + random.below(64)
    else if (op === BLKIF_OP_INDIRECT) this.indirect(at)
    else for (let index = 0; index < count; index++) {
      const first = random.chance(0.2) ? 0 : random.below(8)
      stock[at + layout.segmentWord + 2 * index] = random.below(GREFS.direct)
      stock[at + layout.segmentWord + 2 * index + 1] = first | ((first === 0 ? 7 : first) << 8)
    }
  }

  private indirect(at: number): void {
    const { random, stock, layout } = this
    const segments = 1 + random.below(random.chance(0.2) ? 64 : 12)
    stock[at] = BLKIF_OP_INDIRECT | (random.below(2) << 8) | (segments << 16)
    for (let page = 0; page < 8; page++)
      stock[at + layout.segmentWord + 1 + page] = GREFS.indirect + random.below(GREFS.descriptors - GREFS.indirect)
  }

  /** One word is not what it was. */
  private lie(at: number): void {
    const { random, stock, layout } = this
    const segment = at + layout.segmentWord + 2 * random.below(11)
    switch (random.below(8)) {
      case 0: stock[at] = (stock[at] & ~0xff00) | (random.below(256) << 8); break
      case 1: stock[at] = (stock[at] & ~0xff) | random.below(256); break
      case 2: stock[at + layout.sectorWord] = this.sectors - random.below(12); break
      case 3: stock[at + layout.sectorWord + 1] = random.next() | 0; break
      case 4: stock[segment + 1] = random.next() & 0xffff; break
      case 5: stock[segment] = GREFS.descriptors + random.below(GREFS.absent - GREFS.descriptors); break
      case 6: stock[segment] = random.next() | 0; break
      default: stock[at + random.below(this.words)] = random.next() | 0
    }
  }
}

/** Fills a page with descriptors, some of which are nonsense. */
export function describePage(words: Int32Array, random: Random): void {
  for (let at = 0; at < words.length; at += 2) {
    const first = random.below(8)
    words[at] = random.chance(0.01) ? random.next() | 0 : GREFS.direct + random.below(GREFS.indirect - GREFS.direct)
    words[at + 1] = random.chance(0.01) ? random.next() | 0 : first | (Math.min(7, first + random.below(2)) << 8)
  }
}
