/**
 * @packageDocumentation
 * What a request must be before anything is done for it, judged on the canonical record alone: a private copy that
 * nobody can change between judgement and use. The verdict is a small integer, so that judging allocates nothing; the
 * table REASONS has its name, the status that the guest gets, and a sentence for people.
 *
 *   operation known ► offered ► allowed on this disk ► count ► each segment ► length ► alignment ► range
 *   an INDIRECT: offered ► inner operation ► allowed on this disk ► count ► descriptors read ► the rest as above
 *   a LONG one, in several entries: as others, but for the count
 *
 * Choices that the specification leaves open:
 * - A flush or barrier without data has no sectors, so its sector_number is not looked at: Linux sends all ones there.
 * - A discard of no sectors is refused: it could mean nothing, and so no medium ever sees an I/O of length zero.
 * - A discard need not be aligned to discard-granularity: it is advice, file systems trim whatever they freed, and an
 *   error would reach them. It must be aligned to sector-size, as everything.
 * - An INDIRECT may have as few segments as an entry could hold itself; only a count of zero means nothing.
 * - The secure flag is ignored where secure discard is not offered (the header asks for it).
 * What must never happen: that arithmetic wraps (B8, B9). Sectors are compared as doubles after the high word has
 * shown them to be below 2^44.
 */
import {
  BLKIF_OP_DISCARD,
  BLKIF_OP_FLUSH_DISKCACHE,
  BLKIF_OP_READ,
  BLKIF_OP_WRITE,
  BLKIF_OP_WRITE_BARRIER,
  BLKIF_MAX_SEGMENTS_PER_REQUEST,
  BLKIF_RSP_EOPNOTSUPP,
  BLKIF_RSP_ERROR,
  SECTOR_LIMIT_HIGH,
} from './blkif.js'
import { assert } from './errors.js'
import {
  RECORD_DESCRIPTOR_STATUS, RECORD_NR_SECTORS, RECORD_SECTOR, RECORD_SEGMENT, isIndirect, isLong, recordNrSegments,
  recordOp, recordedSegments, segmentsAt,
} from './record.js'
import { u64ToDouble } from './u64.js'

export { requestSectors, segmentBytes } from './record.js'

/** What judging needs to know of disk and negotiation. */
export interface DiskLimits {
  /** Capacity in 512-byte sectors, below 2^44. */
  readonly sectorCount: number
  /** Logical block size in bytes: a power of two from 512 to 4096. */
  readonly sectorSize: number
  readonly readOnly: boolean
  readonly offersFlush: boolean
  readonly offersBarrier: boolean
  readonly offersDiscard: boolean
  /** The secure flag of a discard is honoured; absent = ignored. */
  readonly offersSecureDiscard?: boolean
  /** Most segments of one request, as negotiated: 1 to 11. */
  readonly maxSegments: number
  /** Most segments of one request in several entries, as negotiated: 12 to 255; absent = none is taken (2010). */
  readonly maxBlockSegments?: number
  /** Most segments of one INDIRECT request, as offered; absent or 0 = not offered. */
  readonly maxIndirectSegments?: number
  /** Most sectors of one request with data, where a front end negotiated fewer than its segments can hold (2010). */
  readonly maxRequestSectors?: number
}

export type SegmentLimits = Pick<DiskLimits, 'maxSegments' | 'maxBlockSegments' | 'maxIndirectSegments'>

/** Most segments of a request that has more than one entry holds; 0 when none may. */
export function segmentsBeyond({ maxBlockSegments = 0, maxIndirectSegments = 0 }: SegmentLimits): number {
  return Math.max(maxBlockSegments, maxIndirectSegments)
}

/** Most segments of any request. */
export function mostSegments(limits: SegmentLimits): number {
  return Math.max(limits.maxSegments, segmentsBeyond(limits))
}

/** 0 = valid, else an index into {@link REASONS}. */
export type Verdict = number

/** Why a request is refused. */
export interface Reason {
  /** Stable name, for journals, counters and tests. */
  readonly name: string
  /** What the guest is answered: -1 or -2. */
  readonly status: number
  readonly text: string
}

