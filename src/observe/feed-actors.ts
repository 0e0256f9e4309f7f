/**
 * @packageDocumentation
 * The actors of the control plane for an inspector: the inputs that stand in their journal, folded beside the living
 * actor (or long after it). Devices are complete: every event of supervisor, device and medium. What cannot be folded
 * is no fault of the one who looks: that actor is silent until it begins anew.
 *
 *   supervisor/vbd/5/51712 ─► vbd/5/51712 ─► vbd/5/51712/medium, vbd/5/51712/q0 ─► one request
 */
import type { AnyStateMachine } from 'xstate'
import { begin, fold, type Folded } from '../machines/fold.js'
import { charts } from '../machines/index.js'
import type { ActorJournal, OpenActorJournal } from '../ports/journal.js'
import type { FeedSnapshot, StatelyFeed } from './stately-feed.js'

interface Life {
  readonly machine: AnyStateMachine
  readonly snapshot: Folded<AnyStateMachine>['snapshot']
}

/** Who is above an actor, by its name. */
function parentOf(name: string): string | undefined {
  if (name.startsWith('supervisor/')) return undefined
  return name.endsWith('/medium') ? name.slice(0, -'/medium'.length) : `supervisor/${name}`
}

const shown = (snapshot: Life['snapshot']): FeedSnapshot => {
  const { status, value, context } = snapshot as FeedSnapshot
  return { status, value, context }
}

export class ActorFeed {
  readonly #feed: StatelyFeed
  readonly #lives = new Map<string, Life>()

  constructor(feed: StatelyFeed) {
    this.#feed = feed
  }

  /** One input, as it stands in the journal. Never throws. */
  input(name: string, chart: string, event: { readonly type: string; readonly input?: unknown }): void {
    try {
      if (event.type === '@started') this.#start(name, chart, event.input)
      else this.#step(name, event)
    } catch {
      this.#lives.delete(name) // its chart threw: the living actor has crashed there, and begins anew
    }
  }

  /** The device is gone, with all that was below it. */
  forget(device: string): void {
    for (const name of [`${device}/medium`, device, `supervisor/${device}`]) {
      this.#lives.delete(name)
      this.#feed.ended(name)
    }
  }

  #start(name: string, chart: string, input: unknown): void {
    const machine: AnyStateMachine | undefined = charts.find((one) => one.name === chart)?.chart
    if (machine === undefined) return
    const { snapshot } = begin(machine, input as never)
    this.#lives.set(name, { machine, snapshot })
    this.#feed.actor(name, chart, parentOf(name), shown(snapshot))
  }

  #step(name: string, event: { readonly type: string }): void {
    const life = this.#lives.get(name)
    if (life === undefined) return
    const { snapshot } = fold(life.machine, life.snapshot, event)
    this.#lives.set(name, { machine: life.machine, snapshot })
    this.#feed.step(name, event, shown(snapshot))
  }
}

/** Journals whose inputs are told to `actors` as well, after they were committed. */
export function inspectedJournals(open: OpenActorJournal, actors: ActorFeed): OpenActorJournal {
  return (name, chart): ActorJournal => {
    const journal = open(name, chart)
    return {
      input(event) {
        journal.input(event)
        actors.input(name, chart, event as { readonly type: string })
      },
      state: (path) => journal.state(path),
    }
  }
}
