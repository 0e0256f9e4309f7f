/**
 * @packageDocumentation
 * The core's whole state as one record, so that a segment can be folded without the ones before it. Copied at a batch
 * boundary; restoring it and folding on gives what folding from the beginning gives (a test compares the two).
 *
 *   0 kind · 1 words in all · 2 queue state · 3 digest · 4 queue digest · 5 req_cons · 6 rsp_prod · 7 req_prod seen ·
 *   8 levels · 9 flags (1 sync lost, 2 waits for space, 4 and 8 rate limits) and, from bit 16, how many of the line are
 *   let go by those · 10 short of · 11 chunks · 12 free slots · 13 leaving · 14 line · 15 requests ·
 *   16 sectors of the medium (double, 2) · 18 digest of effects · 19 bytes of a sector (0 = as in the settings) ·
 *   20 short since (double, 2);
 *   then chunks, free slots (in order, slot|generation), leaving (in order), line (in order), one word each, made even;
 *   then per request: slot|state|kind · op|parts|outstanding|failed · active|verdict|segments|pages ·
 *   generation|entries beyond one|secure discard ·
 *   page · full|wants space|segments|pages · id (2) · bytes (2) · sector (2) · taken (2) · its segments (2 each); of
 *   more than a chunk's pages then bytes moved (2) and the first page of each piece, made even. Segments and pages have
 *   their low eight bits in the one place and the rest in the other
 *
 * What an invalid request or one without pages left over from the slot's earlier life is written as zero: the same
 * state gives the same record, whether it was reached by folding or by restoring.
 */
import { assert } from '../protocol/errors.js'
import { queueStateNames } from '../machines/generated/queue.js'
import { RequestState, requestStateNames } from '../machines/generated/request.js'
import { PAGES_PER_CHUNK, chunksForRequest } from './extent-pool.js'
import { RECORD_CHECKPOINT } from './records.js'
import type { QueueCore } from './queue-core.js'
import { getDouble, putDouble } from './words.js'

const FIXED_WORDS = 22
const REQUEST_WORDS = 14

/** An upper bound of the record's length now. */
export function checkpointWordsMax(core: QueueCore): number {
  let words = FIXED_WORDS + core.extents.count + core.slots * 3 + 1
  for (let slot = 0; slot < core.slots; slot++)
    if (core.state[slot] !== RequestState.Free)
      words += REQUEST_WORDS + 2 * core.segmentCount[slot] + pieceWords(core.pages[slot])
  return words
}

/** Words that tell of the pieces in which a request of so many pages lies. */
function pieceWords(pages: number): number {
  return pages > PAGES_PER_CHUNK ? 2 + ((chunksForRequest(pages) + 1) & ~1) : 0
}

/** Segments and pages of the request at words[at..]. */
function segmentsIn(words: Int32Array, at: number): number {
  return ((words[at + 2] >>> 16) & 0xff) | (((words[at + 5] >>> 16) & 0xff) << 8)
}

function pagesIn(words: Int32Array, at: number): number {
  return (words[at + 2] >>> 24) | ((words[at + 5] >>> 24) << 8)
}

/** Writes the checkpoint at words[at..]. @returns its end. */
export function writeCheckpoint(core: QueueCore, words: Int32Array, at: number): number {
  const start = at
  const lists = core.lists()
  const requests: number[] = []
  for (let slot = 0; slot < core.slots; slot++) if (core.state[slot] !== RequestState.Free) requests.push(slot)
  const fixed = [
    RECORD_CHECKPOINT, 0, core.queueState, core.digest, core.life.digest, core.reqCons, core.rspProd, core.reqProdSeen,
    core.levels, flagsOf(core), core.shortOf, lists.chunks.length, lists.free.length,
    lists.leaving.length, lists.line.length, requests.length,
  ]
  words.set(fixed, at)
  putDouble(words, at + 16, core.disk.sectorCount)
  words[at + 18] = core.effects.digest
  const { sectorSize } = core.disk
  words[at + 19] = sectorSize === core.settings.disk.sectorSize ? 0 : sectorSize
  putDouble(words, at + 20, core.shortSinceNs)
  at += FIXED_WORDS
  const free = Array.from(lists.free, (slot) => slot | (core.generation[slot] << 16))
  for (const list of [lists.chunks, free, lists.leaving, lists.line]) {
    words.set(list, at)
    at += list.length
  }
  if ((at - start) & 1) words[at++] = 0
  for (const slot of requests) at = writeRequest(core, slot, words, at)
  words[start + 1] = at - start
  return at
}

