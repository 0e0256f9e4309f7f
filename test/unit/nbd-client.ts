/**
 * @packageDocumentation
 * An NBD client that can misbehave: it sends exactly the bytes it is told to, for the tests that no real client can do.
 */
import { createConnection, type Socket } from 'node:net'
import { once } from 'node:events'
import * as nbd from '../../src/protocol/nbd.js'

export class RawNbdClient {
  readonly socket: Socket
  #received = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    const end = () => {
      this.#ended = true
      this.#wake()
    }
    socket.on('error', end).on('close', end)
  }

  static async connect(path: string): Promise<RawNbdClient> {
    const socket = createConnection(path)
    await once(socket, 'connect')
    return new RawNbdClient(socket)
  }

  /** Greeting, flags and GO for the default export. */
  static async ready(path: string): Promise<RawNbdClient> {
    const client = await RawNbdClient.connect(path)
    await client.greet()
    client.option(nbd.OPT_GO, Buffer.alloc(6))
    while ((await client.optionReply()).kind !== nbd.REP_ACK);
    return client
  }

  async greet(): Promise<void> {
    await this.exactly(18)
    const flags = Buffer.alloc(4)
    flags.writeUInt32BE(nbd.FLAG_FIXED_NEWSTYLE | nbd.FLAG_NO_ZEROES, 0)
    this.socket.write(flags)
  }

  option(option: number, data: Uint8Array, claimed = data.length): void {
    const header = Buffer.alloc(16)
    header.writeBigUInt64BE(nbd.OPTION_MAGIC, 0)
    header.writeUInt32BE(option, 8)
    header.writeUInt32BE(claimed, 12)
    this.socket.write(Buffer.concat([header, data]))
  }

  async optionReply(): Promise<{ option: number; kind: number; data: Buffer }> {
    const header = await this.exactly(20)
    const data = await this.exactly(header.readUInt32BE(16))
    return { option: header.readUInt32BE(8), kind: header.readUInt32BE(12), data }
  }

  request(command: number, offset: bigint, length: number, cookie = 1n, flags = 0, data?: Uint8Array): void {
    const header = Buffer.alloc(28)
    header.writeUInt32BE(nbd.REQUEST_MAGIC, 0)
    header.writeUInt16BE(flags, 4)
    header.writeUInt16BE(command, 6)
    header.writeBigUInt64BE(cookie, 8)
    header.writeBigUInt64BE(offset, 16)
    header.writeUInt32BE(length, 24)
    this.socket.write(data ? Buffer.concat([header, data]) : header)
  }

  async answer(): Promise<{ error: number; cookie: bigint }> {
    const header = await this.exactly(16)
    return { error: header.readUInt32BE(4), cookie: header.readBigUInt64BE(8) }
  }

  async exactly(bytes: number): Promise<Buffer> {
    while (this.#received.length < bytes) {
      if (this.#ended) throw new Error(`the server closed the connection with ${this.#received.length} bytes left`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const taken = this.#received.subarray(0, bytes)
    this.#received = this.#received.subarray(bytes)
    return taken
  }

  /** Resolves when the server has closed. */
  async gone(): Promise<void> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve))
  }
}
