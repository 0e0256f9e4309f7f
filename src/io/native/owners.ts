/**
 * @packageDocumentation
 * The process's table of owners: descriptors and mapped memory, named by handles that can be posted to Workers. The
 * supervisor's thread enters and removes; everybody else borrows. Memory is seen through an `ArrayBuffer` over the
 * mapping, one per thread; `giveBack` and `unmap` detach it, after which its `byteLength` is 0 and every typed array
 * over it reads undefined: a stale access is a visible mistake and never a dead process.
 *
 *   adopt / memfdCreate / … ─► descriptor handle ─ map ─► mapping handle ─ view ─► ArrayBuffer
 *
 * What must never happen: memory unmapped while another thread, a ring or an engine still uses it. `unmap` and
 * `closeDescriptor` throw EBUSY then. Handles are never given twice; a stale one throws EBADF.
 */
import { markAsUntransferable } from 'node:worker_threads'
import { loadAddon } from './load.js'

/** One entry of the table, for lists and tests. */
export interface OwnedEntry {
  readonly handle: number
  readonly kind: 'descriptor' | 'mapping'
  /** What made it: `memfd`, `eventfd`, `memory`, `file`, … */
  readonly label: string
  /** Length of a mapping, 0 for a descriptor. */
  readonly bytes: number
  /** Views, rings, copiers, pollers and engines that use it now. */
  readonly borrows: number
}

interface OwnersAddon {
  environments(): number
  adopt(descriptor: number): number
  closeDescriptor(handle: number): void
  dup(handle: number): number
  descriptorOf(handle: number): number
  map(handle: number, length: number, offset: number, writable: boolean): number
  mapMemory(bytes: number): number
  populate(handle: number): void
  view(handle: number): ArrayBuffer
  giveBack(handle: number): void
  unmap(handle: number): void
  owned(): OwnedEntry[]
}

const addon = loadAddon<OwnersAddon>()

/**
 * Takes over an open descriptor (its number, as `fs.openSync` gives it) and sets close-on-exec; the caller must not
 * close it any more. Never one that `node:fs` opened in a Worker: Node closes all such when the Worker ends, by number,
 * whoever the number belongs to by then. @returns its handle. Throws EBADF.
 */
export const adopt = (descriptor: number): number => addon.adopt(descriptor)

/** Closes the descriptor. Throws EBUSY while a poller or an engine uses it, EBADF when it is unknown. */
export const closeDescriptor = (handle: number): void => addon.closeDescriptor(handle)

/** A second descriptor of the same open file description. @returns its handle. */
export const duplicate = (handle: number): number => addon.dup(handle)

/** The descriptor's number, to be inherited by a child process or given to `node:fs`; still owned by the table. */
export const descriptorOf = (handle: number): number => addon.descriptorOf(handle)

/**
 * Maps `length` bytes from `offset` (a multiple of 4096) of a descriptor, shared when `writable`; otherwise private:
 * changes by others are seen until a page is stored to, and stores reach nobody. @returns the mapping's handle.
 * Throws EINVAL when the range reaches beyond the end of the file.
 */
export const map = (handle: number, length: number, offset: number, writable: boolean): number =>
  addon.map(handle, length, offset, writable)

/** Zeroed memory of this process, populated at once. @returns the mapping's handle. Throws ENOMEM. */
export function mapMemory(bytes: number): number {
  const handle = reserveMemory(bytes)
  populate(handle)
  return handle
}

/** The same, of which no page is there before {@link populate} or its first use. */
export const reserveMemory = (bytes: number): number => addon.mapMemory(bytes)

/** Has every page of a mapping there, so that none is missed later; changes none. Throws ENOMEM. */
export const populate = (handle: number): void => addon.populate(handle)

/**
 * This thread's `ArrayBuffer` over the mapping, the same one each time; counts as one borrow. It cannot be
 * transferred to another thread: a copy that `unmap` does not know of would reach memory that is gone.
 */
export function view(handle: number): ArrayBuffer {
  const buffer = addon.view(handle)
  markAsUntransferable(buffer)
  return buffer
}

/** Detaches this thread's `ArrayBuffer` over the mapping and ends its borrow. Throws EBADF when there is none. */
export const giveBack = (handle: number): void => addon.giveBack(handle)

/** Detaches this thread's view, if any, and unmaps. Throws EBUSY while anybody else uses the memory. */
export const unmap = (handle: number): void => addon.unmap(handle)

/** Everything in the table now, the oldest first; the table itself (a hash map) has no order that stays. */
export const owned = (): OwnedEntry[] => addon.owned().sort((one, other) => one.handle - other.handle)

/** How many environments (threads, and module registries of tests) have loaded the addon now. */
export const environments = (): number => addon.environments()
