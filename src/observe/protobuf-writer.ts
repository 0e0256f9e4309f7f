/**
 * @packageDocumentation
 * As much of protobuf's wire format as a trace needs, by hand: a message is a list of fields, a field a tag and a
 * value (protobuf.dev, "Encoding"; the schema belongs to whoever calls).
 *
 *   tag = number << 3 | type      type 0 varint: seven bits a byte, low first · 1 eight bytes · 2 length and bytes
 *
 * Numbers are doubles: varints are exact to 2^53, and what is negative is not written.
 */
const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const TWO_32 = 4294967296

export class MessageWriter {
  private bytes = new Uint8Array(256)
  private length = 0

  /** Field of type uint32, uint64, int64 (not negative), bool or enum. */
  varint(field: number, value: number): this {
    this.tag(field, VARINT)
    this.putVarint(value)
    return this
  }

  /** Field of type fixed64. */
  fixed64(field: number, value: number): this {
    this.tag(field, FIXED64)
    this.reserve(8)
    const view = new DataView(this.bytes.buffer)
    view.setUint32(this.length, value % TWO_32, true)
    view.setUint32(this.length + 4, Math.floor(value / TWO_32), true)
    this.length += 8
    return this
  }

  /** Field of type string. */
  string(field: number, text: string): this {
    return this.put(field, new TextEncoder().encode(text))
  }

  /** Field of another message. */
  message(field: number, inner: MessageWriter): this {
    return this.put(field, inner.finish())
  }

  /** The message so far. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length)
  }

  private put(field: number, value: Uint8Array): this {
    this.tag(field, BYTES)
    this.putVarint(value.length)
    this.reserve(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
    return this
  }

  private tag(field: number, type: number): void {
    this.putVarint(field * 8 + type)
  }

  private putVarint(value: number): void {
    this.reserve(10)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.length++] = rest
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }
}
