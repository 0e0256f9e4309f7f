/**
 * @packageDocumentation
 * The constants of the wire, under the names that they have in C (xen/include/public/io/blkif.h). They are the only
 * place where these numbers stand; a test compiles Xen's own header and compares.
 *
 * What must never happen: that a unit is guessed. Every sector on the wire is 512 bytes, whatever `sector-size` says
 * (note 12 of the header), and a segment lies in a page of 4096 bytes.
 */

/** Read into guest pages, 1 to 11 segments. */
export const BLKIF_OP_READ = 0
/** Write from guest pages, 1 to 11 segments. */
export const BLKIF_OP_WRITE = 1
/** A write that nothing of its ring overtakes, durable when answered; 0 to 11 segments. */
export const BLKIF_OP_WRITE_BARRIER = 2
/** Everything answered before is durable when this is answered; normally without segments. */
export const BLKIF_OP_FLUSH_DISKCACHE = 3
/** A packet command of an old SLES; never offered. */
export const BLKIF_OP_RESERVED_1 = 4
/** Advisory deallocation; has a layout of its own (`struct blkif_request_discard`). */
export const BLKIF_OP_DISCARD = 5
/** Segments in pages of their own; has a layout of its own (`struct blkif_request_indirect`). */
export const BLKIF_OP_INDIRECT = 6

/** Done. */
export const BLKIF_RSP_OKAY = 0
/** Failed, whatever the reason. */
export const BLKIF_RSP_ERROR = -1
/** This operation is not served; Linux then stops sending it. */
export const BLKIF_RSP_EOPNOTSUPP = -2

/** Segments that one ring entry holds. */
export const BLKIF_MAX_SEGMENTS_PER_REQUEST = 11
/** Descriptors (8 bytes each, as segments stand in an entry) that one page of an INDIRECT request holds. */
export const SEGMENTS_PER_INDIRECT_FRAME = 512
/** Pages of descriptors that an INDIRECT entry can name. */
export const BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST = 8
/** Flag of a discard: what was there must be unrecoverable before the answer. */
export const BLKIF_DISCARD_SECURE = 1

/** Bits of the node `info`. */
export const VDISK_CDROM = 1
export const VDISK_REMOVABLE = 2
export const VDISK_READONLY = 4

/** The unit of every sector number, count and offset on the wire. */
export const SECTOR_BYTES = 512
/** A granted page. */
export const PAGE_BYTES = 4096
/** Sectors in a page: first_sect and last_sect are below this. */
export const SECTORS_PER_PAGE = 8
/** The shared ring's header: indices, events, padding (xen/include/public/io/ring.h). */
export const RING_HEADER_BYTES = 64
/** Sector numbers are doubles below this, so that byte offsets stay exact. */
export const SECTOR_LIMIT = 2 ** 44
/** The same limit as seen by the high word of a 64-bit sector number. */
export const SECTOR_LIMIT_HIGH = 2 ** 12

const OP_NAMES = ['READ', 'WRITE', 'WRITE_BARRIER', 'FLUSH_DISKCACHE', 'RESERVED_1', 'DISCARD', 'INDIRECT']

/** The operation as people read it; a number that means nothing is shown as such: `OP_77`. */
export function opName(op: number): string {
  return OP_NAMES[op] ?? `OP_${op}`
}
