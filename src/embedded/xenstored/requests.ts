/**
 * @packageDocumentation
 * What each request means (docs/misc/xenstore.txt). Every handler gives the reply's payload, or the name of an error.
 *
 * Requests about nodes work on a view: the live tree, or a transaction's own. CONTROL, RESUME and SET_TARGET belong to
 * management of real domains, which the pocket host has none of: ENOSYS.
 */
import { homeOf, isNodePath } from '../../io/xenstore/path.js'
import {
  formatPermission,
  nulTerminated,
  parseDomid,
  parsePermissions,
  parseU32,
  splitFirst,
  splitStrings,
} from '../../io/xenstore/payload.js'
import { type WireMessage, XENSTORE_PAYLOAD_MAX, XENSTORE_REL_PATH_MAX, XS } from '../../io/xenstore/wire.js'
import type { Change } from './changes.js'
import { nodeFor, type XsErrorName } from './rights.js'
import type { ServerConnection } from './server-connection.js'
import type { Transaction } from './transaction.js'
import type { TreeNode } from './tree.js'
import { tell } from './watch-table.js'

/** A reply's payload or an error, and what comes right after the reply was sent. */
export interface Answer {
  readonly reply: Buffer | XsErrorName
  readonly after?: () => void
}

type Handler = (
  connection: ServerConnection,
  payload: Buffer,
  transaction: Transaction | undefined,
  txId: number,
) => Buffer | XsErrorName | Answer

const ok = nulTerminated(['OK'])

/** Answers one message. */
export function answer(connection: ServerConnection, message: WireMessage): Answer {
  const handler = handlers.get(message.type)
  if (!handler) return { reply: 'ENOSYS' }
  const transaction = message.txId === 0 ? undefined : connection.transaction(message.txId)
  if (message.txId !== 0 && !transaction) return { reply: 'ENOENT' }
  const result = handler(connection, message.payload, transaction, message.txId)
  return typeof result === 'string' || Buffer.isBuffer(result) ? { reply: result } : result
}

const handlers = new Map<number, Handler>([
  [XS.READ, (...request) => onNode(request, (node) => node.value)],
  [XS.DIRECTORY, (...request) => onNode(request, directory)],
  [XS.DIRECTORY_PART, (...request) => onNode(request, directoryPart)],
  [XS.GET_PERMS, (...request) => onNode(request, (node) => nulTerminated(node.permissions.map(formatPermission)))],
  [XS.WRITE, write],
  [XS.MKDIR, (...request) => changeNode(request, 'mkdir')],
  [XS.RM, (...request) => changeNode(request, 'remove')],
  [XS.SET_PERMS, setPermissions],
  [XS.WATCH, watch],
  [XS.UNWATCH, unwatch],
  [XS.RESET_WATCHES, resetWatches],
  [XS.TRANSACTION_START, startTransaction],
  [XS.TRANSACTION_END, endTransaction],
  [XS.INTRODUCE, introduce],
  [XS.RELEASE, release],
  [XS.IS_DOMAIN_INTRODUCED, isDomainIntroduced],
  [XS.GET_DOMAIN_PATH, (_, payload) => aboutDomain(payload, (domid) => nulTerminated([homeOf(domid)]))],
])

/** The absolute form of a client's path; undefined when no node can have it. */
function absolute(connection: ServerConnection, path: string): string | undefined {
  if (path.startsWith('/')) return isNodePath(path) ? path : undefined
  if (path.startsWith('@')) return undefined
  const whole = `${homeOf(connection.domid)}/${path}`
  return path.length <= XENSTORE_REL_PATH_MAX && isNodePath(whole) ? whole : undefined
}

function onNode(
  [connection, payload, transaction]: Parameters<Handler>,
  give: (node: TreeNode, more: string[]) => Buffer | XsErrorName,
): Buffer | XsErrorName {
  const strings = splitStrings(payload)
  const path = strings?.[0] === undefined ? undefined : absolute(connection, strings[0])
  if (!strings || path === undefined) return 'EINVAL'
  if (transaction && !transaction.touch(path)) return 'ENOSPC'
  const node = nodeFor(transaction?.own ?? connection.store.tree, path, connection.domid, 'read')
  return typeof node === 'string' ? node : give(node, strings.slice(1))
}

function directory(node: TreeNode): Buffer | XsErrorName {
  const names = nulTerminated([...node.children.keys()])
  return names.length > XENSTORE_PAYLOAD_MAX ? 'E2BIG' : names
}

/** Generation, then as many whole names from the offset as fit, then an empty name if they are the last. */
function directoryPart(node: TreeNode, more: string[]): Buffer | XsErrorName {
  const offset = parseU32(more[0] ?? '')
  if (offset === undefined) return 'EINVAL'
  const names = nulTerminated([...node.children.keys()]).subarray(offset)
  const head = nulTerminated([String(node.generation)])
  const room = XENSTORE_PAYLOAD_MAX - head.length - 1
  if (names.length <= room) return Buffer.concat([head, names, Buffer.alloc(1)])
  return Buffer.concat([head, names.subarray(0, names.lastIndexOf(0, room - 1) + 1)])
}