function flagsOf({ syncLost, waitsForSpace, gate }: QueueCore): number {
  return (syncLost ? 1 : 0) | (waitsForSpace ? 2 : 0) | (gate.limited << 2) | (gate.allowed << 16)
}

function writeRequest(core: QueueCore, slot: number, words: Int32Array, at: number): number {
  const valid = core.verdict[slot] === 0 ? -1 : 0
  words[at] = slot | (core.state[slot] << 16) | ((core.kind[slot] & valid) << 24)
  words[at + 1] =
    core.op[slot] | ((core.parts[slot] & valid) << 8) | (core.outstanding[slot] << 16) | (core.failed[slot] << 24)
  words[at + 2] =
    core.active[slot] | (core.verdict[slot] << 8) |
    ((core.segmentCount[slot] & 0xff) << 16) | ((core.pages[slot] & 0xff) << 24)
  words[at + 3] = core.generation[slot] | ((core.entries[slot] - 1) << 16) | ((core.secure[slot] & valid) << 31)
  words[at + 4] = core.pages[slot] === 0 ? 0 : core.page[slot]
  words[at + 5] =
    core.full[slot] | (core.wantsSpace[slot] << 8) |
    ((core.segmentCount[slot] >>> 8) << 16) | ((core.pages[slot] >>> 8) << 24)
  words[at + 6] = core.idLow[slot]
  words[at + 7] = core.idHigh[slot]
  putDouble(words, at + 8, core.bytes[slot])
  putDouble(words, at + 10, valid === 0 ? 0 : core.sector[slot])
  putDouble(words, at + 12, core.takenNs[slot])
  at += REQUEST_WORDS
  const segments = core.segmentsAt[slot]
  for (let word = 0; word < core.segmentCount[slot] * 2; word++) words[at++] = core.segments[segments + word]
  const pieces = pieceWords(core.pages[slot])
  if (pieces === 0) return at
  words.fill(0, at, at + pieces)
  putDouble(words, at, core.parts[slot] > 1 ? core.moved[slot] : 0)
  const count = chunksForRequest(core.pages[slot])
  for (let index = 0; index < count; index++) words[at + 2 + index] = core.pieceAt(slot, index)
  return at + pieces
}

/** Where each request of the checkpoint at words[at..] stands, for readers of other versions'; none beyond its end. */
export function checkpointRequests(words: Int32Array, at: number): number[] {
  const end = Math.min(words.length, at + words[at + 1])
  const lists = words[at + 11] + words[at + 12] + words[at + 13] + words[at + 14]
  const places: number[] = []
  if (!(lists >= 0 && lists < end)) return places
  let from = at + FIXED_WORDS + lists + (lists & 1)
  for (let count = words[at + 15]; count > 0 && from + REQUEST_WORDS <= end; count--) {
    places.push(from)
    from += REQUEST_WORDS + 2 * segmentsIn(words, from) + pieceWords(pagesIn(words, from))
  }
  return places
}

