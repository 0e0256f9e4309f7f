/** /dev/xen/xenbus keeps one request in one buffer: a second one written before the reply would spoil the first. */
import { XenStoreClient } from '../../src/io/xenstore/client.js'
import { oneAtATime } from '../../src/io/xenstore/one-at-a-time.js'
import type { Transport } from '../../src/io/xenstore/transport.js'
import { encodeMessage, WireDecoder, XS } from '../../src/io/xenstore/wire.js'

/** A device as Linux has it: what is sent is what stands in the one buffer when the kernel's thread gets to it. */
class OneBuffer implements Transport {
  overwritten = 0
  readonly #decoder = new WireDecoder()
  #receive: (chunk: Uint8Array) => void = () => undefined
  #buffer: Uint8Array | undefined

  write(bytes: Uint8Array): void {
    if (this.#buffer) this.overwritten++
    this.#buffer = bytes
    setImmediate(() => this.#answer())
  }

  #answer(): void {
    if (!this.#buffer) return
    const [{ reqId, payload }] = this.#decoder.push(this.#buffer).messages
    this.#buffer = undefined
    // An event in between is no reply; and replies are cut anywhere.
    const event = encodeMessage(XS.WATCH_EVENT, 0, 0, Buffer.from('/a\0token\0'))
    const reply = encodeMessage(XS.READ, reqId, 0, payload.subarray(0, -1))
    const bytes = Buffer.concat([event, reply])
    this.#receive(bytes.subarray(0, 20))
    this.#receive(bytes.subarray(20))
  }

  onBytes(receive: (chunk: Uint8Array) => void): void {
    this.#receive = receive
  }

  onClose(): void {}

  close(): void {}
}

const paths = Array.from({ length: 20 }, (_, index) => `/ring-ref${index}`)

test('twenty reads asked for at once are each answered with their own node', async () => {
  const device = new OneBuffer()
  const client = new XenStoreClient(oneAtATime(device))
  expect(await Promise.all(paths.map((path) => client.read(path)))).toEqual(paths)
  expect(device.overwritten).toBe(0)
})

test('such a device does lose requests that are written without waiting', () => {
  const device = new OneBuffer()
  const client = new XenStoreClient(device)
  for (const path of paths) void client.read(path).catch(() => undefined)
  expect(device.overwritten).toBe(paths.length - 1)
  client.close()
})
