/**
 * @packageDocumentation
 * The seven operations on nodes, inside one transaction (`txId` ≠ 0) or outside of any.
 *
 * Paths are normalised before they are sent, and refused here with EINVAL when no node can have them, so that no NUL
 * or blank of a caller's string reaches the wire. A directory too long for one reply (the server says E2BIG) is read
 * in parts; when it changes meanwhile, it is read anew, a bounded number of times.
 */
import type { XenStoreOps, XenStorePermission } from '../../ports/xenstore.js'
import { codeOf } from '../../protocol/errors.js'
import type { Connection } from './connection.js'
import { XenStoreFailure } from './error.js'
import { normalisePath } from './path.js'
import { formatPermission, nulTerminated, parsePermissions, splitFirst, splitStrings } from './payload.js'
import { XS } from './wire.js'

const listAttemptsMax = 8
const listBytesMax = 4 << 20

/** The normal form of a path, or EINVAL. */
export function checkedPath(path: string): string {
  const normal = normalisePath(path)
  if (normal === undefined) throw new XenStoreFailure('EINVAL', `no XenStore node can be named ${JSON.stringify(path)}`)
  return normal
}

/** The operations over `connection`. After `end()` every operation rejects with EINVAL: the transaction is over. */
export class Operations implements XenStoreOps {
  readonly #connection: Connection
  readonly #txId: number
  #ended = false

  constructor(connection: Connection, txId: number) {
    this.#connection = connection
    this.#txId = txId
  }

  end(): void {
    this.#ended = true
  }

  async read(path: string): Promise<string | undefined> {
    const value = await absentWhen('ENOENT', this.#request('READ', path))
    return value?.toString('utf8')
  }

  async write(path: string, value: string): Promise<void> {
    await this.#request('WRITE', path, Buffer.from(value, 'utf8'))
  }

  async mkdir(path: string): Promise<void> {
    await this.#request('MKDIR', path)
  }

  async remove(path: string): Promise<void> {
    await absentWhen('ENOENT', this.#request('RM', path))
  }

  async list(path: string): Promise<string[] | undefined> {
    try {
      return namesOf(await this.#request('DIRECTORY', path))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      if (codeOf(error) !== 'E2BIG') throw error
    }
    return this.#listInParts(path)
  }

  async getPermissions(path: string): Promise<XenStorePermission[]> {
    const reply = await this.#request('GET_PERMS', path)
    const permissions = parsePermissions(splitStrings(reply) ?? [])
    if (!permissions) throw new XenStoreFailure('EPROTO', `XenStore gave permissions of ${path} that cannot be read`)
    return permissions
  }

  async setPermissions(path: string, permissions: readonly XenStorePermission[]): Promise<void> {
    await this.#request('SET_PERMS', path, nulTerminated(permissions.map(formatPermission)))
  }

  /** One request about a node; what belongs to this call is checked before anything is sent. */
  async #request(type: keyof typeof XS, path: string, rest: Uint8Array = Buffer.alloc(0)): Promise<Buffer> {
    const normal = checkedPath(path)
    if (this.#ended) throw new XenStoreFailure('EINVAL', `${type} ${normal}: the transaction is over`)
    const payload = Buffer.concat([nulTerminated([normal]), rest])
    return this.#connection.request(XS[type], this.#txId, payload, `${type} ${normal}`)
  }

  async #listInParts(path: string): Promise<string[] | undefined> {
    for (let attempt = 0; attempt < listAttemptsMax; attempt++) {
      const names = await absentWhen('ENOENT', this.#listOnce(path))
      if (names !== 'changed') return names
    }
    throw new XenStoreFailure('EAGAIN', `DIRECTORY_PART ${path}: it changed during each of ${listAttemptsMax} attempts`)
  }

  /** Parts carry the node's generation; the last one ends with an empty name. */
  async #listOnce(path: string): Promise<string[] | 'changed'> {
    const parts: Buffer[] = []
    let generation: string | undefined
    for (let offset = 0; offset <= listBytesMax; ) {
      const cut = splitFirst(await this.#request('DIRECTORY_PART', path, nulTerminated([String(offset)])))
      if (!cut) break
      generation ??= cut.first
      if (cut.first !== generation) return 'changed'
      const { rest } = cut
      const last = rest.length === 1 ? rest[0] === 0 : rest.length > 1 && rest.readUInt16LE(rest.length - 2) === 0
      parts.push(last ? rest.subarray(0, rest.length - 1) : rest)
      if (last) return namesOf(Buffer.concat(parts))
      if (rest.length === 0) break
      offset += rest.length
    }
    throw new XenStoreFailure('EPROTO', `DIRECTORY_PART ${path}: parts without an end`)
  }
}

function namesOf(payload: Buffer): string[] {
  const names = splitStrings(payload)
  if (!names) throw new XenStoreFailure('EPROTO', 'XenStore gave a list of names that does not end')
  return names
}

async function absentWhen<T>(code: string, result: Promise<T>): Promise<T | undefined> {
  try {
    return await result
  } catch (error) {
    if (codeOf(error) === code) return undefined
    throw error
  }
}
