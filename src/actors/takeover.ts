/**
 * @packageDocumentation
 * How a queue begins on a ring that somebody served before. The channel is bound by now, which excludes everyone else,
 * and the medium's lock is held, which says that the dead one's I/O has ended; only then is the page believed at all.
 *
 *   journal ─ fold ─► core ─ rsp_prod of the page held against it ─► answers that the page lacks are written again
 *           ─► notify once ─► the successor's journal begins, with the state as its checkpoint ─► COMMAND recovered
 *
 * A death at any point of this leaves things as they were: the answers are the same words in the same places, the old
 * journal stands until the new one has its checkpoint, and that checkpoint says the same. What must never happen: an
 * answer that the journal does not hold; a journal that does not fit the page, gone on from.
 */
import { inherit, foldLegacy } from '../journal/legacy.js'
import type { QueueCore } from '../core/queue-core.js'
import type { CoreSettings } from '../core/queue-core.js'
import { lastAnswers, unpublished } from '../core/recovery.js'
import type { Steppers } from '../core/steppers.js'
import type { BackRing, EventPort } from '../ports/data-path.js'
import { XbbdError } from '../protocol/errors.js'

export interface TakeoverParts {
  /** The newest segment of the dead one's journal. */
  readonly words: Int32Array
  /** What a fresh queue would be made with. */
  readonly fresh: CoreSettings
  readonly ring: BackRing
  readonly steppers: Steppers
  readonly statistics: Float64Array
}

/** A queue that can go on. */
export interface Takeover {
  readonly core: QueueCore
  /** rsp_prod as the page had it. */
  readonly published: number
  /** Writes what the page lacks and notifies; once. @returns how many answers were written. */
  publish(channel: EventPort): number
}

function untrusted(sentence: string): XbbdError {
  const text = `the journal of the process before this one cannot be gone on from: ${sentence}`
  return new XbbdError('XBBD_JOURNAL_UNTRUSTED', text, { exitCode: 70 })
}

/** Folds and judges; nothing is written yet. Throws XbbdError: why the journal is not gone on from. */
export function takeOver({ words, fresh, ring, steppers, statistics }: TakeoverParts): Takeover {
  const folded = foldLegacy(words)
  if (!folded.ok) throw untrusted(folded.sentence)
  const { answers, count } = lastAnswers(folded.core)
  const published = ring.published()
  const missing = unpublished(folded.core, published)
  if (missing === undefined) {
    const committed = folded.core.rspProd >>> 0
    const known = count === 0 ? `${committed}` : `${(committed - count) >>> 0} or ${committed}`
    throw untrusted(`the ring says that ${published >>> 0} answers were published, the journal knows of ${known}`)
  }
  const inherited = inherit(folded.core, fresh, ring.size, steppers, statistics)
  if (!inherited.ok) throw untrusted(inherited.sentence)
  return {
    core: inherited.core,
    published,
    publish: (channel) => {
      if (missing > 0) ring.answer(answers, missing, published)
      // Whether the dead one came to notify is not known; one too many harms nobody.
      channel.notify()
      return missing
    },
  }
}

/** Without a journal only a ring with nothing unanswered can be served on. Throws XbbdError. */
export function requireIdle(ring: BackRing): void {
  const waiting = ring.peek(ring.published())
  if (waiting === 0) return
  const sentence = `${waiting} requests stand in the ring, and no journal says which of them were begun`
  const cure = 'the disk is closed; a daemon with journal.mode = inputs could have gone on'
  throw new XbbdError('XBBD_JOURNAL_MISSING', `${sentence}: ${cure}`, { exitCode: 70 })
}
