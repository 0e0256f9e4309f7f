/**
 * @packageDocumentation
 * Paths of XenStore (docs/misc/xenstore.txt, "permitted characters"): ASCII letters, digits and `-/_@`.
 *
 *   /local/domain/3/device/vbd/51712   absolute: at most 3072 bytes, and 2048 after /local/domain/N/
 *   device/vbd/51712                   relative to the connection's own /local/domain/N: at most 2048 bytes
 *   @introduceDomain @releaseDomain    not nodes: events that can be watched
 *
 * No path ends in a slash but `/` itself, and none has two in a row: a server refuses such, a client normalises them.
 * A NUL or a blank in a path must never reach the wire: it would change what the following string means.
 */
import { XENSTORE_ABS_PATH_MAX, XENSTORE_REL_PATH_MAX } from './wire.js'

const permitted = /^[A-Za-z0-9\-/_@]+$/
const ofDomain = /^\/local\/domain\/[0-9]+\//

/** The events that exist beside nodes. */
export const specialPaths: readonly string[] = ['@introduceDomain', '@releaseDomain']

/** Whether a server accepts `path`, absolute, as the name of a node. */
export function isNodePath(path: string): boolean {
  if (!path.startsWith('/') || !permitted.test(path) || path.includes('//')) return false
  if (path.length > 1 && path.endsWith('/')) return false
  const relative = path.replace(ofDomain, '')
  return relative === path ? path.length <= XENSTORE_ABS_PATH_MAX : relative.length <= XENSTORE_REL_PATH_MAX
}

/** Without doubled and trailing slashes; undefined when no such path can exist. */
export function normalisePath(path: string): string | undefined {
  const cleaned = path.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1')
  if (specialPaths.includes(cleaned)) return cleaned
  if (cleaned.startsWith('/')) return isNodePath(cleaned) ? cleaned : undefined
  const valid = permitted.test(cleaned) && !cleaned.startsWith('@') && cleaned.length <= XENSTORE_REL_PATH_MAX
  return valid ? cleaned : undefined
}

/** The node above, or undefined for `/`. */
export function parentOf(path: string): string | undefined {
  if (path === '/') return undefined
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

/** Where a domain's relative paths begin. */
export function homeOf(domid: number): string {
  return `/local/domain/${domid}`
}
