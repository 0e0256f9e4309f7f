/**
 * @packageDocumentation
 * The client's half of the fixed newstyle handshake, without a socket: bytes in, bytes out, and in the end an export or
 * a sentence. It takes the bytes as they come, in whatever pieces.
 *
 *   greeting ─► flags ─► STRUCTURED_REPLY ─► GO (or INFO, to look only) ─► info … ACK ─► export
 *                                             └─ unknown to the server ─► EXPORT_NAME ─► export
 *
 * A server is not trusted: what it says is read strictly, an answer has a bounded length before it is kept, and so has
 * their number. What must never happen: memory in proportion to what a server claims.
 */
import type { NbdExport } from '../../../ports/medium.js'
import * as nbd from '../../../protocol/nbd.js'

/** What one answer to an option may carry; names and messages are limited to 4096 bytes by the protocol. */
const ANSWER_BYTES_MAX = 8192
/** Answers to one option: a handful of INFO and an end. */
const ANSWERS_MAX = 64
/** Where a server names no limit, this much may be sent and asked for (doc/proto.md, "Block size constraints"). */
const DEFAULT_PAYLOAD = 32 << 20
/** Doubles are exact below; no disk is larger than 8 PiB here. */
const SIZE_HIGH_MAX = 1 << 21

/** What came of it. `shutdown`: the server is on its way down, or up: asking again later may help. */
export type HandshakeEnd =
  | { readonly ok: true; readonly export: NbdExport; readonly structured: boolean }
  | { readonly ok: false; readonly sentence: string; readonly later: boolean }

/** `look` asks for the export's properties and leaves; `serve` goes on into transmission. */
export type HandshakePurpose = 'look' | 'serve'

type Step = 'greeting' | 'answer' | 'answerData' | 'exportName' | 'over'

/** Written once the flags are known: of two servers that know no GO, the older sends 124 zeroes more. */
const EXPORT_NAME_BYTES = 10
const EXPORT_NAME_ZEROES = 124

export class Handshake {
  /** What is left of the last feed when it is over: the first bytes of the transmission. */
  rest: Uint8Array = new Uint8Array(0)
  private readonly exportName: Buffer
  private readonly purpose: HandshakePurpose
  private readonly send: (bytes: Uint8Array) => void
  private readonly buffer = Buffer.alloc(ANSWER_BYTES_MAX + 20)
  private filled = 0
  private needed = 18
  private step: Step = 'greeting'
  private asked = 0
  private answers = 0
  private noZeroes = false
  private structured = false
  private sizeBytes: number | undefined
  private flags = 0
  private blocks = { minimumBlock: 1, preferredBlock: 4096, maximumPayload: DEFAULT_PAYLOAD }
  private end: HandshakeEnd | undefined

  constructor(exportName: string, purpose: HandshakePurpose, send: (bytes: Uint8Array) => void) {
    this.exportName = Buffer.from(exportName)
    this.purpose = purpose
    this.send = send
  }

  /** Takes what came. @returns the end, once; nothing may be fed afterwards. */
  feed(bytes: Uint8Array): HandshakeEnd | undefined {
    let at = 0
    while (this.end === undefined && (at < bytes.length || this.filled === this.needed)) {
      const taken = Math.min(this.needed - this.filled, bytes.length - at)
      this.buffer.set(bytes.subarray(at, at + taken), this.filled)
      this.filled += taken
      at += taken
      if (this.filled < this.needed) break
      this.filled = 0
      this.take()
    }
    this.rest = bytes.subarray(at)
    return this.end
  }

  private take(): void {
    switch (this.step) {
      case 'greeting':
        return this.greeted()
      case 'answer':
        return this.answered()
      case 'answerData':
        return this.told()
      case 'exportName':
        return this.named()
      case 'over':
        return
    }
  }

  private greeted(): void {
    if (this.buffer.readBigUInt64BE(0) !== nbd.NBD_MAGIC) return this.refuse('what listens there does not speak NBD')
    const magic = this.buffer.readBigUInt64BE(8)
    if (magic === nbd.OLDSTYLE_MAGIC)
      return this.refuse('the server speaks the oldstyle handshake only: start a newer one, such as nbdkit or qemu-nbd')
    if (magic !== nbd.OPTION_MAGIC) return this.refuse('what listens there does not speak NBD')
    const flags = this.buffer.readUInt16BE(16)
    const fixed = (flags & nbd.FLAG_FIXED_NEWSTYLE) !== 0
    this.noZeroes = (flags & nbd.FLAG_NO_ZEROES) !== 0
    const mine = Buffer.alloc(4)
    mine.writeUInt32BE((fixed ? nbd.FLAG_FIXED_NEWSTYLE : 0) | (this.noZeroes ? nbd.FLAG_NO_ZEROES : 0), 0)
    this.send(mine)
    // One that is not fixed answers no option that it does not know.
    if (fixed) this.option(nbd.OPT_STRUCTURED_REPLY, Buffer.alloc(0))
    else this.askByName()
  }

  private option(option: number, data: Uint8Array): void {
    const header = Buffer.alloc(nbd.OPTION_BYTES + data.length)
    header.writeBigUInt64BE(nbd.OPTION_MAGIC, 0)
    header.writeUInt32BE(option, 8)
    header.writeUInt32BE(data.length, 12)
    header.set(data, nbd.OPTION_BYTES)
    this.asked = option
    this.answers = 0
    this.expect('answer', 20)
    this.send(header)
  }

  /** Of a server that knows no GO; whoever only looks leaves after that. */
  private askByName(): void {
    this.option(nbd.OPT_EXPORT_NAME, this.exportName)
    this.expect('exportName', EXPORT_NAME_BYTES + (this.noZeroes ? 0 : EXPORT_NAME_ZEROES))
  }

