/**
 * @packageDocumentation
 * What can be done to the tree, as data, so that a transaction can do it twice: to its own snapshot at once, and to
 * the live tree when it commits.
 *
 *   change ─► apply(tree, change, domid, quotas) ─► the events that watches must see, or an error's name
 *
 * A change that fails has changed nothing. A node is created with its missing ancestors; they inherit the permissions
 * of the nearest existing ancestor, except that a guest that creates a node owns it. Watches see the node that was
 * named, and on removal also each node below it (only who watches that very node).
 */
import { parentOf } from '../../io/xenstore/path.js'
import type { XenStorePermission } from '../../ports/xenstore.js'
import { nearest, nodeFor, type Quotas, type XsErrorName } from './rights.js'
import { descendants, namesOn, type Tree } from './tree.js'

/** One change of one node. */
export type Change =
  | { readonly kind: 'write'; readonly path: string; readonly value: Buffer }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'setPermissions'; readonly path: string; readonly permissions: readonly XenStorePermission[] }

/** What watches are told; `permissions` are those before the change, if the node existed. */
export interface TreeEvent {
  readonly path: string
  /** Only for watches of this very path; otherwise also for those of its ancestors. */
  readonly exact: boolean
  readonly permissions: readonly XenStorePermission[] | undefined
}

/** Does it, or says why not. */
export function apply(tree: Tree, change: Change, domid: number, quotas: Quotas): TreeEvent[] | XsErrorName {
  switch (change.kind) {
    case 'write':
      return write(tree, change.path, change.value, domid, quotas)
    case 'mkdir':
      return mkdir(tree, change.path, domid, quotas)
    case 'remove':
      return remove(tree, change.path, domid)
    case 'setPermissions':
      return setPermissions(tree, change.path, change.permissions, domid, quotas)
  }
}

function write(tree: Tree, path: string, value: Buffer, domid: number, quotas: Quotas): TreeEvent[] | XsErrorName {
  if (domid !== 0 && value.length > quotas.valueBytes) return 'ENOSPC'
  const node = nodeFor(tree, path, domid, 'write')
  if (node === 'ENOENT') return create(tree, path, value, domid, quotas)
  if (typeof node === 'string') return node
  tree.update(path, { value })
  return [{ path, exact: false, permissions: node.permissions }]
}

function mkdir(tree: Tree, path: string, domid: number, quotas: Quotas): TreeEvent[] | XsErrorName {
  const node = nodeFor(tree, path, domid, 'write')
  if (node === 'ENOENT') return create(tree, path, Buffer.alloc(0), domid, quotas)
  return typeof node === 'string' ? node : []
}

function create(tree: Tree, path: string, value: Buffer, domid: number, quotas: Quotas): TreeEvent[] | XsErrorName {
  const above = nearest(tree, path)
  const names = namesOn(path)
  const existing = namesOn(above.path).length
  const [owner, ...others] = above.node.permissions
  const permissions = domid === 0 ? above.node.permissions : [{ access: owner.access, domid }, ...others]
  const next = tree.ownedBy(permissions[0].domid) + names.length - existing
  if (domid !== 0 && next > quotas.nodes) return 'ENOSPC'
  for (let depth = existing + 1; depth <= names.length; depth++) {
    const last = depth === names.length
    tree.add(`/${names.slice(0, depth).join('/')}`, last ? value : Buffer.alloc(0), permissions)
  }
  return [{ path, exact: false, permissions: undefined }]
}

function remove(tree: Tree, path: string, domid: number): TreeEvent[] | XsErrorName {
  const parent = parentOf(path)
  if (parent === undefined) return 'EINVAL'
  const node = nodeFor(tree, path, domid, 'write')
  // What does not exist need not be removed, as long as it could exist.
  if (node === 'ENOENT') return tree.find(parent) ? [] : 'ENOENT'
  if (typeof node === 'string') return node
  const events = [...descendants(path, node)].map(([at, gone]) => ({
    path: at,
    exact: at !== path,
    permissions: gone.permissions,
  }))
  tree.remove(path)
  return events
}

function setPermissions(
  tree: Tree,
  path: string,
  permissions: readonly XenStorePermission[],
  domid: number,
  quotas: Quotas,
): TreeEvent[] | XsErrorName {
  if (domid !== 0 && permissions.length > quotas.permissions) return 'ENOSPC'
  const node = nodeFor(tree, path, domid, 'own')
  if (typeof node === 'string') return node
  // A guest cannot give its nodes away: they would count for another.
  if (domid !== 0 && permissions[0].domid !== node.permissions[0].domid) return 'EPERM'
  tree.update(path, { permissions })
  return [{ path, exact: false, permissions: node.permissions }]
}
