/**
 * @packageDocumentation
 * One device's two directories in XenStore, as the back end reads and writes them. Everything is written in a
 * transaction that first looks whether our directory still exists: a toolstack may have removed it, and a write would
 * make it anew, a ghost without an owner. Transactions are retried on EAGAIN a bounded number of times (S11).
 *
 * It also knows which `state` it wrote last, so that a state which somebody else wrote is seen as what it is: libxl
 * detaches by writing Closing into the back end's own directory.
 */
import { READ_KEYS, parseOnline } from '../../machines/device/nodes.js'
import type { RawNodes } from '../../machines/device/types.js'
import type { XenStore, XenStoreOps } from '../../ports/xenstore.js'
import { BACKEND_KEYS as K, FRONTEND_KEYS, QUEUES_LIMIT, negotiationKeys, queueKeys } from '../../protocol/keys.js'
import { RATE_LIMIT_NODES } from '../../protocol/rate-limit.js'
import {
  parseXenbusState, xenbusStateValue, type XenbusState, type XenbusStateResult,
} from '../../protocol/xenbus-state.js'

const ATTEMPTS = 10
/** What a toolstack may have written is cut to this: keys that are judged are shorter. */
const VALUE_LIMIT = 4096
/** Numbers and names of ABIs are all that a front end has to say, and hundreds of keys must fit a journal's record. */
const GUEST_VALUE_LIMIT = 64

/** What the toolstack did to our directory since we last looked. */
export type Wish = 'none' | 'close' | 'online' | 'vanished'

export interface NodesAsRead {
  readonly nodes: RawNodes
  readonly frontendState: XenbusStateResult
}

function limitOf(nodes: RawNodes): RawNodes {
  const set = Object.values(RATE_LIMIT_NODES).filter((node) => nodes[node] !== undefined)
  return Object.fromEntries(set.map((node) => [node, nodes[node]]))
}

export class BackendDirectory {
  readonly path: string
  readonly #store: XenStore
  readonly #errorNode: string
  /** What `state` says as far as we know; anything else was written by somebody else. */
  #state: string | undefined
  #left = false
  #online = true
  /** `params` as it was seen last; undefined before the first look. */
  #params: string | undefined
  /** The nodes of the rate limit as they were seen last. */
  #limit: RawNodes = {}

  /** `path`: `/local/domain/0/backend/vbd/5/51712` */
  constructor(store: XenStore, path: string) {
    this.#store = store
    this.path = path
    const [, home, relative] = /^(\/local\/domain\/\d+)\/(.*)$/.exec(path) ?? ['', '', path]
    this.#errorNode = `${home}/error/${relative}/error`
  }

