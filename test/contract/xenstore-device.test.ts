/**
 * A device that is a stream, as /dev/xen/xenbus: the same contract, over a descriptor that stands in for it. Behind it
 * is our server, which gets one message per write or nothing; what the kernel itself refuses is shown in the rig.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transportTo } from '../../src/embedded/xenstored/in-process.js'
import { XenStored } from '../../src/embedded/xenstored/xenstored.js'
import { loadAddon } from '../../src/io/native/load.js'
import { MessageListener, type MessageSocket } from '../../src/io/native/message-socket.js'
import { owned } from '../../src/io/native/owners.js'
import { XenStoreClient } from '../../src/io/xenstore/client.js'
import { WireDecoder } from '../../src/io/xenstore/wire.js'
import { deviceTransport, openXenbusDevice } from '../../src/io/xenstore/xenbus-device.js'
import { xenStoreContract } from './xenstore.js'

const { socketConnect } = loadAddon<{ socketConnect(path: string): number }>()
const DEVICE_PAYLOAD = 4080

/** Pieces of at most 1000 bytes, cut without regard to messages, sent when there is room. */
class Pieces {
  readonly #socket: MessageSocket
  readonly #waiting: Uint8Array[] = []

  constructor(socket: MessageSocket) {
    this.#socket = socket
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 1000) this.#waiting.push(bytes.slice(at, at + 1000))
    this.#flush()
  }

  #flush(): void {
    while (this.#waiting.length > 0 && this.#socket.send(this.#waiting[0])) this.#waiting.shift()
    if (this.#waiting.length > 0 && this.#socket.open) setImmediate(() => this.#flush())
  }
}

/** The kernel's part: whole messages to the server, one under way; what comes back as it comes. */
function serve(server: XenStored, socket: MessageSocket): void {
  const transport = transportTo(server, 0)
  const pieces = new Pieces(socket)
  transport.onBytes((chunk) => pieces.push(chunk))
  transport.onClose(() => socket.close())
  socket.listen({
    message(bytes) {
      const { messages } = new WireDecoder().push(bytes)
      if (messages.length !== 1 || bytes.length > 4096) return transport.close()
      transport.write(bytes)
    },
    end: () => transport.close(),
  })
}

function device() {
  const before = owned().length
  const directory = mkdtempSync(join(tmpdir(), 'xbbd-device-'))
  const path = join(directory, 'xenbus')
  const server = new XenStored()
  const sockets: MessageSocket[] = []
  const listener = new MessageListener(path, 0o600, (socket) => {
    sockets.push(socket)
    serve(server, socket)
  })
  return {
    sockets,
    connect: () => Promise.resolve(new XenStoreClient(deviceTransport(socketConnect(path), path))),
    payloadMax: DEVICE_PAYLOAD,
    stop() {
      for (const socket of sockets) socket.close()
      listener.close()
      server.close()
      rmSync(directory, { recursive: true })
      expect(owned().length).toBe(before)
      return Promise.resolve()
    },
  }
}

xenStoreContract('our server behind a device that is a stream', () => Promise.resolve(device()))

test('a device that goes ends the connection, and nothing stays open', async () => {
  const { connect, sockets, stop } = device()
  const client = await connect()
  await client.write('/a', '1')
  for (const socket of sockets) socket.close()
  expect(await client.closed).toMatchObject({ code: 'ENOTCONN' })
  await expect(client.read('/a')).rejects.toMatchObject({ code: 'ENOTCONN' })
  await stop()
})

test('a machine without Xen is told so', () => {
  expect(() => openXenbusDevice('/nowhere/xenbus')).toThrow(/no XenStore at \/nowhere\/xenbus \(ENOENT\)/)
})
