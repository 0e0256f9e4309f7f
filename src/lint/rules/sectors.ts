/**
 * @packageDocumentation
 * The unit of sector_number. For some years the header said that it follows sector-size; front ends of that time divide
 * by it, and on a disk of 4096-byte sectors read and write in the wrong place. One request does not tell; a run does:
 * whoever goes through a disk in order steps by the length of each request, and the length is known in bytes.
 *
 *   4096-byte sectors, requests of 8 units:   0 8 16 24 …  counts 512 bytes       0 1 2 3 …  counts whole sectors
 */
import { recordOp, recordSector, requestSectors } from '../../protocol/record.js'
import { BLKIF_OP_WRITE } from '../../protocol/blkif.js'
import { SECTOR_MISALIGNED, VALID } from '../../protocol/validate.js'
import type { Place, Rule, RuleGroup } from '../rule.js'

const SECTOR_DIVIDED: Rule = {
  name: 'sector-divided',
  severity: 'error',
  section: 'io/blkif.h, note 12',
  what: 'counts sectors in units of sector-size',
  cure: 'count sectors, sector_number and nr_sectors in units of 512 bytes, whatever sector-size says',
  explains: ['sector-misaligned', 'discard-misaligned'],
}

/** Steps by whole sectors that are needed, and how much more often than steps by 512 bytes. */
const STEPS_MIN = 4
const TIMES_MORE = 4

export const sectors: RuleGroup = {
  rules: [SECTOR_DIVIDED],
  queue: (blame, scene) => {
    let [divided, honest] = [0, 0]
    let first: Place | undefined
    let before: { readonly sector: number; readonly length: number } | undefined
    let factor = 1
    return {
      taken: (words, at, _slot, verdict) => {
        factor = scene.core().disk.sectorSize / 512
        if (factor === 1 || recordOp(words, at) > BLKIF_OP_WRITE) return
        if (verdict !== VALID && verdict !== SECTOR_MISALIGNED) return
        const now = { sector: recordSector(words, at), length: requestSectors(words, at) }
        const step = before === undefined ? 0 : now.sector - before.sector
        if (before !== undefined && step === before.length) honest++
        else if (before !== undefined && step * factor === before.length) {
          divided++
          first ??= blame.here()
        }
        before = now
      },
      end: () => {
        if (divided < STEPS_MIN || divided < honest * TIMES_MORE) return
        const text = `${divided} requests go on from the one before in units of ${factor * 512} bytes, ${honest} of 512`
        blame(SECTOR_DIVIDED, () => text, first)
      },
    }
  },
}
