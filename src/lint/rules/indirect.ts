/**
 * @packageDocumentation
 * Indirect requests that need not be: eleven segments stand in the entry itself, without a page that the back end must
 * copy before it knows what is asked.
 */
import { decodeRecord, recordLine } from '../../journal/describe-record.js'
import { BLKIF_MAX_SEGMENTS_PER_REQUEST } from '../../protocol/blkif.js'
import { isIndirect, recordNrSegments } from '../../protocol/record.js'
import { VALID } from '../../protocol/validate.js'
import type { Rule, RuleGroup } from '../rule.js'

const INDIRECT_SHORT: Rule = {
  name: 'indirect-short',
  severity: 'note',
  section: 'io/blkif.h, struct blkif_request_indirect',
  what: 'sends an indirect request of segments that an entry would hold',
  cure: 'send requests of up to 11 segments as plain reads and writes: they cost one copy less',
}

export const indirect: RuleGroup = {
  rules: [INDIRECT_SHORT],
  queue: (blame) => ({
    taken: (words, at, _slot, verdict) => {
      if (verdict !== VALID || !isIndirect(words, at)) return
      if (recordNrSegments(words, at) <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
        blame(INDIRECT_SHORT, () => recordLine(decodeRecord(words, at)))
    },
  }),
}
