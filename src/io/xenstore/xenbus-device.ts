/**
 * @packageDocumentation
 * XenStore over /dev/xen/xenbus: the kernel passes messages to xenstored, wherever that runs (in dom0, in a domain of
 * its own), and keeps requests and watches of its openers apart. It is the way for a daemon without root's rights, for
 * whom the node's group can be set by udev, which xenstored's socket does not allow.
 *
 *   write: one whole message per write(2), one request under way (one-at-a-time.ts)   read: what has come, cut anywhere
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

/** Where Linux has it. */
export const XENBUS_DEVICE = '/dev/xen/xenbus'

/** Reads in one turn of the event loop: a flood of watch events must leave the loop its turn. */
const READS_PER_TURN = 16

class XenbusDevice implements Transport {
  readonly #path: string
  readonly #handle: number
  readonly #poller: Poller
  readonly #chunk = Buffer.allocUnsafe(4096)
  #receive: (chunk: Uint8Array) => void = () => undefined
  #ended: (reason: Error | undefined) => void = () => undefined
  #open = true

  constructor(path: string) {
    this.#path = path
    this.#handle = openStream(path)
    this.#poller = new Poller(this.#handle, 'plain', () => this.#read(), true)
  }

  write(bytes: Uint8Array): void {
    if (!this.#open) return
    try {
      const written = writeStream(this.#handle, bytes)
      if (written !== bytes.length) this.#end(this.#lost(`took ${written} of ${bytes.length} bytes of a message`))
    } catch (error) {
      this.#end(this.#lost(sentenceOf(error)))
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

/** Opens the device. @throws XenStoreFailure with the system's code (ENOENT: no Xen here; EACCES: no right to it). */
export function openXenbusDevice(path: string = XENBUS_DEVICE): Transport {
  try {
    return oneAtATime(new XenbusDevice(path))
  } catch (error) {
    const code = codeOf(error) ?? 'EIO'
    const cure = code === 'EACCES' ? 'give this user its group (see packaging/60-xbbd.rules)' : 'is this a Xen host?'
    throw new XenStoreFailure(code, `no XenStore at ${path} (${code}): ${cure}`)
  }
}
