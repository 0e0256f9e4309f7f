/**
 * @packageDocumentation
 * Reads segments that anyone may have written: bounds are checked before anything is believed, nothing is allocated by
 * a length that the file gives, and what is wrong comes out as a sentence, never as an exception.
 *
 *   readSegment(words) ─► { header, batches(), end }      end: 'torn tail' (normal), or what is damaged, and where
 */
import { decode } from 'cborg'
import { getDouble } from '../core/words.js'
import { sentenceOf } from '../protocol/errors.js'
import {
  BATCH_FRAME_WORDS, BATCH_HEAD_WORDS, BATCH_TAIL_WORDS, FORMAT_VERSION, HEADER_FIXED_WORDS, H_BATCH, H_CAPACITY,
  H_CBOR_BYTES, H_CHAIN, H_CRC, H_SEQUENCE, H_VERSION, H_WORDS, MAGIC_0, MAGIC_1, crcOfHeader, crcOfWords,
} from './format.js'
import type { JournalIdentity } from './format.js'

export interface SegmentHeader {
  /** Of the format (format.ts). */
  readonly version: number
  readonly identity: JournalIdentity
  readonly sequence: number
  readonly firstBatch: number
  readonly chain: number
  readonly headerWords: number
  /** Words of the whole segment, as its header says; the file may be shorter. */
  readonly capacity: number
}

export type HeaderResult =
  | { readonly ok: true; readonly header: SegmentHeader }
  | { readonly ok: false; readonly sentence: string }

/** One sealed batch: its records stand in words[from, to). */
export interface Batch {
  readonly words: Int32Array
  /** Where the batch starts, in words from the segment's beginning. */
  readonly at: number
  readonly number: number
  readonly from: number
  readonly to: number
  readonly timeNs: number
  readonly digest: number
}

/** A batch that is there but wrong. */
export interface Damage {
  readonly at: number
  readonly sentence: string
}

/** How reading ended: at the torn tail, or at damage; with the CRC of the last good batch. */
export interface BatchesEnd {
  readonly damage?: Damage
  readonly chain: number
}

/** Where a batch may begin: in words from the segment's beginning, its number, and what its checksum continues. */
export interface BatchPlace {
  readonly at: number
  readonly number: number
  readonly chain: number
}

/** Largest header that is believed: 64 KiB. */
export const HEADER_WORDS_MAX = 1 << 14

export function readHeader(words: Int32Array): HeaderResult {
  const sentence = judgeHeader(words)
  if (sentence !== undefined) return fault(sentence)
  try {
    const bytes = new Uint8Array(words.buffer, words.byteOffset + HEADER_FIXED_WORDS * 4, words[H_CBOR_BYTES])
    const identity = decode(bytes, { allowBigInt: false }) as unknown
    if (!isIdentity(identity)) return fault('its header does not say whose journal it is')
    const header = {
      version: words[H_VERSION],
      identity,
      sequence: words[H_SEQUENCE] >>> 0,
      firstBatch: words[H_BATCH] >>> 0,
      chain: words[H_CHAIN],
      headerWords: words[H_WORDS],
      capacity: words[H_CAPACITY] >>> 0,
    }
    return { ok: true, header }
  } catch (error) {
    return fault(`its header cannot be decoded: ${sentenceOf(error)}`)
  }
}

/** Only which segment of the pool it is; undefined when it is none that could be read. */
export function readSequence(words: Int32Array): number | undefined {
  return judgeHeader(words) === undefined ? words[H_SEQUENCE] >>> 0 : undefined
}

/** What is wrong with a header, as far as its fixed part and its checksum tell. */
function judgeHeader(words: Int32Array): string | undefined {
  if (words.length < HEADER_FIXED_WORDS + BATCH_FRAME_WORDS) return 'it is too short to be a segment'
  if (words[0] !== MAGIC_0 || words[1] !== MAGIC_1) return 'it does not begin with the journal magic'
  if (words[H_VERSION] !== FORMAT_VERSION)
    return `its format version is ${words[H_VERSION]}, and this program reads version ${FORMAT_VERSION}`
  const headerWords = words[H_WORDS]
  const cborBytes = words[H_CBOR_BYTES]
  const headerMax = Math.min(HEADER_WORDS_MAX, words.length)
  if (headerWords < HEADER_FIXED_WORDS || headerWords > headerMax || (headerWords & 1) !== 0)
    return 'the length of its header is impossible'
  if (cborBytes < 1 || cborBytes > (headerWords - HEADER_FIXED_WORDS) * 4) return 'its header is cut off'
  return words[H_CRC] === crcOfHeader(words, headerWords) ? undefined : 'the checksum of its header is wrong'
}

