/**
 * @packageDocumentation
 * What a batch wants done outside, as data in preallocated arrays. The shell executes them in this order: the copies
 * (their outcome is an input of the same batch), then, once the batch is sealed, the I/Os and the answers.
 *
 *   copies   4 words each (ports/data-path.ts), a request's copies side by side; `owners` names the requests in order,
 *            `ownerEnds` says where the copies of each end
 *   submits  8 words each; what the medium does not take at once stays for the next round
 *   answers  4 words each
 *
 * Effects on which recovery or an observer rests are written to the journal by `write`: states entered, chunks
 * returned, and which response number answers which slot.
 */
import {
  ANSWER_WORDS, COPY_WORDS, IO_DISCARD, IO_READ, IO_SECURE_DISCARD, IO_SYNC, IO_WORDS, IO_WRITE,
} from '../ports/data-path.js'
import { PAGE_BYTES, SECTOR_BYTES } from '../protocol/blkif.js'
import { RECORD_ANSWERED, RECORD_ENTERED, RECORD_RETURNED } from './records.js'
import { PAGES_PER_CHUNK } from './extent-pool.js'
import { KIND, tokenOf } from './request-columns.js'
import { placeOf, runBytes } from './request-pages.js'
import type { RequestColumns } from './request-columns.js'

const TWO_32 = 4294967296
/** States entered and chunks returned in one batch: far more than a batch can cause. */
const NOTES_MAX = 64

export class EffectLists {
  readonly copies: Int32Array
  copyCount = 0
  readonly owners: Uint16Array
  readonly ownerEnds: Int32Array
  ownerCount = 0
  /** By slot: one of its copies failed. */
  readonly copyFailed: Uint8Array
  readonly submits: Int32Array
  submitCount = 0
  readonly answers: Int32Array
  readonly answerSlots: Uint16Array
  answerCount = 0
  /** Chunks that the shell gives back to the Worker's arena. */
  readonly returned = new Int32Array(NOTES_MAX)
  returnedCount = 0
  /** Every I/O and every copy asked for is mixed in here; part of the batch's digest. */
  digest = 0
  private readonly entered = new Int32Array(NOTES_MAX)
  private enteredCount = 0

  /** `arenaChunks`: a request in pieces has an I/O for each run of them, and a copy more where a segment is cut. */
  constructor(slots: number, maxSegments: number, arenaChunks: number) {
    this.copies = new Int32Array((slots * maxSegments + arenaChunks) * COPY_WORDS)
    this.owners = new Uint16Array(slots)
    this.ownerEnds = new Int32Array(slots)
    this.copyFailed = new Uint8Array(slots)
    this.submits = new Int32Array((slots + arenaChunks) * IO_WORDS)
    this.answers = new Int32Array(slots * ANSWER_WORDS)
    this.answerSlots = new Uint16Array(slots)
  }

  /** A new batch: everything but I/Os that the medium has not taken yet. */
  clear(): void {
    this.forgetCopies()
    this.answerCount = 0
    this.returnedCount = 0
    this.enteredCount = 0
  }

  forgetCopies(): void {
    this.copyCount = 0
    this.ownerCount = 0
  }

  /** The first `taken` I/Os are with the medium. */
  forgetSubmits(taken: number): void {
    this.submits.copyWithin(0, taken * IO_WORDS, this.submitCount * IO_WORDS)
    this.submitCount -= taken
  }

  noteEntered(from: number, to: number, reason: number): void {
    if (this.enteredCount < NOTES_MAX) this.entered[this.enteredCount++] = (from << 8) | (to << 16) | (reason << 24)
  }

  noteReturned(chunk: number): void {
    this.returned[this.returnedCount++] = chunk
  }

  /** The request's data, packed in its buffer in the order of its segments: so one I/O serves them all. */
  addIo(columns: RequestColumns, slot: number): void {
    const kind = columns.kind[slot]
    const discard = columns.secure[slot] === 0 ? IO_DISCARD : IO_SECURE_DISCARD
    const op = kind === KIND.read ? IO_READ : kind === KIND.discard ? discard : IO_WRITE
    const offset = columns.sector[slot] * SECTOR_BYTES
    if (columns.pages[slot] > PAGES_PER_CHUNK) return this.addIos(columns, slot, op, offset)
    this.add(columns, slot, op, columns.page[slot] * PAGE_BYTES, offset, columns.bytes[slot])
  }

  /** One I/O for each run of the request's pieces. */
  private addIos(columns: RequestColumns, slot: number, op: number, offset: number): void {
    for (let done = 0; done < columns.bytes[slot]; ) {
      const length = runBytes(columns, slot, done)
      this.add(columns, slot, op, placeOf(columns, slot, done), offset + done, length)
      done += length
    }
  }

