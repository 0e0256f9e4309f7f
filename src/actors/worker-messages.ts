/**
 * @packageDocumentation
 * What main thread and Worker say to each other: plain objects, posted. Everything else they share is memory: counters,
 * the segment table, mappings by handle.
 */
import type { ConnectionOrder } from '../ports/data-path.js'
import type { MediumPlan } from '../ports/medium.js'
import type { OnEnospc, QueueAttachment, QueueEvent, QueueName, SharedRateLimit } from '../ports/queues.js'

export interface AttachMessage {
  readonly kind: 'attach'
  readonly attachment: QueueAttachment
  /** Counters, readable by everyone (core/statistics.ts). */
  readonly statistics: SharedArrayBuffer
  /** The queue's number in the segment table; 0 = not even a word that there is no journal (measurements). */
  readonly journal: number
  /** The newest segment of the journal to go on from, with `takeover: 'journal'`. */
  readonly legacy?: Int32Array
}

export type DownMessage =
  | AttachMessage
  | { readonly kind: 'drain'; readonly name: QueueName; readonly onEnospc: OnEnospc }
  | { readonly kind: 'abandon' | 'detach' | 'retry' | 'serve' | 'yield'; readonly name: QueueName }
  | { readonly kind: 'limit'; readonly name: QueueName; readonly limit: SharedRateLimit | undefined }
  | { readonly kind: 'mediumOpened'; readonly name: QueueName; readonly plan: MediumPlan; readonly renewal: number }
  | { readonly kind: 'connection'; readonly name: QueueName; readonly order: ConnectionOrder }
  | { readonly kind: 'ping' }

/** `pong` answers the oldest `ping`: whoever answers does not hang. `warm` comes once: it is as fast as it gets. */
export type UpMessage = QueueEvent | { readonly kind: 'pong' } | { readonly kind: 'warm' }
