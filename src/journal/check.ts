/**
 * @packageDocumentation
 * Whether journals are what their writers wrote: headers, checksums, numbering, and that every record is one that a
 * journal of its kind may hold, in the order in which a writer writes them. What the records mean is replay's affair.
 *
 *   problems   damage, with file, byte offset and batch          tails   how each segment ends: full, clean, torn
 *
 * A torn tail is normal: a batch was begun and its writer died, or is still at it. A gap between segments is not.
 */
import {
  RECORD_CHECKPOINT, RECORD_COPIED, RECORD_ENTERED, RECORD_EVENT, RECORD_NAMES, RECORD_STATE, recordWords,
} from '../core/records.js'
import { walkChain } from './chain.js'
import { BATCH_FRAME_WORDS, BATCH_HEAD_WORDS } from './format.js'
import type { JournalChain } from './chain.js'
import type { JournalFiles } from './journal-files.js'
import type { Batch, Tail } from './segment-reader.js'

/** Something wrong. `offset` in bytes from the file's beginning; `batch` when it is in one. */
export interface JournalProblem {
  readonly file: string
  readonly offset: number
  readonly journal?: string
  readonly batch?: number
  readonly sentence: string
}

/** One run of one journal, in numbers. */
export interface JournalSummary {
  readonly journal: string
  readonly run: string
  readonly kind: string
  readonly segments: number
  /** Batches before the first one that is still there: their segments were recycled. */
  readonly recycled: number
  readonly batches: number
  readonly records: number
  readonly bytes: number
  /** How the newest segment ends; absent when it is damaged. */
  readonly tail?: Tail['kind']
}

export interface CheckReport {
  readonly journals: readonly JournalSummary[]
  /** The first hundred. */
  readonly problems: readonly JournalProblem[]
  readonly problemCount: number
}

const PROBLEMS_MAX = 100

/** Checks everything that `openJournals` found. */
export function checkJournal(files: JournalFiles): CheckReport {
  const problems: JournalProblem[] = []
  let problemCount = 0
  const note = (problem: JournalProblem) => {
    if (problemCount++ < PROBLEMS_MAX) problems.push(problem)
  }
  for (const problem of files.problems) note(problem)
  return { journals: files.chains.map((chain) => checkChain(chain, note)), problems, problemCount }
}

function checkChain(chain: JournalChain, note: (problem: JournalProblem) => void): JournalSummary {
  const { journal, run, identity, segments } = chain
  let [batches, records, bytes] = [0, 0, 0]
  let tail: Tail['kind'] | undefined
  for (const step of walkChain(chain)) {
    const { file, offset, header } = step.segment
    if (step.kind === 'segment') tail = undefined
    else if (step.kind === 'tail') tail = step.tail
    else if (step.kind === 'gap') note({ file, offset, journal, batch: step.batch, sentence: step.sentence })
    else if (step.kind === 'damage')
      note({ file, offset: offset + step.at * 4, journal, batch: step.batch, sentence: step.sentence })
    else {
      const { batch } = step
      const first = batch.number === header.firstBatch
      const found = identity.kind === 'queue' ? checkQueueBatch(batch, first) : checkActorBatch(batch)
      batches++
      records += found.records
      bytes += (batch.to - batch.from + BATCH_FRAME_WORDS) * 4
      // A lifted batch has words of its own.
      const word = batch.at + BATCH_HEAD_WORDS + found.at - batch.from
      const place = { file, offset: offset + word * 4, journal, batch: batch.number }
      if (found.sentence) note({ ...place, sentence: `batch ${batch.number}: ${found.sentence}` })
    }
  }
  const summary = { journal, run, kind: identity.kind, segments: segments.length, batches, records, bytes }
  return { ...summary, recycled: segments[0].header.firstBatch, ...(tail === undefined ? {} : { tail }) }
}

interface Found {
  readonly records: number
  /** Where something is wrong, in words. */
  readonly at: number
  readonly sentence?: string
}

/** A queue's batch: one checkpoint and nothing else, or inputs, then the copies' outcome, then effects. */
function checkQueueBatch({ words, from, to }: Batch, first: boolean): Found {
  let records = 0
  let phase = 0
  for (let at = from; at < to; records++) {
    const kind = words[at] & 0xff
    const size = recordWords(words, at, to - at)
    if (size === 0) return { records, at, sentence: unreadable(kind) }
    if (kind === RECORD_EVENT || kind === RECORD_STATE) return { records, at, sentence: misplaced(kind) }
    if (kind === RECORD_CHECKPOINT) {
      const alone = first && at === from && at + size === to
      return alone ? { records: 1, at } : { records, at, sentence: misplaced(kind) }
    }
    const rank = kind === RECORD_COPIED ? 1 : kind >= RECORD_ENTERED ? 2 : 0
    if (rank < phase || (rank === 1 && phase === 1)) return { records, at, sentence: misplaced(kind) }
    phase = rank
    at += size
  }
  return { records, at: to, ...(first ? { sentence: 'the first batch of the segment holds no checkpoint' } : {}) }
}

function checkActorBatch({ words, from, to }: Batch): Found {
  let records = 0
  for (let at = from; at < to; records++) {
    const kind = words[at] & 0xff
    const size = recordWords(words, at, to - at)
    if (size === 0) return { records, at, sentence: unreadable(kind) }
    if (kind !== RECORD_EVENT && kind !== RECORD_STATE) return { records, at, sentence: misplaced(kind) }
    at += size
  }
  return { records, at: to }
}

function unreadable(kind: number): string {
  const name = RECORD_NAMES[kind]
  if (name === undefined) return `a record of the unknown kind ${kind}: everything behind it is unreadable`
  return `a record «${name}» does not end within the batch`
}

function misplaced(kind: number): string {
  return `a record «${RECORD_NAMES[kind] ?? kind}» stands where none may stand`
}