/** Whether the types are those of {@link JournalIdentity}; `settings` is judged by whoever uses it. */
function isIdentity(value: unknown): value is JournalIdentity {
  if (typeof value !== 'object' || value === null) return false
  const { journal, kind, charts, program, boot, pid, wallMs, monotonicNs } = value as Record<string, unknown>
  const texts = [journal, program, boot].every((text) => typeof text === 'string')
  const numbers = [pid, wallMs, monotonicNs].every((number) => typeof number === 'number')
  const known = kind === 'queue' || kind === 'actor'
  if (!texts || !numbers || !known || typeof charts !== 'object' || charts === null) return false
  return Object.values(charts).every((hash) => typeof hash === 'string')
}

function fault(sentence: string): HeaderResult {
  return { ok: false, sentence }
}

/** Where the first batch of a segment begins. */
export function firstPlace({ headerWords, firstBatch, chain }: SegmentHeader): BatchPlace {
  return { at: headerWords, number: firstBatch, chain }
}

/**
 * The batches of a segment, in order; ends at the torn tail, or at the first damage, which is then its return value.
 * `chain` of the last batch read is the seed of the next segment's first. `from`: where an earlier reading ended.
 */
export function* readBatches(
  words: Int32Array, header: SegmentHeader, from: BatchPlace = firstPlace(header),
): Generator<Batch, BatchesEnd> {
  let { at, chain, number } = from
  while (at + BATCH_FRAME_WORDS <= words.length) {
    const length = words[at]
    if (length === 0) break
    const sentence = judgeBatch(words, at, length, number, chain)
    if (sentence !== undefined) return { damage: { at, sentence }, chain }
    const to = at + length - BATCH_TAIL_WORDS
    yield { words, at, number, from: at + BATCH_HEAD_WORDS, to, timeNs: getDouble(words, to), digest: words[to + 2] }
    chain = words[to + 3]
    at += length
    number++
  }
  return { chain }
}

function judgeBatch(words: Int32Array, at: number, length: number, number: number, chain: number): string | undefined {
  if (length < BATCH_FRAME_WORDS || length > words.length - at || (length & 1) !== 0)
    return `batch ${number}: its length (${length} words) is impossible`
  if (words[at + 1] >>> 0 !== number) return `batch ${number}: it says that it is number ${words[at + 1] >>> 0}`
  const crc = crcOfWords(words, at + 1, length - 2, chain)
  if (crc !== words[at + length - 1]) return `batch ${number}: its checksum is wrong: a byte of it was changed`
  return undefined
}

/** What stands behind the last commit word. */
export interface Tail {
  /** 'full': no further batch fits; 'clean': nothing was begun; 'torn': a batch was begun and never sealed. */
  readonly kind: 'full' | 'clean' | 'torn'
  /** Set when it is no tail: a whole batch stands there whose commit word was taken away. */
  readonly sentence?: string
}

/**
 * Judges the place where reading ended without damage: words[at] is a commit word of zero, or the end.
 * A batch that is whole in every other respect (number, checksum) tells that its commit word was changed to zero; the
 * one innocent explanation is a writer that died between its last two stores.
 */
export function judgeTail(words: Int32Array, at: number, number: number, chain: number): Tail {
  if (at + BATCH_FRAME_WORDS > words.length) return { kind: 'full' }
  if (words[at + 1] >>> 0 === number) {
    let crc = crcOfWords(words, at + 1, BATCH_FRAME_WORDS - 2, chain)
    for (let length = BATCH_FRAME_WORDS; at + length <= words.length; length += 2) {
      if (crc === words[at + length - 1]) return { kind: 'torn', sentence: uncommitted(number) }
      if (at + length + 2 > words.length) break
      // Two words more: the one that would have been the checksum, and the one behind it.
      crc = crcOfWords(words, at + length - 1, 2, crc)
    }
  }
  for (let word = at + 2; word < at + BATCH_FRAME_WORDS; word++) if (words[word] !== 0) return { kind: 'torn' }
  return { kind: 'clean' }
}

function uncommitted(number: number): string {
  return `batch ${number}: whole, but its commit word is zero: it was changed (or its writer died in that instant)`
}
