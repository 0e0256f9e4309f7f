/**
 * @packageDocumentation
 * Numbers and times as people read them, in the words of the command line: `850 ns`, `1.46 GiB`, `12.3k`. Dates are
 * UTC, as everywhere in xbbd.
 */
import { formatBytes, formatCount, formatNanoseconds } from '../../src/cli/units.js'

export const bytes = formatBytes
/** To a tenth. */
export const count = (value: number) => formatCount(Math.round(value * 10) / 10)

/** `850 ns`, `12.3 µs`, `78.9 s`, `12 min`. */
export function duration(ns: number): string {
  if (ns >= 600e9) return ns >= 7200e9 ? `${Math.round(ns / 3600e9)} h` : `${Math.round(ns / 60e9)} min`
  return formatNanoseconds(ns)
}

/** `15:04:05.123456` of a time in milliseconds since 1970, with as many digits as `digits`. */
export function clock(epochMs: number, digits = 3): string {
  const whole = Math.floor(epochMs)
  const date = new Date(whole)
  if (Number.isNaN(date.getTime())) return '–'
  const micros = Math.floor((epochMs - whole) * 1000)
  const fraction = `${String(date.getUTCMilliseconds()).padStart(3, '0')}${String(micros).padStart(3, '0')}`
  return `${date.toISOString().slice(11, 19)}${digits === 0 ? '' : `.${fraction.slice(0, digits)}`}`
}

export function day(epochMs: number): string {
  const date = new Date(epochMs)
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 10)
}

/** `1 request`, `3 requests`. */
export const many = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`
