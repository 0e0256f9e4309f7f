/**
 * @packageDocumentation
 * One phrase for what a stop still waits for, the same in the log, in progress and in the outcome of `stop`.
 */
import type { PendingDevice } from '../ports/daemon-api.js'

const SHOWN_MAX = 4

/** `vbd/5/51712 (Parking, 3 requests in flight)`, at most four of them and how many more. */
export function pendingText(pending: readonly PendingDevice[]): string {
  if (pending.length === 0) return 'nothing'
  const shown = pending.slice(0, SHOWN_MAX).map(({ name, state, inFlight, sentence }) => {
    const requests = inFlight === 1 ? '1 request' : `${inFlight} requests`
    const waits = sentence ?? (inFlight === 0 ? 'its front end is slow' : `${requests} in flight`)
    return `${name} (${state}, ${waits})`
  })
  const more = pending.length - shown.length
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '')
}
