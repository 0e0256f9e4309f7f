/**
 * @packageDocumentation
 * A disk for hostile lives: memory, any order, errors, short transfers, full now and then. Nothing in it allocates, so
 * that what grows in a long run is not the disk.
 */
import {
  IO_DISCARD, IO_READ, IO_SECURE_DISCARD, IO_WORDS, IO_WRITE, RESULT_WORDS,
} from '../../../src/ports/data-path.js'
import type { MediumPort } from '../../../src/ports/data-path.js'
import type { Random } from '../../../src/sim/random.js'

const DEPTH = 1024

export class HostileDisk implements MediumPort {
  /** While true writes find no space. */
  full = false
  /** While true nothing ends. */
  hanging = false
  private readonly image: Buffer
  private readonly arena: Buffer
  private readonly random: Random
  private readonly pending = new Int32Array(DEPTH * IO_WORDS)
  private waiting = 0
  private readonly done = new Int32Array(DEPTH * RESULT_WORDS)
  private finished = 0

  constructor(image: Uint8Array, arena: Uint8Array, random: Random) {
    this.image = Buffer.from(image.buffer, image.byteOffset, image.length)
    this.arena = Buffer.from(arena.buffer, arena.byteOffset, arena.length)
    this.random = random
  }

  get inFlight(): number {
    return this.waiting + this.finished
  }

  submit(requests: Int32Array, count: number): number {
    const taken = Math.min(count, DEPTH - this.inFlight)
    for (let word = 0; word < taken * IO_WORDS; word++) this.pending[this.waiting * IO_WORDS + word] = requests[word]
    this.waiting += taken
    return taken
  }

  /** Most of what waits ends, in no order. */
  tick(): void {
    if (this.hanging) return
    const leave = this.random.below(4) === 0 ? this.waiting >>> 1 : 0
    while (this.waiting > leave) {
      const at = this.random.below(this.waiting) * IO_WORDS
      this.done[this.finished * RESULT_WORDS] = this.pending[at + 1]
      this.done[this.finished * RESULT_WORDS + 1] = this.execute(at)
      this.finished++
      this.waiting--
      for (let word = 0; word < IO_WORDS; word++) this.pending[at + word] = this.pending[this.waiting * IO_WORDS + word]
    }
  }

  reap(results: Int32Array, max: number): number {
    const count = Math.min(max, this.finished)
    this.finished -= count
    for (let word = 0; word < count * RESULT_WORDS; word++) results[word] = this.done[this.finished * RESULT_WORDS + word]
    return count
  }

  onReady(): void {
    // Nobody sleeps here.
  }

  arm(): boolean {
    return this.finished > 0
  }

  close(): void {
    if (this.inFlight > 0) throw new Error('a disk was closed with I/O in flight')
  }

  private execute(at: number): number {
    const { pending, random } = this
    const op = pending[at]
    const length = pending[at + 3]
    const offset = pending[at + 4]
    const chance = random.next() & 0xff
    if (chance < 2) return -5
    if (this.full && op === IO_WRITE) return chance < 64 ? length >>> 1 & ~511 : -28
    const moved = chance < 4 ? length - 512 : length
    if (op === IO_READ) this.image.copy(this.arena, pending[at + 2], offset, offset + moved)
    else if (op === IO_WRITE) this.arena.copy(this.image, offset, pending[at + 2], pending[at + 2] + moved)
    else if (op === IO_DISCARD || op === IO_SECURE_DISCARD) return 0
    return moved
  }
}
