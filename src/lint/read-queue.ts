/**
 * @packageDocumentation
 * A queue's journal, read once: each batch is folded by the real core (so the verdict on a request is the one it had),
 * then its records are shown to the watchers. One segment is in memory at a time; watchers keep what is outstanding.
 *
 *   batch ─► QueueTrack ─► verdicts, failed copies       records ─► taken · command ─► copyFailed ─► answered
 */
import {
  RECORD_ANSWERED, RECORD_COMMAND, RECORD_COPIED, recordWords,
} from '../core/records.js'
import { walkChain } from '../journal/chain.js'
import type { JournalChain } from '../journal/chain.js'
import { QueueTrack } from '../journal/queue-track.js'
import { readCoreSettings } from '../journal/replay-settings.js'
import type { Batch } from '../journal/segment-reader.js'
import { unknownCharts } from '../journal/upcast.js'
import { requestEventNames } from '../machines/generated/request.js'
import { isTaken, recordSlot } from '../protocol/record.js'
import type { Place, QueueScene, QueueWatch } from './rule.js'

const COPY_FAILED = requestEventNames.indexOf('copyFailed')

export interface QueueReader {
  /** Makes the watchers for one run; `core` may be asked only while a batch is shown. */
  watches(core: QueueScene['core']): readonly QueueWatch[]
  at(place: Place): void
  problem(sentence: string): void
}

/** Reads one run of a queue's journal. @returns how many requests were judged. */
export function readQueue(chain: JournalChain, reader: QueueReader): number {
  const { journal, identity, upcast } = chain
  const settings = readCoreSettings(identity.settings)
  if (upcast === undefined || !settings.ok) {
    const why = settings.ok ? unknownCharts(identity) : settings.sentence
    reader.problem(`${journal} could not be judged: ${why}`)
    return 0
  }
  const failed: number[] = []
  const track = new QueueTrack(settings.settings, upcast, (chart, slot, event) => {
    if (event === COPY_FAILED && chart === 'request') failed.push(slot)
  })
  const walk = new BatchWalk(chain, track, reader, failed)
  for (const step of walkChain(chain)) {
    if (step.kind === 'damage' || step.kind === 'gap') {
      reader.problem(`${journal}: ${step.sentence}`)
      track.forget()
    } else if (step.kind === 'batch') walk.batch(step.batch, step.segment.header.sequence)
  }
  walk.end()
  return track.requests
}

class BatchWalk {
  private readonly chain: JournalChain
  private readonly track: QueueTrack
  private readonly reader: QueueReader
  private readonly failed: number[]
  private readonly watches: readonly QueueWatch[]
  private trouble: string | undefined
  private segment = 0

  constructor(chain: JournalChain, track: QueueTrack, reader: QueueReader, failed: number[]) {
    this.chain = chain
    this.track = track
    this.reader = reader
    this.failed = failed
    this.watches = reader.watches(() => this.track.core!)
  }

  batch(batch: Batch, segment: number): void {
    const { track, failed } = this
    this.segment = segment
    failed.length = 0
    track.apply(batch)
    if (track.core === undefined) {
      if (track.trouble !== this.trouble && track.trouble !== undefined) this.reader.problem(track.trouble)
      this.trouble = track.trouble
      return
    }
    const { words, from, to } = batch
    let record = 0
    for (let at = from; at < to; record++) {
      const size = recordWords(words, at, to - at)
      if (size === 0) return
      this.show(batch, at, record)
      at += size
    }
    if (failed.length > 0) this.tellFailed(batch, record)
  }

  end(): void {
    for (const watch of this.watches) watch.end?.()
  }

  private show(batch: Batch, at: number, record: number): void {
    const { words } = batch
    const kind = words[at] & 0xff
    if (isTaken(words, at)) {
      this.place(batch, record)
      const slot = recordSlot(words, at)
      const verdict = this.track.core!.verdict[slot]
      for (const watch of this.watches) watch.taken?.(words, at, slot, verdict)
    } else if (kind === RECORD_COMMAND) {
      this.place(batch, record)
      for (const watch of this.watches) watch.command?.((words[at] >>> 8) & 0xff, words[at + 1])
    } else if (kind === RECORD_COPIED) {
      this.tellFailed(batch, record)
      if (words[at] >>> 16 === 0) for (const watch of this.watches) watch.copied?.()
    } else if (kind === RECORD_ANSWERED)
      for (let index = 0; index < words[at] >>> 16; index++)
        for (const watch of this.watches) watch.answered?.(words[at + 2 + index] & 0xffff)
  }

  private tellFailed(batch: Batch, record: number): void {
    this.place(batch, record)
    for (const slot of this.failed) for (const watch of this.watches) watch.copyFailed?.(slot)
    this.failed.length = 0
  }

  private place({ number, timeNs }: Batch, record: number): void {
    const { journal, run } = this.chain
    this.reader.at({ journal, run, segment: this.segment, batch: number, record, timeNs })
  }
}
