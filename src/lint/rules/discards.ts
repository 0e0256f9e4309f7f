/**
 * @packageDocumentation
 * Discards that are allowed and do not bring what was hoped for: smaller than what the disk can give back, or with a
 * flag that nobody offered. That the sectors are gone for good is promised only where discard-secure is 1.
 */
import { decodeRecord, recordLine } from '../../journal/describe-record.js'
import { BLKIF_DISCARD_SECURE, BLKIF_OP_DISCARD, SECTOR_BYTES } from '../../protocol/blkif.js'
import { isIndirect, recordFlag, recordOp, recordSector, requestSectors } from '../../protocol/record.js'
import { VALID } from '../../protocol/validate.js'
import type { Rule, RuleGroup } from '../rule.js'

const SECTION = 'io/blkif.h, struct blkif_request_discard'

const DISCARD_GRANULARITY: Rule = {
  name: 'discard-granularity',
  severity: 'note',
  section: 'io/blkif.h, discard-granularity',
  what: 'discards less than the disk can give back, or not from where it can',
  cure: 'begin discards at discard-alignment plus a multiple of discard-granularity, and make them as long at least',
}

const DISCARD_FLAG: Rule = {
  name: 'discard-flag',
  severity: 'warning',
  section: `${SECTION} (flag)`,
  what: 'sets bits of a discard’s flag that mean nothing',
  cure: 'set flag to 0 or BLKIF_DISCARD_SECURE; the byte is where other requests have nr_segments',
}

const DISCARD_SECURE: Rule = {
  name: 'discard-secure-not-offered',
  severity: 'warning',
  section: 'io/blkif.h, discard-secure',
  what: 'asks for a secure discard of a disk that does not offer it',
  cure: 'read discard-secure: where it is 0 the flag is ignored, and what was discarded may be found again',
}

export const discards: RuleGroup = {
  rules: [DISCARD_GRANULARITY, DISCARD_FLAG, DISCARD_SECURE],
  queue: (blame, scene) => ({
    taken: (words, at, _slot, verdict) => {
      if (recordOp(words, at) !== BLKIF_OP_DISCARD || isIndirect(words, at)) return
      const text = () => recordLine(decodeRecord(words, at))
      const flag = recordFlag(words, at)
      const { disk } = scene.core()
      if ((flag & ~BLKIF_DISCARD_SECURE) !== 0) blame(DISCARD_FLAG, () => `${text()}, flag ${flag}`)
      else if (flag !== 0 && disk.offersSecureDiscard !== true) blame(DISCARD_SECURE, text)
      if (verdict !== VALID || scene.discard === undefined) return
      const { granularity, alignment } = scene.discard
      const from = recordSector(words, at) * SECTOR_BYTES
      const bytes = requestSectors(words, at) * SECTOR_BYTES
      // The last piece of a disk may be smaller.
      const atEnd = from + bytes === disk.sectorCount * SECTOR_BYTES
      const whole = (from - alignment) % granularity === 0 && (bytes >= granularity || atEnd)
      const wanted = `granularity ${granularity}, alignment ${alignment} bytes`
      if (!whole) blame(DISCARD_GRANULARITY, () => `${text()}; ${wanted}`)
    },
  }),
}
