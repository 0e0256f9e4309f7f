/**
 * @packageDocumentation
 * Queues that come to a Worker whose arena is lent out: each waits until the others have returned what is its own.
 *
 *   attach ─► owed its reserve ─ everyone above today's quota is asked ─ returned ─► it begins
 *                               └ and again every few milliseconds, some seconds long ─► refused
 *
 * They come one after the other, and what is said to one that waits is kept and said to it afterwards: for everybody
 * else its Worker was slow to answer. What must never happen: a queue that is turned away because its neighbours were
 * quick. All that fit the arena by their reserves have their place in it, after a crash as before.
 */
import type { ArenaLender } from '../core/arena-lender.js'
import type { QueueName } from '../ports/queues.js'
import type { AttachMessage, DownMessage } from './worker-messages.js'

/** Between two times that chunks are asked for: one in use is returned after the time of an I/O. */
const ASK_MS = 5
/** So often; a disk that answers nothing for so long may hold them for ever. */
const ASKS_MAX = 1000

export interface NewcomersParts {
  readonly lender: ArenaLender
  /** Calls `fire` once, after so many milliseconds. */
  readonly after: (milliseconds: number, fire: () => void) => () => void
  /** Asks everyone who has more than today's quota to return it. */
  readonly recall: () => void
  readonly admit: (message: AttachMessage, chunks: readonly number[]) => void
  readonly refuse: (name: QueueName, sentence: string) => void
  /** Hears what was said meanwhile. */
  readonly receive: (message: DownMessage) => void
}

interface Newcomer {
  readonly name: QueueName
  readonly message: AttachMessage
  readonly said: DownMessage[]
}

export class Newcomers {
  private readonly parts: NewcomersParts
  /** In the order in which they came. */
  private readonly waiting: Newcomer[] = []
  private asked = 0
  private cancel: (() => void) | undefined

  constructor(parts: NewcomersParts) {
    this.parts = parts
  }

  /** A queue that needs so many chunks to begin. */
  come(message: AttachMessage, reserve: number): void {
    const { name } = message.attachment.settings
    const { lender, refuse } = this.parts
    if (!lender.enter(name, reserve))
      return refuse(name, `the arena of this Worker has no room for ${name}: raise arena.size or workers`)
    this.waiting.push({ name, message, said: [] })
    this.look()
    if (this.waiting.length === 1) this.ask()
  }

  /** Whether the message is for one who waits: then it is kept. */
  keeps(message: DownMessage): boolean {
    if (this.waiting.length === 0 || !('name' in message)) return false
    const newcomer = this.waiting.find(({ name }) => name === message.name)
    newcomer?.said.push(message)
    return newcomer !== undefined
  }

  /** Lets in whoever finds its reserve free now. */
  look(): void {
    while (this.waiting.length > 0) {
      const [{ name, message }] = this.waiting
      const chunks = this.parts.lender.pay(name)
      if (chunks === undefined) return
      this.next((parts) => parts.admit(message, chunks))
    }
  }

  /** Everyone is asked, now and until nobody waits. */
  private ask(): void {
    const { recall, after } = this.parts
    this.cancel?.()
    recall()
    this.cancel = after(ASK_MS, () => {
      this.cancel = undefined
      this.look()
      if (this.waiting.length === 0) return
      if (++this.asked === ASKS_MAX) this.giveUp()
      if (this.waiting.length > 0) this.ask()
    })
  }

  private giveUp(): void {
    const [{ name }] = this.waiting
    const seconds = (ASK_MS * ASKS_MAX) / 1000
    this.parts.lender.detach(name)
    const sentence = `the queues of this Worker keep what belongs to ${name} of its arena, for ${seconds} s now: ` +
      'does a disk not answer? Otherwise raise arena.size or workers'
    this.next((parts) => parts.refuse(name, sentence))
  }

  /** The first of them waits no longer. */
  private next(decide: (parts: NewcomersParts) => void): void {
    const first = this.waiting.shift()
    this.asked = 0
    decide(this.parts)
    for (const message of first?.said ?? []) this.parts.receive(message)
  }
}
