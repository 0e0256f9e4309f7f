/**
 * @packageDocumentation
 * From a canonical record to a slot's columns. The record is the only source: it is private, it stands in the journal,
 * and what was judged here is what is carried out.
 */
import {
  BLKIF_DISCARD_SECURE, BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_READ, BLKIF_OP_WRITE, SECTOR_BYTES,
} from '../protocol/blkif.js'
import { COUNTER, REASONS_AT } from './statistics.js'
import {
  RECORD_ID, RECORD_NR_SECTORS, RECORD_SECTOR, isIndirect, isLong, recordFlag, recordOp, recordNrSegments,
  segmentsAt,
} from '../protocol/record.js'
import { entriesFor } from '../protocol/blocks.js'
import { u64ToDouble } from '../protocol/u64.js'
import { validateRequest } from '../protocol/validate.js'
import { KIND } from './request-columns.js'
import type { QueueCore } from './queue-core.js'

/** Fills the columns of `slot` from words[at..] and judges the request. @returns the verdict, 0 = valid. */
export function takeUp(core: QueueCore, words: Int32Array, at: number, slot: number): number {
  const verdict = validateRequest(words, at, core.disk)
  core.generation[slot] = (core.generation[slot] + 1) & 0x7fff
  core.op[slot] = recordOp(words, at)
  core.entries[slot] = isLong(words, at) ? entriesFor(recordNrSegments(words, at)) : 1
  core.idLow[slot] = words[at + RECORD_ID]
  core.idHigh[slot] = words[at + RECORD_ID + 1]
  core.takenNs[slot] = core.nowNs
  core.verdict[slot] = verdict
  core.pages[slot] = 0
  core.active[slot] = 0
  core.segmentCount[slot] = 0
  core.bytes[slot] = 0
  if (verdict === 0) describe(core, words, at, slot)
  else core.statistics[REASONS_AT + verdict]++
  return verdict
}

/** Only for a request that was found valid: its numbers are in range. */
function describe(core: QueueCore, words: Int32Array, at: number, slot: number): void {
  // Of an INDIRECT the inner one: it never is a discard, the validator has seen to that.
  const op = recordOp(words, at)
  core.parts[slot] = 1
  core.secure[slot] = 0
  core.sector[slot] = u64ToDouble(words[at + RECORD_SECTOR], words[at + RECORD_SECTOR + 1])
  if (op === BLKIF_OP_DISCARD) {
    core.kind[slot] = KIND.discard
    if (core.disk.offersSecureDiscard === true) core.secure[slot] = recordFlag(words, at) & BLKIF_DISCARD_SECURE
    core.bytes[slot] = u64ToDouble(words[at + RECORD_NR_SECTORS], words[at + RECORD_NR_SECTORS + 1]) * SECTOR_BYTES
    return
  }
  const count = recordNrSegments(words, at)
  if (isIndirect(words, at)) core.statistics[COUNTER.indirects]++
  core.kind[slot] = kindOf(op, count)
  let sectors = 0
  const to = core.placeSegments(slot, count)
  const from = at + segmentsAt(words, at)
  for (let word = 0; word < count * 2; word += 2) {
    const range = words[from + word + 1] & 0xffff
    core.segments[to + word] = words[from + word]
    core.segments[to + word + 1] = range
    sectors += (range >>> 8) - (range & 0xff) + 1
  }
  core.bytes[slot] = sectors * SECTOR_BYTES
}

function kindOf(op: number, segments: number): number {
  if (op === BLKIF_OP_READ) return KIND.read
  if (op === BLKIF_OP_WRITE) return KIND.write
  if (op === BLKIF_OP_FLUSH_DISKCACHE) return segments === 0 ? KIND.flush : KIND.flushWrite
  return segments === 0 ? KIND.barrier : KIND.barrierWrite
}
