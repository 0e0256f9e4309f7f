/**
 * @packageDocumentation
 * The new process's side of an upgrade (dialogue.ts): it was started by a daemon that lives, prepares everything that
 * can be prepared beside that one, says whether it could go on from every journal, and waits for its turn. Until then
 * it changes nothing that the other could notice: not run.dir, not XenStore, no medium, no ring.
 *
 * When the other ends the dialogue before the turn has come, this process ends, quietly: it was not wanted.
 */
import { Socket } from 'node:net'
import { setTimeout as elapsed } from 'node:timers/promises'
import { XbbdError } from '../../protocol/errors.js'
import type { Settings } from '../config/schema.js'
import { passUpgradePoint } from '../run/planted-faults.js'
import type { Readiness, World } from '../run/world.js'
import type { Build } from './build.js'
import { Dialogue, failedWord, type Refusal } from './dialogue.js'
import { SUCCEEDING } from './successor-process.js'

/** It is its predecessor's decision when to ask; longer than all of that one's own waits. */
const ASKED_WITHIN_MS = 120_000
/** On a machine that is too busy for it the first requests are slower: no reason to go on with an old program. */
const WARM_WITHIN_MS = 10_000
/** A predecessor that has asked is about to let go. */
const TURN_WITHIN_MS = 60_000
/** Devices that are still not gone on with then are said to be on their way. */
const RESUMED_WITHIN_MS = 10_000

/** Settings that say where a daemon serves: with another place it is another daemon, and no successor. */
const PLACES = ['run.dir', 'world', 'host.dir', 'xenstore.path', 'backend.domid', 'backend.type'] as const

/** Where a daemon with these settings serves. */
export function placesOf(settings: Settings): Record<string, string> {
  return Object.fromEntries(PLACES.map((key) => [key, String(settings[key])]))
}

export class Succession {
  private readonly dialogue: Dialogue
  private queues: readonly string[] = []

  private constructor(dialogue: Dialogue) {
    this.dialogue = dialogue
  }

  /** When this process was started to succeed another. Takes the hint out of the environment. */
  static of(environment: NodeJS.ProcessEnv): Succession | undefined {
    const descriptor = environment[SUCCEEDING]
    delete environment[SUCCEEDING]
    if (descriptor === undefined) return undefined
    return new Succession(new Dialogue(new Socket({ fd: Number(descriptor), readable: true, writable: true })))
  }

  here({ version, build }: Build): void {
    passUpgradePoint('starting')
    this.dialogue.say({ say: 'here', version, build, pid: process.pid })
  }

  /** Resolves when the predecessor has let go of everything. Rejects with XbbdError NOT_WANTED. */
  async awaitTurn(settings: Settings, { rehearse, warm }: Readiness): Promise<void> {
    const { dialogue } = this
    const asked = await this.wanted(dialogue.hear('rehearse', ASKED_WITHIN_MS))
    passUpgradePoint('rehearsing')
    const moved = movedTo(settings, asked.places)
    const refusals = moved === undefined ? await rehearse(asked.queues) : [moved]
    dialogue.say({ say: 'rehearsed', refusals })
    await Promise.race([warm, dialogue.ended, elapsed(WARM_WITHIN_MS, undefined, { ref: false })])
    dialogue.say({ say: 'warm' })
    await this.wanted(dialogue.hear('ready?', ASKED_WITHIN_MS))
    passUpgradePoint('ready')
    dialogue.say({ say: 'ready' })
    this.queues = (await this.wanted(dialogue.hear('yours', TURN_WITHIN_MS))).queues
    passUpgradePoint('taking')
  }

  /** It serves: the predecessor is told how its queues fare. @returns when that one has ended. */
  async serving(world: Pick<World, 'resumed'>): Promise<void> {
    const resumed = await world.resumed(this.queues, RESUMED_WITHIN_MS)
    passUpgradePoint('serving')
    this.dialogue.say({ say: 'serving', resumed })
    await this.dialogue.ended
  }

  failed(error: unknown): void {
    this.dialogue.say(failedWord(error))
    this.dialogue.end()
  }

  /** Whoever ends the dialogue where a word was to come does not want us any more. */
  private async wanted<T>(word: Promise<T>): Promise<T> {
    try {
      return await word
    } catch (cause) {
      const sentence = 'the daemon goes on without its successor'
      throw new XbbdError(NOT_WANTED, sentence, { cause, exitCode: 0 })
    }
  }
}

/** Code of the error with which a successor ends that is not needed. */
export const NOT_WANTED = 'XBBD_NOT_WANTED'

function movedTo(settings: Settings, places: Readonly<Record<string, string>>): Refusal | undefined {
  const ours = placesOf(settings)
  const key = PLACES.find((name) => places[name] !== ours[name])
  if (key === undefined) return undefined
  const sentence = `${key} is ${JSON.stringify(ours[key])} in the configuration now, and this daemon serves ` +
    `${JSON.stringify(places[key])}: stop it and start it again`
  return { sentence }
}
