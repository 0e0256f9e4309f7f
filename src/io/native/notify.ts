/**
 * @packageDocumentation
 * Datagrams to a unix socket, for the one thing that needs them: telling a service manager how a service fares
 * (sd_notify(3)). Node's dgram knows no unix sockets.
 */
import { loadAddon } from './load.js'

const addon = loadAddon<{ notifySend(address: string, text: string): boolean }>()

/**
 * Sends `text` (1 to 4095 bytes of UTF-8) as one datagram to `address`: a path, or `@name` for an abstract socket.
 * Never waits. @returns false when the receiver's queue is full and nothing was sent. Throws ENOENT or ECONNREFUSED
 * when nobody listens there, EINVAL for a text that does not fit.
 */
export const sendDatagram = (address: string, text: string): boolean => addon.notifySend(address, text)
