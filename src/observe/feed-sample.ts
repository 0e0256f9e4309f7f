/**
 * @packageDocumentation
 * A look at a queue that runs, for an inspector: how its chart stands, and the last of its requests that went all the
 * way, by its newest segment, which begins with a checkpoint and so needs no other. Reading is all; the queue knows
 * nothing of it.
 */
import { ChainCursor } from '../journal/chain-cursor.js'
import type { JournalChain } from '../journal/chain.js'
import { queueStateNames } from '../machines/generated/queue.js'
import { requestEventNames, RequestState, requestStateNames } from '../machines/generated/request.js'
import type { FeedSnapshot, StatelyFeed } from './stately-feed.js'

export interface QueueSample {
  /** Undefined where nothing could be folded. */
  readonly state: string | undefined
  /** From its ring entry to the slot's release; empty when none went all the way in this segment. */
  readonly steps: readonly { readonly event: string; readonly state: string }[]
  readonly slot: number
}

/** Looks at the chain's newest segment. */
export function sampleQueue(chain: JournalChain): QueueSample {
  const underway = new Map<number, { event: string; state: string }[]>()
  let last: { readonly slot: number; readonly steps: QueueSample['steps'] } = { slot: 0, steps: [] }
  const newest = { ...chain, segments: chain.segments.slice(-1) }
  const cursor = new ChainCursor(newest, (chart, slot, event, from, to) => {
    if (chart !== 'request' || to < 0) return
    if (from === RequestState.Free) underway.set(slot, [])
    const steps = underway.get(slot)
    steps?.push({ event: requestEventNames[event], state: requestStateNames[to] })
    if (steps === undefined || to !== RequestState.Free) return
    underway.delete(slot)
    last = { slot, steps }
  })
  while (cursor.forward() !== undefined);
  const state = cursor.queue?.core?.queueState
  return { ...last, state: state === undefined ? undefined : queueStateNames[state] }
}

const snapshotOf = (value: string, context: object): FeedSnapshot => ({ status: 'active', value, context })

/** Tells the sample; `number` makes the request's name one of its own. */
export function tellSample(feed: StatelyFeed, queue: string, sample: QueueSample, number: number): void {
  const { state, steps, slot } = sample
  if (state !== undefined && !feed.knows(queue))
    feed.actor(queue, 'queue', queue.slice(0, queue.lastIndexOf('/')), snapshotOf(state, {}))
  else if (state !== undefined && feed.valueOf(queue) !== state)
    feed.step(queue, { type: 'sampled' }, snapshotOf(state, {}))
  if (steps.length === 0) return
  const name = `${queue}/request-${number}`
  feed.actor(name, 'request', queue, snapshotOf('Free', { slot }))
  for (const step of steps) feed.step(name, { type: step.event }, snapshotOf(step.state, { slot }))
  feed.ended(name)
}
