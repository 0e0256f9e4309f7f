/**
 * @packageDocumentation
 * Requests that were refused for what stands in them: the validator's verdicts (protocol/validate.ts) as rules. The
 * guest was answered -1 or -2 and may never have told anybody.
 */
import { decodeRecord, recordLine } from '../../journal/describe-record.js'
import { BLKIF_OP_WRITE_BARRIER } from '../../protocol/blkif.js'
import { isIndirect, recordOp } from '../../protocol/record.js'
import * as verdicts from '../../protocol/validate.js'
import type { Rule, RuleGroup } from '../rule.js'

const REQUEST = 'io/blkif.h, struct blkif_request'
const SEGMENT = 'io/blkif.h, struct blkif_request_segment'
const DISCARD = 'io/blkif.h, struct blkif_request_discard'
const INDIRECT = 'io/blkif.h, struct blkif_request_indirect'

const error = (name: string, section: string, what: string, cure: string): Rule => {
  return { name, severity: 'error', section, what, cure }
}

export const BARRIER_NOT_OFFERED = error(
  'barrier-not-offered', 'io/blkif.h, feature-barrier',
  'sends a barrier to a disk that offers only flushes',
  'read feature-barrier; where it is 0 and feature-flush-cache is 1, wait for what is outstanding and send a flush',
)

/** By verdict. */
const BY_VERDICT: { readonly [verdict: number]: Rule } = {
  [verdicts.OP_UNKNOWN]: error(
    'op-unknown', 'io/blkif.h, REQUEST CODES', 'sends an operation that does not exist',
    'send operations 0 to 3, 5 and 6; the entry may have been written in another ABI than `protocol` says',
  ),
  [verdicts.OP_NOT_OFFERED]: error(
    'op-not-offered', 'io/blkif.h, Features', 'sends an operation that was not offered to it',
    'read feature-flush-cache, feature-discard and feature-max-indirect-segments before sending what they offer',
  ),
  [verdicts.DISK_READ_ONLY]: error(
    'disk-read-only', 'io/blkif.h, VDISK_READONLY', 'would change a disk that may only be read',
    'read `info`: where bit 4 is set, send neither writes nor discards',
  ),
  [verdicts.SEGMENTS_NONE]: error(
    'segments-none', REQUEST, 'reads or writes nothing: a request with no segments',
    'give a read or a write at least one segment; only a flush or a barrier may have none',
  ),
  [verdicts.SEGMENTS_TOO_MANY]: error(
    'segments-too-many', REQUEST, 'gives a request more segments than it may have',
    'give an entry at most 11, and an indirect request at most feature-max-indirect-segments',
  ),
  [verdicts.SEGMENT_REVERSED]: error(
    'segment-reversed', SEGMENT, 'has a segment that ends before it begins',
    'first_sect and last_sect are both inclusive: first_sect <= last_sect',
  ),
  [verdicts.SEGMENT_CROSSES_PAGE]: error(
    'segment-crosses-page', SEGMENT, 'has a segment that leaves its page',
    'a page has eight sectors of 512 bytes, whatever sector-size says: last_sect <= 7',
  ),
  [verdicts.SEGMENT_MISALIGNED]: error(
    'segment-misaligned', 'io/blkif.h, note 12', 'has a segment that is not made of whole blocks of sector-size',
    'begin and end segments on multiples of sector-size, counted in units of 512 bytes',
  ),
  [verdicts.REQUEST_TOO_LONG]: error(
    'request-too-long', 'io/blkif.h, max-request-size', 'sends more bytes in a request than it negotiated',
    'split requests at max-request-size',
  ),
  [verdicts.SECTOR_MISALIGNED]: error(
    'sector-misaligned', 'io/blkif.h, note 12', 'begins a request in the middle of a block of sector-size',
    'sector_number counts 512 bytes: make it a multiple of sector-size / 512',
  ),
  [verdicts.RANGE_BEYOND_END]: error(
    'range-beyond-end', 'io/blkif.h, sectors', 'reaches beyond the end of the disk',
    '`sectors` counts 512 bytes, whatever sector-size says; read it again when the back end writes its state again',
  ),
  [verdicts.DISCARD_EMPTY]: error(
    'discard-empty', DISCARD, 'discards no sectors', 'set nr_sectors, which is 64 bits wide behind sector_number',
  ),
  [verdicts.DISCARD_MISALIGNED]: error(
    'discard-misaligned', DISCARD, 'discards something else than whole blocks of sector-size',
    'make sector_number and nr_sectors multiples of sector-size / 512',
  ),
  [verdicts.INDIRECT_OPERATION]: error(
    'indirect-operation', INDIRECT, 'sends an indirect request that is neither a read nor a write',
    'indirect_op is BLKIF_OP_READ or BLKIF_OP_WRITE',
  ),
  [verdicts.DESCRIPTORS_UNREADABLE]: error(
    'descriptors-unreadable', INDIRECT, 'names a page of descriptors that the back end may not read',
    'grant the pages of indirect_grefs to the back end before the request is shown, and until it is answered',
  ),
}

export const requests: RuleGroup = {
  rules: [...Object.values(BY_VERDICT), BARRIER_NOT_OFFERED],
  queue: (blame, scene) => ({
    taken: (words, at, _slot, verdict) => {
      if (verdict === verdicts.VALID) return
      const barrier = recordOp(words, at) === BLKIF_OP_WRITE_BARRIER && !isIndirect(words, at)
      const instead = barrier && verdict === verdicts.OP_NOT_OFFERED && scene.core().disk.offersFlush
      const rule = instead ? BARRIER_NOT_OFFERED : BY_VERDICT[verdict]
      blame(rule, () => recordLine(decodeRecord(words, at)))
    },
  }),
}
