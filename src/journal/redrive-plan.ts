/**
 * @packageDocumentation
 * A recorded guest's requests as a plan for sending them again: in their order, and with no more overlap than they had.
 * Before the requests of a batch are put, everything that was answered in an earlier batch must be answered again;
 * what was in flight together may be in flight together.
 *
 *   batch 7: took 3, answered 1 and 2      ►  put 3                    batch 8: took 4, 5   ►  await 1, 2 · put 4, 5
 *
 * The runs of one queue follow each other; between two of them everything is awaited. What a checkpoint found in flight
 * at the beginning of a recording is put first. Requests that were in several entries of the ring (2010) are sent by
 * indirect descriptors, which carry as much.
 */
import type { QueueCore } from '../core/queue-core.js'
import { RECORD_ANSWERED, RECORD_INDIRECT, RECORD_TAKEN, recordWords } from '../core/records.js'
import { requestEventNames } from '../machines/generated/request.js'
import {
  RECORD_MAX_WORDS, RECORD_MIN_WORDS, isLong, isTaken, recordSlot, recordWords as takenWords, recordWordsMax,
  recordedSegments, segmentsAt,
} from '../protocol/record.js'
import { addDescriptors, pagesOfDescriptors } from '../protocol/indirect.js'
import { u64High, u64Low } from '../protocol/u64.js'
import { BLKIF_MAX_SEGMENTS_PER_REQUEST, BLKIF_OP_DISCARD, SECTOR_BYTES } from '../protocol/blkif.js'
import { ChainCursor } from './chain-cursor.js'
import type { JournalChain } from './chain.js'
import type { Batch } from './segment-reader.js'

/** One request to be put. */
export interface PlannedRequest {
  /** Counted from 0, over all runs. */
  readonly number: number
  readonly record: Int32Array
  readonly valid: boolean
  readonly badGrant: boolean
}

export type RedriveStep =
  | { readonly kind: 'put'; readonly requests: readonly PlannedRequest[] }
  /** These must be answered before anything more is put; with the statuses that they had. */
  | { readonly kind: 'await'; readonly answers: readonly { readonly number: number; readonly status: number }[] }
  /** Everything must be answered: the run is over. */
  | { readonly kind: 'rest' }

const COPY_FAILED = requestEventNames.indexOf('copyFailed')

/** Steps for the runs of one queue, oldest first. `problem` hears of what was damaged or missing. */
export function* redrivePlan(
  chains: readonly JournalChain[], problem: (sentence: string) => void,
): Generator<RedriveStep, void> {
  let number = 0
  for (const chain of chains) {
    const failed = new Set<number>()
    const cursor = new ChainCursor(chain, (chart, slot, event) => {
      if (chart === 'request' && event === COPY_FAILED) failed.add(slot)
    })
    /** By slot: the request that it carries. */
    const numbers = new Map<number, number>()
    const plan = (core: QueueCore, record: Int32Array): PlannedRequest => {
      const slot = recordSlot(record, 0)
      numbers.set(slot, number)
      return { number: number++, record, valid: core.verdict[slot] === 0, badGrant: failed.has(slot) }
    }
    let first = true
    let due: { number: number; status: number }[] = []
    for (let batch = cursor.forward(); batch !== undefined; batch = cursor.forward()) {
      const core = cursor.queue?.core
      const records = core === undefined ? [] : first ? inFlightAt(core) : takenIn(batch)
      if (core === undefined) continue
      first = false
      if (records.length > 0 && due.length > 0) {
        yield { kind: 'await', answers: due }
        due = []
      }
      if (records.length > 0) yield { kind: 'put', requests: records.map((record) => plan(core, record)) }
      due = [...due, ...answersIn(batch, numbers)]
      failed.clear()
    }
    if (due.length > 0) yield { kind: 'await', answers: due }
    yield { kind: 'rest' }
    for (const sentence of cursor.problems) problem(sentence)
  }
}

function* recordsIn({ words, from, to }: Batch): Generator<number, void> {
  for (let at = from; at < to; ) {
    const size = recordWords(words, at, to - at)
    if (size === 0) return
    yield at
    at += size
  }
}

/** The core takes a slot's columns at once; so those of a batch are those of its TAKEN records. */
function takenIn(batch: Batch): Int32Array[] {
  const { words } = batch
  const taken = [...recordsIn(batch)].filter((at) => isTaken(words, at))
  return taken.map((at) => {
    const record = words.slice(at, at + Math.max(RECORD_MAX_WORDS, takenWords(words, at)))
    return isLong(record, 0) ? asIndirect(record) : record
  })
}

function asIndirect(record: Int32Array): Int32Array {
  const count = recordedSegments(record, 0)
  const indirect = new Int32Array(Math.max(RECORD_MAX_WORDS, recordWordsMax(count)))
  indirect.set(record.subarray(0, 6))
  indirect[0] = (record[0] & ~0xff) | RECORD_INDIRECT
  const grefs = new Int32Array(pagesOfDescriptors(count))
  addDescriptors(indirect, 0, { count, grefs, status: 0, from: record, fromAt: segmentsAt(record, 0) })
  return indirect
}

function answersIn(batch: Batch, numbers: ReadonlyMap<number, number>): { number: number; status: number }[] {
  const { words } = batch
  return [...recordsIn(batch)].filter((at) => (words[at] & 0xff) === RECORD_ANSWERED).flatMap((at) =>
    Array.from(words.subarray(at + 2, at + 2 + (words[at] >>> 16)), (word) => ({
      number: numbers.get(word & 0xffff) ?? -1,
      status: word >> 16,
    })),
  )
}

/** Canonical records of what a checkpoint found in flight, in the order in which it was taken. */
function inFlightAt(core: QueueCore): Int32Array[] {
  const slots = [...core.state.keys()].filter((slot) => core.state[slot] !== 0 && core.verdict[slot] === 0)
  slots.sort((a, b) => core.takenNs[a] - core.takenNs[b])
  return slots.map((slot) => recordOf(core, slot))
}

function recordOf(core: QueueCore, slot: number): Int32Array {
  const count = core.segmentCount[slot]
  const from = core.segmentsAt[slot]
  const indirect = count > BLKIF_MAX_SEGMENTS_PER_REQUEST
  const record = new Int32Array(indirect ? recordWordsMax(count) : Math.max(RECORD_MIN_WORDS, 6 + 2 * count))
  const kind = indirect ? RECORD_INDIRECT : RECORD_TAKEN
  record.set([kind | (core.op[slot] << 8) | (count << 16), slot, core.idLow[slot], core.idHigh[slot]])
  record[4] = u64Low(core.sector[slot])
  record[5] = u64High(core.sector[slot])
  const sectors = core.bytes[slot] / SECTOR_BYTES
  if (core.op[slot] === BLKIF_OP_DISCARD) record.set([u64Low(sectors), u64High(sectors)], 6)
  if (indirect) {
    const grefs = new Int32Array(pagesOfDescriptors(count))
    addDescriptors(record, 0, { count, grefs, status: 0, from: core.segments, fromAt: from })
    return record
  }
  record.set(core.segments.subarray(from, from + 2 * count), 6)
  return record
}
