/**
 * @packageDocumentation
 * A queue's records for people and programs: words in, a plain object out (numbers, names, 64-bit ids as decimal
 * text), and from the object one line. `journal cat`, the sentences of replay and the golden files all use these two
 * functions, so that a record reads the same everywhere.
 *
 *   words[at..] ─ decodeRecord ─► { kind: 'completed', slot: 5, generation: 9, result: 4096 }
 *               ─ recordLine ───► 'completed slot 5 (life 9): 4096'
 *
 * Every word may be anything: an unknown number is shown as a number, nothing is thrown, and what is built is no larger
 * than the record. The caller has asked `recordWords` that the record stands there whole.
 */
import { decode } from 'cborg'
import { queueEventNames, queueStateNames } from '../machines/generated/queue.js'
import { requestEventNames, requestStateNames } from '../machines/generated/request.js'
import { BLKIF_OP_DISCARD } from '../protocol/blkif.js'
import {
  RECORD_DESCRIPTOR_PAGES, RECORD_DESCRIPTOR_STATUS, RECORD_NR_SECTORS, isIndirect, recordedSegments, recordFlag,
  recordNrSegments, recordOp, recordSlot, segmentGref, segmentsAt,
} from '../protocol/record.js'
import { u64ToString } from '../protocol/u64.js'
import {
  COMMAND_NAMES, RECORD_ALLOWED, RECORD_ANSWERED, RECORD_CHECKPOINT, RECORD_COMMAND, RECORD_COMPLETED, RECORD_COPIED,
  RECORD_ENTERED, RECORD_EVENT, RECORD_INDIRECT, RECORD_INTAKE, RECORD_LENT, RECORD_LONG, RECORD_NAMES, RECORD_RECALLED,
  RECORD_RETURNED, RECORD_STATE, RECORD_STEPPED, RECORD_TAKEN, SHORTAGE_NAMES,
} from '../core/records.js'

/** A decoded record: `kind` is its name, the rest depends on it (docs/journal-format.md). Holds JSON values only. */
export interface DecodedRecord {
  readonly kind: string
  readonly [field: string]: unknown
}

const OP_NAMES = ['read', 'write', 'barrier', 'flush', 'reserved', 'discard', 'indirect']
const STATUS_NAMES: { readonly [status: number]: string } = { 0: 'okay', [-1]: 'error', [-2]: 'unsupported' }

/** The names of the charts' numbers. */
export interface RecordNames {
  readonly queueStates: readonly string[]
  readonly queueEvents: readonly string[]
  readonly requestStates: readonly string[]
  readonly requestEvents: readonly string[]
}

const TODAYS: RecordNames = {
  queueStates: queueStateNames, queueEvents: queueEventNames,
  requestStates: requestStateNames, requestEvents: requestEventNames,
}
/** For journals of charts that are not known: numbers stay numbers. */
export const NO_NAMES: RecordNames = { queueStates: [], queueEvents: [], requestStates: [], requestEvents: [] }

const nameIn = (names: readonly string[], number: number): string => names[number] ?? `${number}`

/** The record at words[at..] as an object. */
export function decodeRecord(words: Int32Array, at: number, names: RecordNames = TODAYS): DecodedRecord {
  const head = words[at]
  const kind = RECORD_NAMES[head & 0xff] ?? `unknown ${head & 0xff}`
  switch (head & 0xff) {
    case RECORD_TAKEN:
    case RECORD_INDIRECT:
    case RECORD_LONG:
      return { kind, ...takenFields(words, at) }
    case RECORD_INTAKE:
      return { kind, reqProd: words[at + 1] >>> 0 }
    case RECORD_COMPLETED:
      return { kind, slot: words[at + 1] & 0xffff, generation: words[at + 1] >>> 16, result: words[at + 2] }
    case RECORD_COPIED:
      return { kind, copies: words[at + 1] >>> 0, failures: pairs(words, at + 2, head >>> 16) }
    case RECORD_LENT:
    case RECORD_RETURNED:
      return { kind, chunks: Array.from(words.subarray(at + 2, at + 2 + (head >>> 16))) }
    case RECORD_RECALLED:
      return { kind, chunks: words[at + 1] >>> 0 }
    case RECORD_ALLOWED:
      return { kind, requests: head >>> 16, bytes: words[at + 1] >>> 0 }
    case RECORD_COMMAND:
      return { kind, command: commandName((head >>> 8) & 0xff), argument: words[at + 1] >>> 0 }
    case RECORD_ENTERED:
      return { kind, ...enteredFields(head, names) }
    case RECORD_ANSWERED:
      return { kind, rspProd: words[at + 1] >>> 0, answers: answersOf(words, at) }
    case RECORD_STEPPED:
      return { kind, ...steppedFields(head, words[at + 1], names) }
    case RECORD_CHECKPOINT:
      return { kind, ...checkpointFields(words, at, names) }
    case RECORD_EVENT:
    case RECORD_STATE:
      return { kind, ...cborFields(words, at) }
    default:
      return { kind }
  }
}

