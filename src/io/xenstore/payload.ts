/**
 * @packageDocumentation
 * What stands inside payloads: NUL-terminated strings, permissions such as `b3`, decimal numbers.
 *
 *   WRITE      path NUL value            (the value has no end mark and may hold any byte)
 *   SET_PERMS  path NUL (perm NUL)+
 *   DIRECTORY  → (name NUL)*
 *   others     (string NUL)*
 *
 * Text is UTF-8 throughout. A guest may store bytes that are none: reading them gives U+FFFD in their place and never
 * throws, and such a value equals no valid key, number or path. Paths and node names are ASCII by XenStore's own rule.
 * Parsers here give undefined for nonsense; nothing throws.
 */
import type { XenStorePermission } from '../../ports/xenstore.js'

/** Each string followed by a NUL. The caller has made sure that none contains one. */
export function nulTerminated(strings: readonly string[]): Buffer {
  return Buffer.from(strings.map((text) => `${text}\0`).join(''), 'utf8')
}

/** The NUL-terminated strings of a payload; undefined when the last is not terminated. */
export function splitStrings(payload: Buffer): string[] | undefined {
  if (payload.length === 0) return []
  if (payload[payload.length - 1] !== 0) return undefined
  const strings = payload.toString('utf8').split('\0')
  strings.pop()
  return strings
}

/** Cuts `path NUL rest` at its first NUL; undefined when there is none. */
export function splitFirst(payload: Buffer): { first: string; rest: Buffer } | undefined {
  const end = payload.indexOf(0)
  if (end < 0) return undefined
  return { first: payload.toString('utf8', 0, end), rest: payload.subarray(end + 1) }
}

/** A decimal u32 without sign, blanks or superfluous zeros; undefined for anything else. */
export function parseU32(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) return undefined
  const value = Number(text)
  return value <= 0xffffffff ? value : undefined
}

/** A domain's number: decimal, 16 bits. */
export function parseDomid(text: string): number | undefined {
  const value = parseU32(text)
  return value !== undefined && value <= 0xffff ? value : undefined
}

/** `b3` and the like. */
export function parsePermission(text: string): XenStorePermission | undefined {
  const access = text.slice(0, 1)
  const domid = parseDomid(text.slice(1))
  if (domid === undefined) return undefined
  if (access !== 'n' && access !== 'r' && access !== 'w' && access !== 'b') return undefined
  return { access, domid }
}

/** The inverse of {@link parsePermission}. */
export function formatPermission(permission: XenStorePermission): string {
  return `${permission.access}${permission.domid}`
}

/** All of them, or undefined when one is nonsense or there is none. */
export function parsePermissions(texts: readonly string[]): XenStorePermission[] | undefined {
  const permissions = texts.flatMap((text) => parsePermission(text) ?? [])
  return permissions.length === texts.length && texts.length > 0 ? permissions : undefined
}