export const VALID = 0
export const OP_UNKNOWN = 1
export const OP_NOT_OFFERED = 2
export const DISK_READ_ONLY = 3
export const SEGMENTS_NONE = 4
export const SEGMENTS_TOO_MANY = 5
export const SEGMENT_REVERSED = 6
export const SEGMENT_CROSSES_PAGE = 7
export const SEGMENT_MISALIGNED = 8
export const REQUEST_TOO_LONG = 9
export const SECTOR_MISALIGNED = 10
export const RANGE_BEYOND_END = 11
export const DISCARD_EMPTY = 12
export const DISCARD_MISALIGNED = 13
export const INDIRECT_OPERATION = 14
export const DESCRIPTORS_UNREADABLE = 15

const reason = (name: string, status: number, text: string): Reason => ({ name, status, text })

/** Indexed by verdict. The numbers stand in journals: append, never renumber. */
export const REASONS: readonly Reason[] = [
  reason('valid', 0, 'the request is valid'),
  reason('op.unknown', BLKIF_RSP_EOPNOTSUPP, 'no such operation is served'),
  reason('op.notOffered', BLKIF_RSP_EOPNOTSUPP, 'the operation was not offered to this front end'),
  reason('disk.readOnly', BLKIF_RSP_ERROR, 'the disk is read-only and the request would change it'),
  reason('segments.none', BLKIF_RSP_ERROR, 'a read or write without segments'),
  reason('segments.tooMany', BLKIF_RSP_ERROR, 'more segments than were negotiated'),
  reason('segment.reversed', BLKIF_RSP_ERROR, 'a segment ends before it begins (first_sect > last_sect)'),
  reason('segment.crossesPage', BLKIF_RSP_ERROR, 'a segment leaves its page (last_sect > 7)'),
  reason('segment.misaligned', BLKIF_RSP_ERROR, 'a segment is not made of whole blocks of sector-size'),
  reason('request.tooLong', BLKIF_RSP_ERROR, 'more bytes than max-request-size, as negotiated'),
  reason('sector.misaligned', BLKIF_RSP_ERROR, 'sector_number is not a multiple of sector-size (units of 512 bytes)'),
  reason('range.beyondEnd', BLKIF_RSP_ERROR, 'the request reaches beyond the end of the disk'),
  reason('discard.empty', BLKIF_RSP_ERROR, 'a discard of no sectors'),
  reason('discard.misaligned', BLKIF_RSP_ERROR, 'a discard that is not made of whole blocks of sector-size'),
  reason('indirect.operation', BLKIF_RSP_ERROR, 'an indirect request whose inner operation is neither read nor write'),
  reason('indirect.unreadable', BLKIF_RSP_ERROR, 'a page of its descriptors is not granted to this back end'),
]

/** Judges the canonical record at `words[at]`. Bears any bytes; allocates nothing. */
export function validateRequest(words: Int32Array, at: number, disk: DiskLimits): Verdict {
  if (isIndirect(words, at)) return validateIndirect(words, at, disk)
  const op = recordOp(words, at)
  const count = recordNrSegments(words, at)
  switch (op) {
    case BLKIF_OP_READ:
      if (count === 0) return SEGMENTS_NONE
      return validateData(words, at, disk, count)
    case BLKIF_OP_WRITE:
      if (disk.readOnly) return DISK_READ_ONLY
      if (count === 0) return SEGMENTS_NONE
      return validateData(words, at, disk, count)
    case BLKIF_OP_WRITE_BARRIER:
    case BLKIF_OP_FLUSH_DISKCACHE:
      if (!(op === BLKIF_OP_FLUSH_DISKCACHE ? disk.offersFlush : disk.offersBarrier)) return OP_NOT_OFFERED
      if (count === 0) return VALID
      if (disk.readOnly) return DISK_READ_ONLY
      return validateData(words, at, disk, count)
    case BLKIF_OP_DISCARD:
      return validateDiscard(words, at, disk)
    default:
      return OP_UNKNOWN
  }
}

