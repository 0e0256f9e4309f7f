/**
 * @packageDocumentation
 * A device's rate limit: how many requests a second, how many bytes a second, and how much of each at once after a
 * rest (the burst). The toolstack writes it into the back end's directory, one node a figure, and may change it at any
 * time; what it does not write is as the daemon's settings say; `0` lifts a limit that they set.
 *
 *   limit-iops = 1000    limit-iops-burst = 500    limit-bps = 104857600    limit-bps-burst = 52428800
 *
 * Every request is one operation, also a flush or a discard, as Linux and QEMU count; bytes are those of data.
 */
import { BACKEND_KEYS as K } from './keys.js'

/** Absent figures: no limit; for a burst: a tenth of a second's worth. */
export interface RateLimit {
  /** Requests a second. */
  readonly iops?: number
  /** Requests at once. */
  readonly iopsBurst?: number
  /** Bytes a second. */
  readonly bps?: number
  /** Bytes at once. */
  readonly bpsBurst?: number
}

export type RateLimitKey = keyof RateLimit

/** The node of each figure. */
export const RATE_LIMIT_NODES: Readonly<Record<RateLimitKey, string>> = {
  iops: K.limitIops, iopsBurst: K.limitIopsBurst, bps: K.limitBps, bpsBurst: K.limitBpsBurst,
}
export const RATE_LIMIT_KEYS = Object.keys(RATE_LIMIT_NODES) as readonly RateLimitKey[]

export const IOPS_MAX = 1e9
/** 4 TiB. */
export const BPS_MAX = 2 ** 42 - 1024
export const RATE_LIMIT_MAX: Readonly<Record<RateLimitKey, number>> = {
  iops: IOPS_MAX, iopsBurst: IOPS_MAX, bps: BPS_MAX, bpsBurst: BPS_MAX,
}

/** Who sets no burst gets so much of a second. */
export const DEFAULT_BURST_SECONDS = 0.1

export interface JudgedRateLimit {
  readonly limit: RateLimit
  /** Nodes that make no sense, and were taken as absent. */
  readonly problems: readonly string[]
}

/** The limit that a device has by its nodes, and by `defaults` where they say nothing. */
export function judgeRateLimit(nodes: Readonly<Record<string, string>>, defaults: RateLimit = {}): JudgedRateLimit {
  const problems: string[] = []
  const figure = (key: RateLimitKey): number | undefined => {
    const node = RATE_LIMIT_NODES[key]
    const text = nodes[node] ?? ''
    if (text === '') return undefined
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Infinity
    if (value <= RATE_LIMIT_MAX[key]) return value
    const said = JSON.stringify(text.slice(0, 32))
    problems.push(`${node} is ignored: ${said} is no number from 0 to ${RATE_LIMIT_MAX[key]}`)
    return undefined
  }
  const own = RATE_LIMIT_KEYS.map((key) => [key, figure(key)] as const).filter(([, value]) => value !== undefined)
  const set: RateLimit = Object.fromEntries(own)
  // A burst belongs to its rate: whose rate is set here has no burst of elsewhere.
  const { iops, iopsBurst, bps, bpsBurst } = {
    ...(set.iops === undefined ? { iops: defaults.iops, iopsBurst: defaults.iopsBurst } : {}),
    ...(set.bps === undefined ? { bps: defaults.bps, bpsBurst: defaults.bpsBurst } : {}),
    ...set,
  }
  return {
    problems,
    limit: {
      ...(iops ? { iops, ...(iopsBurst ? { iopsBurst } : {}) } : {}),
      ...(bps ? { bps, ...(bpsBurst ? { bpsBurst } : {}) } : {}),
    },
  }
}

/** Whether anything is limited. */
export function isLimited({ iops, bps }: RateLimit): boolean {
  return iops !== undefined || bps !== undefined
}

export function sameRateLimit(one: RateLimit, other: RateLimit): boolean {
  return RATE_LIMIT_KEYS.every((key) => one[key] === other[key])
}
