/**
 * @packageDocumentation
 * What keeps a device's queues from taking more, as its chart hears it: one want at a time, the one that lasts longest
 * first. A medium that is full goes before a rate limit, and that before slots and buffers.
 */
import { LEVEL_MEDIUM_FULL, LEVEL_SHORTAGE, LEVEL_THROTTLED } from '../ports/queues.js'

/** Levels that are such wants. */
export const WANTS = LEVEL_MEDIUM_FULL | LEVEL_SHORTAGE | LEVEL_THROTTLED

/** What a queue is in want of, as its device hears it. At its limit it may be short of slots now and then as well. */
export function wantOf(levels: number): 'queue.ranFull' | 'queue.ranShort' | 'queue.wasThrottled' | 'queue.recovered' {
  if (levels & LEVEL_MEDIUM_FULL) return 'queue.ranFull'
  if (levels & LEVEL_THROTTLED) return 'queue.wasThrottled'
  return levels & LEVEL_SHORTAGE ? 'queue.ranShort' : 'queue.recovered'
}
