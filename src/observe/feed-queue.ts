/**
 * @packageDocumentation
 * One queue for an inspector, from the steps of its charts: its own chart in full, of its requests one at a time, from
 * its ring entry to its answer; then the next one that is taken. A million requests a second are a flood for any page,
 * and one of them is as good as another for seeing how it goes.
 */
import { queueEventNames, queueStateNames } from '../machines/generated/queue.js'
import { requestEventNames, RequestState, requestStateNames } from '../machines/generated/request.js'
import type { OnStep } from '../journal/queue-track.js'
import type { StatelyFeed } from './stately-feed.js'

/** What `onStep` of a queue's track is to be. `queue` is its journal's name, `vbd/5/51712/q0`. */
export function queueFeed(feed: StatelyFeed, queue: string): OnStep {
  const device = queue.slice(0, queue.lastIndexOf('/'))
  let followed: { readonly slot: number; readonly name: string } | undefined
  let count = 0

  function queueStep(event: string, from: string, to: string): void {
    const snapshot = (value: string) => ({ status: 'active', value, context: {} })
    if (!feed.knows(queue)) feed.actor(queue, 'queue', device, snapshot(from))
    feed.step(queue, { type: event }, snapshot(to))
  }

  function requestStep(slot: number, event: string, from: number, to: number): void {
    const snapshot = (state: number) => ({ status: 'active', value: requestStateNames[state], context: { slot } })
    if (followed === undefined && from === RequestState.Free) {
      followed = { slot, name: `${queue}/request-${++count}` }
      feed.actor(followed.name, 'request', queue, snapshot(from))
    }
    if (followed?.slot !== slot) return
    feed.step(followed.name, { type: event }, snapshot(to))
    if (to !== RequestState.Free) return
    feed.ended(followed.name)
    followed = undefined
  }

  return (chart, slot, event, from, to) => {
    if (to < 0) return // no edge: the queue ends there, and says so elsewhere
    if (chart === 'queue') queueStep(queueEventNames[event], queueStateNames[from], queueStateNames[to])
    else requestStep(slot, requestEventNames[event], from, to)
  }
}
