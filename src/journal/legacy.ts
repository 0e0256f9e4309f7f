/**
 * @packageDocumentation
 * What a dead predecessor left of one queue, and whether a successor may go on from it. Cheap questions first (whose
 * boot, whose charts, where did the queue stand), by whoever starts the daemon; the fold itself is the Worker's, so
 * that many queues recover side by side.
 *
 *   newest segment ─► judgeLegacy ─► rested       in good order: nothing was in flight
 *                                    recoverable  ─► foldLegacy ─► core at the last sealed batch ─► inherit ─► core
 *                                    unknown      no journal was kept
 *                                    refused      it cannot be trusted, or must not be gone on from; why
 *
 * One segment is enough: it begins with a checkpoint, and counts from the moment at which that is sealed. Everything
 * is checked that can be (checksums, numbers, charts, effects, digests): what a journal does not prove is not believed.
 * What must never happen: a guess; an exception for any bytes.
 */
import { checkpointWordsMax, restoreCheckpoint, writeCheckpoint } from '../core/checkpoint.js'
import { QueueCore } from '../core/queue-core.js'
import type { CoreSettings } from '../core/queue-core.js'
import { RECORD_CHECKPOINT, RECORD_ENTERED, recordWords } from '../core/records.js'
import { forgetBuffers } from '../core/recovery.js'
import { compiledSteppers } from '../core/steppers.js'
import type { Steppers } from '../core/steppers.js'
import { QueueState, queueStateNames } from '../machines/generated/queue.js'
import { LEVEL_BROKEN } from '../ports/queues.js'
import type { QueueLegacy, RingIdentity } from '../ports/queues.js'
import { sentenceOf } from '../protocol/errors.js'
import { QueueFold } from './queue-fold.js'
import { readCoreSettings } from './replay-settings.js'
import { readBatches, readHeader } from './segment-reader.js'
import type { Batch, SegmentHeader } from './segment-reader.js'
import { unknownCharts, upcastFor } from './upcast.js'
import type { Upcast } from './upcast.js'

/** States in which a ring must not be touched again, whoever serves it. */
const LOST: Readonly<Record<number, string>> = {
  [QueueState.Abandoning]: 'its front end was gone when the last process died: nothing is left to go on with',
  [QueueState.Broken]: 'its front end had broken the ring before the last process died: it is not touched again',
}

/** Judges the newest segment of a queue's journal. `boot`: of this machine, now. */
export function judgeLegacy(words: Int32Array, boot: string): QueueLegacy {
  const read = readHeader(words)
  if (!read.ok) return refused(read.sentence)
  const { identity } = read.header
  if (identity.boot !== boot) return refused('it was written before this machine was started')
  if (identity.unjournalled !== undefined)
    return identity.unjournalled === 'rested' ? { kind: 'rested' } : { kind: 'unknown', sentence: unjournalled }
  const upcast = upcastFor(read.header)
  if (upcast === undefined) return refused(unknownCharts(identity))
  const end = lastState(words, read.header, upcast)
  if (typeof end === 'string') return refused(end)
  if (end === QueueState.Detached) return { kind: 'rested' }
  if (LOST[end] !== undefined) return { kind: 'refused', sentence: LOST[end], lost: true }
  const connection = ringOf(identity.connection)
  if (connection === undefined) return refused('it does not say which ring it is about')
  return { kind: 'recoverable', connection, ...(end === QueueState.Yielded && { yielded: true as const }) }
}

/** The pages of the largest ring. */
const GREFS_MAX = 32

function ringOf(value: unknown): RingIdentity | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { grefs, evtchn, abi } = value as Partial<RingIdentity>
  const listed = Array.isArray(grefs) && grefs.length <= GREFS_MAX && grefs.every((gref) => typeof gref === 'number')
  return listed && typeof evtchn === 'number' && typeof abi === 'string' ? { grefs, evtchn, abi } : undefined
}

const unjournalled = 'it kept no journal (journal.mode = off), so what was in flight is not known'

function refused(sentence: string): QueueLegacy {
  return { kind: 'refused', sentence: `the journal of the process before this one cannot be gone on from: ${sentence}` }
}

/** The queue's state after the last sealed batch, from what was recorded; a sentence when something is damaged. */
function lastState(segment: Int32Array, header: SegmentHeader, upcast: Upcast): number | string {
  let state: number = QueueState.Detached
  const batches = readBatches(segment, header)
  for (let next = batches.next(); ; next = batches.next()) {
    if (next.done) return next.value.damage?.sentence ?? state
    const { words, from, to, number } = upcast.lift(next.value)
    for (let at = from; at < to; ) {
      const size = recordWords(words, at, to - at)
      if (size === 0) return `batch ${number}: a record that does not end within it`
      const kind = words[at] & 0xff
      if (kind === RECORD_ENTERED) state = stateEntered(state, (words[at] >>> 16) & 0xff)
      if (kind === RECORD_CHECKPOINT) state = stateOfCheckpoint(words, at)
      at += size
    }
  }
}

