/**
 * @packageDocumentation
 * Small values of XenStore nodes, read strictly: what is not exactly a number, a mode, a domain id is a sentence, so
 * that nothing is half understood ("12abc" is not 12). The result is a value; nothing here throws.
 */

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly sentence: string }

export const U32_MAX = 0xffffffff
/** Domain ids from here on are reserved (DOMID_FIRST_RESERVED, xen/include/public/xen.h). */
export const DOMID_FIRST_RESERVED = 0x7ff0

const good = <T>(value: T): Parsed<T> => ({ ok: true, value })
const bad = (sentence: string): { ok: false; sentence: string } => ({ ok: false, sentence })

/** A value as it may be shown in a sentence: quoted, escaped, and no longer than a line bears. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
}

/** Undefined, the empty string and white space are all "absent": front ends clear keys by emptying them. */
export function present(value: string | undefined): string | undefined {
  const text = value?.trim()
  return text === '' ? undefined : text
}

/** A whole number of decimal digits from `min` to `max`; the sentence names key, value and limit. */
export function parseNumber(key: string, value: string, max: number = U32_MAX, min = 0): Parsed<number> {
  if (!/^\d+$/.test(value)) return bad(`${key} is ${shown(value)}, which is no decimal number`)
  const number = Number(value)
  if (number > max) return bad(`${key} is ${shown(value)}, but the limit is ${max}`)
  if (number < min) return bad(`${key} is ${shown(value)}, but the least is ${min}`)
  return good(number)
}

/** A domain that can own grants. */
export function parseDomid(value: string | undefined, key = 'frontend-id'): Parsed<number> {
  const text = present(value)
  return text === undefined ? bad(`${key} is missing`) : parseNumber(key, text, DOMID_FIRST_RESERVED - 1)
}

/** `online` and other switches: absent takes `otherwise`. */
export function parseSwitch(key: string, value: string | undefined, otherwise: boolean): Parsed<boolean> {
  const text = present(value)
  if (text === undefined) return good(otherwise)
  if (text === '0' || text === '1') return good(text === '1')
  return bad(`${key} is ${shown(value ?? '')}, but it may be 0 or 1`)
}

/**
 * The node `mode` (S3). Read-only unless it says otherwise, and nothing is guessed: a mode that is not known could
 * mean either.
 */
export function parseMode(value: string | undefined): Parsed<{ readonly readOnly: boolean }> {
  const text = present(value)
  if (text === undefined || text === 'r' || text === 'ro') return good({ readOnly: true })
  if (text === 'w' || text === 'rw' || text === 'w!') return good({ readOnly: false })
  return bad(`mode is ${shown(text)}, but it may be r (read-only) or w (writable)`)
}
