/**
 * @packageDocumentation
 * Memory and wake-ups that processes of one machine share: memfd and eventfd, named by handles of the table of
 * owners (owners.ts). A memfd from another process is mapped only after {@link memfdSize} has seen its seal: memory
 * that can shrink kills whoever touches what is gone (SIGBUS).
 */
import { loadAddon } from './load.js'

/** What a new memfd promises; all default to true but `allocate`. */
export interface MemfdOptions {
  /** It can never become smaller. */
  readonly sealShrink?: boolean
  /** It can never become larger. */
  readonly sealGrow?: boolean
  /** The memory is taken from the system now; otherwise at first touch, which may kill whoever touches. */
  readonly allocate?: boolean
}

interface ShmAddon {
  memfdCreate(name: string, bytes: number, shrink: boolean, grow: boolean, allocate: boolean): number
  memfdSize(handle: number): number
  mapFile(path: string, bytes: number): number
  eventfdCreate(): number
  eventfdWrite(handle: number): void
  eventfdRead(handle: number): number
}

const addon = loadAddon<ShmAddon>()

/** Anonymous memory that can be mapped by several processes; `name` is seen in /proc only. @returns its handle. */
export function memfdCreate(name: string, bytes: number, options: MemfdOptions = {}): number {
  const { sealShrink = true, sealGrow = true, allocate = false } = options
  return addon.memfdCreate(name, bytes, sealShrink, sealGrow, allocate)
}

/** The size in bytes of a memfd that was received. Throws EPERM unless it is sealed against shrinking. */
export const memfdSize = (handle: number): number => addon.memfdSize(handle)

/**
 * Maps a file, shared and writable; it is made where there is none. It has these bytes for good (posix_fallocate: a
 * sparse file on a full tmpfs is SIGBUS), and each page is there before it is needed; what stands in it is not changed.
 * @returns the mapping's handle. Throws ENOSPC.
 */
export const mapFile = (path: string, bytes: number): number => addon.mapFile(path, bytes)

/** A new eventfd: non-blocking, counter 0. @returns its handle. */
export const eventfdCreate = (): number => addon.eventfdCreate()

/** Adds one and wakes who polls it. */
export const eventfdWrite = (handle: number): void => addon.eventfdWrite(handle)

/** What was counted since the last read, 0 when nothing was; never waits. */
export const eventfdRead = (handle: number): number => addon.eventfdRead(handle)
