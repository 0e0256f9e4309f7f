/**
 * @packageDocumentation
 * Hears one front end: its state, which is watched, and its keys, which are read when the chart asks. What is repeated
 * is no news, so a guest that writes the same for ever fills no journal. There is one exception: a guest that was
 * suspended and resumes may say Initialised and Connected again before we look once. The word is the same then, and its
 * ring is another; so the keys of one that is served are looked at whenever it writes its state, and told when they
 * are not those that were told before.
 */
import type { Subscription } from 'rxjs'
import type { DeviceEvent } from '../../machines/device/types.js'
import type { Clock } from '../../ports/clock.js'
import type { XenStore } from '../../ports/xenstore.js'
import { FRONTEND_KEYS } from '../../protocol/keys.js'
import type { BackendDirectory } from './backend-directory.js'
import { ReadPace } from './read-pace.js'
import { rereading, watch$ } from './watching.js'

export interface FrontendEarParts {
  readonly store: XenStore
  readonly clock: Clock
  readonly directory: BackendDirectory
  /** Does it when all that was asked of XenStore before has been done. */
  readonly inOrder: (job: () => Promise<void>) => Promise<void>
  readonly tell: (event: DeviceEvent) => void
  readonly crashed: (error: unknown) => void
  /** Its ring is served. */
  readonly serving: () => boolean
}

export class FrontendEar {
  /** What its state said last, or why that is no state. */
  lastWord: string = 'Unknown'
  readonly #parts: FrontendEarParts
  #lastKeys = ''
  #path = ''
  #subscription: Subscription | undefined

  constructor(parts: FrontendEarParts) {
    this.#parts = parts
  }

  /** Watches the front end in this directory from now on. */
  follow(path: string): void {
    if (this.#path === path) return
    this.close()
    const { store, clock, inOrder, crashed } = this.#parts
    this.#path = path
    this.#subscription = watch$(store, `${path}/${FRONTEND_KEYS.state}`)
      .pipe(rereading(() => inOrder(() => this.#readState(path)), new ReadPace(clock)))
      .subscribe({ error: crashed })
  }

  async readKeys(path: string): Promise<void> {
    const nodes = await this.#parts.directory.frontendNodes(path)
    this.#lastKeys = JSON.stringify(nodes)
    this.#parts.tell({ type: 'xenstore.frontendRead', nodes })
  }

  close(): void {
    this.#subscription?.unsubscribe()
  }

  async #readState(path: string): Promise<void> {
    const { directory, tell, serving } = this.#parts
    if (path !== this.#path || this.#subscription?.closed) return
    const result = await directory.frontendState(path)
    const word = result.ok ? result.state : result.sentence
    if (word === this.lastWord) return result.ok && serving() ? this.#lookAtKeys(path) : undefined
    this.lastWord = word
    if (result.ok) tell({ type: `frontend.${result.state}` })
    else tell({ type: 'xenstore.frontendNonsense', sentence: result.sentence })
  }

  async #lookAtKeys(path: string): Promise<void> {
    const nodes = await this.#parts.directory.frontendNodes(path)
    const keys = JSON.stringify(nodes)
    if (keys === this.#lastKeys) return
    this.#lastKeys = keys
    this.#parts.tell({ type: 'xenstore.frontendRead', nodes })
  }
}
