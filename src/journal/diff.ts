/**
 * @packageDocumentation
 * Two recordings, compared by what happened and not by when: the first difference of each kind, with both sides.
 * Batches are cut by time, so their borders count for nothing; slots, grants, ports and handles are names that the
 * program gives out as it pleases, so they do not count either.
 *
 *   of a queue    requests    the n-th request taken: operation, sector, length          what the guest asked
 *                 outcomes    the n-th request's answer                                  what it was told
 *                 order       which request was answered n-th
 *                 states      queue states entered, commands
 *   of actors     events      what each was told, and where it came to
 *
 * Both sides are streamed, kind by kind; what is kept is no more than what was in flight.
 */
import { RECORD_ANSWERED, RECORD_COMMAND, RECORD_ENTERED, recordWords } from '../core/records.js'
import { isTaken, recordSlot } from '../protocol/record.js'
import { walkChain } from './chain.js'
import type { JournalChain } from './chain.js'
import { decodeRecord, NO_NAMES, recordLine, statusText } from './describe-record.js'

/** Something that happened, as one line, with its place. */
export interface Happening {
  readonly text: string
  readonly batch: number
  readonly timeNs: number
}

export interface ContentDifference {
  readonly journal: string
  /** `requests`, `outcomes`, … */
  readonly kind: string
  /** Counted from 0 within its kind: all before it are equal. */
  readonly index: number
  /** Absent where that recording ends. */
  readonly a?: Happening
  readonly b?: Happening
}

export interface RecordingDiff {
  readonly same: boolean
  /** The first of each kind, those of the earliest batch of A first. */
  readonly differences: readonly ContentDifference[]
  /** What is told apart from what happened: other charts, other settings, journals that only one side has. */
  readonly notes: readonly string[]
  /** Happenings compared. */
  readonly compared: number
}

type Stream = (chain: JournalChain) => Generator<Happening, void>

const QUEUE_STREAMS: { readonly [kind: string]: Stream } = { requests, outcomes, order, states }
const ACTOR_STREAMS: { readonly [kind: string]: Stream } = { events }

/** Compares all journals of both sides; of one device each under different names, these. */
export function diffRecordings(a: readonly JournalChain[], b: readonly JournalChain[]): RecordingDiff {
  const notes: string[] = []
  const differences: ContentDifference[] = []
  let compared = 0
  for (const [one, other] of pairsOf(a, b, notes)) {
    noteHeaders(one, other, notes)
    const streams = one.identity.kind === 'queue' ? QUEUE_STREAMS : ACTOR_STREAMS
    for (const [kind, stream] of Object.entries(streams)) {
      const { index, difference } = firstDifferent(stream(one), stream(other))
      compared += index
      if (difference) differences.push({ journal: one.journal, kind, index, ...difference })
    }
  }
  const place = ({ a: here, b: there }: ContentDifference) => here?.timeNs ?? there?.timeNs ?? 0
  differences.sort((x, y) => place(x) - place(y))
  return { same: differences.length === 0 && compared > 0, differences, notes, compared }
}

/** Device and queue parts of a journal's name: `vbd/5/51712` and `/q0`. */
function partsOf(name: string): readonly [string, string] {
  const queue = /\/q\d+$/.exec(name)?.[0] ?? ''
  return [name.slice(0, name.length - queue.length), queue]
}

/** The n-th run of each journal with the n-th of the same name on the other side. */
function pairsOf(
  a: readonly JournalChain[], b: readonly JournalChain[], notes: string[],
): [JournalChain, JournalChain][] {
  const devices = (chains: readonly JournalChain[]) => new Set(chains.map(({ journal }) => partsOf(journal)[0]))
  const oneEach = devices(a).size === 1 && devices(b).size === 1
  const keyOf = ({ journal }: JournalChain) => (oneEach ? partsOf(journal)[1] : journal)
  const left = new Map<string, JournalChain[]>()
  for (const chain of b) left.set(keyOf(chain), [...(left.get(keyOf(chain)) ?? []), chain])
  const pairs: [JournalChain, JournalChain][] = []
  for (const chain of a) {
    const other = left.get(keyOf(chain))?.shift()
    if (other) pairs.push([chain, other])
    else notes.push(`only A has ${chain.journal} (run ${chain.run})`)
  }
  for (const chain of [...left.values()].flat()) notes.push(`only B has ${chain.journal} (run ${chain.run})`)
  return pairs
}

