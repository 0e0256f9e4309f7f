/**
 * @packageDocumentation
 * Reads a queue's journal of charts that numbered their states and events otherwise (older-charts.ts).
 *
 *   batch ─► ENTERED, STEPPED, CHECKPOINT hold numbers of charts ─► a copy with today's; all other batches as they are
 *   steps ─► today's charts ─► digest, mixed of the numbers of then      so that recorded digests are still compared
 *
 * A number that the older chart did not have becomes 255, which is no state: whoever reads on says so. What must never
 * happen: an exception for any bytes; a change of the segment's own words.
 */
import { checkpointRequests } from '../core/checkpoint.js'
import { RECORD_CHECKPOINT, RECORD_ENTERED, RECORD_STEPPED, recordWords } from '../core/records.js'
import type { Steppers } from '../core/steppers.js'
import { mixDigest } from '../machines/compile/digest.js'
import { queueEventNames, queueStateNames } from '../machines/generated/queue.js'
import { requestEventNames, requestStateNames } from '../machines/generated/request.js'
import type { ChartNumbers, OlderCharts } from './older-charts.js'
import type { Batch } from './segment-reader.js'
import type { Upcast } from './upcast.js'

/** What is no number of a chart. */
const NONE = 255

/** Numbers of one chart, from then to now and back. */
interface Numbers {
  readonly stateNow: Uint8Array
  readonly eventNow: Uint8Array
  readonly stateThen: Uint8Array
  readonly eventThen: Uint8Array
}

/** Reads journals of these charts. */
export function renumbering({ request, queue }: OlderCharts): Upcast {
  const requests = numbersOf(request, requestStateNames, requestEventNames)
  const queues = numbersOf(queue, queueStateNames, queueEventNames)
  return {
    lift: (batch) => renumber(batch, requests, queues),
    digesting: ({ request: step, queue: turn }: Steppers): Steppers => ({
      request: (host, slot, event) => {
        const before = host.digest
        const next = step(host, slot, event)
        if (next >= 0) host.digest = digestThen(before, slot, event, next, requests)
        return next
      },
      queue: (host, slot, event) => {
        const before = host.digest
        const next = turn(host, slot, event)
        if (next >= 0) host.digest = digestThen(before, slot, event, next, queues)
        return next
      },
    }),
  }
}

function numbersOf(then: ChartNumbers, states: readonly string[], events: readonly string[]): Numbers {
  return {
    stateNow: table(then.states, states), eventNow: table(then.events, events),
    stateThen: table(states, then.states), eventThen: table(events, then.events),
  }
}

/** By number among `from`: the number of the same name among `to`. */
function table(from: readonly string[], to: readonly string[]): Uint8Array {
  const numbers = new Uint8Array(NONE + 1).fill(NONE)
  from.forEach((name, number) => {
    const other = to.indexOf(name)
    if (other >= 0) numbers[number] = other
  })
  return numbers
}

function digestThen(before: number, slot: number, event: number, next: number, numbers: Numbers): number {
  return mixDigest(before, slot, numbers.eventThen[event], numbers.stateThen[next])
}

function renumber(batch: Batch, requests: Numbers, queues: Numbers): Batch {
  const { from, to } = batch
  let copy: Int32Array | undefined
  for (let at = from; at < to; ) {
    const size = recordWords(batch.words, at, to - at)
    if (size === 0) break
    const kind = batch.words[at] & 0xff
    if (kind === RECORD_ENTERED || kind === RECORD_STEPPED || kind === RECORD_CHECKPOINT) {
      copy ??= batch.words.slice(from, to)
      if (kind === RECORD_ENTERED) entered(copy, at - from, queues)
      else if (kind === RECORD_STEPPED) stepped(copy, at - from, requests, queues)
      else checkpoint(copy, at - from, requests, queues)
    }
    at += size
  }
  return copy === undefined ? batch : { ...batch, words: copy, from: 0, to: to - from }
}

function entered(words: Int32Array, at: number, { stateNow }: Numbers): void {
  const head = words[at]
  words[at] = (head & 0xff0000ff) | (stateNow[(head >>> 8) & 0xff] << 8) | (stateNow[(head >>> 16) & 0xff] << 16)
}

function stepped(words: Int32Array, at: number, requests: Numbers, queues: Numbers): void {
  const [head, move] = [words[at], words[at + 1]]
  const { stateNow, eventNow } = ((move >>> 16) & 0xff) === 1 ? queues : requests
  words[at] = (head & ~0xff00) | (eventNow[(head >>> 8) & 0xff] << 8)
  words[at + 1] = (move & ~0xffff) | stateNow[move & 0xff] | (stateNow[(move >>> 8) & 0xff] << 8)
}

function checkpoint(words: Int32Array, at: number, requests: Numbers, queues: Numbers): void {
  const state = words[at + 2]
  words[at + 2] = state >= 0 && state < NONE ? queues.stateNow[state] : NONE
  for (const request of checkpointRequests(words, at)) {
    const word = words[request]
    words[request] = (word & ~0xff0000) | (requests.stateNow[(word >>> 16) & 0xff] << 16)
  }
}
