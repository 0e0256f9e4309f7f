/**
 * @packageDocumentation
 * A front end without a will of its own: it puts recorded requests on the ring, entry by entry as they were (nonsense
 * included), with grants and ids of its own, and tells which of them were answered, and how. Writes carry what
 * block-contents.ts says, so that they are the bytes that the recorded front end wrote, if it was ours.
 *
 *   record ─► slot ─► segments keep their sectors, get this slot's pages ─► entry      answer ─► { request, status }
 *
 * A request whose grant copy failed in the recording gets a reference that nobody granted: it fails here, too.
 */
import { BLKIF_OP_READ, PAGE_BYTES, SECTOR_BYTES, SECTORS_PER_PAGE } from '../protocol/blkif.js'
import { decodeCanonical, encodeEntry } from '../protocol/entry.js'
import type { BlkifSegment } from '../protocol/entry.js'
import { XbbdError } from '../protocol/errors.js'
import { encodeDescriptors } from '../protocol/indirect.js'
import { RECORD_DESCRIPTOR_STATUS, recordSector } from '../protocol/record.js'
import { WriteCounts, fillSector } from './block-contents.js'
import { TAKEN_WORDS } from './blkfront/front-ring.js'
import { openTransport } from './blkfront/transport.js'
import type { Transport, TransportOptions } from './blkfront/transport.js'

/** One recorded request. */
export interface RecordedRequest {
  /** Counted from 0 in the order of the ring. */
  readonly number: number
  /** Its canonical record (protocol/record.ts). */
  readonly record: Int32Array
  /** Whether it was found valid: only then its sectors mean anything. */
  readonly valid: boolean
  /** Its data could not be copied: one of its grants was bad. */
  readonly badGrant: boolean
}

export interface RedriveAnswer {
  readonly number: number
  readonly status: number
}

/** No domain grants so many. */
const UNGRANTED = 0x7fffffff
const TAKE = 64
/** Slots remember an operation in seven bits; a nonsensical one has eight. */
const OP_MASK = 0x7f

export class RedriveFront {
  readonly sectorCount: number
  private readonly transport: Transport
  private readonly counts: WriteCounts
  private readonly words: Int32Array
  private readonly taken = new Int32Array(TAKE * TAKEN_WORDS)
  /** By slot: the number of its request. */
  private readonly numbers: Int32Array
  private readonly answered: RedriveAnswer[] = []
  private stirred: () => void = () => undefined
  private lie: string | undefined

  private constructor(transport: Transport, sectorCount: number, counts: WriteCounts) {
    this.transport = transport
    this.sectorCount = sectorCount
    this.counts = counts
    const { bytes } = transport.slots
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    this.numbers = new Int32Array(transport.slots.count)
    transport.port.onNotified(() => this.notified())
    transport.onPeer(() => this.stirred())
  }

  /** Negotiates; `counts` go on from an earlier connection of the same disk. Rejects with an {@link XbbdError}. */
  static async connect(options: TransportOptions, counts?: WriteCounts): Promise<RedriveFront> {
    const { transport, disk } = await openTransport(options)
    return new RedriveFront(transport, disk.sectorCount, counts ?? new WriteCounts(disk.sectorCount))
  }

  /** Whether another request can be put now. */
  get room(): boolean {
    return this.transport.slots.free > 0 && this.transport.ring.free > 0
  }

  /** Puts a request; it is seen by the back end after {@link RedriveFront.publish}. Only while there is room. */
  put(request: RecordedRequest): void {
    const { slots, ring, layout } = this.transport
    const { segments, raw, ...entry } = decodeCanonical(request.record, 0)
    const indirect = entry.descriptorGrefs !== undefined
    const slot = slots.take((entry.indirectOp ?? entry.op) & OP_MASK, segments.length, indirect)
    this.numbers[slot] = request.number
    const reads = (entry.indirectOp ?? entry.op) === BLKIF_OP_READ
    if (request.valid && !reads && segments.length > 0) this.fill(request.record, slot, segments)
    const granted = segments.map(({ firstSect, lastSect }, index) => {
      const gref = request.badGrant && index === 0 ? UNGRANTED : slots.gref(slot, index)
      return { gref, firstSect, lastSect }
    })
    const named = { ...entry, idLow: slot, idHigh: slots.generation[slot], segments: granted }
    const descriptors = indirect && { descriptorGrefs: this.describe(request.record, slot, granted) }
    encodeEntry({ ...named, ...descriptors, ...(raw && { raw }) }, layout, ring.words, ring.nextEntry())
    ring.wrote()
  }

  /** Writes the descriptors into the slot's pages. @returns their references; nobody granted those that failed. */
  private describe(record: Int32Array, slot: number, segments: readonly BlkifSegment[]): number[] {
    const { slots } = this.transport
    const unread = record[RECORD_DESCRIPTOR_STATUS] !== 0
    if (!unread) encodeDescriptors(segments, slots.words, slots.descriptorsAt(slot))
    const grefOf = (page: number) => (unread ? UNGRANTED : slots.descriptorGref(slot, page))
    return Array.from({ length: slots.descriptorPages }, (_, page) => grefOf(page))
  }

  /** Makes everything that was put visible. */
  publish(): void {
    if (this.transport.ring.publish()) this.transport.port.notify()
  }

  /** Answers since the last call. Throws when the back end broke the protocol. */
  answers(): readonly RedriveAnswer[] {
    this.collect()
    if (this.lie !== undefined) throw new XbbdError('XBBD_REDRIVE', `the back end lies: ${this.lie}`, { exitCode: 1 })
    return this.answered.splice(0)
  }

  /** Resolves when answers may wait. */
  async stir(): Promise<void> {
    if (this.transport.ring.arm()) return
    await new Promise<void>((resolve) => (this.stirred = resolve))
  }

  /** Closes as the protocol asks; nothing may be in flight. */
  async close(): Promise<void> {
    await this.transport.announceClosing()
    await this.transport.close()
  }

  private notified(): void {
    this.collect()
    this.stirred()
  }

  private collect(): void {
    const { ring, slots } = this.transport
    while (this.lie === undefined) {
      const count = ring.take(this.taken, TAKE)
      if (count < 0) this.lie = 'it has answered what was never asked'
      if (count <= 0) return
      for (let at = 0; at < count * TAKEN_WORDS; at += TAKEN_WORDS) {
        const [slot, generation, op, status] = this.taken.subarray(at, at + TAKEN_WORDS)
        if (!slots.pending(slot, generation) || (op & OP_MASK) !== slots.op[slot]) {
          this.lie = `it has answered request ${slot >>> 0}, which is not pending`
          return
        }
        this.answered.push({ number: this.numbers[slot], status })
        slots.release(slot)
      }
    }
  }

  /** Each sector of the request gets what its next write must put there. */
  private fill(
    record: Int32Array, slot: number, segments: readonly { readonly firstSect: number; readonly lastSect: number }[],
  ): void {
    let sector = recordSector(record, 0)
    segments.forEach(({ firstSect, lastSect }, index) => {
      const page = this.transport.slots.offset(slot) + index * PAGE_BYTES
      for (let sect = firstSect; sect <= lastSect && sect < SECTORS_PER_PAGE; sect++, sector++)
        fillSector(this.words, (page + sect * SECTOR_BYTES) / 4, sector, this.counts.next(sector))
    })
  }
}