function write(...[connection, payload, transaction]: Parameters<Handler>): Buffer | XsErrorName {
  const cut = splitFirst(payload)
  const path = cut && absolute(connection, cut.first)
  if (!cut || path === undefined) return 'EINVAL'
  return changed(connection, transaction, { kind: 'write', path, value: cut.rest })
}

function changeNode(
  [connection, payload, transaction]: Parameters<Handler>,
  kind: 'mkdir' | 'remove',
): Buffer | XsErrorName {
  const strings = splitStrings(payload)
  const path = strings?.length === 1 ? absolute(connection, strings[0]) : undefined
  return path === undefined ? 'EINVAL' : changed(connection, transaction, { kind, path })
}

function setPermissions(...[connection, payload, transaction]: Parameters<Handler>): Buffer | XsErrorName {
  const [name, ...texts] = splitStrings(payload) ?? []
  const path = name === undefined ? undefined : absolute(connection, name)
  const permissions = parsePermissions(texts)
  if (path === undefined || !permissions) return 'EINVAL'
  return changed(connection, transaction, { kind: 'setPermissions', path, permissions })
}

function changed(
  connection: ServerConnection,
  transaction: Transaction | undefined,
  change: Change,
): Buffer | XsErrorName {
  const { domid, store } = connection
  const error = transaction ? transaction.change(change, domid, store.quotas) : store.change(change, domid)
  return error ?? ok
}

function watch(...[connection, payload]: Parameters<Handler>): Answer {
  const [name, token] = splitStrings(payload) ?? []
  if (name === undefined || token === undefined) return { reply: 'EINVAL' }
  const path = watchable(connection, name)
  if (path === undefined) return { reply: 'EINVAL' }
  const set = connection.watch(path, path !== name, token)
  if (typeof set === 'string') return { reply: set }
  // A new watch fires once, so that whoever sets it need not also read.
  return { reply: ok, after: () => tell(set, path) }
}

function unwatch(...[connection, payload]: Parameters<Handler>): Buffer | XsErrorName {
  const [name, token] = splitStrings(payload) ?? []
  if (name === undefined || token === undefined) return 'EINVAL'
  const path = watchable(connection, name)
  // No watch can be on an impossible path.
  return path === undefined ? 'ENOENT' : (connection.unwatch(path, token) ?? ok)
}

function watchable(connection: ServerConnection, name: string): string | undefined {
  // As in xenstored, an event's name is not checked: one that never happens is never told.
  if (name.startsWith('@')) return name.length <= XENSTORE_REL_PATH_MAX ? name : undefined
  return absolute(connection, name)
}

function resetWatches(connection: ServerConnection): Buffer {
  connection.reset()
  return ok
}

function startTransaction(...[connection, , transaction]: Parameters<Handler>): Buffer | XsErrorName {
  if (transaction) return 'EBUSY'
  const id = connection.startTransaction()
  return typeof id === 'string' ? id : nulTerminated([String(id)])
}

function endTransaction(...[connection, payload, transaction, txId]: Parameters<Handler>): Buffer | XsErrorName {
  const [verdict] = splitStrings(payload) ?? []
  if (verdict !== 'T' && verdict !== 'F') return 'EINVAL'
  if (!transaction) return 'ENOENT'
  connection.endTransaction(txId)
  return (verdict === 'T' ? connection.store.commit(transaction, connection.domid) : undefined) ?? ok
}

function introduce(...[connection, payload]: Parameters<Handler>): Buffer | XsErrorName {
  if (connection.domid !== 0) return 'EACCES'
  const [domid, , port] = splitStrings(payload) ?? []
  if (domid === undefined || port === undefined || parseU32(port) === undefined) return 'EINVAL'
  return aboutDomain(payload, (introduced) => {
    connection.store.introduce(introduced)
    return ok
  })
}

function release(...[connection, payload]: Parameters<Handler>): Buffer | XsErrorName {
  if (connection.domid !== 0) return 'EACCES'
  return aboutDomain(payload, (domid) => connection.store.release(domid) ?? ok)
}

function isDomainIntroduced(...[connection, payload]: Parameters<Handler>): Buffer | XsErrorName {
  return aboutDomain(payload, (domid) => nulTerminated([connection.store.isIntroduced(domid) ? 'T' : 'F']))
}

function aboutDomain(payload: Buffer, give: (domid: number) => Buffer | XsErrorName): Buffer | XsErrorName {
  const domid = parseDomid(splitStrings(payload)?.[0] ?? '')
  return domid === undefined ? 'EINVAL' : give(domid)
}
