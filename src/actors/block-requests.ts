/**
 * @packageDocumentation
 * Requests in several entries of a ring (protocol/blocks.ts), between ring and journal: what was taken becomes records,
 * one for a request whatever its entries, and an answer gets as many places as its request had entries.
 *
 *   entries  H B B H H B …  ─► LONG TAKEN LONG …            answers  a b  ─► places  a a a b
 */
import type { QueueCore } from '../core/queue-core.js'
import { putAnswers } from '../core/recovery.js'
import { ANSWER_WORDS, type BackRing } from '../ports/data-path.js'
import type { AbiLayout } from '../protocol/abi.js'
import { addBlocks, entriesOf } from '../protocol/blocks.js'
import { canonicalise } from '../protocol/entry.js'

export class BlockRequests {
  private readonly core: QueueCore
  private readonly ring: BackRing
  private readonly layout: AbiLayout
  private readonly places: Int32Array

  constructor(core: QueueCore, ring: BackRing, layout: AbiLayout) {
    this.core = core
    this.ring = ring
    this.layout = layout
    this.places = new Int32Array(ring.size * ANSWER_WORDS)
  }

  /**
   * Writes up to `room` requests from the `count` entries that were taken, which are all that wait.
   * @returns how many entries they had; -1 when the first of them was published without its blocks.
   */
  write(count: number, room: number, sink: { readonly words: Int32Array; at: number }): number {
    const { core, layout, ring: { entries, entryWords } } = this
    const { maxBlockSegments = 0 } = core.settings.disk
    const { words } = sink
    let entry = 0
    for (let taken = 0; entry < count && taken < room; taken++) {
      const header = entry * entryWords
      const size = entriesOf(entries, header)
      if (entry + size > count) break
      const length = canonicalise(entries, header, layout, words, sink.at, core.slotForTake(taken))
      sink.at += size === 1 ? length : addBlocks(entries, header, layout, words, sink.at, maxBlockSegments)
      entry += size
    }
    return entry === 0 ? -1 : entry
  }

  /** The answers of the batch that was settled, place by place. */
  place(): Int32Array {
    const { answerSlots, answerCount } = this.core.effects
    putAnswers(this.core, answerSlots, this.places, answerCount)
    return this.places
  }
}
