/**
 * @packageDocumentation
 * A transport that has one request under way, for a device that can bear no more: Linux keeps what was last written to
 * /dev/xen/xenbus in one buffer of the opener and sends the payload from there a moment later, in a thread of its own
 * (drivers/xen/xenbus/xenbus_xs.c, xenbus_dev_request_and_reply). A second request written meanwhile overwrites the
 * first one's payload: two reads of neighbouring nodes then both give the second node's value.
 *
 *   write ─► queue ─► device ─► reply ─► next of the queue          watch events pass, they answer nothing
 *
 * The queue needs no bound of its own: the client above has at most 256 requests under way (connection.ts).
 */
import type { Transport } from './transport.js'
import { WireDecoder, XS } from './wire.js'

/** Writes one whole message at a time, the next when a reply has been read. */
export function oneAtATime(device: Transport): Transport {
  const queue: Uint8Array[] = []
  const replies = new WireDecoder()
  let underWay = false
  const next = (): void => {
    const message = queue.shift()
    underWay = message !== undefined
    if (message) device.write(message)
  }
  return {
    payloadMax: device.payloadMax,
    write(message) {
      queue.push(message)
      if (!underWay) next()
    },
    onBytes(receive) {
      device.onBytes((chunk) => {
        const { messages } = replies.push(chunk)
        receive(chunk)
        if (messages.some(({ type }) => type !== XS.WATCH_EVENT)) next()
      })
    },
    onClose: (ended) => device.onClose(ended),
    close() {
      queue.length = 0
      device.close()
    },
  }
}
