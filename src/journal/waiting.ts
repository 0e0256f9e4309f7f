/**
 * @packageDocumentation
 * What a request waits for, in one clause that a person can act on. The chart says which events would take it on; each
 * event has one source, and of the sources that are ours the core can say more: who stands before it, what is lacking.
 *
 *   state ─ chart ─► its events ─► medium · grant copy · journal · ring · admission
 *                                                                       └─► place in line, barrier, rate limit, buffers
 */
import { PAGES_PER_CHUNK } from '../core/extent-pool.js'
import type { QueueCore } from '../core/queue-core.js'
import { KIND } from '../core/request-columns.js'
import { requestStateNames } from '../machines/generated/request.js'
import { notesOf } from '../machines/notes.js'
import { PAGE_BYTES } from '../protocol/blkif.js'

/** Who tells a request of each event; an event that is not here is shown by its own description. */
const SOURCES: { readonly [event: string]: (core: QueueCore, slot: number) => string } = {
  completed: (core, slot) => `the medium (${ios(core.outstanding[slot])})`,
  admitted: admission,
  copied: () => 'the grant copy of its batch',
  answered: () => 'the seal of its batch',
  freed: () => 'the publication of its answer',
}

/** `the medium (1 I/O)`, `buffers: 11 pages, 3 are free`, … */
export function waitOf(core: QueueCore, slot: number): string {
  const ways = notesOf('request').get(requestStateNames[core.state[slot]])?.ways ?? []
  for (const { event } of ways) if (event in SOURCES) return SOURCES[event](core, slot)
  return ways.map(({ event, description }) => description || event).join(', or ') || 'nothing'
}

/** Before admission: the head of the line is there for order, rate limit or buffers, everybody else for the head. */
function admission(core: QueueCore, slot: number): string {
  const line = core.gate.slotsInLine()
  const place = line.indexOf(slot)
  if (place < 0) return 'its admission'
  const stand = place === 1 ? 'stands' : 'stand'
  if (place > 0) return `its turn: ${place} ${stand} before it in the line, slot ${line[0]} first`
  const barrier = barrierAtWork(core)
  if (barrier >= 0) return `the barrier in slot ${barrier} to end`
  if (isBarrier(core, slot) && core.gate.active > 0)
    return `everything taken before it to end: ${core.gate.active} at work (it is a barrier)`
  if (core.gate.throttled) return 'the rate limit of its device: others went before it, and used it up'
  const pages = Math.ceil(core.bytes[slot] / PAGE_BYTES)
  const free = core.extents.count * PAGES_PER_CHUNK - core.extents.used
  return `buffers: ${pages} pages in a row; ${free} of its ${core.extents.count} chunks' pages are free`
}

function barrierAtWork(core: QueueCore): number {
  for (let slot = 0; slot < core.slots; slot++) if (core.active[slot] !== 0 && isBarrier(core, slot)) return slot
  return -1
}

function isBarrier(core: QueueCore, slot: number): boolean {
  return core.kind[slot] === KIND.barrier || core.kind[slot] === KIND.barrierWrite
}

const ios = (count: number) => (count === 1 ? '1 I/O' : `${count} I/Os`)
