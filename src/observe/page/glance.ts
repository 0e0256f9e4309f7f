/**
 * @packageDocumentation
 * A queue at a moment, at the least cost: one segment is folded from the checkpoint at its beginning and let go of
 * again. What a request did before that segment is not known (nor since when it stands where it does), but its age is,
 * because checkpoints carry it. Enough for a row among sixty-four; the device that one looks at gets a cursor
 * (library.ts).
 */
import type { JournalChain } from '../../journal/chain.js'
import { momentOf } from '../../journal/moment.js'
import type { JournalMoment } from '../../journal/moment.js'
import { QueueTrack } from '../../journal/queue-track.js'
import { readCoreSettings } from '../../journal/replay-settings.js'
import type { Batch } from '../../journal/segment-reader.js'
import { unknownCharts } from '../../journal/upcast.js'
import type { Library } from './library.js'

/** The queue's moment; undefined when it had not begun. `seenNs`: by whose clock ages are counted, if not `atNs`. */
export function glance(library: Library, journal: string, atNs: number, seenNs = atNs): JournalMoment | undefined {
  const chain = library.runAt(journal, atNs)
  if (chain === undefined) return undefined
  const own = atNs - library.offsetNs(chain)
  const queue = trackOf(chain)
  if (typeof queue === 'string') return { journal, run: chain.run, problems: [queue] }
  let last: Batch | undefined
  for (const batch of library.batchesOf(chain, library.segmentAt(chain, atNs))) {
    if (batch.timeNs > own) break
    queue.apply(batch)
    last = batch
  }
  const problems = queue.trouble === undefined ? [] : [queue.trouble]
  return momentOf({ chain, queue, actors: undefined, last, problems }, seenNs - library.offsetNs(chain))
}

/** A fold of this queue that has begun nowhere yet; or why there can be none. */
export function trackOf({ identity, upcast }: JournalChain): QueueTrack | string {
  if (upcast === undefined) return unknownCharts(identity)
  const settings = readCoreSettings(identity.settings)
  return settings.ok ? new QueueTrack(settings.settings, upcast) : settings.sentence
}
