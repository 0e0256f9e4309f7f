/**
 * @packageDocumentation
 * What was recorded beside what the charts derive, and the first difference as a sentence that someone can read without
 * knowing the format. Both sides are lists of effect records, compared word for word; only when they differ are they
 * decoded.
 */
import { recordWords } from '../core/records.js'
import { decodeRecord, recordLine, statusText } from './describe-record.js'
import type { DecodedAnswer, DecodedRecord } from './describe-record.js'

/** Records in words[from, to). */
export interface RecordSpan {
  readonly words: Int32Array
  readonly from: number
  readonly to: number
}

/** Whether both spans hold the same words. */
export function sameWords(a: RecordSpan, b: RecordSpan): boolean {
  if (a.to - a.from !== b.to - b.from) return false
  for (let at = a.from, other = b.from; at < a.to; at++, other++) if (a.words[at] !== b.words[other]) return false
  return true
}

/** The records of a span as objects; ends where one cannot be read. */
export function recordsIn({ words, from, to }: RecordSpan): DecodedRecord[] {
  const records: DecodedRecord[] = []
  for (let at = from; at < to; ) {
    const size = recordWords(words, at, to - at)
    if (size === 0) break
    records.push(decodeRecord(words, at))
    at += size
  }
  return records
}

/** A difference between two lists of effects. */
export interface Difference {
  readonly sentence: string
  /** The event at which they part, when transitions were recorded. */
  readonly event?: string
}

/** The first difference between the recorded effects and the derived ones, which are known to differ. */
export function firstDifference(recorded: RecordSpan, derived: RecordSpan): Difference {
  const [was, is] = [recordsIn(recorded), recordsIn(derived)]
  const differ = (_: unknown, index: number) => JSON.stringify(was[index]) !== JSON.stringify(is[index])
  const longer = was.length > is.length ? was : is
  const index = longer.findIndex(differ)
  if (index < 0) return { sentence: 'the recorded effects and those of the charts differ in padding or unused bits' }
  const [before, now] = [was.at(index), is.at(index)]
  const stepped = [now, before].find((record) => record?.kind === 'stepped')
  const event = stepped === undefined ? {} : { event: `${String(stepped.chart)}.${String(stepped.event)}` }
  const answers = before?.kind === 'answered' && now?.kind === 'answered' ? answersDiffer(before, now) : undefined
  return { sentence: answers ?? `the recording has ${textOf(before)}, the charts have ${textOf(now)}`, ...event }
}

function textOf(record: DecodedRecord | undefined): string {
  return record === undefined ? 'nothing more' : `«${recordLine(record)}»`
}

function answersDiffer(recorded: DecodedRecord, derived: DecodedRecord): string | undefined {
  const [was, is] = [recorded.answers as DecodedAnswer[], derived.answers as DecodedAnswer[]]
  for (let index = 0; index < Math.max(was.length, is.length); index++) {
    const [before, now] = [was.at(index), is.at(index)]
    if (before === undefined || now === undefined) return countDiffers(was, is)
    if (before.slot !== now.slot)
      return `answer ${index} went to slot ${before.slot} in the recording, the charts answer slot ${now.slot}`
    if (before.status !== now.status) {
      const [there, here] = [statusText(before.status), statusText(now.status)]
      return `slot ${before.slot} was answered ${there} in the recording, the charts answer ${here}`
    }
  }
  return undefined
}

function countDiffers(was: readonly DecodedAnswer[], is: readonly DecodedAnswer[]): string {
  const slots = (list: readonly DecodedAnswer[]) => list.map(({ slot }) => slot).join(' ')
  return `the recording answers slots ${slots(was)}, the charts answer slots ${slots(is)}`
}