function validateData(words: Int32Array, at: number, disk: DiskLimits, count: number): Verdict {
  if (isLong(words, at)) return validateLong(words, at, disk, count)
  // The record holds eleven segments whatever the guest counted: never look further, whatever was configured.
  if (count > disk.maxSegments || count > BLKIF_MAX_SEGMENTS_PER_REQUEST) return SEGMENTS_TOO_MANY
  return validateSegments(words, at, at + RECORD_SEGMENT, count, disk)
}

function validateLong(words: Int32Array, at: number, disk: DiskLimits, count: number): Verdict {
  if (count > (disk.maxBlockSegments ?? 0)) return SEGMENTS_TOO_MANY
  assert(recordedSegments(words, at) === count, 'as many segments stand in the record as the request counts')
  return validateSegments(words, at, at + segmentsAt(words, at), count, disk)
}

/** What the descriptors say was copied before: here it is judged, and nowhere looked up again. */
function validateIndirect(words: Int32Array, at: number, disk: DiskLimits): Verdict {
  const offered = disk.maxIndirectSegments ?? 0
  if (offered === 0) return OP_NOT_OFFERED
  const inner = recordOp(words, at)
  if (inner !== BLKIF_OP_READ && inner !== BLKIF_OP_WRITE) return INDIRECT_OPERATION
  if (inner === BLKIF_OP_WRITE && disk.readOnly) return DISK_READ_ONLY
  const count = recordNrSegments(words, at)
  if (count === 0) return SEGMENTS_NONE
  if (count > offered) return SEGMENTS_TOO_MANY
  if (words[at + RECORD_DESCRIPTOR_STATUS] !== 0) return DESCRIPTORS_UNREADABLE
  assert(recordedSegments(words, at) === count, 'as many descriptors stand in the record as the request counts')
  return validateSegments(words, at, at + segmentsAt(words, at), count, disk)
}

function validateSegments(words: Int32Array, at: number, from: number, count: number, disk: DiskLimits): Verdict {
  const mask = (disk.sectorSize >>> 9) - 1
  const end = from + 2 * count
  let sectors = 0
  for (let range = from + 1; range < end; range += 2) {
    const first = words[range] & 0xff
    const last = (words[range] >>> 8) & 0xff
    if (first > last) return SEGMENT_REVERSED
    if (last > 7) return SEGMENT_CROSSES_PAGE
    if (((first | (last + 1)) & mask) !== 0) return SEGMENT_MISALIGNED
    sectors += last - first + 1
  }
  if (disk.maxRequestSectors !== undefined && sectors > disk.maxRequestSectors) return REQUEST_TOO_LONG
  if ((words[at + RECORD_SECTOR] & mask) !== 0) return SECTOR_MISALIGNED
  return validateRange(words, at, sectors, disk.sectorCount)
}

function validateDiscard(words: Int32Array, at: number, disk: DiskLimits): Verdict {
  if (!disk.offersDiscard) return OP_NOT_OFFERED
  if (disk.readOnly) return DISK_READ_ONLY
  const low = words[at + RECORD_NR_SECTORS]
  const high = words[at + RECORD_NR_SECTORS + 1]
  if (low === 0 && high === 0) return DISCARD_EMPTY
  if (high >>> 0 >= SECTOR_LIMIT_HIGH) return RANGE_BEYOND_END
  const mask = (disk.sectorSize >>> 9) - 1
  if (((words[at + RECORD_SECTOR] | low) & mask) !== 0) return DISCARD_MISALIGNED
  return validateRange(words, at, u64ToDouble(low, high), disk.sectorCount)
}

/** Both numbers are below 2^44 when they are added, so the sum is exact. */
function validateRange(words: Int32Array, at: number, sectors: number, sectorCount: number): Verdict {
  const high = words[at + RECORD_SECTOR + 1] >>> 0
  if (high >= SECTOR_LIMIT_HIGH) return RANGE_BEYOND_END
  return u64ToDouble(words[at + RECORD_SECTOR], high) + sectors > sectorCount ? RANGE_BEYOND_END : VALID
}