function noteHeaders(a: JournalChain, b: JournalChain, notes: string[]): void {
  const { journal } = a
  for (const [name, hash] of Object.entries(a.identity.charts)) {
    if (b.identity.charts[name] !== hash) notes.push(`${journal}: the two were recorded with different ${name} charts`)
  }
  const [was, is] = [a.identity.settings, b.identity.settings].map((settings) => JSON.stringify(settings))
  if (was !== is) notes.push(`${journal}: settings were ${was} and ${is}`)
  const [first, second] = [a, b].map(({ segments }) => segments[0].header.firstBatch)
  if (first > 0 || second > 0)
    notes.push(`${journal}: the beginning is gone (${first} and ${second} batches): what is counted starts there`)
}

function firstDifferent(a: Generator<Happening>, b: Generator<Happening>) {
  for (let index = 0; ; index++) {
    const [one, other] = [a.next(), b.next()]
    if (one.done === true && other.done === true) return { index, difference: undefined }
    const here = one.done === true ? {} : { a: one.value }
    const there = other.done === true ? {} : { b: other.value }
    if (here.a?.text !== there.b?.text) return { index, difference: { ...here, ...there } }
  }
}

/** Every readable record of a chain with its place. */
function* recordsOf(chain: JournalChain) {
  for (const step of walkChain(chain)) {
    if (step.kind !== 'batch') continue
    const { words, from, to, number, timeNs } = step.batch
    for (let at = from; at < to; ) {
      const size = recordWords(words, at, to - at)
      if (size === 0) break
      yield { words, at, kind: words[at] & 0xff, place: { batch: number, timeNs } }
      at += size
    }
  }
}

/** `write sector 8, 16 sectors in 2 segments`: the line of the record without slot and id. */
function* requests(chain: JournalChain): Generator<Happening, void> {
  for (const { words, at, place } of recordsOf(chain)) {
    if (!isTaken(words, at)) continue
    const { slot: _slot, id: _id, handle: _handle, ...record } = decodeRecord(words, at)
    const bare = { ...record, slot: 0, id: 0 }
    yield { text: recordLine(bare).replace('taken slot 0: ', '').replace(' id 0', ''), ...place }
  }
}

/** Answers in the order in which they were given: the number of the request, and its status. */
function* answersOf(chain: JournalChain) {
  const numbers = new Map<number, number>()
  let taken = 0
  for (const { words, at, kind, place } of recordsOf(chain)) {
    if (isTaken(words, at)) {
      const slot = recordSlot(words, at)
      const unanswered = numbers.get(slot)
      if (unanswered !== undefined) yield { number: unanswered, status: undefined, place }
      numbers.set(slot, taken++)
    }
    if (kind !== RECORD_ANSWERED) continue
    for (let index = 0; index < words[at] >>> 16; index++) {
      const word = words[at + 2 + index]
      const number = numbers.get(word & 0xffff)
      // Of a request that was taken before the recording begins.
      if (number === undefined) continue
      numbers.delete(word & 0xffff)
      yield { number, status: word >> 16, place }
    }
  }
}

function* order(chain: JournalChain): Generator<Happening, void> {
  for (const { number, status, place } of answersOf(chain))
    if (status !== undefined) yield { text: `request ${number} is answered`, ...place }
}

/** By number of the request: an answer waits for those of the requests before it, of which few are in flight. */
function* outcomes(chain: JournalChain): Generator<Happening, void> {
  const early = new Map<number, Happening>()
  let next = 0
  for (const { number, status, place } of answersOf(chain)) {
    const outcome = status === undefined ? 'never answered' : `answered ${statusText(status)}`
    early.set(number, { text: `request ${number} is ${outcome}`, ...place })
    for (let ready = early.get(next); ready !== undefined; ready = early.get(next)) {
      yield ready
      early.delete(next++)
    }
  }
  // What was still in flight at the end leaves gaps.
  for (const [, happening] of [...early].sort(([a], [b]) => a - b)) yield happening
}

function* states(chain: JournalChain): Generator<Happening, void> {
  const names = chain.upcast === undefined ? NO_NAMES : undefined
  for (const { words, at, kind, place } of recordsOf(chain))
    if (kind === RECORD_ENTERED || kind === RECORD_COMMAND)
      yield { text: recordLine(decodeRecord(words, at, names)), ...place }
}

/** Values that are names given out anew in every run. */
const VOLATILE = /handle$|^(port|event-channel|ring-ref\d*|refs?|grefs?|atMs|pid|domid|frontend|lock)$/i

function* events(chain: JournalChain): Generator<Happening, void> {
  const [device] = partsOf(chain.journal)
  for (const { words, at, place } of recordsOf(chain)) {
    const { kind, value } = decodeRecord(words, at)
    const text = JSON.stringify(value, (key, inner: unknown) => (VOLATILE.test(key) ? undefined : inner))
    yield { text: `${kind} ${(text ?? 'unreadable').replaceAll(device, 'vbd')}`, ...place }
  }
}
