/**
 * @packageDocumentation
 * What a queue's journal says of itself: the charts it obeyed and the settings that its core was made with, which is
 * all that a replay needs besides the records.
 */
import type { CoreSettings } from '../core/queue-core.js'
import { queueChartHash } from '../machines/generated/queue.js'
import { requestChartHash } from '../machines/generated/request.js'
import type { JournalIdentity } from './format.js'

export type QueueIdentityInput = Omit<JournalIdentity, 'kind' | 'charts'> & { readonly settings: CoreSettings }

export function queueIdentity(input: QueueIdentityInput): JournalIdentity {
  return { ...input, kind: 'queue', charts: { request: requestChartHash, queue: queueChartHash } }
}
