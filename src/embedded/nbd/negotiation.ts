/**
 * @packageDocumentation
 * The fixed newstyle handshake: greeting, the client's flags, then options until one of them starts the transmission
 * or ends the connection. There is one export; the empty name means it as well. Structured replies, TLS and
 * metadata contexts are refused with ERR_UNSUP, which every client takes as "go on without".
 *
 *   server  NBDMAGIC IHAVEOPT flags          client  flags
 *   client  option …                         server  replies …   (EXPORT_NAME: the size itself, no reply)
 *
 * An option's data is bounded before it is read: what a client claims to send is never allocated unseen.
 */
import type { BlockDevice } from '../block-device.js'
import type { ByteQueue } from './byte-queue.js'
import * as nbd from '../../protocol/nbd.js'

/** The longest option we read; names are limited to 4096 bytes by the protocol, the rest is small. */
const MAX_OPTION_BYTES = 8192
/** Options one client may send before it is told to make up its mind. */
const MAX_OPTIONS = 64
/** What one READ or WRITE may carry; advertised, and enforced by the transmission. */
export const MAX_PAYLOAD_BYTES = 32 << 20

export type NegotiationEnd = { readonly kind: 'transmission' } | { readonly kind: 'ended'; readonly reason: string }

export interface Export {
  readonly name: string
  readonly device: BlockDevice
}

const ended = (reason: string): NegotiationEnd => ({ kind: 'ended', reason })

/** The flags with which an export is offered. */
export function transmissionFlags(device: BlockDevice): number {
  let flags = nbd.HAS_FLAGS | nbd.CAN_MULTI_CONN
  if (device.readOnly) return flags | nbd.READ_ONLY
  flags |= nbd.SEND_WRITE_ZEROES | nbd.SEND_FAST_ZERO
  if (device.canFlush) flags |= nbd.SEND_FLUSH | nbd.SEND_FUA
  if (device.canTrim) flags |= nbd.SEND_TRIM
  return flags
}

/** Runs the handshake. Resolves once the connection is in transmission, or over. */
export async function negotiate(
  input: ByteQueue, send: (bytes: Buffer) => void, offered: Export,
): Promise<NegotiationEnd> {
  send(nbd.encodeGreeting())
  const clientFlags = (await input.exactly(4))?.readUInt32BE(0)
  if (clientFlags === undefined) return ended('the client left before its flags')
  if ((clientFlags & ~(nbd.FLAG_FIXED_NEWSTYLE | nbd.FLAG_NO_ZEROES)) !== 0)
    return ended(`the client set unknown handshake flags (0x${clientFlags.toString(16)})`)
  for (let options = 0; options < MAX_OPTIONS; options++) {
    const header = await input.exactly(nbd.OPTION_BYTES)
    if (header === undefined) return ended('the client left during the handshake')
    if (header.readBigUInt64BE(0) !== nbd.OPTION_MAGIC) return ended('an option without its magic number')
    const option = header.readUInt32BE(8)
    const length = header.readUInt32BE(12)
    if (length > MAX_OPTION_BYTES) return ended(`an option of ${length} bytes`)
    const data = await input.exactly(length)
    if (data === undefined) return ended('the client left within an option')
    const end = answerOption(option, data, send, offered, (clientFlags & nbd.FLAG_NO_ZEROES) !== 0)
    if (end) return end
  }
  return ended(`more than ${MAX_OPTIONS} options`)
}

function answerOption(
  option: number, data: Buffer, send: (bytes: Buffer) => void, offered: Export, noZeroes: boolean,
): NegotiationEnd | undefined {
  const reply = (kind: number, bytes?: Uint8Array) => send(nbd.encodeOptionReply(option, kind, bytes))
  switch (option) {
    case nbd.OPT_EXPORT_NAME: {
      if (!isOffered(data.toString(), offered)) return ended(`no export is named "${printable(data)}"`)
      const answer = Buffer.alloc(noZeroes ? 10 : 134)
      exportInfo(offered.device).copy(answer, 0, 2)
      send(answer)
      return { kind: 'transmission' }
    }
    case nbd.OPT_ABORT:
      reply(nbd.REP_ACK)
      return ended('the client aborted the handshake')
    case nbd.OPT_LIST: {
      if (data.length > 0) return void reply(nbd.REP_ERR_INVALID)
      const name = Buffer.from(offered.name)
      const server = Buffer.alloc(4 + name.length)
      server.writeUInt32BE(name.length, 0)
      server.set(name, 4)
      reply(nbd.REP_SERVER, server)
      return void reply(nbd.REP_ACK)
    }
    case nbd.OPT_INFO:
    case nbd.OPT_GO:
      return answerInfo(data, reply, offered) && option === nbd.OPT_GO ? { kind: 'transmission' } : undefined
    default:
      return void reply(nbd.REP_ERR_UNSUP)
  }
}

/** INFO and GO alike; what was asked for beyond the size may be given unasked, so block sizes always are. */
function answerInfo(data: Buffer, reply: (kind: number, bytes?: Uint8Array) => void, offered: Export): boolean {
  const nameLength = data.length >= 6 ? data.readUInt32BE(0) : Infinity
  if (data.length < 6 + nameLength || data.length !== 6 + nameLength + 2 * data.readUInt16BE(4 + nameLength)) {
    reply(nbd.REP_ERR_INVALID, Buffer.from('the option contradicts its own length'))
    return false
  }
  if (!isOffered(data.toString('utf8', 4, 4 + nameLength), offered)) {
    reply(nbd.REP_ERR_UNKNOWN, Buffer.from(`the only export here is named "${offered.name}"`))
    return false
  }
  reply(nbd.REP_INFO, exportInfo(offered.device))
  const sizes = Buffer.alloc(14)
  sizes.writeUInt16BE(nbd.INFO_BLOCK_SIZE, 0)
  sizes.writeUInt32BE(offered.device.sectorSize, 2)
  sizes.writeUInt32BE(4096, 6)
  sizes.writeUInt32BE(MAX_PAYLOAD_BYTES, 10)
  reply(nbd.REP_INFO, sizes)
  const name = Buffer.from(offered.name)
  const nameInfo = Buffer.alloc(2 + name.length)
  nameInfo.writeUInt16BE(nbd.INFO_NAME, 0)
  nameInfo.set(name, 2)
  reply(nbd.REP_INFO, nameInfo)
  reply(nbd.REP_ACK)
  return true
}

/** u16 kind · u64 size · u16 flags */
function exportInfo(device: BlockDevice): Buffer {
  const info = Buffer.alloc(12)
  info.writeUInt16BE(nbd.INFO_EXPORT, 0)
  info.writeBigUInt64BE(BigInt(device.sizeBytes), 2)
  info.writeUInt16BE(transmissionFlags(device), 10)
  return info
}

const isOffered = (name: string, offered: Export) => name === '' || name === offered.name

/** A client's text, fit for a log. */
const printable = (data: Buffer) => data.toString('latin1').slice(0, 64).replace(/[^ -~]/g, '?')
