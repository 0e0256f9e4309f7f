/**
 * @packageDocumentation
 * Which journals of other versions this version may go on from. A replay of a journal that obeyed other charts is a
 * comparison, and differences are information; a recovery from one would be a guess. So a successor folds a journal
 * when it has the very charts that wrote it, or when its author has looked at the difference and entered the pair here,
 * with what must be done to a batch so that today's core understands it. Nothing on disk is ever rewritten.
 *
 *   header ─► format version known? ─► charts the same? ─► as they are
 *                                    └ entered below?   ─► lifted batch by batch, else refused in a sentence
 */
import { queueChartHash } from '../machines/generated/queue.js'
import { requestChartHash } from '../machines/generated/request.js'
import type { JournalIdentity } from './format.js'
import type { Batch } from './segment-reader.js'

/** One pair of charts that is understood although it is not today's. */
export interface Upcast {
  readonly request: string
  readonly queue: string
  /** The batch in today's words; the same object when nothing is to be done. */
  lift(batch: Batch): Batch
}

/** Every pair that a released version wrote and this one understands; none was released before these. */
const UPCASTS: readonly Upcast[] = []

const asItIs: Upcast = { request: requestChartHash, queue: queueChartHash, lift: (batch) => batch }

/** How to read the journal with these charts in its header, or undefined when this version cannot go on from it. */
export function upcastFor(charts: JournalIdentity['charts'], known: readonly Upcast[] = UPCASTS): Upcast | undefined {
  return [asItIs, ...known].find(({ request, queue }) => request === charts.request && queue === charts.queue)
}
