/**
 * @packageDocumentation
 * One Worker's arena, lent in chunks to the Worker's queues. Every attached queue has its reserve (room for one largest
 * request), so it always gets on; the rest is lent by quota, so that a greedy guest cannot starve a neighbour.
 *
 *   chunks in all = reserves of all queues + what is lent beyond them + what is free
 *   quota of a queue beyond its reserve = (chunks in all - all reserves) / queues
 *
 * A new queue comes when everything may be lent: it is owed its reserve from then on. Quotas shrink by that, whoever
 * has more is asked to return it, and until the new queue has its reserve nobody borrows.
 *
 * Which chunk a queue gets is an input of its core, journalled there; the lender itself needs no journal.
 */
import { assert } from '../protocol/errors.js'

/** What one queue may always have, and what it has. */
interface Account {
  readonly reserve: number
  readonly chunks: Set<number>
}

export class ArenaLender {
  private readonly free: number[]
  private readonly total: number
  private readonly lent = new Map<string, Account>()
  /** Who has not got its reserve yet. */
  private readonly owed = new Set<string>()

  constructor(chunks: number) {
    this.total = chunks
    this.free = Array.from({ length: chunks }, (_, index) => chunks - 1 - index)
  }

  /** A new queue, which is owed its reserve now. @returns false when all reserves are more than there is. */
  enter(queue: string, reserve: number): boolean {
    assert(!this.lent.has(queue), `${queue} has its reserve already`)
    if (this.reserves() + reserve > this.total) return false
    this.lent.set(queue, { reserve, chunks: new Set() })
    this.owed.add(queue)
    return true
  }

  /** Its reserve, or undefined while there is not so much. */
  pay(queue: string): number[] | undefined {
    const account = this.account(queue)
    if (this.free.length < account.reserve) return undefined
    this.owed.delete(queue)
    return this.take(account, account.reserve)
  }

  /** Up to `wanted` chunks more; fewer, or none, when the quota or the arena is used up, or a reserve is owed. */
  borrow(queue: string, wanted: number): number[] {
    if (this.owed.size > 0) return []
    const account = this.account(queue)
    const room = account.reserve + this.quota() - account.chunks.size
    return this.take(account, Math.max(0, Math.min(wanted, room, this.free.length)))
  }

  giveBack(queue: string, chunk: number): void {
    assert(this.account(queue).chunks.delete(chunk), `${queue} gives back chunk ${chunk}, which it does not have`)
    this.free.push(chunk)
  }

  /** The queue is gone: whatever it held, also what was lent and never used, is free again. */
  detach(queue: string): void {
    this.free.push(...this.account(queue).chunks)
    this.lent.delete(queue)
    this.owed.delete(queue)
  }

  /** How many chunks the queue holds beyond what it may: these are to be recalled. */
  excess(queue: string): number {
    const account = this.account(queue)
    return Math.max(0, account.chunks.size - account.reserve - this.quota())
  }

  get freeChunks(): number {
    return this.free.length
  }

  /** Queues that have, or are owed, a part of it. */
  get borrowers(): readonly string[] {
    return [...this.lent.keys()]
  }

  private quota(): number {
    return Math.floor((this.total - this.reserves()) / Math.max(1, this.lent.size))
  }

  private reserves(): number {
    let reserves = 0
    for (const { reserve } of this.lent.values()) reserves += reserve
    return reserves
  }

  private account(queue: string): Account {
    const account = this.lent.get(queue)
    assert(account, `${queue} borrows nothing here`)
    return account
  }

  private take(account: Account, count: number): number[] {
    const chunks = count === 0 ? [] : this.free.splice(this.free.length - count, count).reverse()
    for (const chunk of chunks) account.chunks.add(chunk)
    return chunks
  }
}
