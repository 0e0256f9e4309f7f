/**
 * @packageDocumentation
 * The daemon's end of the thread that answers for its page. Folding journals is work, and the daemon's main thread has
 * devices to look after: so it is done elsewhere, with little of a processor when there is little to spare, and by
 * nobody while nobody looks.
 *
 *   question ─► [ what is now, where asked for ] ─► page-worker-main.ts ─► JSON   idle for a minute ─► ended
 *
 * What only the daemon knows (rows of its devices, indices of its rings) goes along with the question; all else the
 * thread reads in the journals' files. One that dies fails what it was asked, and the next question begins another.
 */
import { Worker } from 'node:worker_threads'
import type { RingLook } from '../../ports/host.js'
import { sentenceOf, XbbdError } from '../../protocol/errors.js'
import type { DeviceRow } from '../../observe/page/types.js'
import type { Answers } from './answers.js'

export interface PageThreadData {
  readonly title: string
  readonly version: string
  readonly journalDir: string
}

/** What a daemon that runs says of itself. */
export interface Now {
  readonly rows: readonly DeviceRow[]
  readonly rings: readonly RingLook[]
}

export interface PageQuestion {
  readonly id: number
  readonly question: string
  readonly query: string
  /** By segment of the pool, which one it is now. */
  readonly sequences: Int32Array
  readonly now?: Now
}

export type PageAnswer =
  | { readonly id: number; readonly document: Uint8Array | undefined }
  | { readonly id: number; readonly failure: { readonly sentence: string; readonly exitCode: number } }

/** A thread that nobody asks anything for so long is ended. */
const IDLE_MS = 60_000

interface Waiting {
  readonly resolve: (document: Uint8Array | undefined) => void
  readonly reject: (error: unknown) => void
}

/** Answers in a thread of its own. `now` is asked for each look at the present, and with whom it is to show. */
export function answersOfThread(
  data: PageThreadData, now: (device: string | null) => Now, sequences: () => Int32Array,
): Answers {
  const waiting = new Map<number, Waiting>()
  let thread: Worker | undefined
  let idle: NodeJS.Timeout | undefined
  let last = 0

  const fail = (cause: unknown) => {
    thread = undefined
    const sentence = `the page's thread has ended: ${sentenceOf(cause)}; ask again, and another one begins`
    for (const { reject } of waiting.values()) reject(new XbbdError('XBBD_PAGE', sentence, { cause, exitCode: 70 }))
    waiting.clear()
  }
  const hear = (answer: PageAnswer) => {
    const asked = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('document' in answer) return asked?.resolve(answer.document)
    const { sentence, exitCode } = answer.failure
    asked?.reject(new XbbdError('XBBD_PAGE', sentence, { exitCode }))
  }
  const begin = () => {
    const begun = new Worker(new URL('./page-worker-main.js', import.meta.url), { workerData: data })
    begun.on('message', hear).on('error', fail).on('exit', () => begun === thread && fail('it was ended'))
    begun.unref()
    return begun
  }
  const end = () => {
    const ended = thread
    thread = undefined
    void ended?.terminate()
  }
  return (question, query) =>
    new Promise((resolve, reject) => {
      thread ??= begin()
      clearTimeout(idle)
      idle = setTimeout(() => (waiting.size > 0 ? idle?.refresh() : end()), IDLE_MS).unref()
      const id = ++last
      waiting.set(id, { resolve, reject })
      const present = question === 'view' && !query.has('at') ? { now: now(query.get('device')) } : {}
      const asked: PageQuestion = { id, question, query: query.toString(), sequences: sequences(), ...present }
      thread.postMessage(asked)
    })
}
