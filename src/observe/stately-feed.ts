/**
 * @packageDocumentation
 * What the Stately inspector is told: three kinds of messages, in the form that `@statelyai/inspect` sends, so that its
 * page, or whatever else listens, takes ours for an XState program.
 *
 *   @xstate.actor      there is an actor: its chart, its parent, where it stands
 *   @xstate.event      it was told something
 *   @xstate.snapshot   where it stands now
 *
 * The package itself is no recorder: it writes a state down when it has time, which may be a later one. So the messages
 * are made here, from inputs and what they folded to. The feed knows where each actor stands last, so that somebody who
 * comes late can be told (`greet`); it is bounded by the number of devices and queues, and one request of each.
 */
import { configOf } from '../machines/compile/index.js'
import { charts } from '../machines/index.js'

/** The release of the protocol that these messages follow. */
const PROTOCOL = '0.7.2'

/** Where an actor stands, as XState would say it. */
export interface FeedSnapshot {
  readonly status: string
  readonly value: unknown
  readonly context?: unknown
}

export type FeedMessage = Readonly<Record<string, unknown>> & { readonly type: string; readonly sessionId: string }

interface Known {
  readonly chart: string
  readonly parent: string | undefined
  readonly root: string
  readonly snapshot: FeedSnapshot
}

/** Charts as the inspector draws them, made once. */
const definitions = new Map<string, string>()

function definitionOf(name: string): string {
  const known = definitions.get(name)
  if (known !== undefined) return known
  const entry = charts.find((one) => one.name === name)
  const definition = JSON.stringify(entry === undefined ? { id: name } : configOf(entry.chart))
  definitions.set(name, definition)
  return definition
}

export class StatelyFeed {
  readonly #send: (message: FeedMessage) => void
  readonly #wallMs: () => number
  readonly #known = new Map<string, Known>()

  /** @param wallMs - when what is told happened, milliseconds since 1970. */
  constructor(send: (message: FeedMessage) => void, wallMs: () => number) {
    this.#send = send
    this.#wallMs = wallMs
  }

  /** There is an actor, or it begins anew. A parent that nobody was told of is none. */
  actor(name: string, chart: string, above: string | undefined, snapshot: FeedSnapshot): void {
    const parent = above !== undefined && this.knows(above) ? above : undefined
    const root = parent === undefined ? name : (this.#known.get(parent)?.root ?? parent)
    const known = { chart, parent, root, snapshot }
    this.#known.set(name, known)
    this.#introduce(name, known)
  }

  knows(name: string): boolean {
    return this.#known.has(name)
  }

  /** Where it was last said to stand; undefined when it is not known. */
  valueOf(name: string): unknown {
    return this.#known.get(name)?.snapshot.value
  }

  /** The actor was told `event`, and stands here now. One that is not known is passed over. */
  step(name: string, event: { readonly type: string }, snapshot: FeedSnapshot): void {
    const known = this.#known.get(name)
    if (known === undefined) return
    this.#known.set(name, { ...known, snapshot })
    this.#say('@xstate.event', name, known.root, { event, sourceId: known.parent })
    this.#say('@xstate.snapshot', name, known.root, { event, snapshot })
  }

  /** The actor is gone, after all that were below it; its last message says so. */
  ended(name: string): void {
    const known = this.#known.get(name)
    if (known === undefined) return
    for (const [child, { parent }] of [...this.#known]) if (parent === name) this.ended(child)
    this.#known.delete(name)
    const snapshot = { ...known.snapshot, status: 'stopped' }
    this.#say('@xstate.snapshot', name, known.root, { event: { type: 'xstate.stop' }, snapshot })
  }

  /** Tells everything that is known now, parents first, to whoever listens from now on. */
  greet(): void {
    for (const [name, known] of this.#known) this.#introduce(name, known)
  }

  #introduce(name: string, { chart, parent, root, snapshot }: Known): void {
    this.#say('@xstate.actor', name, root, { name, definition: definitionOf(chart), parentId: parent, snapshot })
  }

  #say(type: string, sessionId: string, rootId: string, more: object): void {
    const createdAt = `${Math.round(this.#wallMs())}`
    this.#send({ type, sessionId, rootId, id: null, createdAt, _version: PROTOCOL, ...more })
  }
}
