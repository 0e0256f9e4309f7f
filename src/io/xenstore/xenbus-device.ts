/**
 * @packageDocumentation
 * XenStore over /dev/xen/xenbus: the kernel passes messages to xenstored, wherever that runs (in dom0, in a domain of
 * its own), and keeps requests and watches of its openers apart. It is the way for a daemon without root's rights, for
 * whom the node's group can be set by udev, which xenstored's socket does not allow.
 *
 *   write   one whole message per write(2), of 4096 bytes with its header: a payload has 16 fewer than elsewhere; one
 *           request under way (one-at-a-time.ts). A write that fails is a request that the kernel refused, mostly a
 *           watch, which it asks for itself while we wait: it becomes the reply that XenStore would have given
 *   read    what has come, cut anywhere; never waited for
 *
 * What must never happen: a read that waits. The device is open without waiting, and a poller says when there is more.
 */
import { closeDescriptor } from '../native/owners.js'
import { Poller } from '../native/poller.js'
import { openStream, readStream, writeStream } from '../native/stream.js'
import { codeOf, sentenceOf } from '../../protocol/errors.js'
import { XenStoreFailure } from './error.js'
import { oneAtATime } from './one-at-a-time.js'
import type { Transport } from './transport.js'
import { encodeMessage, XENSTORE_HEADER_SIZE, XS } from './wire.js'

/** Where Linux has it. */
export const XENBUS_DEVICE = '/dev/xen/xenbus'

/** Reads in one turn of the event loop: a flood of watch events must leave the loop its turn. */
const READS_PER_TURN = 16

/** What the kernel keeps a message in while it is written (drivers/xen/xenbus/xenbus_dev_frontend.c). */
const MESSAGE_MAX = 4096

/** Codes of a write after which there is no device any more; after others the kernel has forgotten the message. */
const GONE: ReadonlySet<string> = new Set(['EPIPE', 'ENODEV', 'ENXIO', 'EIO', 'EBADF'])

class XenbusDevice implements Transport {
  readonly payloadMax = MESSAGE_MAX - XENSTORE_HEADER_SIZE
  readonly #path: string
  readonly #handle: number
  readonly #poller: Poller
  readonly #chunk = Buffer.allocUnsafe(4096)
  #receive: (chunk: Uint8Array) => void = () => undefined
  #ended: (reason: Error | undefined) => void = () => undefined
  #open = true

  constructor(handle: number, path: string) {
    this.#path = path
    this.#handle = handle
    this.#poller = new Poller(this.#handle, 'plain', () => this.#read(), true)
  }

  write(bytes: Uint8Array): void {
    if (!this.#open) return
    try {
      const written = writeStream(this.#handle, bytes)
      if (written !== bytes.length) this.#end(this.#lost(`took ${written} of ${bytes.length} bytes of a message`))
    } catch (error) {
      const code = codeOf(error) ?? 'EIO'
      if (GONE.has(code)) this.#end(this.#lost(sentenceOf(error)))
      else this.#refuse(bytes, code)
    }
  }

  onBytes(receive: (chunk: Uint8Array) => void): void {
    this.#receive = receive
    this.#poller.resume()
  }

  onClose(ended: (reason: Error | undefined) => void): void {
    this.#ended = ended
  }

  close(): void {
    this.#end(undefined)
  }

  /** Answers a request that the kernel did not take, later, as any reply comes. */
  #refuse(request: Uint8Array, code: string): void {
    const header = new DataView(request.buffer, request.byteOffset, XENSTORE_HEADER_SIZE)
    const [reqId, txId] = [header.getUint32(4, true), header.getUint32(8, true)]
    const reply = encodeMessage(XS.ERROR, reqId, txId, Buffer.from(`${code}\0`))
    queueMicrotask(() => {
      if (this.#open) this.#receive(reply)
    })
  }

  #read(): void {
    for (let turn = 0; turn < READS_PER_TURN && this.#open; turn++) {
      let count: number
      try {
        count = readStream(this.#handle, this.#chunk)
      } catch (error) {
        return this.#end(this.#lost(sentenceOf(error)))
      }
      if (count < 0) return
      if (count === 0) return this.#end(this.#lost('ended the connection'))
      this.#receive(this.#chunk.subarray(0, count))
    }
  }

  #lost(what: string): Error {
    return new XenStoreFailure('ENOTCONN', `XenStore at ${this.#path} ${what}`)
  }

  #end(reason: Error | undefined): void {
    if (!this.#open) return
    this.#open = false
    this.#poller.close()
    closeDescriptor(this.#handle)
    this.#ended(reason)
  }
}

/**
 * The transport over a descriptor's handle that it takes over: one message per write, replies and events to be read.
 * `path` is for sentences.
 */
export function deviceTransport(handle: number, path: string): Transport {
  return oneAtATime(new XenbusDevice(handle, path))
}

/** Opens the device. @throws XenStoreFailure with the system's code (ENOENT: no Xen here; EACCES: no right to it). */
export function openXenbusDevice(path: string = XENBUS_DEVICE): Transport {
  try {
    return deviceTransport(openStream(path), path)
  } catch (error) {
    const code = codeOf(error) ?? 'EIO'
    const cure = code === 'EACCES' ? 'give this user its group (see packaging/60-xbbd.rules)' : 'is this a Xen host?'
    throw new XenStoreFailure(code, `no XenStore at ${path} (${code}): ${cure}`)
  }
}
