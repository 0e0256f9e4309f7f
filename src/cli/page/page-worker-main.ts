/**
 * @packageDocumentation
 * The entry of the thread that answers for a daemon's page: journals as files, and what the daemon says of now with the
 * question. It asks for little of a processor: where guests' requests want it, they get it.
 *
 * What must never happen: a question without an answer.
 */
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { nowNs } from '../../io/native/clock.js'
import { segmentIndex } from '../../io/journal/segment-pool.js'
import { JournalFolder } from '../../journal/journal-files.js'
import type { JournalFiles } from '../../journal/journal-files.js'
import { PageApi } from '../../observe/page/page-api.js'
import { daemonSource } from '../../observe/page/source.js'
import { assert, sentenceOf, XbbdError } from '../../protocol/errors.js'
import { formatNanoseconds } from '../units.js'
import { documentOf } from './answers.js'
import type { Now, PageAnswer, PageQuestion, PageThreadData } from './page-thread.js'

/** A thirtieth of what a thread of the usual priority gets beside it (setpriority(2); Linux: of the calling thread). */
const NICENESS = 15

const port = parentPort
assert(port, 'page-worker-main runs in a thread of its own only')
setPriority(0, NICENESS)
const { title, version, journalDir } = workerData as PageThreadData

let now: Now = { rows: [], rings: [] }
let sequences: Int32Array = new Int32Array(0)
const present = { nowNs, rows: () => now.rows, rings: () => now.rings }
const folder = new JournalFolder(journalDir)
const api = new PageApi(daemonSource(title, version, present, look), formatNanoseconds, nowNs)

port.on('message', (asked: PageQuestion) => {
  if (asked.now !== undefined) now = asked.now
  sequences = asked.sequences
  const answer = answerTo(asked)
  const document = 'document' in answer ? answer.document : undefined
  port.postMessage(answer, document === undefined ? [] : [document.buffer as ArrayBuffer])
})

function answerTo({ id, question, query }: PageQuestion): PageAnswer {
  try {
    return { id, document: documentOf(api, question, new URLSearchParams(query)) }
  } catch (error) {
    return { id, failure: { sentence: sentenceOf(error), exitCode: error instanceof XbbdError ? error.exitCode : 70 } }
  }
}

/** With `journal.mode = off` there may be none. */
function look(): JournalFiles {
  const { chains, problems } = folder.look((file) => sequences.at(segmentIndex(file) ?? Infinity))
  return { chains: chains.filter(({ upcast }) => upcast !== undefined), problems }
}