function commandName(code: number): string {
  return COMMAND_NAMES[code] ?? `${code}`
}

function takenFields(words: Int32Array, at: number) {
  const op = recordOp(words, at)
  const base = {
    slot: recordSlot(words, at),
    op: nameIn(OP_NAMES, op),
    id: u64ToString(words[at + 2], words[at + 3]),
    handle: words[at + 1] >>> 16,
    sector: u64ToString(words[at + 4], words[at + 5]),
  }
  if ((words[at] & 0xff) === RECORD_TAKEN && op === BLKIF_OP_DISCARD) {
    const nrSectors = u64ToString(words[at + RECORD_NR_SECTORS], words[at + RECORD_NR_SECTORS + 1])
    return { ...base, nrSectors, flag: recordFlag(words, at) }
  }
  const segments = Array.from({ length: recordedSegments(words, at) }, (_, index) => {
    const range = words[at + segmentsAt(words, at) + 1 + 2 * index]
    return { gref: segmentGref(words, at, index), first: range & 0xff, last: (range >>> 8) & 0xff }
  })
  const nrSegments = recordNrSegments(words, at)
  if (!isIndirect(words, at)) return { ...base, nrSegments, segments }
  const pages = words.subarray(at + RECORD_DESCRIPTOR_PAGES, at + RECORD_DESCRIPTOR_PAGES + (words[at + 6] >>> 16))
  const descriptorPages = Array.from(pages, (gref) => gref >>> 0)
  return { ...base, nrSegments, descriptorPages, status: words[at + RECORD_DESCRIPTOR_STATUS], segments }
}

function pairs(words: Int32Array, at: number, count: number) {
  const pair = (index: number) => ({ request: words[at + 2 * index], status: words[at + 2 * index + 1] })
  return Array.from({ length: count }, (_, index) => pair(index))
}

function enteredFields(head: number, { queueStates }: RecordNames) {
  const fields = {
    from: nameIn(queueStates, (head >>> 8) & 0xff),
    to: nameIn(queueStates, (head >>> 16) & 0xff),
  }
  const reason = head >>> 24
  return reason === 0 ? fields : { ...fields, shortOf: nameIn(SHORTAGE_NAMES, reason) }
}

/** One answer of an ANSWERED record. */
export interface DecodedAnswer {
  readonly slot: number
  readonly status: number
}

function answersOf(words: Int32Array, at: number): DecodedAnswer[] {
  const list = words.subarray(at + 2, at + 2 + (words[at] >>> 16))
  return Array.from(list, (word) => ({ slot: word & 0xffff, status: word >> 16 }))
}

/** STEPPED: w0 = kind | event << 8 | slot << 16, w1 = from | to << 8 | chart << 16 (0 request, 1 queue). */
function steppedFields(head: number, move: number, names: RecordNames) {
  const ofQueue = (move >>> 16) & 0xff
  const [states, events] =
    ofQueue === 1 ? [names.queueStates, names.queueEvents] : [names.requestStates, names.requestEvents]
  return {
    chart: ofQueue === 1 ? 'queue' : 'request',
    slot: head >>> 16,
    event: nameIn(events, (head >>> 8) & 0xff),
    from: nameIn(states, move & 0xff),
    to: nameIn(states, (move >>> 8) & 0xff),
  }
}

