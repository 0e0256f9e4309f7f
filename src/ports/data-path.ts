/**
 * @packageDocumentation
 * What a queue's shell needs from the outside, as interfaces: three worlds (xen, embedded, sim) implement each.
 * Every call is batch-shaped: numbers in, a number out, bulk data in typed arrays that were agreed on beforehand;
 * nothing here allocates, returns a promise or throws for anything that a guest or a disk can do.
 *
 *   entries   Int32Array, one ring entry per `entryWords` words, as the guest wrote it (private copy; words that its
 *             operation and segment count do not use are left as they were)
 *   answers   Int32Array, 4 words each:  idLow · idHigh · operation · status (0, -1, -2)
 *   copies    Int32Array, 4 words each:  gref · offset | length << 16 · arena byte offset · direction
 *             after the call the fourth word of each is its status (0 = done, < 0 = GNTST_*)
 *   requests  Int32Array, 8 words each:  op · token · arena byte offset · length low · offset low · offset high ·
 *             length high · 0   (bytes on the medium, two u32 each; only a discard or zeroing is longer than the arena)
 *   results   Int32Array, 2 words each:  token · result (≥ 0: bytes moved by read and write, 0 for the others;
 *             < 0: -errno; a request refused unexecuted ends so too, it is never left untaken for being bad)
 */

/** Words per element of each array that crosses this boundary. */
export const ANSWER_WORDS = 4
export const COPY_WORDS = 4
export const IO_WORDS = 8
export const RESULT_WORDS = 2

export const COPY_FROM_GUEST = 0
export const COPY_TO_GUEST = 1

/** Operations of a medium; the numbers are shared with native/ and stand in journals. */
export const IO_READ = 0
export const IO_WRITE = 1
/** Everything completed before it is durable (fdatasync). */
export const IO_SYNC = 2
/** Deallocate; what reads return afterwards is the medium's affair. */
export const IO_DISCARD = 3
/** Write zeroes over the range, deallocating where the medium can. */
export const IO_WRITE_ZEROES = 4
/** Deallocate, and nobody may ever find again what stood there. */
export const IO_SECURE_DISCARD = 5

/** The back end's side of one shared ring (xen/include/public/io/ring.h). Indices are u32 that wrap. */
export interface BackRing {
  /** Entries of the ring, a power of two. */
  readonly size: number
  /** Where `take` puts the entries; `entryWords` words each (28 for the 64-bit ABI, 27 for x86_32). */
  readonly entries: Int32Array
  readonly entryWords: number
  /** req_prod as the last `take` or `peek` saw it. */
  reqProd: number
  /**
   * Reads req_prod once, then copies up to `max` entries from `reqCons` on, each byte read once.
   * Of each entry only what means something as a request is copied, unless `whole`: then an entry may be part of one.
   * @returns how many were copied, or -1 when req_prod - rspProd exceeds the ring: the producer lies.
   */
  take(reqCons: number, rspProd: number, max: number, whole?: boolean): number
  /** Reads req_prod: how many entries wait behind `reqCons` (may exceed the ring when the producer lies). */
  peek(reqCons: number): number
  /**
   * Writes `count` answers from `rspProd` on, then stores rsp_prod + count, then looks at rsp_event.
   * @returns whether the front end wants to be notified.
   */
  answer(answers: Int32Array, count: number, rspProd: number): boolean
  /** Entries alone, unpublished: what a death between the two leaves; for tests (actors/kill-points.ts). */
  write?(answers: Int32Array, count: number, rspProd: number): void
  /** Stores req_event = reqCons + 1, full barrier, looks again. @returns whether entries wait after all. */
  arm(reqCons: number): boolean
  /** rsp_prod as it stands in the shared page: the publication point, guest-writable. */
  published(): number
  /** Gives the borrowed mapping back, so that the supervisor can unmap it; nothing may be called afterwards. */
  close(): void
}

/** Moves bytes between a guest's granted pages and this Worker's arena; how is the affair of the mode. */
export interface GrantCopier {
  /**
   * Executes `count` copies, each to its own end: what is wrong with one (a reference, a range, a direction) costs no
   * other. @returns how many failed (their status says why).
   */
  copy(copies: Int32Array, count: number): number
  /** Gives back what was borrowed (guest memory, arena); nothing may be called afterwards. */
  close(): void
}

/** A bound event channel: its notifications are already drained and counted in native code. */
export interface EventPort {
  notify(): void
  /** Called once per wake-up, however many events it stood for. */
  onNotified(listener: () => void): void
  /** Late unmask: further events may come from now on. */
  unmask(): void
  close(): void
}

/** A medium as one queue sees it. Opened from a {@link MediumPlan} inside the queue's Worker. */
export interface MediumPort {
  /** Takes up to `count` requests. @returns how many were taken; the rest stay the caller's, to be offered again. */
  submit(requests: Int32Array, count: number): number
  /** Collects up to `max` results without waiting. @returns how many. */
  reap(results: Int32Array, max: number): number
  /** Requests taken and not yet reaped. */
  readonly inFlight: number
  /** Operations that it has asked of the disk, fewer than requests where neighbours went as one; absent = not known. */
  readonly operations?: number | undefined
  /**
   * Results worth collecting in one round; absent = as many as wait. A disk tells of many completions at once and idles
   * until it gets more: answering a few first brings it the next requests while the rest are still being answered.
   */
  readonly pace?: number
  /** Calls `listener` once when results wait, after {@link MediumPort.arm}. Media that finish at once never call. */
  onReady(listener: () => void): void
  /** Asks for one wake-up. @returns whether results wait already, in which case none will come. */
  arm(): boolean
  /** Only when nothing is in flight. */
  close(): void
  /** Present where a server has to be reached; then nothing moves before the connection is ordered. */
  readonly connection?: PortConnection | undefined
}

/**
 * `connect`: try once. `resume`: send what is held, and whatever comes. `fail`: answer all of it with EIO, and whatever
 * comes.
 */
export type ConnectionOrder = 'connect' | 'resume' | 'fail'

export type ConnectionReport =
  /** It is lost; `ended`: the server itself closed it, so that nothing sent on it is still at work. */
  | { readonly type: 'port.lost'; readonly sentence: string; readonly ended: boolean }
  | { readonly type: 'port.connected' }
  /** An attempt failed; `final`: another one makes no sense. */
  | { readonly type: 'port.refused'; readonly sentence: string; readonly final: boolean }

/** The connection of a port to its server: what is done, not when; that is said by a chart (connection.machine.ts). */
export interface PortConnection {
  order(order: ConnectionOrder): void
  /** Hears what becomes of it. */
  onReport(listener: (report: ConnectionReport) => void): void
}

/** Memory that the requests of one Worker's queues bounce through. */
export interface BufferArena {
  readonly bytes: Uint8Array
  /**
   * So many of them are for the data of requests; what lies behind is for descriptors of INDIRECT requests, from one
   * round's taking to its records. Absent: all are, and no descriptors can be read.
   */
  readonly dataBytes?: number
  /** From here on they are pages for media that emulate sectors. Absent: there are none. */
  readonly bounceAt?: number
  /** The owner's handle, for native calls that address the arena; 0 in the simulated world. */
  readonly handle: number
}
