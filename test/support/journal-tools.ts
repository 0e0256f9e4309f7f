/**
 * @packageDocumentation
 * Tools for tests that change journals: finding records, changing a word, and mending every checksum afterwards, as
 * someone would who wants to hide the change; and writing segments into a folder as the pool has them.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { recordWords } from '../../src/core/records.js'
import { chainsOf } from '../../src/journal/chain.js'
import type { JournalChain } from '../../src/journal/chain.js'
import { H_CHAIN, H_CRC, crcOfHeader, crcOfWords } from '../../src/journal/format.js'
import { segmentsInMemory } from '../../src/journal/journal-files.js'
import { readBatches, readHeader } from '../../src/journal/segment-reader.js'

/** Where a record stands. */
export interface RecordPlace {
  readonly segment: number
  readonly batch: number
  readonly at: number
}

/** Copies, so that one run serves many tests. */
export const copyOf = (segments: readonly Int32Array[]) => segments.map((words) => words.slice())

/** The one chain of these segments. */
export function chainIn(segments: readonly Int32Array[]): JournalChain {
  const chains = chainsOf(segmentsInMemory(segments))
  expect(chains).toHaveLength(1)
  return chains[0]
}

/** Every record of one kind for which `wanted` holds. */
export function recordsOf(
  segments: readonly Int32Array[], kind: number, wanted: (words: Int32Array, at: number) => boolean = () => true,
): RecordPlace[] {
  return segments.flatMap((words, segment) => {
    const result = readHeader(words)
    if (!result.ok) throw new Error(result.sentence)
    const places: RecordPlace[] = []
    for (const { number, from, to } of readBatches(words, result.header)) {
      for (let at = from; at < to; at += recordWords(words, at, to - at))
        if ((words[at] & 0xff) === kind && wanted(words, at)) places.push({ segment, batch: number, at })
    }
    return places
  })
}

/** Makes every checksum right again, through all segments, whatever was changed in records. */
export function mendChecksums(segments: readonly Int32Array[]): void {
  let chain: number | undefined
  for (const words of segments) {
    words[H_CHAIN] = chain ?? words[H_CHAIN]
    const headerWords = words[3]
    words[H_CRC] = crcOfHeader(words, headerWords)
    let crc = words[H_CHAIN]
    for (let at = headerWords; at + 6 <= words.length && words[at] !== 0; at += words[at]) {
      crc = crcOfWords(words, at + 1, words[at] - 2, crc)
      words[at + words[at] - 1] = crc
    }
    chain = crc
  }
}

/** First and one past the last byte of all sealed batches of a segment. */
export function sealedBytes(words: Int32Array): { readonly from: number; readonly to: number } {
  const from = words[3]
  let at = from
  while (at + 6 <= words.length && words[at] !== 0) at += words[at]
  return { from: from * 4, to: at * 4 }
}

/** One file per segment. */
export function writeSegments(folder: string, segments: readonly Int32Array[]): void {
  segments.forEach((words, index) => {
    const name = `segment-${String(index).padStart(4, '0')}.xbj`
    writeFileSync(join(folder, name), new Uint8Array(words.buffer, words.byteOffset, words.byteLength))
  })
}