/** Puts a fresh core into the state of the checkpoint at words[at..]. Bounds are asserted, not trusted. */
export function restoreCheckpoint(core: QueueCore, words: Int32Array, at: number): void {
  const end = at + words[at + 1]
  const counts = words.subarray(at + 11, at + 16)
  assert(end <= words.length && words[at + 1] >= FIXED_WORDS, 'a checkpoint that is cut off')
  assert(counts[0] >= 0 && counts[0] <= core.settings.arenaChunks, 'a checkpoint of a larger arena')
  const fits = [1, 2, 3, 4].every((index) => counts[index] >= 0 && counts[index] <= core.slots)
  assert(fits && counts[1] + counts[4] === core.slots, 'a checkpoint of another pool')
  assert(words[at + 9] >>> 16 <= counts[3], 'a checkpoint in which more were let go than wait')
  assert(words[at + 2] >= 0 && words[at + 2] < queueStateNames.length, 'a queue in a state that is none')
  core.restoreScalars(words, at)
  core.shortSinceNs = getDouble(words, at + 20)
  let from = at + FIXED_WORDS
  const take = (count: number, below: number) => {
    const list = words.subarray(from, from + count)
    assert(from + count <= end && list.every((entry) => (entry & 0xffff) < below), 'a list of impossible numbers')
    from += count
    return list
  }
  const chunks = take(counts[0], core.settings.arenaChunks)
  const [free, leaving, line] = [take(counts[1], core.slots), take(counts[2], core.slots), take(counts[3], core.slots)]
  from += (from - at) & 1
  for (let index = 0; index < counts[4]; index++) from = readRequest(core, words, from)
  assert(from === end, 'a checkpoint whose length is not what it says')
  for (const entry of free) core.generation[entry & 0xffff] = entry >>> 16
  core.restoreLists(chunks, free.map((entry) => entry & 0xffff), leaving, line)
}

function readRequest(core: QueueCore, words: Int32Array, at: number): number {
  const slot = words[at] & 0xffff
  assert(slot < core.slots, 'a checkpoint of a larger pool')
  const state = (words[at] >>> 16) & 0xff
  assert(core.state[slot] === RequestState.Free, `slot ${slot} twice in a checkpoint`)
  assert(state > RequestState.Free && state < requestStateNames.length, `slot ${slot} in a state that is none`)
  core.state[slot] = state
  core.kind[slot] = words[at] >>> 24
  core.op[slot] = words[at + 1]
  core.parts[slot] = words[at + 1] >>> 8
  core.outstanding[slot] = words[at + 1] >>> 16
  core.failed[slot] = words[at + 1] >>> 24
  core.active[slot] = words[at + 2]
  core.verdict[slot] = words[at + 2] >>> 8
  core.pages[slot] = pagesIn(words, at)
  const count = segmentsIn(words, at)
  core.generation[slot] = words[at + 3]
  core.entries[slot] = ((words[at + 3] >>> 16) & 0xff) + 1
  core.secure[slot] = words[at + 3] >>> 31
  core.page[slot] = words[at + 4]
  core.full[slot] = words[at + 5]
  core.wantsSpace[slot] = words[at + 5] >>> 8
  core.idLow[slot] = words[at + 6]
  core.idHigh[slot] = words[at + 7]
  core.bytes[slot] = getDouble(words, at + 8)
  core.sector[slot] = getDouble(words, at + 10)
  core.takenNs[slot] = getDouble(words, at + 12)
  at += REQUEST_WORDS
  assert(core.holdsSegments(count), 'a checkpoint with longer requests')
  core.segments.set(words.subarray(at, at + 2 * count), core.placeSegments(slot, count))
  return readPieces(core, slot, words, at + 2 * count)
}

function readPieces(core: QueueCore, slot: number, words: Int32Array, at: number): number {
  const pieces = pieceWords(core.pages[slot])
  if (pieces === 0) return at
  const count = chunksForRequest(core.pages[slot])
  assert(count <= core.piecesMax && at + pieces <= words.length, 'a checkpoint with longer requests')
  core.moved[slot] = getDouble(words, at)
  core.pieces.set(words.subarray(at + 2, at + 2 + count), slot * core.piecesMax)
  return at + pieces
}