  /** Our state as XenStore has it, as far as we know. */
  get known(): XenbusState {
    const parsed = parseXenbusState(this.#state)
    return parsed.ok ? parsed.state : 'Unknown'
  }

  /** All nodes that a device needs; undefined when the directory is not there. */
  async read(): Promise<NodesAsRead | undefined> {
    const nodes = await this.#values(this.path, READ_KEYS)
    if (Object.keys(nodes).length === 0 && (await this.#store.list(this.path)) === undefined) return undefined
    this.#state = nodes[K.state]
    this.#online = parseOnline(nodes[K.online])
    this.#params = nodes[K.params] ?? ''
    this.#limit = limitOf(nodes)
    const frontend = nodes[K.frontend]
    return { nodes, frontendState: await this.frontendState(frontend) }
  }

  /** The front end's state; absent and empty read as Unknown. */
  async frontendState(frontend: string | undefined): Promise<XenbusStateResult> {
    return parseXenbusState(frontend ? await this.#store.read(`${frontend}/${FRONTEND_KEYS.state}`) : undefined)
  }

  /** Everything that a front end may have published for its connection, of as many queues as anyone may offer. */
  async frontendNodes(frontend: string): Promise<RawNodes> {
    const nodes = await this.#values(frontend, negotiationKeys(), GUEST_VALUE_LIMIT)
    const queues = Number(nodes[FRONTEND_KEYS.numQueues] ?? 1)
    if (!Number.isInteger(queues) || queues < 2 || queues > QUEUES_LIMIT) return nodes
    return { ...nodes, ...(await this.#values(frontend, queueKeys(queues), GUEST_VALUE_LIMIT)) }
  }

  /** Looks what the toolstack wants, once per change; `params` and the nodes of `limit` when they have other values. */
  async wish(): Promise<{ wish: Wish; online: boolean; params?: string; limit?: RawNodes }> {
    const nodes = await this.#values(this.path, [K.state, K.online, K.params, ...Object.values(RATE_LIMIT_NODES)])
    const wished = await this.#wish(nodes)
    // Before the first look all is yet to be read.
    if (this.#params === undefined) return wished
    const params = nodes[K.params] ?? ''
    const otherParams = this.#params !== params
    this.#params = params
    const limit = limitOf(nodes)
    const otherLimit = JSON.stringify(this.#limit) !== JSON.stringify(limit)
    this.#limit = limit
    return { ...wished, ...(otherParams && { params }), ...(otherLimit && { limit }) }
  }

  async #wish(nodes: RawNodes): Promise<{ wish: Wish; online: boolean }> {
    const { [K.state]: state, [K.online]: onlineText } = nodes
    const online = parseOnline(onlineText)
    if (state === undefined && (await this.#store.list(this.path)) === undefined) return { wish: 'vanished', online }
    const [knownState, wasOnline, anew] = [this.#state, this.#online, state !== undefined && this.#isAnew(state)]
    this.#state = state
    this.#online = online
    const foreign = state !== knownState
    if (foreign && (state === '5' || state === '6')) return { wish: 'close', online }
    if (anew) return { wish: 'vanished', online }
    if (wasOnline && !online) return { wish: 'close', online }
    return { wish: !wasOnline && online ? 'online' : 'none', online }
  }

  /**
   * Writes nodes in one transaction, and removes those `withheld`.
   * @returns false when the directory is gone; rejects when XenStore refuses.
   */
  async write(nodes: RawNodes, withheld: readonly string[] = []): Promise<boolean> {
    return this.#guarded(async (ops) => {
      for (const key of withheld)
        if ((await ops.read(`${this.path}/${key}`)) !== undefined) await ops.remove(`${this.path}/${key}`)
      for (const [key, value] of Object.entries(nodes)) await ops.write(`${this.path}/${key}`, value)
    })
  }

  async switchState(state: XenbusState): Promise<boolean> {
    const value = xenbusStateValue(state)
    const written = await this.write({ [K.state]: value })
    if (written) this.#state = value
    return written
  }

  /** The new size, and the state again so that the front end's watch fires (PROTOCOL §1.2, "Resize"). */
  async announceSize(nodes: RawNodes): Promise<boolean> {
    return this.write({ ...nodes, [K.state]: xenbusStateValue('Connected') })
  }

  /** S4: the sentence where hotplug scripts, libxl and people look for it. */
  async reportAttachFailure(sentence: string): Promise<boolean> {
    const nodes = { [K.hotplugError]: sentence, [K.hotplugStatus]: 'error', [K.online]: '0' }
    const written = (await this.write(nodes)) && (await this.reportError(sentence))
    if (written) this.#online = false
    return written
  }

  async reportError(sentence: string): Promise<boolean> {
    return this.#guarded((ops) => ops.write(this.#errorNode, sentence))
  }

  async clearError(): Promise<boolean> {
    return this.#guarded(async (ops) => {
      if ((await ops.read(this.#errorNode)) !== undefined) await ops.remove(this.#errorNode)
    })
  }

  /** The device has ended: a directory that stands here from now on is another's, and a write under way is let be. */
  leave(): void {
    this.#left = true
  }

  /** A directory that says Initialising after we had said more was removed and made anew. */
  #isAnew(state: string): boolean {
    return state === '1' && this.#state !== undefined && this.#state !== '1'
  }

  #guarded(body: (ops: XenStoreOps) => Promise<void>): Promise<boolean> {
    return this.#store.transaction(async (ops) => {
      if (this.#left) return false
      const state = await ops.read(`${this.path}/${K.state}`)
      if (state === undefined || this.#isAnew(state)) return false
      await body(ops)
      return true
    }, ATTEMPTS)
  }

  async #values(directory: string, keys: readonly string[], limit = VALUE_LIMIT): Promise<RawNodes> {
    const values = await Promise.all(keys.map((key) => this.#store.read(`${directory}/${key}`)))
    const present = keys.flatMap((key, index) => {
      const value = values[index]
      return value === undefined ? [] : [[key, value.slice(0, limit)] as const]
    })
    return Object.fromEntries(present)
  }
}
