/**
 * @packageDocumentation
 * The kinds of value a setting can have, and the one way to read and to print each. An operator writes text, in a
 * file or behind a flag; both go through `parseValue`, so that `64M` means the same everywhere and every refusal is
 * worded once.
 *
 *   integer    512                         size       64M, 16K, 4096 (powers of 1024; B, K, M, G, T)
 *   boolean    yes/no, on/off, true/false  duration   10s, 250ms, 5m, 1h (a bare number is refused: of what?)
 *   choice     one of a list               path       absolute, or empty where the setting says so
 *                                          word       text that matches a pattern
 *
 * Sizes are bytes, durations milliseconds, once parsed. Never does a value outside its limits leave this file.
 */
import { formatDuration, formatSize, parseDuration, parseSize } from '../units.js'
import { nearest } from '../../protocol/nearest.js'

/** What values a setting takes. */
export type Kind =
  | { readonly type: 'integer'; readonly min: number; readonly max: number }
  /** Bytes; `multipleOf` where the memory behind it has a grain. */
  | { readonly type: 'size'; readonly min: number; readonly max: number; readonly multipleOf?: number }
  /** Milliseconds. */
  | { readonly type: 'duration'; readonly min: number; readonly max: number }
  | { readonly type: 'boolean' }
  | { readonly type: 'choice'; readonly values: readonly string[] }
  /** `optional`: empty is allowed and means what the setting's sentence says. */
  | { readonly type: 'path'; readonly optional?: boolean }
  | { readonly type: 'word'; readonly pattern: RegExp; readonly says: string }

/** The TypeScript type of a setting's value. */
export type ValueOf<K extends Kind> = K extends { type: 'integer' | 'size' | 'duration' }
  ? number
  : K extends { type: 'boolean' }
    ? boolean
    : K extends { type: 'choice'; values: readonly (infer V)[] }
      ? V
      : string

export type Value = number | boolean | string

/** A value, or the end of the sentence that begins with the setting's name: «must be …». */
export type Parsed = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly why: string }

const TRUE = ['yes', 'on', 'true', '1']
const FALSE = ['no', 'off', 'false', '0']

/** Reads what an operator wrote. */
export function parseValue(kind: Kind, text: string): Parsed {
  switch (kind.type) {
    case 'integer':
      return /^-?\d{1,15}$/.test(text)
        ? within(kind, Number(text), String)
        : refuse(`must be a whole number ${range(kind, String)}`)
    case 'size':
      return parseSizeWithin(kind, text)
    case 'duration': {
      const milliseconds = parseDuration(text)
      if (milliseconds === undefined) return refuse('must be a duration with its unit, such as 250ms, 10s, 5m')
      return within(kind, milliseconds, formatDuration)
    }
    case 'boolean':
      if (TRUE.includes(text.toLowerCase())) return { ok: true, value: true }
      if (FALSE.includes(text.toLowerCase())) return { ok: true, value: false }
      return refuse('must be yes or no')
    case 'choice':
      return parseChoice(kind.values, text)
    case 'path':
      if (text === '' && kind.optional) return { ok: true, value: '' }
      return text.startsWith('/') && !text.includes('\0')
        ? { ok: true, value: text }
        : refuse('must be an absolute path (it begins with /)')
    case 'word':
      return kind.pattern.test(text) ? { ok: true, value: text } : refuse(`must be ${kind.says}`)
  }
}

/** The text that `parseValue` reads back as `value`; what examples and listings show. */
export function printValue(kind: Kind, value: Value): string {
  if (kind.type === 'boolean') return value === true ? 'yes' : 'no'
  if (kind.type === 'size') return formatSize(Number(value))
  if (kind.type === 'duration') return formatDuration(Number(value))
  return String(value)
}

/** What may stand there, for help and example: `1..512`, `yes|no`, `auto|io_uring|threads`. */
export function describeKind(kind: Kind): string {
  switch (kind.type) {
    case 'integer':
      return `${kind.min}..${kind.max}`
    case 'size':
      return `${formatSize(kind.min)}..${formatSize(kind.max)}`
    case 'duration':
      return `${formatDuration(kind.min)}..${formatDuration(kind.max)}`
    case 'boolean':
      return 'yes|no'
    case 'choice':
      return kind.values.join('|')
    case 'path':
      return kind.optional ? 'absolute path or empty' : 'absolute path'
    case 'word':
      return kind.says
  }
}

function parseSizeWithin(kind: Kind & { type: 'size' }, text: string): Parsed {
  const bytes = parseSize(text)
  if (bytes === undefined) return refuse('must be a size, such as 4096, 512K, 64M, 1G')
  const grain = kind.multipleOf ?? 1
  if (bytes % grain !== 0) return refuse(`must be a multiple of ${formatSize(grain)}`)
  return within(kind, bytes, formatSize)
}

function parseChoice(values: readonly string[], text: string): Parsed {
  if (values.includes(text)) return { ok: true, value: text }
  const guess = nearest(text, values)
  const hint = guess === undefined ? '' : ` (did you mean ${guess}?)`
  return refuse(values.length === 1 ? `must be ${values[0]}${hint}` : `must be one of ${values.join(', ')}${hint}`)
}

function within(limits: { min: number; max: number }, value: number, print: (value: number) => string): Parsed {
  return value >= limits.min && value <= limits.max ? { ok: true, value } : refuse(`must lie ${range(limits, print)}`)
}

function range(limits: { min: number; max: number }, print: (value: number) => string): string {
  return `between ${print(limits.min)} and ${print(limits.max)}`
}

function refuse(why: string): Parsed {
  return { ok: false, why }
}
