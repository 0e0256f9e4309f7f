/**
 * @packageDocumentation
 * Writes one journal: the only writer of its segments. Records are written by the caller straight into the open batch
 * (`words` from `at` on), sealed as a whole, and are then what a reader, a replay or a recovery sees.
 *
 *   begin(room) ── caller writes records, moves `at` ── seal(time, digest)
 *
 * A batch never crosses a segment: `begin` is told the most it can take and rolls to a fresh segment when the rest is
 * too short. A fresh segment starts with a checkpoint of the actor, so that it can be folded without its forerunners.
 * What must never happen: a commit word before everything that it commits.
 */
import { encode } from 'cborg'
import { putDouble } from '../core/words.js'
import { XbbdError } from '../protocol/errors.js'
import {
  BATCH_FRAME_WORDS, BATCH_HEAD_WORDS, BATCH_TAIL_WORDS, FORMAT_VERSION, HEADER_FIXED_WORDS, H_BATCH, H_CAPACITY,
  H_CBOR_BYTES, H_CHAIN, H_CRC, H_SEQUENCE, H_VERSION, H_WORDS, MAGIC_0, MAGIC_1, crcOfHeader, crcOfWords,
} from './format.js'
import type { CrcOfWords, JournalIdentity } from './format.js'

/** Memory for one segment; `words` starts on 8 bytes. `sequence` grows with every segment that the pool gives out. */
export interface SegmentMemory {
  readonly words: Int32Array
  readonly sequence: number
}

/** Where segments come from. `atLeastWords`: what the next batch and its checkpoint need. */
export interface SegmentSource {
  next(journal: string, atLeastWords: number): SegmentMemory | undefined
}

/** Writes the actor's checkpoint record at words[at..]. @returns its end. */
export type CheckpointWriter = (words: Int32Array, at: number) => number

export interface Checkpointer {
  /** An upper bound of what `write` takes now. */
  wordsMax(): number
  write: CheckpointWriter
}

export class BatchWriter {
  readonly identity: JournalIdentity
  /** The open segment, and where the next record goes. */
  words: Int32Array = new Int32Array(0)
  at = 0
  /** Batches sealed so far, checkpoints included. */
  batches = 0
  /** Bytes sealed so far. */
  bytes = 0
  private start = 0
  private chain = 0
  private readonly source: SegmentSource
  private readonly checkpointer: Checkpointer | undefined
  private readonly cbor: Uint8Array
  private readonly crc: CrcOfWords

  /** `crc`: a faster one than zlib's, where there is one; it is asked once per batch. */
  constructor(
    identity: JournalIdentity, source: SegmentSource, checkpointer?: Checkpointer, crc: CrcOfWords = crcOfWords,
  ) {
    this.identity = identity
    this.source = source
    this.checkpointer = checkpointer
    this.cbor = encode(identity)
    this.crc = crc
  }

  /** Opens a batch with room for `room` words of records. `nowNs` stamps a checkpoint, should one be due. */
  begin(room: number, nowNs: number): void {
    // One word more: the next batch's commit word is zeroed before this one is committed.
    if (this.start + BATCH_FRAME_WORDS + room + 2 > this.words.length) this.roll(room, nowNs)
    this.at = this.start + BATCH_HEAD_WORDS
  }

  /** Where the open batch's commit word stands. */
  get batchAt(): number {
    return this.start
  }

  /** Whether anything was written since `begin`. */
  get dirty(): boolean {
    return this.at > this.start + BATCH_HEAD_WORDS
  }

  /** Closes the batch: from now on it has happened. */
  seal(timeNs: number, digest: number): void {
    const { words, start } = this
    const tail = this.at
    const length = tail + BATCH_TAIL_WORDS - start
    words[start + 1] = this.batches
    putDouble(words, tail, timeNs)
    words[tail + 2] = digest
    this.chain = this.crc(words, start + 1, length - 2, this.chain)
    words[tail + 3] = this.chain
    this.start = start + length
    words[this.start] = 0
    Atomics.store(words, start, length)
    this.batches++
    this.bytes += length * 4
    this.at = this.start + BATCH_HEAD_WORDS
  }

  private roll(room: number, nowNs: number): void {
    const headerWords = HEADER_FIXED_WORDS + ((this.cbor.length + 7) >>> 3) * 2
    const checkpoint = this.checkpointer ? this.checkpointer.wordsMax() + BATCH_FRAME_WORDS : 0
    const need = headerWords + checkpoint + BATCH_FRAME_WORDS + room + 2
    const segment = this.source.next(this.identity.journal, need)
    if (segment === undefined || segment.words.length < need)
      throw new XbbdError('XBBD_JOURNAL_FULL', 'the journal pool has no segment left: raise journal.size')
    this.words = segment.words
    this.writeHeader(headerWords, segment.sequence)
    this.start = headerWords
    this.words[this.start] = 0
    this.at = this.start + BATCH_HEAD_WORDS
    if (this.checkpointer) {
      this.at = this.checkpointer.write(this.words, this.at)
      this.seal(nowNs, 0)
    }
    // Only now does the segment count: until here its magic is absent.
    this.words[1] = MAGIC_1
    Atomics.store(this.words, 0, MAGIC_0)
  }

  private writeHeader(headerWords: number, sequence: number): void {
    const { words, cbor } = this
    Atomics.store(words, 0, 0)
    words[1] = 0
    words[H_VERSION] = FORMAT_VERSION
    words[H_WORDS] = headerWords
    words[H_SEQUENCE] = sequence
    words[H_CAPACITY] = words.length
    words[H_CHAIN] = this.chain
    words[H_BATCH] = this.batches
    words[H_CBOR_BYTES] = cbor.length
    words.fill(0, HEADER_FIXED_WORDS, headerWords)
    new Uint8Array(words.buffer, words.byteOffset + HEADER_FIXED_WORDS * 4, cbor.length).set(cbor)
    words[H_CRC] = crcOfHeader(words, headerWords)
  }
}
