/**
 * @packageDocumentation
 * A disk as a client of the front end sees it: asynchronous, addressed in bytes, many requests in flight. The front
 * end implements it over a blkif ring (blkfront/), the NBD server offers whatever implements it on a socket, and the
 * verifying load drives either; so each of the three can be tested with the other two replaced.
 *
 *   NBD client ── socket ── NbdServer ──┐
 *                                       ├── BlockDevice ── Blkfront ── ring ── back end
 *            verifying load ────────────┘
 *
 * Order: requests in flight at the same time are unordered. `flush` covers the writes that were answered before it
 * was asked for, on whichever connection.
 */

/** Offsets and lengths are bytes, multiples of `sectorSize`, within `sizeBytes`; callers check that. */
export interface BlockDevice {
  readonly sizeBytes: number
  /** Logical block size: a power of two from 512 to 4096. */
  readonly sectorSize: number
  readonly readOnly: boolean
  readonly canFlush: boolean
  readonly canTrim: boolean
  /** Rejects with a `code` (EIO, ESHUTDOWN, …); never resolves with fewer bytes. The buffer is the caller's. */
  read(offset: number, length: number): Promise<Buffer>
  /** `data` must not change until the promise is settled. */
  write(offset: number, data: Uint8Array): Promise<void>
  flush(): Promise<void>
  /** The range's content is no longer needed; what reads return afterwards is the device's affair. */
  trim(offset: number, length: number): Promise<void>
}