  addSync(columns: RequestColumns, slot: number): void {
    this.add(columns, slot, IO_SYNC, columns.page[slot] * PAGE_BYTES, 0, 0)
  }

  private add(
    columns: RequestColumns, slot: number, op: number, place: number, offset: number, length: number,
  ): void {
    const { submits } = this
    const at = this.submitCount++ * IO_WORDS
    submits[at] = op
    submits[at + 1] = tokenOf(slot, columns.generation[slot])
    submits[at + 2] = place
    submits[at + 3] = length
    submits[at + 4] = offset
    submits[at + 5] = offset / TWO_32
    submits[at + 6] = length / TWO_32
    submits[at + 7] = 0
    const mixed = Math.imul(this.digest ^ submits[at + 1] ^ (op << 28), 0x9e3779b1)
    this.digest = (mixed + submits[at + 4] + length) | 0
  }

  addCopies(columns: RequestColumns, slot: number, direction: number): void {
    if (columns.pages[slot] > PAGES_PER_CHUNK) return this.addCopiesInPieces(columns, slot, direction)
    const { copies } = this
    const count = columns.segmentCount[slot]
    let segment = columns.segmentsAt[slot]
    let buffer = columns.page[slot] * PAGE_BYTES
    let index = this.copyCount
    for (const last = index + count; index < last; index++) {
      const range = columns.segments[segment + 1]
      const first = range & 0xff
      const length = (((range >>> 8) & 0xff) - first + 1) * SECTOR_BYTES
      const at = index * COPY_WORDS
      copies[at] = columns.segments[segment]
      copies[at + 1] = (first * SECTOR_BYTES) | (length << 16)
      copies[at + 2] = buffer
      copies[at + 3] = direction
      buffer += length
      segment += 2
    }
    this.endCopies(slot, index, buffer)
  }

  /** As above, but a segment whose data does not lie in one run is cut where the run ends. */
  private addCopiesInPieces(columns: RequestColumns, slot: number, direction: number): void {
    const { copies } = this
    let index = this.copyCount
    let done = 0
    const end = columns.segmentsAt[slot] + 2 * columns.segmentCount[slot]
    for (let segment = columns.segmentsAt[slot]; segment < end; segment += 2) {
      const range = columns.segments[segment + 1]
      const last = (((range >>> 8) & 0xff) + 1) * SECTOR_BYTES
      for (let offset = (range & 0xff) * SECTOR_BYTES; offset < last; index++) {
        const length = Math.min(last - offset, runBytes(columns, slot, done))
        const at = index * COPY_WORDS
        copies[at] = columns.segments[segment]
        copies[at + 1] = offset | (length << 16)
        copies[at + 2] = placeOf(columns, slot, done)
        copies[at + 3] = direction
        offset += length
        done += length
      }
    }
    this.endCopies(slot, index, placeOf(columns, slot, done - SECTOR_BYTES) + SECTOR_BYTES)
  }

  private endCopies(slot: number, end: number, buffer: number): void {
    this.copyCount = end
    this.digest = (Math.imul(this.digest ^ slot, 0x85ebca6b) + buffer) | 0
    this.ownerEnds[this.ownerCount] = end
    this.owners[this.ownerCount++] = slot
  }

  /** Words that `write` needs at most. */
  static wordsMax(slots: number): number {
    return 2 * NOTES_MAX + (2 + NOTES_MAX) + (2 + slots + 1)
  }

  /** Writes the effects' records. @returns the end. */
  write(words: Int32Array, at: number, rspProd: number): number {
    for (let index = 0; index < this.enteredCount; index++) {
      words[at] = RECORD_ENTERED | this.entered[index]
      words[at + 1] = 0
      at += 2
    }
    if (this.returnedCount > 0) at = this.writeList(words, at, RECORD_RETURNED, 0, this.returnedCount)
    if (this.answerCount > 0) at = this.writeList(words, at, RECORD_ANSWERED, rspProd, this.answerCount)
    return at
  }

  private writeList(words: Int32Array, at: number, kind: number, argument: number, count: number): number {
    words[at] = kind | (count << 16)
    words[at + 1] = argument
    const answered = kind === RECORD_ANSWERED
    for (let index = 0; index < count; index++)
      words[at + 2 + index] = answered
        ? this.answerSlots[index] | (this.answers[index * ANSWER_WORDS + 3] << 16)
        : this.returned[index]
    const end = at + 2 + count
    if ((count & 1) === 0) return end
    words[end] = 0
    return end + 1
  }
}
