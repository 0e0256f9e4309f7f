/**
 * @packageDocumentation
 * Journals of earlier versions, read in today's words. A batch is lifted when it is read, wherever that is: replay,
 * cat, check, export, explain, redrive and recovery see today's records and numbers. Nothing on disk is ever rewritten.
 *
 *   header ─► format version known? ─► charts today's?      ─► as they are
 *              │                     └ entered below?       ─► lifted, batch by batch, and judged as strictly
 *              └ else refused        └ else nobody's guess  ─► a replay compares; all that would tell of states refuses
 *
 * An entry is a promise of its author: every journal of those charts, folded by today's, comes to the same effects and
 * digests. Whoever changes a compiled chart adds what it was to older-charts.ts; whoever changes the layout of a record
 * or of a checkpoint raises FORMAT_VERSION, lets `readHeader` accept both, and adds an entry here whose `lift` rebuilds
 * the old record in a copy. Journals of actors name states and events by text; an entry for them would lift those.
 */
import type { Steppers } from '../core/steppers.js'
import { queueChartHash } from '../machines/generated/queue.js'
import { requestChartHash } from '../machines/generated/request.js'
import type { JournalIdentity } from './format.js'
import { OLDER_CHARTS } from './older-charts.js'
import { renumbering } from './renumbering.js'
import type { Batch, SegmentHeader } from './segment-reader.js'

/** How journals of one earlier version are read. */
export interface Upcast {
  /** The batch in today's words; the same object when nothing is to be done. Never throws, never changes its words. */
  lift(batch: Batch): Batch
  /** Of a queue: the same steps, with the digests that the charts of then would have made. */
  digesting(steppers: Steppers): Steppers
}

/** What an upcast is chosen by. */
export type Written = Pick<SegmentHeader, 'version' | 'identity'>

/** One earlier version that is known. */
export interface UpcastEntry {
  reads(written: Written): boolean
  readonly upcast: Upcast
}

/** Reads what today's charts wrote. */
export const asItIs: Upcast = { lift: (batch) => batch, digesting: (steppers) => steppers }

const UPCASTS: readonly UpcastEntry[] = OLDER_CHARTS.map((older) => ({
  reads: ({ version, identity: { kind, charts } }) =>
    version === 1 && kind === 'queue' && charts.request === older.request.hash && charts.queue === older.queue.hash,
  upcast: renumbering(older),
}))

/** How to read a journal, or undefined when this version does not know the charts of the queue that wrote it. */
export function upcastFor(written: Written, known: readonly UpcastEntry[] = UPCASTS): Upcast | undefined {
  const entry = known.find(({ reads }) => reads(written))
  if (entry !== undefined) return entry.upcast
  const { kind, charts } = written.identity
  const todays = charts.request === requestChartHash && charts.queue === queueChartHash
  return kind === 'actor' || todays ? asItIs : undefined
}

/** Why a queue's journal cannot be folded, as a clause: `xbbd 0.1.0 obeyed charts that this version does not know …` */
export function unknownCharts({ program, charts }: JournalIdentity): string {
  const hashes = `request ${charts.request ?? '-'}, queue ${charts.queue ?? '-'}`
  return `${program} obeyed charts that this version does not know (${hashes})`
}
