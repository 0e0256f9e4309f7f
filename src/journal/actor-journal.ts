/**
 * @packageDocumentation
 * The journals of the control plane's actors: rare events, each one batch of its own, sealed before the chart sees it.
 *
 *   EVENT  kind · bytes · CBOR { actor, chart, event }, padded to 8   STATE  kind · bytes · CBOR { actor, state }
 *
 * The actors of one device (supervisor, device, medium, connections) share one journal, in the order in which things
 * happened. States are a help for readers; a replay derives them from the events and compares.
 */
import { encode } from 'cborg'
import { RECORD_EVENT, RECORD_STATE } from '../core/records.js'
import type { ActorJournal, OpenActorJournal } from '../ports/journal.js'
import { XbbdError, assert } from '../protocol/errors.js'
import { BatchWriter } from './batch-writer.js'
import type { SegmentSource } from './batch-writer.js'
import { originAt } from './format.js'
import type { JournalIdentity, JournalOrigin } from './format.js'

/** An input larger than this is a fault of ours: guests' strings are cut before they become events. */
const EVENT_BYTES_MAX = 32 * 1024

export interface ActorJournalParts {
  /** Enters a writer in the segment table. @returns its number, 0 when the pool is full. */
  readonly register: () => number
  readonly release: (journal: number) => void
  readonly source: (journal: number) => SegmentSource
  readonly origin: JournalOrigin
  readonly nowNs: () => number
  /** Name and hash of every chart that actors obey, for the headers. */
  readonly charts: JournalIdentity['charts']
}

/** The journals of all devices' actors; one writer per device, shared by its supervisor, its device and its medium. */
export class ActorJournals {
  private readonly parts: ActorJournalParts
  private readonly writers = new Map<string, { readonly number: number; readonly writer: BatchWriter }>()

  constructor(parts: ActorJournalParts) {
    this.parts = parts
  }

  /** Throws XbbdError when the pool cannot keep two segments for one more device. */
  readonly open: OpenActorJournal = (actor, chart) =>
    new WrittenActorJournal(actor, chart, this.writerOf(deviceOf(actor)), this.parts.nowNs)

  /** The device is gone: its journal stays for readers until the segments are needed. */
  readonly close = (device: string): void => {
    const opened = this.writers.get(device)
    this.writers.delete(device)
    if (opened) this.parts.release(opened.number)
  }

  private writerOf(device: string): BatchWriter {
    const known = this.writers.get(device)
    if (known) return known.writer
    const { parts } = this
    const number = parts.register()
    if (number === 0) {
      const sentence = `no journal for ${device}: the pool cannot keep two segments for one more; raise journal.size`
      throw new XbbdError('XBBD_JOURNAL_FULL', sentence, { exitCode: 73 })
    }
    const { origin, charts } = parts
    const kind = 'actor' as const
    const identity = { ...originAt(origin, parts.nowNs()), journal: device, kind, charts, settings: {} }
    const writer = new BatchWriter(identity, parts.source(number))
    this.writers.set(device, { number, writer })
    return writer
  }
}

/**
 * `supervisor/vbd/5/51712`, `vbd/5/51712`, `vbd/5/51712/medium` and `vbd/5/51712/connection-q0` are actors of the
 * device `vbd/5/51712`.
 */
function deviceOf(actor: string): string {
  return actor.replace(/^supervisor\//, '').replace(/\/(medium|connection-q\d+)$/, '')
}

class WrittenActorJournal implements ActorJournal {
  private readonly actor: string
  private readonly chart: string
  private readonly writer: BatchWriter
  private readonly nowNs: () => number

  constructor(actor: string, chart: string, writer: BatchWriter, nowNs: () => number) {
    this.actor = actor
    this.chart = chart
    this.writer = writer
    this.nowNs = nowNs
  }

  input(event: object): void {
    this.write(RECORD_EVENT, { actor: this.actor, chart: this.chart, event })
  }

  state(path: string): void {
    this.write(RECORD_STATE, { actor: this.actor, state: path })
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