/** Who is drained because he was lost is lost still, until he is detached. */
function stateEntered(before: number, state: number): number {
  return state === QueueState.Drained && LOST[before] !== undefined ? before : state
}

/** The same of a checkpoint: whoever drained in good order owes nothing, and his ring is whole. */
function stateOfCheckpoint(words: Int32Array, at: number): number {
  const [state, reqCons, rspProd, levels] = [words[at + 2], words[at + 5], words[at + 6], words[at + 8]]
  if (state !== QueueState.Drained) return state
  if (levels & LEVEL_BROKEN) return QueueState.Broken
  return reqCons === rspProd ? state : QueueState.Abandoning
}

export type FoldedLegacy =
  | { readonly ok: true; readonly core: QueueCore; readonly batches: number }
  | { readonly ok: false; readonly sentence: string }

/** Folds a segment to the end of its last sealed batch. */
export function foldLegacy(words: Int32Array): FoldedLegacy {
  const read = readHeader(words)
  if (!read.ok) return read
  const settings = readCoreSettings(read.header.identity.settings)
  const upcast = upcastFor(read.header)
  if (!settings.ok) return settings
  if (upcast === undefined) return { ok: false, sentence: unknownCharts(read.header.identity) }
  const fold = new QueueFold(settings.settings, () => compiledSteppers, upcast)
  const batches = readBatches(words, read.header)
  for (let count = 0; ; count++) {
    const next = batches.next()
    if (next.done) return ended(fold, count, next.value.damage?.sentence)
    const sentence = step(fold, upcast.lift(next.value))
    if (sentence !== undefined) return { ok: false, sentence: `batch ${next.value.number}: ${sentence}` }
  }
}

/** @returns what is wrong. */
function step(fold: QueueFold, batch: Batch): string | undefined {
  try {
    if (fold.isCheckpoint(batch)) {
      if (fold.core !== undefined) return 'a checkpoint in the middle of a segment'
      fold.restore(batch)
      return undefined
    }
    const { from, derived, end } = fold.round(batch)
    const recorded = batch.words.subarray(from, batch.to)
    if (recorded.length !== end || recorded.some((word, at) => word !== derived[at]))
      return 'its effects are not those that follow from its inputs'
    const digest = fold.core?.batchDigest()
    return digest === batch.digest ? undefined : 'its digest is not the one that follows from its inputs'
  } catch (error) {
    return sentenceOf(error)
  }
}

function ended(fold: QueueFold, batches: number, damage: string | undefined): FoldedLegacy {
  const { core } = fold
  if (damage !== undefined) return { ok: false, sentence: damage }
  if (core === undefined) return { ok: false, sentence: 'its newest segment holds no checkpoint' }
  if (core.queueState === QueueState.Detached || LOST[core.queueState] !== undefined)
    return { ok: false, sentence: `the queue ended as ${queueStateNames[core.queueState]}` }
  return { ok: true, core, batches }
}

/** A core for the successor, in the state of `dead`. */
export type Inherited =
  | { readonly ok: true; readonly core: QueueCore }
  | { readonly ok: false; readonly sentence: string }

/**
 * What the front end was promised stays (slots, operations, limits), until it connects anew; what belongs to the
 * process is the successor's own (arena, trace, size of the medium). Buffers are forgotten; a lost sync is not.
 * `ringEntries`: of the ring as it is mapped now.
 */
export function inherit(
  dead: QueueCore, fresh: CoreSettings, ringEntries: number, steppers: Steppers, statistics: Float64Array,
): Inherited {
  const { slots, disk, batch } = dead.settings
  if (slots > ringEntries)
    return { ok: false, sentence: `it is about a ring of at least ${slots} entries, and this one has ${ringEntries}` }
  if (dead.disk.sectorSize !== fresh.disk.sectorSize)
    return { ok: false, sentence: `the medium has other sectors now: ${fresh.disk.sectorSize} bytes each` }
  forgetBuffers(dead)
  const readOnly = disk.readOnly || fresh.disk.readOnly
  const { sectorCount, sectorSize } = fresh.disk
  const settings = { ...fresh, slots, batch, disk: { ...disk, readOnly, sectorCount, sectorSize } }
  const words = new Int32Array(checkpointWordsMax(dead))
  writeCheckpoint(dead, words, 0)
  const core = new QueueCore(settings, steppers, statistics)
  restoreCheckpoint(core, words, 0)
  core.disk = settings.disk
  return { ok: true, core }
}
