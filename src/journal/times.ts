/**
 * @packageDocumentation
 * Times of recordings: what a person writes for a moment, and the recording's own monotonic nanoseconds.
 *
 *   812                        the batch with this number (one journal)
 *   +1.5s  -2s                 after the recording's first batch, before its last one
 *   2026-11-26T10:00:00.5Z     a date (ISO 8601); without a zone it is UTC
 *   10:00:00.5                 a time of the day on which the recording began, UTC
 */
import type { JournalIdentity } from './format.js'

export const NS_PER_MS = 1e6

const UNITS_NS: { readonly [unit: string]: number } = {
  ns: 1, us: 1e3, µs: 1e3, ms: NS_PER_MS, s: 1e9, m: 60e9, h: 3600e9,
}

/** Nanoseconds of `10ms`, `1.5s`, `250us`; undefined when it is none. */
export function parseNanoseconds(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h)$/.exec(text)
  return match === null ? undefined : Number(match[1]) * UNITS_NS[match[2]]
}

/** A moment as it was asked for. */
export type MomentWish =
  | { readonly kind: 'batch'; readonly batch: number }
  | { readonly kind: 'afterStart'; readonly ns: number }
  | { readonly kind: 'beforeEnd'; readonly ns: number }
  | { readonly kind: 'date'; readonly epochMs: number; readonly ns: number }
  | { readonly kind: 'timeOfDay'; readonly ns: number }

/** Reads a moment; undefined when it is none. */
export function parseMoment(text: string): MomentWish | undefined {
  if (/^\d{1,10}$/.test(text)) return { kind: 'batch', batch: Number(text) }
  const relative = /^([+-])(.+)$/.exec(text)
  if (relative) {
    const ns = relative[2] === '0' ? 0 : parseNanoseconds(relative[2])
    return ns === undefined ? undefined : { kind: relative[1] === '+' ? 'afterStart' : 'beforeEnd', ns }
  }
  const clock = /^(?:(\d{4}-\d\d-\d\d)T)?(\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$/.exec(text)
  if (clock === null) return undefined
  const [, date, hours, minutes, seconds = '00', fraction = '', zone = 'Z'] = clock
  const ns = fraction === '' ? 0 : Math.round(Number(`0${fraction}`) * 1e9)
  if (date === undefined) {
    const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)
    return { kind: 'timeOfDay', ns: whole * 1e9 + ns }
  }
  const epochMs = Date.parse(`${date}T${hours}:${minutes}:${seconds}${zone}`)
  return Number.isNaN(epochMs) ? undefined : { kind: 'date', epochMs, ns }
}

const DAY_MS = 86_400_000

/** A wish as time of the clock of `reference`, whose recording lasts from `fromNs` to `toNs`. */
export function resolveMoment(
  wish: Exclude<MomentWish, { kind: 'batch' }>, reference: JournalIdentity, fromNs: number, toNs: number,
): number {
  const { wallMs, monotonicNs } = reference
  const atEpochMs = (epochMs: number, ns: number) => monotonicNs + (epochMs - wallMs) * NS_PER_MS + ns
  switch (wish.kind) {
    case 'afterStart':
      return fromNs + wish.ns
    case 'beforeEnd':
      return toNs - wish.ns
    case 'date':
      return atEpochMs(wish.epochMs, wish.ns)
    case 'timeOfDay': {
      const beganMs = wallMs + (fromNs - monotonicNs) / NS_PER_MS
      return atEpochMs(Math.floor(beganMs / DAY_MS) * DAY_MS, wish.ns)
    }
  }
}
