/**
 * @packageDocumentation
 * A character device that is a stream of bytes (native/stream.cc): read when a poller says that it can be, written
 * without waiting. For /dev/xen/xenbus, which node:fs could only read by putting a thread of its pool to sleep.
 *
 * Nothing is queued here, and nothing ever waits: whoever reads must listen through a Poller in mode `plain`.
 */
import { loadAddon } from './load.js'

interface StreamAddon {
  streamOpen(path: string): number
  streamRead(handle: number, bytes: Uint8Array): number
  streamWrite(handle: number, bytes: Uint8Array): number
}

const addon = loadAddon<StreamAddon>()

/** Opens a device for reading and writing. @returns a descriptor's handle. Throws ENOENT, EACCES, ENXIO … */
export const openStream = (path: string): number => addon.streamOpen(path)

/** Reads what is there into `bytes`. @returns how many, 0 at the end of the stream, -1 when there is nothing yet. */
export const readStream = (handle: number, bytes: Uint8Array): number => addon.streamRead(handle, bytes)

/** Writes from `bytes`. @returns how many were taken, -1 when none can be now. */
export const writeStream = (handle: number, bytes: Uint8Array): number => addon.streamWrite(handle, bytes)
