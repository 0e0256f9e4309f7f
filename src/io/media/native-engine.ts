/**
 * @packageDocumentation
 * The native engines and file operations, typed; native/engine.cc and native/file.cc have the other side. Loading
 * this module loads the addon: the simulated world imports memory and null alone.
 */
import { loadAddon } from '../native/load.js'

/** native/engine.cc and native/file.cc; handles are those of the table of owners. */
export interface MediaAddon {
  /** @returns an id of this thread. Throws EPERM or ENOSYS where the kernel forbids or lacks io_uring, ENOMEM. */
  engineOpen(
    kind: number,
    descriptor: number,
    eventfd: number,
    arena: number,
    depth: number,
    bytes: number,
    sectorSize: number,
    flags: number,
    mergeBytes: number,
  ): number
  engineTraits(id: number): number
  /** @returns requests taken, and operations begun since the last call << 16. */
  engineSubmit(id: number, requests: Int32Array, count: number): number
  engineReap(id: number, results: Int32Array, max: number): number
  engineInFlight(id: number): number
  engineArm(id: number): boolean
  engineDisarm(id: number): void
  engineClose(id: number): void
  engineReapOrphans(): number
  fileOpen(path: string, readOnly: boolean, direct: boolean): number
  fileMeasure(handle: number, out: Float64Array): void
  fileTryDirect(handle: number, bytes: number, memoryOffset: number): boolean
  fileLock(handle: number, exclusive: boolean): boolean
  fileCanDeallocate(handle: number): boolean
  deviceCanSecureDiscard(handle: number): boolean
}

export const ENGINE_URING = 0
export const ENGINE_THREADS = 1
export const ENGINE_INLINE = 2
export const ENGINE_READ_ONLY = 1
export const ENGINE_CAN_DISCARD = 2
export const ENGINE_BLOCK_DEVICE = 4
export const ENGINE_CAN_SECURE_DISCARD = 8
export const ENGINE_DISCARD_ZEROES = 16
export const TRAIT_FIXED_BUFFERS = 1
export const TRAIT_FIXED_FILE = 2

export const mediaAddon = loadAddon<MediaAddon>()

/**
 * Collects what the kernel still owes to engines whose Worker has ended, and destroys those to which it owes nothing.
 * @returns how many requests are still owed; the descriptors and arenas of these stay borrowed until it is 0.
 */
export const reapOrphans = (): number => mediaAddon.engineReapOrphans()