function checkpointFields(words: Int32Array, at: number, { queueStates }: RecordNames) {
  return {
    words: words[at + 1],
    queue: nameIn(queueStates, words[at + 2]),
    reqCons: words[at + 5] >>> 0,
    rspProd: words[at + 6] >>> 0,
    reqProd: words[at + 7] >>> 0,
    syncLost: (words[at + 9] & 1) !== 0,
    chunks: words[at + 11],
    freeSlots: words[at + 12],
    waiting: words[at + 14],
    requests: words[at + 15],
  }
}

function cborFields(words: Int32Array, at: number): Record<string, unknown> {
  const bytes = new Uint8Array(words.buffer, words.byteOffset + (at + 2) * 4, words[at + 1])
  try {
    return { value: decode(bytes, { allowBigInt: false }) as unknown }
  } catch {
    return { undecodable: `${bytes.length} bytes that are not CBOR` }
  }
}

/** `-1 (error)` */
export function statusText(status: number): string {
  const name = STATUS_NAMES[status]
  return name === undefined ? `${status}` : `${status} (${name})`
}

/** One line of text without a newline. */
export function recordLine(record: DecodedRecord): string {
  const fields = record as unknown as Readonly<Record<string, string>>
  switch (record.kind) {
    case 'taken':
      return `taken slot ${fields.slot}: ${takenText(record)}`
    case 'indirect':
      return `taken slot ${fields.slot}: indirect ${takenText(record)}${unreadText(record)}`
    case 'intake':
      return `intake: req_prod ${fields.reqProd}`
    case 'completed':
      return `completed slot ${fields.slot} (life ${fields.generation}): ${fields.result}`
    case 'copied':
      return `copied ${fields.copies} segments${failuresText(record.failures as { request: number; status: number }[])}`
    case 'lent':
    case 'returned':
      return `${record.kind} chunks ${(record.chunks as number[]).join(' ')}`
    case 'recalled':
      return `recalled ${fields.chunks} chunks`
    case 'allowed':
      return `allowed ${fields.requests} requests of ${fields.bytes} bytes`
    case 'command':
      return `command ${fields.command} ${fields.argument}`
    case 'entered':
      return `entered ${fields.to} from ${fields.from}${fields.shortOf ? `, short of ${fields.shortOf}` : ''}`
    case 'answered':
      return `answered ${answersText(record.answers as DecodedAnswer[])}; rsp_prod was ${fields.rspProd}`
    case 'stepped':
      return `stepped ${fields.chart} ${fields.slot}: ${fields.from} on ${fields.event} to ${fields.to}`
    case 'checkpoint':
      return `checkpoint: queue ${fields.queue}, ${fields.requests} requests, ${indicesText(record)}`
    default:
      return `${record.kind} ${JSON.stringify(record.value ?? record.undecodable ?? null)}`
  }
}

function indicesText({ reqCons, rspProd }: DecodedRecord): string {
  return `req_cons ${String(reqCons)}, rsp_prod ${String(rspProd)}`
}

function takenText(record: DecodedRecord): string {
  const { op, id, sector, nrSectors, segments, nrSegments } = record as unknown as Readonly<Record<string, string>>
  const head = `${op} id ${id} sector ${sector}`
  if (nrSectors !== undefined) return `${head}, ${nrSectors} sectors`
  const list = segments as unknown as { gref: number; first: number; last: number }[]
  const sectors = list.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  return `${head}, ${sectors} sectors in ${nrSegments} segments`
}

function unreadText({ status }: DecodedRecord): string {
  return status === 0 ? '' : `, descriptors not readable: ${String(status)}`
}

function failuresText(failures: readonly { request: number; status: number }[]): string {
  return failures.length === 0 ? '' : `, failed: ${failures.map((f) => `#${f.request} ${f.status}`).join(' ')}`
}

function answersText(answers: readonly DecodedAnswer[]): string {
  return answers.map(({ slot, status }) => `slot ${slot} ${statusText(status)}`).join(', ')
}
