/**
 * @packageDocumentation
 * XenStore on the wire (xen/include/public/io/xs_wire.h, `struct xsd_sockmsg`), the same on a unix socket, on
 * /dev/xen/xenbus and in a guest's ring. Every message is a header of four little-endian words and a payload:
 *
 *   0        4        8        12       16                16 + len
 *   ├ type ──┼ req_id ┼ tx_id ─┼ len ───┼ payload (≤ 4096) ┤
 *
 * A reply repeats `type` and `req_id`, or has type ERROR and an error's name; WATCH_EVENT comes unasked with
 * req_id 0. Header words are in the byte order of the machine; Xen runs on little-endian ones only.
 *
 * The decoder takes chunks cut anywhere and holds at most one unfinished message (4112 bytes). A length beyond the
 * payload limit leaves no way to find the next message: it is a value (`broken`), after which the decoder gives
 * nothing more, and whoever owns the connection ends it.
 */

/** `enum xsd_sockmsg_type`, without the prefix. */
export const XS = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
} as const

/** The lengths that xs_wire.h fixes, in bytes. */
export const XENSTORE_PAYLOAD_MAX = 4096
export const XENSTORE_ABS_PATH_MAX = 3072
export const XENSTORE_REL_PATH_MAX = 2048
export const XENSTORE_HEADER_SIZE = 16

/** One message; `payload` is the receiver's own copy. */
export interface WireMessage {
  readonly type: number
  readonly reqId: number
  readonly txId: number
  readonly payload: Buffer
}

/** What one chunk gave: whole messages, and why the stream cannot be read further, if so. */
export interface Decoded {
  readonly messages: WireMessage[]
  readonly broken: string | undefined
}

/** Header and payload as one buffer. The caller has checked `payload.length` ≤ {@link XENSTORE_PAYLOAD_MAX}. */
export function encodeMessage(type: number, reqId: number, txId: number, payload: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(XENSTORE_HEADER_SIZE + payload.length)
  message.writeUInt32LE(type, 0)
  message.writeUInt32LE(reqId, 4)
  message.writeUInt32LE(txId, 8)
  message.writeUInt32LE(payload.length, 12)
  message.set(payload, XENSTORE_HEADER_SIZE)
  return message
}

/** Cuts a stream of bytes into messages. */
export class WireDecoder {
  readonly #partial = Buffer.alloc(XENSTORE_HEADER_SIZE + XENSTORE_PAYLOAD_MAX)
  #filled = 0
  #broken: string | undefined

  /** Whether a message has begun and not ended: the stream should not end here. */
  get midMessage(): boolean {
    return this.#filled > 0
  }

  /** Takes the next bytes, cut anywhere. */
  push(chunk: Uint8Array): Decoded {
    const messages: WireMessage[] = []
    let offset = 0
    while (this.#broken === undefined && offset < chunk.length) {
      const missing = this.#wanted() - this.#filled
      const taken = Math.min(missing, chunk.length - offset)
      this.#partial.set(chunk.subarray(offset, offset + taken), this.#filled)
      this.#filled += taken
      offset += taken
      if (this.#filled >= XENSTORE_HEADER_SIZE) this.#finish(messages)
    }
    return { messages, broken: this.#broken }
  }

  /** Bytes that the message at hand needs, as far as known: the header first, then the header's word. */
  #wanted(): number {
    return this.#filled < XENSTORE_HEADER_SIZE
      ? XENSTORE_HEADER_SIZE
      : XENSTORE_HEADER_SIZE + this.#partial.readUInt32LE(12)
  }

  #finish(messages: WireMessage[]): void {
    const length = this.#partial.readUInt32LE(12)
    if (length > XENSTORE_PAYLOAD_MAX) {
      this.#broken = `a message claims ${length} bytes of payload, ${XENSTORE_PAYLOAD_MAX} are allowed`
      return
    }
    if (this.#filled < XENSTORE_HEADER_SIZE + length) return
    messages.push({
      type: this.#partial.readUInt32LE(0),
      reqId: this.#partial.readUInt32LE(4),
      txId: this.#partial.readUInt32LE(8),
      payload: Buffer.from(this.#partial.subarray(XENSTORE_HEADER_SIZE, this.#filled)),
    })
    this.#filled = 0
  }
}