  /** Name, and the one thing that is asked for beyond size and flags. */
  private askForExport(): void {
    const { length } = this.exportName
    const data = Buffer.alloc(4 + length + 4)
    data.writeUInt32BE(length, 0)
    data.set(this.exportName, 4)
    data.writeUInt16BE(1, 4 + length)
    data.writeUInt16BE(nbd.INFO_BLOCK_SIZE, 6 + length)
    this.option(this.purpose === 'serve' ? nbd.OPT_GO : nbd.OPT_INFO, data)
  }

  private expect(step: Step, bytes: number): void {
    this.step = step
    this.needed = bytes
  }

  /** The first twenty bytes of an answer; they stay in the buffer while its data comes behind them. */
  private answered(): void {
    const { buffer } = this
    const length = buffer.readUInt32BE(16)
    if (buffer.readBigUInt64BE(0) !== nbd.OPTION_REPLY_MAGIC || buffer.readUInt32BE(8) !== this.asked)
      return this.refuse('the server answers what was not asked')
    if (length > ANSWER_BYTES_MAX) return this.refuse(`the server answers an option with ${length} bytes`)
    if (++this.answers > ANSWERS_MAX) return this.refuse('the server answers an option without end')
    this.filled = 20
    this.expect('answerData', 20 + length)
  }

  private told(): void {
    const kind = this.buffer.readUInt32BE(12)
    const data = this.buffer.subarray(20, this.needed)
    this.expect('answer', 20)
    if (this.asked === nbd.OPT_STRUCTURED_REPLY) {
      // Whatever else it says means that it has none.
      this.structured = kind === nbd.REP_ACK
      return this.askForExport()
    }
    if (kind === nbd.REP_INFO) return this.informed(data)
    if (kind === nbd.REP_ACK) return this.agreed()
    if (kind === nbd.REP_ERR_UNSUP) return this.askByName()
    this.refuse(...this.reasonOf(kind, data))
  }

  private reasonOf(kind: number, data: Buffer): [string, boolean?] {
    const name = JSON.stringify(this.exportName.toString())
    const said = data.length === 0 ? '' : ` (${printable(data)})`
    switch (kind) {
      case nbd.REP_ERR_UNKNOWN:
        return [`the server has no export named ${name}${said}: nbdinfo --list shows those that it has`]
      case nbd.REP_ERR_TLS_REQD:
        return [`the server wants TLS, which xbbd does not speak${said}: offer the export on a unix socket without it`]
      case nbd.REP_ERR_POLICY:
        return [`the server does not give the export ${name} to us${said}: look at its configuration`]
      case nbd.REP_ERR_SHUTDOWN:
        return [`the server is shutting down${said}`, true]
      default:
        return [`the server refuses the export ${name} with error 0x${kind.toString(16)}${said}: look at its log`]
    }
  }

  private informed(data: Buffer): void {
    const kind = data.length >= 2 ? data.readUInt16BE(0) : -1
    if (kind === nbd.INFO_EXPORT && data.length === 12) this.sized(data, 2)
    else if (kind === nbd.INFO_BLOCK_SIZE && data.length === 14) {
      const [minimum, preferred, maximum] = [2, 6, 10].map((at) => data.readUInt32BE(at))
      if (!isPowerOfTwo(minimum) || minimum > 65536 || maximum < minimum)
        return this.refuse('the server names block sizes that contradict each other: look at its configuration')
      const maximumPayload = Math.min(maximum, DEFAULT_PAYLOAD)
      this.blocks = { minimumBlock: minimum, preferredBlock: preferred, maximumPayload }
    } else if (kind === nbd.INFO_EXPORT || kind === nbd.INFO_BLOCK_SIZE || kind < 0)
      this.refuse('the server describes its export in a form that the protocol does not have')
  }

  private sized(bytes: Buffer, at: number): void {
    const high = bytes.readUInt32BE(at)
    if (high >= SIZE_HIGH_MAX) return this.refuse('the export is larger than the 8 PiB that a disk can have')
    this.sizeBytes = high * 2 ** 32 + bytes.readUInt32BE(at + 4)
    this.flags = bytes.readUInt16BE(at + 8)
  }

  private agreed(): void {
    if (this.sizeBytes === undefined) return this.refuse('the server does not say how large its export is')
    if (this.purpose === 'look') this.leave(nbd.OPT_ABORT)
    this.finish()
  }

  private named(): void {
    this.sized(this.buffer, 0)
    if (this.end !== undefined) return
    if (this.purpose === 'look') this.send(disconnectRequest())
    this.finish()
  }

  private leave(option: number): void {
    this.option(option, Buffer.alloc(0))
  }

  private finish(): void {
    const said = { sizeBytes: this.sizeBytes ?? 0, flags: this.flags, ...this.blocks }
    this.step = 'over'
    this.end = { ok: true, export: said, structured: this.structured }
  }

  private refuse(sentence: string, later = false): void {
    this.step = 'over'
    this.end = { ok: false, sentence, later }
  }
}

/** A request that has no answer: the client is done. */
export function disconnectRequest(): Uint8Array {
  const request = Buffer.alloc(nbd.REQUEST_BYTES)
  request.writeUInt32BE(nbd.REQUEST_MAGIC, 0)
  request.writeUInt16BE(nbd.CMD_DISC, 6)
  return request
}

const isPowerOfTwo = (value: number) => value > 0 && (value & (value - 1)) === 0

/** A server's text, fit for a sentence. */
const printable = (data: Buffer) => data.toString('latin1').slice(0, 200).replace(/[^ -~]/g, '?')
