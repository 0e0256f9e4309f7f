/**
 * @packageDocumentation
 * One Worker's arena, lent in chunks to the Worker's queues. Every attached queue has its reserve (room for one largest
 * request), so it always gets on; the rest is lent by quota, so that a greedy guest cannot starve a neighbour.
 *
 *   chunks in all = reserves of all queues + what is lent beyond them + what is free
 *   quota of a queue beyond its reserve = (chunks in all - all reserves) / queues
 *
 * Which chunk a queue gets is an input of its core, journalled there; the lender itself needs no journal.
 */
import { assert } from '../protocol/errors.js'

export class ArenaLender {
  private readonly free: number[]
  private readonly total: number
  private readonly lent = new Map<string, { reserve: number; count: number }>()

  constructor(chunks: number) {
    this.total = chunks
    this.free = Array.from({ length: chunks }, (_, index) => chunks - 1 - index)
  }

  /** The reserve of a new queue, or undefined when the arena cannot give it. */
  attach(queue: string, reserve: number): number[] | undefined {
    assert(!this.lent.has(queue), `${queue} has its reserve already`)
    if (this.free.length < reserve) return undefined
    this.lent.set(queue, { reserve, count: reserve })
    return this.take(reserve)
  }

  /** Up to `wanted` chunks more; fewer, or none, when the quota or the arena is used up. */
  borrow(queue: string, wanted: number): number[] {
    const account = this.account(queue)
    const room = account.reserve + this.quota() - account.count
    const count = Math.max(0, Math.min(wanted, room, this.free.length))
    account.count += count
    return this.take(count)
  }

  giveBack(queue: string, chunk: number): void {
    this.account(queue).count--
    this.free.push(chunk)
  }

  /** The queue is gone: `chunks` are all that it held. */
  detach(queue: string, chunks: Iterable<number>): void {
    for (const chunk of chunks) this.giveBack(queue, chunk)
    this.lent.delete(queue)
  }

  /** How many chunks the queue holds beyond what it may: these are to be recalled. */
  excess(queue: string): number {
    const account = this.account(queue)
    return Math.max(0, account.count - account.reserve - this.quota())
  }

  get freeChunks(): number {
    return this.free.length
  }

  private quota(): number {
    let reserves = 0
    for (const { reserve } of this.lent.values()) reserves += reserve
    return Math.floor((this.total - reserves) / Math.max(1, this.lent.size))
  }

  private account(queue: string): { reserve: number; count: number } {
    const account = this.lent.get(queue)
    assert(account, `${queue} borrows nothing here`)
    return account
  }

  private take(count: number): number[] {
    return count === 0 ? [] : this.free.splice(this.free.length - count, count).reverse()
  }
}
