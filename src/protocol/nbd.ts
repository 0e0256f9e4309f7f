/**
 * @packageDocumentation
 * The NBD protocol's numbers and frames, as doc/proto.md of the NetworkBlockDevice project defines them; everything is
 * big-endian. Pure: no sockets here. The server (embedded/nbd/) and the client (io/media/nbd/) share it.
 *
 *   option   IHAVEOPT u64 · option u32 · length u32 · data
 *   reply    u64 magic · option u32 · kind u32 · length u32 · data
 *   request  u32 magic · flags u16 · command u16 · cookie u64 · offset u64 · length u32 · (data of a WRITE)
 *   answer   u32 magic · error u32 · cookie u64 · (data of a READ that went well)
 *   chunk    u32 magic · flags u16 · kind u16 · cookie u64 · length u32 · payload      (structured replies)
 *
 * The server copies a cookie as eight bytes; the client makes it of two words and never of one number.
 */
export const NBD_MAGIC = 0x4e42444d41474943n
export const OPTION_MAGIC = 0x49484156454f5054n
export const OPTION_REPLY_MAGIC = 0x0003e889045565a9n
export const REQUEST_MAGIC = 0x25609513
export const ANSWER_MAGIC = 0x67446698
export const CHUNK_MAGIC = 0x668e33ef
/** What a server says that knows neither options nor export names. */
export const OLDSTYLE_MAGIC = 0x00420281861253n

/** Handshake flags; the client's have the same values. */
export const FLAG_FIXED_NEWSTYLE = 1
export const FLAG_NO_ZEROES = 2

export const OPT_EXPORT_NAME = 1
export const OPT_ABORT = 2
export const OPT_LIST = 3
export const OPT_INFO = 6
export const OPT_GO = 7
export const OPT_STRUCTURED_REPLY = 8

export const REP_ACK = 1
export const REP_SERVER = 2
export const REP_INFO = 3
export const REP_ERR_UNSUP = 0x80000001
export const REP_ERR_POLICY = 0x80000002
export const REP_ERR_INVALID = 0x80000003
export const REP_ERR_TLS_REQD = 0x80000005
export const REP_ERR_UNKNOWN = 0x80000006
export const REP_ERR_SHUTDOWN = 0x80000007

export const INFO_EXPORT = 0
export const INFO_NAME = 1
export const INFO_BLOCK_SIZE = 3

/** Transmission flags: what the export is and can. */
export const HAS_FLAGS = 1 << 0
export const READ_ONLY = 1 << 1
export const SEND_FLUSH = 1 << 2
export const SEND_FUA = 1 << 3
export const SEND_TRIM = 1 << 5
export const SEND_WRITE_ZEROES = 1 << 6
export const CAN_MULTI_CONN = 1 << 8
export const SEND_FAST_ZERO = 1 << 11

export const CMD_READ = 0
export const CMD_WRITE = 1
export const CMD_DISC = 2
export const CMD_FLUSH = 3
export const CMD_TRIM = 4
export const CMD_WRITE_ZEROES = 6

export const CMD_FLAG_FUA = 1 << 0
export const CMD_FLAG_NO_HOLE = 1 << 1
export const CMD_FLAG_FAST_ZERO = 1 << 4

/** Kinds of chunks in a structured reply; those with {@link CHUNK_ERROR_BIT} say what went wrong. */
export const CHUNK_NONE = 0
export const CHUNK_OFFSET_DATA = 1
export const CHUNK_OFFSET_HOLE = 2
export const CHUNK_ERROR_BIT = 1 << 15
/** The flag of a reply's last chunk. */
export const CHUNK_FLAG_DONE = 1
/** The server is about to end: whatever was asked may be asked again elsewhere, or later. */
export const ERROR_SHUTDOWN = 108

/** The errors that NBD knows, by the codes with which a device rejects; everything else becomes EIO. */
const ERRORS: Readonly<Record<string, number>> = {
  EPERM: 1, EROFS: 1, EIO: 5, ENOMEM: 12, EINVAL: 22, ENOSPC: 28, EOVERFLOW: 75, ENOTSUP: 95, EOPNOTSUPP: 95,
  ESHUTDOWN: 108,
}

/** NBD's number for an error code such as `ENOSPC`. */
export function nbdErrorOf(code: string | undefined): number {
  return ERRORS[code ?? 'EIO'] ?? 5
}

export const REQUEST_BYTES = 28
export const ANSWER_BYTES = 16
export const CHUNK_BYTES = 20
export const OPTION_BYTES = 16

export interface NbdRequest {
  readonly flags: number
  readonly command: number
  readonly cookie: Buffer
  /** Bytes; Infinity-free: anything above 2^53 is beyond every export and reads as 2^53. */
  readonly offset: number
  readonly length: number
}

/** Decodes one request header of {@link REQUEST_BYTES}; undefined when its magic is wrong. */
export function decodeRequest(header: Buffer): NbdRequest | undefined {
  if (header.readUInt32BE(0) !== REQUEST_MAGIC) return undefined
  const high = header.readUInt32BE(16)
  return {
    flags: header.readUInt16BE(4),
    command: header.readUInt16BE(6),
    cookie: Buffer.from(header.subarray(8, 16)),
    offset: high >= 1 << 21 ? 2 ** 53 : high * 2 ** 32 + header.readUInt32BE(20),
    length: header.readUInt32BE(24),
  }
}

/** The 16 bytes before an answer's data. `error` 0 is success. */
export function encodeAnswer(cookie: Buffer, error: number): Buffer {
  const answer = Buffer.allocUnsafe(16)
  answer.writeUInt32BE(ANSWER_MAGIC, 0)
  answer.writeUInt32BE(error, 4)
  cookie.copy(answer, 8)
  return answer
}

/** One reply to an option. */
export function encodeOptionReply(option: number, kind: number, data: Uint8Array = new Uint8Array(0)): Buffer {
  const reply = Buffer.alloc(20 + data.length)
  reply.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0)
  reply.writeUInt32BE(option, 8)
  reply.writeUInt32BE(kind, 12)
  reply.writeUInt32BE(data.length, 16)
  reply.set(data, 20)
  return reply
}

/** What the server says first. */
export function encodeGreeting(): Buffer {
  const greeting = Buffer.alloc(18)
  greeting.writeBigUInt64BE(NBD_MAGIC, 0)
  greeting.writeBigUInt64BE(OPTION_MAGIC, 8)
  greeting.writeUInt16BE(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES, 16)
  return greeting
}
