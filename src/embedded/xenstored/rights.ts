/**
 * @packageDocumentation
 * Who may do what (docs/misc/xenstore.txt, "permissions"). The first entry of a node's permissions names its owner and
 * what everyone without an entry of his own may do:
 *
 *   b3 r5   owner 3 may do everything, 5 may read, all others may read and write
 *
 * Domain 0 may do everything everywhere. For a node that does not exist the nearest ancestor that does decides whether
 * the caller learns that: ENOENT for who could have read (or created) it, EACCES for others.
 *
 * Quotas bind guests only; the figures are those of the C xenstored's defaults.
 */
import type { XenStorePermission } from '../../ports/xenstore.js'
import { parentOf } from '../../io/xenstore/path.js'
import type { Tree, TreeNode } from './tree.js'

/** The names of xs_wire.h, `xsd_errors`, that this server gives. */
export type XsErrorName =
  | 'EINVAL'
  | 'EACCES'
  | 'EEXIST'
  | 'ENOENT'
  | 'ENOSPC'
  | 'ENOSYS'
  | 'EBUSY'
  | 'EAGAIN'
  | 'E2BIG'
  | 'EPERM'

export type Right = 'read' | 'write' | 'own'

/** What one guest may hold. */
export interface Quotas {
  readonly nodes: number
  readonly watches: number
  readonly transactions: number
  readonly valueBytes: number
  readonly permissions: number
  /** Nodes that one transaction may touch; the only one that binds domain 0 too, sixty-four-fold. */
  readonly transactionNodes: number
}

export const defaultQuotas: Quotas = {
  nodes: 1000,
  watches: 128,
  transactions: 10,
  valueBytes: 2048,
  permissions: 5,
  transactionNodes: 1024,
}

/** Whether `domid` has `right` on a node with these permissions. */
export function permits(permissions: readonly XenStorePermission[], domid: number, right: Right): boolean {
  const owner = permissions[0].domid
  if (domid === 0 || domid === owner) return true
  const { access } = permissions.find((entry, index) => index > 0 && entry.domid === domid) ?? permissions[0]
  if (access === 'b') return right !== 'own'
  return right === 'read' ? access === 'r' : right === 'write' && access === 'w'
}

/** The nearest existing node at or above `path`. */
export function nearest(tree: Tree, path: string): { path: string; node: TreeNode } {
  for (let at = path; ; at = parentOf(at) ?? '/') {
    const node = tree.find(at)
    if (node) return { path: at, node }
  }
}

/** The node, when it exists and `domid` has `right` on it; else the error that this caller is told. */
export function nodeFor(tree: Tree, path: string, domid: number, right: Right): TreeNode | XsErrorName {
  const found = nearest(tree, path)
  if (!permits(found.node.permissions, domid, right)) return 'EACCES'
  return found.path === path ? found.node : 'ENOENT'
}
