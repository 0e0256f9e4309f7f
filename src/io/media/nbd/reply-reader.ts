/**
 * @packageDocumentation
 * Reads what a server answers, strictly, in whatever pieces the bytes come; the payload of a read is handed on piece by
 * piece and never gathered.
 *
 *   simple   magic · error · cookie · (data)       structured   magic · flags · kind · cookie · length · payload
 *
 * Whatever the protocol does not have ends the connection: the reader says why, and is not to be fed again. It keeps
 * twenty-odd bytes, whatever a server claims; whether a cookie, an offset or an amount makes sense is asked of the
 * sink, before a byte of it is taken.
 */
import * as nbd from '../../../protocol/nbd.js'

/** The cookie is two words: which request, and which use of its place. */
export interface ReplySink {
  /**
   * A simple answer. @returns how many bytes of data follow (those of a read that went well), or -1 when nobody waits
   * for it, or not for one of this kind.
   */
  answer(place: number, serial: number, error: number): number
  /** Data of a read follows, for these bytes of the disk. @returns whether it is expected. */
  data(place: number, serial: number, offset: number, length: number): boolean
  /** A range of a read that is all zeroes. @returns whether it is expected. */
  hole(place: number, serial: number, offset: number, length: number): boolean
  /** @returns whether somebody waits for it. */
  error(place: number, serial: number, error: number): boolean
  /** The last chunk of this reply has been read. @returns whether that is all that it has to hold. */
  done(place: number, serial: number): boolean
  /** The next bytes of what was announced by `answer` or `data`. */
  bytes(piece: Uint8Array): void
}

/** What an error chunk may carry: a message of at most 4096 bytes and little else. */
const ERROR_BYTES_MAX = 8192
const STAGE_BYTES = 32

type Step = 'header' | 'chunk' | 'offset' | 'hole' | 'error' | 'broken'

export class ReplyReader {
  private readonly sink: ReplySink
  private readonly structured: boolean
  private readonly stage = Buffer.alloc(STAGE_BYTES)
  private step: Step = 'header'
  private filled = 0
  private needed = nbd.ANSWER_BYTES
  /** Bytes of data, or of an error's text, before the next header. */
  private dataLeft = 0
  private skipLeft = 0
  private place = 0
  private serial = 0
  private done = false
  private length = 0
  private complaint: string | undefined

  constructor(sink: ReplySink, structured: boolean) {
    this.sink = sink
    this.structured = structured
  }

  /** Takes what came. @returns why the connection must end, if it must. */
  feed(bytes: Uint8Array): string | undefined {
    let at = 0
    while (at < bytes.length && this.complaint === undefined) {
      if (this.dataLeft > 0) at += this.passOn(bytes, at)
      else if (this.skipLeft > 0) at += this.skip(bytes.length - at)
      else at += this.gather(bytes, at)
    }
    return this.complaint
  }

  private passOn(bytes: Uint8Array, at: number): number {
    const taken = Math.min(this.dataLeft, bytes.length - at)
    this.dataLeft -= taken
    this.sink.bytes(bytes.subarray(at, at + taken))
    if (this.dataLeft === 0) this.chunkRead()
    return taken
  }

  private skip(available: number): number {
    const taken = Math.min(this.skipLeft, available)
    this.skipLeft -= taken
    if (this.skipLeft === 0) this.chunkRead()
    return taken
  }

  private gather(bytes: Uint8Array, at: number): number {
    const taken = Math.min(this.needed - this.filled, bytes.length - at)
    for (let index = 0; index < taken; index++) this.stage[this.filled + index] = bytes[at + index]
    this.filled += taken
    if (this.filled === this.needed) this.take()
    return taken
  }

  private take(): void {
    switch (this.step) {
      case 'header':
        return this.headed()
      case 'chunk':
        return this.chunked()
      case 'offset':
        return this.offsetRead()
      case 'hole':
        return this.holeRead()
      case 'error':
        return this.errorRead()
      case 'broken':
        return
    }
  }

  private expect(step: Step, bytes: number, filled = 0): void {
    this.step = step
    this.filled = filled
    this.needed = bytes
  }

  private headed(): void {
    const magic = this.stage.readUInt32BE(0)
    if (magic === nbd.CHUNK_MAGIC && this.structured) return this.expect('chunk', nbd.CHUNK_BYTES, nbd.ANSWER_BYTES)
    if (magic !== nbd.ANSWER_MAGIC) return this.complain(`an answer begins with 0x${magic.toString(16)}`)
    this.takeCookie()
    const follows = this.sink.answer(this.place, this.serial, this.stage.readUInt32BE(4))
    if (follows < 0) return this.complain('a simple answer to what nobody asked so')
    this.done = true
    this.dataLeft = follows
    this.expect('header', nbd.ANSWER_BYTES)
    if (follows === 0) this.chunkRead()
  }

  private takeCookie(): void {
    this.serial = this.stage.readUInt32BE(8)
    this.place = this.stage.readUInt32BE(12)
  }

  private chunked(): void {
    this.takeCookie()
    const kind = this.stage.readUInt16BE(6)
    this.length = this.stage.readUInt32BE(16)
    this.done = (this.stage.readUInt16BE(4) & nbd.CHUNK_FLAG_DONE) !== 0
    if (kind === nbd.CHUNK_NONE && this.length === 0 && this.done) return this.chunkRead()
    if (kind === nbd.CHUNK_OFFSET_DATA && this.length > 8) return this.expect('offset', 8)
    if (kind === nbd.CHUNK_OFFSET_HOLE && this.length === 12) return this.expect('hole', 12)
    if ((kind & nbd.CHUNK_ERROR_BIT) !== 0 && this.length >= 6 && this.length <= ERROR_BYTES_MAX)
      return this.expect('error', 6)
    this.complain(`a chunk of kind ${kind} and ${this.length} bytes`)
  }

  private offsetRead(): void {
    const length = this.length - 8
    this.dataLeft = length
    const expected = this.sink.data(this.place, this.serial, this.offset(), length)
    this.expect('header', nbd.ANSWER_BYTES)
    if (!expected) this.complain('data that nobody asked for')
  }

  private holeRead(): void {
    const length = this.stage.readUInt32BE(8)
    if (this.sink.hole(this.place, this.serial, this.offset(), length)) this.chunkRead()
    else this.complain('a hole that nobody asked for')
  }

  private errorRead(): void {
    const error = this.stage.readUInt32BE(0)
    if (error === 0) return this.complain('an error that is none')
    if (!this.sink.error(this.place, this.serial, error)) return this.complain('an error for what nobody asked')
    this.skipLeft = this.length - 6
    this.expect('header', nbd.ANSWER_BYTES)
    if (this.skipLeft === 0) this.chunkRead()
  }

  /** Doubles: what lies beyond 2^53 is beyond every read. */
  private offset(): number {
    return this.stage.readUInt32BE(0) * 2 ** 32 + this.stage.readUInt32BE(4)
  }

  /** One chunk, or one simple answer, is complete. */
  private chunkRead(): void {
    this.expect('header', nbd.ANSWER_BYTES)
    if (this.done && !this.sink.done(this.place, this.serial)) this.complain('an answer that leaves out a part')
  }

  private complain(what: string): void {
    this.step = 'broken'
    this.complaint ??= `the server breaks the protocol: ${what}`
  }
}
