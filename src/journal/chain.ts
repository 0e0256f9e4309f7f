/**
 * @packageDocumentation
 * Segments in the order in which one writer wrote them, and the walk over their batches. Replay, check and cat all go
 * this way, so that they agree on what is there, what is missing and what is damaged.
 *
 *   segments (any order) ─ chainsOf ─► one chain per journal and run ─ walkChain ─► segment · batch… · tail
 *                                                                                    damage · gap
 *
 * A chain may begin anywhere: older segments are recycled, and each begins with a checkpoint. Within a chain nothing
 * may be missing: batch numbers go on, and the chain seed of a segment is the CRC of the batch before it.
 * What must never happen: an exception for any bytes whatever.
 */
import { BATCH_TAIL_WORDS } from './format.js'
import type { JournalIdentity } from './format.js'
import { judgeTail, readBatches } from './segment-reader.js'
import type { Batch, SegmentHeader, Tail } from './segment-reader.js'
import { upcastFor } from './upcast.js'
import type { Upcast } from './upcast.js'

/** One segment somewhere: in a file from byte `offset` on, or in memory. */
export interface SegmentView {
  readonly file: string
  readonly offset: number
  readonly header: SegmentHeader
  /** Its words; may read the file anew at each call. */
  words(): Int32Array
  /** Reads words[from, to) anew, where that is less than to read all. @returns the end of what was there. */
  readonly fill?: (words: Int32Array, from: number, to: number) => number
}

/** All segments of one run of one writer, oldest first. */
export interface JournalChain {
  readonly journal: string
  /** Tells runs of the same journal apart: `pid@monotonicNs`. */
  readonly run: string
  readonly identity: JournalIdentity
  /** How its batches are read; undefined: its charts are not known, and they are left as they stand there. */
  readonly upcast: Upcast | undefined
  readonly segments: readonly SegmentView[]
}

/** What a walk comes across. */
export type ChainStep =
  /** A segment begins; `follows`: nothing is missing between it and what was walked before. */
  | { readonly kind: 'segment'; readonly segment: SegmentView; readonly follows: boolean }
  | { readonly kind: 'batch'; readonly segment: SegmentView; readonly batch: Batch }
  /** Batches that should stand between two segments do not. */
  | { readonly kind: 'gap'; readonly segment: SegmentView; readonly batch: number; readonly sentence: string }
  /** A batch that is there but wrong; the walk goes on with the next segment. `at` in words. */
  | { readonly kind: 'damage'; readonly segment: SegmentView; readonly at: number; readonly batch: number
      readonly sentence: string }
  /** The undamaged end of a segment. */
  | { readonly kind: 'tail'; readonly segment: SegmentView; readonly tail: Tail['kind']; readonly at: number }

/** `1234@98765` */
export function runOf(identity: JournalIdentity): string {
  return `${identity.pid}@${identity.monotonicNs}`
}

/** Groups segments by journal and run, and orders each group. Chains are ordered by name, then by time. */
export function chainsOf(segments: Iterable<SegmentView>): JournalChain[] {
  const groups = new Map<string, SegmentView[]>()
  for (const segment of segments) {
    const { identity } = segment.header
    const key = JSON.stringify([identity.journal, runOf(identity)])
    const group = groups.get(key)
    if (group) group.push(segment)
    else groups.set(key, [segment])
  }
  const chains = [...groups.values()].map((group) => {
    group.sort((a, b) => a.header.sequence - b.header.sequence || a.header.firstBatch - b.header.firstBatch)
    const { header } = group[0]
    const { identity } = header
    const upcast = upcastFor(header)
    return { journal: identity.journal, run: runOf(identity), identity, upcast, segments: group }
  })
  const begun = (chain: JournalChain) => chain.identity.monotonicNs
  return chains.sort((a, b) => (a.journal < b.journal ? -1 : a.journal > b.journal ? 1 : begun(a) - begun(b)))
}

/** Walks a chain from its first segment to its end. */
export function* walkChain(chain: JournalChain): Generator<ChainStep, void> {
  let expected: { number: number; crc: number } | undefined
  for (const segment of chain.segments) {
    const { header } = segment
    const follows = expected?.number === header.firstBatch && expected.crc === header.chain
    if (expected !== undefined && !follows) yield gapBefore(segment, expected.number)
    yield { kind: 'segment', segment, follows }
    expected = yield* walkSegment(segment, chain.upcast)
  }
}

/** Batches come lifted; where they stand and what chains them is the file's own. */
function* walkSegment(
  segment: SegmentView, upcast: Upcast | undefined,
): Generator<ChainStep, { number: number; crc: number } | undefined> {
  const { header } = segment
  const words = segment.words()
  let number = header.firstBatch
  let at = header.headerWords
  const batches = readBatches(words, header)
  for (;;) {
    const next = batches.next()
    if (next.done) {
      const { damage, chain } = next.value
      if (damage) {
        yield { kind: 'damage', segment, at: damage.at, batch: number, sentence: damage.sentence }
        return undefined
      }
      const tail = judgeTail(words, at, number, chain)
      if (tail.sentence === undefined) yield { kind: 'tail', segment, tail: tail.kind, at }
      else yield { kind: 'damage', segment, at, batch: number, sentence: tail.sentence }
      return tail.sentence === undefined ? { number, crc: chain } : undefined
    }
    const batch = next.value
    at = batch.to + BATCH_TAIL_WORDS
    number = batch.number + 1
    yield { kind: 'batch', segment, batch: upcast === undefined ? batch : upcast.lift(batch) }
  }
}

function gapBefore(segment: SegmentView, expected: number): ChainStep {
  const first = segment.header.firstBatch
  const sentence =
    first > expected
      ? `batches ${expected} to ${first - 1} are missing: a segment was taken away, or the end of one was cut off`
      : `batch ${expected} was to come, but the segment does not go on from the one before it`
  return { kind: 'gap', segment, batch: expected, sentence }
}
