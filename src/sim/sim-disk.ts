/**
 * @packageDocumentation
 * A disk with a volatile cache and a mind of its own: requests complete in any order, after any while, and may fail.
 * What a write brought is in the cache when it completes and on the platter after a sync; `platter` is what a crash
 * would leave. Time is the world's: `tick` is called once per step.
 */
import {
  IO_DISCARD, IO_READ, IO_SECURE_DISCARD, IO_SYNC, IO_WORDS, IO_WRITE, RESULT_WORDS,
} from '../ports/data-path.js'
import type { BufferArena, MediumPort } from '../ports/data-path.js'
import type { Random } from './random.js'

interface Pending {
  readonly arena: BufferArena
  /** Whoever asked is dead: its result goes nowhere. */
  orphan: boolean
  readonly op: number
  readonly token: number
  readonly arenaAt: number
  readonly length: number
  readonly offset: number
  left: number
}

export interface SimDiskOptions {
  readonly bytes: number
  /** Steps that a request takes: 0 to this, drawn for each. */
  readonly delayMax: number
  /** Probability that a request fails (-EIO), and that a transfer is short. */
  readonly errorShare?: number
  readonly shortShare?: number
  /** Probability that a sync fails. */
  readonly syncErrorShare?: number
  /** Probability that a request takes from a hundred to two hundred steps more. */
  readonly lagShare?: number
  readonly depth?: number
}

export class SimDisk implements MediumPort {
  readonly cache: Uint8Array
  readonly platter: Uint8Array
  /** While true nothing completes. */
  hanging = false
  /** While true writes find no space, some of them after a part; -ENOSPC and -EDQUOT by turns. */
  full = false
  /** While true there is no medium: everything ends with -ENXIO. */
  gone = false
  /** I/Os that have come to their end. */
  ended = 0
  /** Bytes that there are now; at most as many as at first. */
  size: number
  private armed = false
  private ready: () => void = () => undefined
  private readonly pending: Pending[] = []
  private readonly done: number[] = []
  private arena: BufferArena
  private readonly options: SimDiskOptions
  private readonly random: Random

  constructor(options: SimDiskOptions, arena: BufferArena, random: Random) {
    this.options = options
    this.arena = arena
    this.random = random
    this.size = options.bytes
    this.cache = new Uint8Array(options.bytes)
    this.platter = new Uint8Array(options.bytes)
  }

  get inFlight(): number {
    const living = this.pending.reduce((count, { orphan }) => (orphan ? count : count + 1), 0)
    return living + this.done.length / RESULT_WORDS
  }

  submit(requests: Int32Array, count: number): number {
    const room = (this.options.depth ?? Infinity) - this.inFlight
    const taken = Math.max(0, Math.min(count, room))
    for (let index = 0; index < taken; index++) {
      const at = index * IO_WORDS
      this.pending.push({
        arena: this.arena,
        orphan: false,
        op: requests[at],
        token: requests[at + 1],
        arenaAt: requests[at + 2],
        length: (requests[at + 3] >>> 0) + (requests[at + 6] >>> 0) * 4294967296,
        offset: (requests[at + 4] >>> 0) + (requests[at + 5] >>> 0) * 4294967296,
        left: this.random.below(this.options.delayMax + 1) + this.lag(),
      })
    }
    return taken
  }

  private lag(): number {
    const { lagShare } = this.options
    return lagShare !== undefined && this.random.chance(lagShare) ? 100 + this.random.below(100) : 0
  }

  /** One step of time: some requests complete, in any order. */
  tick(): void {
    if (this.hanging) return
    for (let index = this.pending.length - 1; index >= 0; index--) {
      if (this.pending[index].left-- > 0) continue
      const [request] = this.pending.splice(index, 1)
      const result = this.execute(request)
      this.ended++
      if (!request.orphan) this.done.push(request.token, result)
    }
    if (!this.armed || this.done.length === 0) return
    this.armed = false
    this.ready()
  }

  /**
   * What a power cut would leave: of what is in the cache only, and of writes in flight, each sector may be there or
   * not.
   */
  afterPowerCut(): Uint8Array {
    const { random, cache } = this
    const image = this.platter.slice()
    for (let at = 0; at < image.length; at += 512)
      if (random.chance(0.5)) image.set(cache.subarray(at, at + 512), at)
    for (const { op, arena, arenaAt, length, offset } of this.pending) {
      if (op !== IO_WRITE || offset + length > this.size) continue
      for (let done = 0; done < length; done += 512)
        if (random.chance(0.5)) image.set(arena.bytes.subarray(arenaAt + done, arenaAt + done + 512), offset + done)
    }
    return image
  }

  /**
   * Whoever used the disk has died, and its successor has the fence: all that was begun has ended, in any order and
   * unheard. `fenced` false: the successor did not wait, and it ends later.
   */
  inherit(arena: BufferArena, fenced = true): void {
    this.arena = arena
    this.done.length = 0
    for (const request of this.pending) request.orphan = true
    while (fenced && this.pending.length > 0)
      this.execute(this.pending.splice(this.random.below(this.pending.length), 1)[0])
  }

  reap(results: Int32Array, max: number): number {
    const count = Math.min(max, this.done.length / RESULT_WORDS)
    results.set(this.done.splice(0, count * RESULT_WORDS))
    return count
  }

  onReady(listener: () => void): void {
    this.ready = listener
  }

  arm(): boolean {
    this.armed = this.done.length === 0
    return !this.armed
  }

  close(): void {
    if (this.inFlight > 0) throw new Error('a disk was closed with I/O in flight')
  }

  private execute({ arena, op, arenaAt, length, offset }: Pending): number {
    const { random, options } = this
    if (this.gone) return -6
    if (op === IO_SYNC) {
      if (random.chance(options.syncErrorShare ?? 0)) return -5
      this.platter.set(this.cache)
      return 0
    }
    if (offset + length > this.size) return -22
    if (random.chance(options.errorShare ?? 0)) return -5
    if (op === IO_WRITE && this.full) {
      const part = random.below(length / 512) * 512
      this.cache.set(arena.bytes.subarray(arenaAt, arenaAt + part), offset)
      if (part > 0 && random.chance(0.5)) return part
      return random.chance(0.5) ? -28 : -122
    }
    const short = length > 512 && random.chance(options.shortShare ?? 0)
    const moved = short ? length - 512 : length
    if (op === IO_READ) arena.bytes.set(this.cache.subarray(offset, offset + moved), arenaAt)
    else if (op === IO_WRITE) this.cache.set(arena.bytes.subarray(arenaAt, arenaAt + moved), offset)
    else if (op === IO_DISCARD || op === IO_SECURE_DISCARD) this.cache.fill(0, offset, offset + length)
    // What is to be found never again is not on the platter either.
    if (op === IO_SECURE_DISCARD) this.platter.fill(0, offset, offset + length)
    return op === IO_DISCARD || op === IO_SECURE_DISCARD ? 0 : moved
  }
}
