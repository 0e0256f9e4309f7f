/**
 * @packageDocumentation
 * The disks in the columns of `xl block-list` (xen/tools/xl/xl_block.c), for scripts that read those and for eyes that
 * are used to them. Where xl prints what it finds in XenStore, this prints what the daemon holds: -1 while there is no
 * connection. Of several queues it is the first one's channel and ring.
 */
import type { DeviceListing } from '../../ports/daemon-api.js'
import { XENBUS_STATES } from '../../protocol/xenbus-state.js'

const WIDTHS = [5, 3, 6, 5, 6, 8, 30]
const TITLES = ['Vdev', 'BE', 'handle', 'state', 'evt-ch', 'ring-ref', 'BE-path']

/** One line for each device, below the titles. */
export function listAsXl(devices: readonly DeviceListing[]): string {
  return [TITLES, ...devices.map(row)].map((cells) => `${padded(cells)}\n`).join('')
}

function row({ devid, domid, path, frontendState, connection }: DeviceListing): string[] {
  const backend = /^\/local\/domain\/(\d+)\//.exec(path)?.[1] ?? '-1'
  const state = (XENBUS_STATES as readonly string[]).indexOf(frontendState)
  const [queue] = connection?.queues ?? []
  const [evtchn, ringRef] = queue === undefined ? [-1, -1] : [queue.evtchn, queue.ringRefs[0]]
  return [devid, backend, domid, state, evtchn, ringRef, path].map(String)
}

/** As xl's `%-5s %-3s …` does, the blanks at the end of a line included. */
const padded = (cells: readonly string[]) => cells.map((cell, index) => cell.padEnd(WIDTHS[index])).join(' ')
