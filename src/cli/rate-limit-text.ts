/**
 * @packageDocumentation
 * A rate limit in words, as `xbbd limit` and `xbbd list` show it, with the burst also where nobody set one:
 *
 *   1000 requests/s (100 at once), 10 MiB/s (1 MiB at once)
 */
import { DEFAULT_BURST_SECONDS, type RateLimit } from '../protocol/rate-limit.js'
import { formatBytes } from './units.js'

/** Of both kinds what is set; `no limit` when neither is. */
export function rateLimitText({ iops, iopsBurst, bps, bpsBurst }: RateLimit): string {
  const parts = [
    ...(iops === undefined ? [] : [`${iops} requests/s (${iopsBurst ?? usual(iops)} at once)`]),
    ...(bps === undefined ? [] : [`${formatBytes(bps)}/s (${formatBytes(bpsBurst ?? usual(bps))} at once)`]),
  ]
  return parts.join(', ') || 'no limit'
}

const usual = (rate: number) => Math.max(1, Math.round(rate * DEFAULT_BURST_SECONDS))
