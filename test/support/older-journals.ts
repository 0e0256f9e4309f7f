/**
 * @packageDocumentation
 * Journals of versions that never were: today's, made over as if another program had written them. Every checksum is
 * right afterwards.
 *
 *   relabelled        the same records under charts of a hash that nobody knows
 *   withWideIntakes   INTAKE records of four words where today's have two
 *   stuckQueue        today's, in the midst of its work: for the files that later versions will read
 */
import { encode } from 'cborg'
import { RECORD_INTAKE } from '../../src/core/records.js'
import { BATCH_FRAME_WORDS, H_CAPACITY, H_CBOR_BYTES, H_VERSION, HEADER_FIXED_WORDS } from '../../src/journal/format.js'
import { readBatches, readHeader } from '../../src/journal/segment-reader.js'
import { World } from '../../src/sim/world.js'
import { copyOf, mendChecksums } from './journal-tools.js'

/** Of the same length as a hash of today, so that the header keeps its length. */
const UNKNOWN = 'f'.repeat(16)

/** A queue that stops in the midst of its work, every transition recorded, short of slots. */
export function stuckQueue(): readonly Int32Array[] {
  const world = new World({ seed: 31, steps: 0, segmentWords: 4096, slots: 20, delayMax: 20, trace: true, errorShare: 0.02 })
  for (let step = 0; step < 110; step++) world.step(true)
  return world.segments
}

/** Under charts that no version knows. */
export function relabelled(segments: readonly Int32Array[]): Int32Array[] {
  const copies = copyOf(segments)
  for (const words of copies) {
    const read = readHeader(words)
    if (!read.ok) throw new Error(read.sentence)
    const { charts, ...rest } = read.header.identity
    const unknown = Object.fromEntries(Object.keys(charts).map((name) => [name, UNKNOWN]))
    const cbor = encode({ ...rest, charts: unknown })
    if (cbor.length !== words[H_CBOR_BYTES]) throw new Error('the header has another length')
    new Uint8Array(words.buffer, words.byteOffset + HEADER_FIXED_WORDS * 4, cbor.length).set(cbor)
  }
  mendChecksums(copies)
  return copies
}

/** Of another format version. */
export function ofVersion(segments: readonly Int32Array[], version: number): Int32Array[] {
  const copies = copyOf(segments)
  for (const words of copies) words[H_VERSION] = version
  mendChecksums(copies)
  return copies
}

/** A batch that begins with an INTAKE has one of four words. */
export function withWideIntakes(segments: readonly Int32Array[]): Int32Array[] {
  const copies = segments.map((segment) => {
    const read = readHeader(segment)
    if (!read.ok) throw new Error(read.sentence)
    const words = new Int32Array(segment.length * 2)
    const { headerWords } = read.header
    words.set(segment.subarray(0, headerWords))
    words[H_CAPACITY] = words.length
    let end = headerWords
    for (const { at, from, to } of readBatches(segment, read.header)) {
      const records = Array.from(segment.subarray(from, to))
      if ((records[0] & 0xff) === RECORD_INTAKE) records.splice(2, 0, 0, 0)
      const length = records.length + BATCH_FRAME_WORDS
      words.set([length, segment[at + 1], ...records, ...segment.subarray(to, to + 4)], end)
      end += length
    }
    return words
  })
  mendChecksums(copies)
  return copies
}
