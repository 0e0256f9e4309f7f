/**
 * @packageDocumentation
 * A daemon that tells an inspector what it does (`xbbd run --inspect ws://…`). Devices are complete: what enters their
 * journals is told, after it was written there. Queues and requests live in Workers, which are not disturbed: now and
 * then one queue's newest segment is read from its file, as `xbbd explain` does, and the last request that went all the
 * way is told.
 *
 *   every 2 s one queue, turn by turn · what the inspector cannot take is dropped · without one nothing is read
 */
import { chainsNamed, openJournals } from '../../journal/journal-files.js'
import { ActorFeed, inspectedJournals } from '../../observe/feed-actors.js'
import { sampleQueue, tellSample } from '../../observe/feed-sample.js'
import { StatelyFeed } from '../../observe/stately-feed.js'
import type { Clock } from '../../ports/clock.js'
import type { OpenActorJournal } from '../../ports/journal.js'
import { sentenceOf } from '../../protocol/errors.js'
import { InspectorLink } from '../inspect/link.js'
import type { Log } from './log.js'

const SAMPLE_MS = 2000

export interface LiveInspection {
  readonly openJournal: OpenActorJournal
  readonly closeJournal: (device: string) => void
  /** Begins to look at queues; `queues` says which there are now. */
  sample(queues: () => readonly string[]): void
  close(): void
}

export interface InspectionParts {
  readonly url: string
  readonly clock: Clock
  readonly log: Log
  readonly journalDir: string
  readonly open: OpenActorJournal
  readonly close: (device: string) => void
}

/** Opens the link. @throws XbbdError 64 when the address is none. */
export function inspectLive({ url, clock, log, journalDir, open, close }: InspectionParts): LiveInspection {
  const link = new InspectorLink(url, clock, () => {
    log.info({ url }, 'an inspector listens')
    feed.greet()
  })
  const feed: StatelyFeed = new StatelyFeed((message) => link.send(message), clock.wallMs)
  const actors = new ActorFeed(feed)
  let turn = 0
  let requests = 0
  let cancel: () => void = () => undefined

  function sampleOne(queues: () => readonly string[]): void {
    const names = queues()
    const queue = names[turn++ % names.length]
    if (link.listens && queue !== undefined) tell(queue)
    cancel = clock.after(SAMPLE_MS, () => sampleOne(queues))
  }

  function tell(queue: string): void {
    try {
      const chain = chainsNamed(openJournals(journalDir), journalDir, queue).at(-1)
      if (chain) tellSample(feed, queue, sampleQueue(chain), ++requests)
    } catch (error) {
      log.debug({ queue, error: sentenceOf(error) }, 'this queue cannot be told to the inspector now')
    }
  }

  link.start()
  return {
    openJournal: inspectedJournals(open, actors),
    closeJournal(device) {
      actors.forget(device)
      close(device)
    },
    sample: sampleOne,
    close() {
      cancel()
      link.close()
    },
  }
}
