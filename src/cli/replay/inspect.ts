/**
 * @packageDocumentation
 * `xbbd replay --inspect`: a recording told to an inspector, in the order in which things happened: devices in full, of
 * each queue's requests one at a time. Without `--speed` as fast as the receiver takes it.
 */
import { systemClock } from '../../io/native/system-clock.js'
import type { JournalChain } from '../../journal/chain.js'
import { decodeRecord } from '../../journal/describe-record.js'
import { Recording, type RecordedBatch } from '../../journal/recording.js'
import { RECORD_EVENT, recordWords } from '../../core/records.js'
import { ActorFeed } from '../../observe/feed-actors.js'
import { queueFeed } from '../../observe/feed-queue.js'
import { StatelyFeed, type FeedMessage } from '../../observe/stately-feed.js'
import type { CommandContext } from '../commands/context.js'
import { connectInspector } from '../inspect/link.js'
import { progressBetween } from '../progress.js'

export interface InspectOptions {
  readonly url: string
  /** 1 is as it happened, 10 ten times as fast; undefined does not wait. */
  readonly speed: number | undefined
}

/** Tells the inspector all of `chains`. */
export async function inspectRecording(
  { terminal }: CommandContext, chains: readonly JournalChain[], { url, speed }: InspectOptions,
): Promise<void> {
  const inspector = await connectInspector(url, systemClock)
  const show = progressBetween(terminal)
  const { wallMs, monotonicNs } = chains[0].identity
  let nowNs = monotonicNs
  let messages: FeedMessage[] = []
  let told = 0
  const feed = new StatelyFeed((message) => messages.push(message), () => wallMs + (nowNs - monotonicNs) / 1e6)
  const actors = new ActorFeed(feed)
  const recording = new Recording(chains, ({ journal }) => queueFeed(feed, journal))
  for (let next = recording.peek(); next !== undefined; next = recording.peek()) {
    if (speed !== undefined && told > 0) await pause((next.timeNs - nowNs) / 1e6 / speed)
    nowNs = next.timeNs
    recording.forward()
    tellActors(actors, next)
    for (const message of messages) await inspector.send(message)
    told += messages.length
    messages = []
    show(() => `told the inspector ${told} messages`)
  }
  await inspector.close()
  terminal.out(`${told} messages of ${chains.length} ${chains.length === 1 ? 'journal' : 'journals'} told to ${url}\n`)
}

/** What a record of an event should hold; it may come from anywhere. */
interface Told {
  readonly actor?: unknown
  readonly chart?: unknown
  readonly event?: { readonly type?: unknown } | null
}

/** The inputs of a batch of actors; of a queue's batch there are none. */
function tellActors(actors: ActorFeed, { batch, cursor }: RecordedBatch): void {
  if (cursor.chain.identity.kind === 'queue') return
  const { words, from, to } = batch
  for (let at = from, size = 1; at < to && size > 0; at += size) {
    size = recordWords(words, at, to - at)
    if (size === 0 || (words[at] & 0xff) !== RECORD_EVENT) continue
    const { value } = decodeRecord(words, at)
    const { actor, chart, event } = (value ?? {}) as Told
    if (typeof actor === 'string' && typeof chart === 'string' && typeof event?.type === 'string')
      actors.input(actor, chart, event as { readonly type: string })
  }
}

const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => void systemClock.after(Math.max(0, milliseconds), resolve))
