/**
 * @packageDocumentation
 * The journals of the control plane's actors: rare events, each one batch of its own, sealed before the chart sees it.
 *
 *   EVENT  kind · bytes · CBOR of the input, padded to 8        STATE  kind · bytes · CBOR text of the chart's state
 *
 * States are a help for readers; a replay derives them from the events and compares.
 */
import { encode } from 'cborg'
import { RECORD_EVENT, RECORD_STATE } from '../core/records.js'
import type { ActorJournal, OpenActorJournal } from '../ports/journal.js'
import { XbbdError, assert } from '../protocol/errors.js'
import { BatchWriter } from './batch-writer.js'
import type { SegmentSource } from './batch-writer.js'
import type { JournalIdentity } from './format.js'

/** An input larger than this is a fault of ours: guests' strings are cut before they become events. */
const EVENT_BYTES_MAX = 32 * 1024

export interface ActorJournalParts {
  /** Enters a writer in the segment table. @returns its number, 0 when the pool is full. */
  readonly register: () => number
  readonly source: (journal: number) => SegmentSource
  readonly origin: Pick<JournalIdentity, 'program' | 'boot' | 'pid' | 'wallMs'>
  readonly nowNs: () => number
  /** Hash of the chart with this id, for the header. */
  readonly chartHash: (chart: string) => string
}

/** @returns what opens an actor's journal; throws XbbdError when the pool cannot keep two segments for it. */
export function actorJournals(parts: ActorJournalParts): OpenActorJournal {
  return (name, chart) => {
    const journal = parts.register()
    if (journal === 0) {
      const sentence = `no journal for ${name}: the pool cannot keep two segments for one more actor; raise journal.size`
      throw new XbbdError('XBBD_JOURNAL_FULL', sentence, { exitCode: 73 })
    }
    const identity: JournalIdentity = {
      ...parts.origin,
      journal: name,
      kind: 'actor',
      charts: { [chart]: parts.chartHash(chart) },
      settings: { chart },
      monotonicNs: parts.nowNs(),
    }
    return new WrittenActorJournal(new BatchWriter(identity, parts.source(journal)), parts.nowNs)
  }
}

class WrittenActorJournal implements ActorJournal {
  private readonly writer: BatchWriter
  private readonly nowNs: () => number

  constructor(writer: BatchWriter, nowNs: () => number) {
    this.writer = writer
    this.nowNs = nowNs
  }

  input(event: object): void {
    this.write(RECORD_EVENT, event)
  }

  state(path: string): void {
    this.write(RECORD_STATE, path)
  }

  private write(kind: number, value: unknown): void {
    const { writer } = this
    const bytes = encode(value, { ignoreUndefinedProperties: true })
    assert(bytes.length <= EVENT_BYTES_MAX, `an event of ${bytes.length} bytes`)
    const room = 2 + ((bytes.length + 7) >>> 3) * 2
    const now = this.nowNs()
    writer.begin(room, now)
    const { words, at } = writer
    words[at] = kind
    words[at + 1] = bytes.length
    words.fill(0, at + 2, at + room)
    new Uint8Array(words.buffer, words.byteOffset + (at + 2) * 4, bytes.length).set(bytes)
    writer.at = at + room
    writer.seal(now, 0)
  }
}
