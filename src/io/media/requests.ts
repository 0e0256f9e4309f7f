/**
 * @packageDocumentation
 * What all media have in common on the way in and out: how a request's eight words are read, what is refused before
 * anything is touched, and the bounded queue in which results wait for `reap`.
 *
 *   word   0    1      2             3           4            5            6            7
 *          op   token  arena offset  length low  offset low   offset high  length high  0
 *
 * All words but the token are unsigned. A refusal is a result, never an exception: the request was taken and ends
 * with -errno. native/engine.h makes the same checks in the same order, and the contract suite holds both to it.
 * What must never happen: a byte of arena or medium is touched by a request that is refused.
 */
import { IO_DISCARD, IO_READ, IO_SECURE_DISCARD, IO_SYNC, IO_WRITE, RESULT_WORDS } from '../../ports/data-path.js'
import type { MediumGeometry } from '../../ports/medium.js'
import { assert } from '../../protocol/errors.js'

/** Linux errno values that media answer with (asm-generic/errno-base.h, errno.h). */
export const EIO = 5
export const EFAULT = 14
export const EINVAL = 22
export const EROFS = 30
export const EOPNOTSUPP = 95

/** Requests that a port without a kernel behind it keeps at most; offers beyond are not taken. */
export const INSTANT_DEPTH = 1024

/** First byte on the medium of the request whose words begin at `base`; exact, as sectors lie below 2^44. */
export function offsetOf(requests: Int32Array, base: number): number {
  return (requests[base + 4] >>> 0) + (requests[base + 5] >>> 0) * 2 ** 32
}

/** How many bytes of the medium the request at `base` is about; may be anything until it was checked. */
export function lengthOf(requests: Int32Array, base: number): number {
  return (requests[base + 3] >>> 0) + (requests[base + 6] >>> 0) * 2 ** 32
}

/** Whether bytes pass between arena and medium. */
export function movesBytes(op: number): boolean {
  return op === IO_READ || op === IO_WRITE
}

/**
 * Looks at the request whose words begin at `base` before it touches anything.
 * @returns 0, or what it must be answered: -EINVAL (unknown operation; empty, misaligned or beyond the end), -EROFS,
 * -EOPNOTSUPP (discard where there is none), -EFAULT (its buffer is not inside the arena).
 */
export function refusalOf(requests: Int32Array, base: number, geometry: MediumGeometry, arenaBytes: number): number {
  const op = requests[base] >>> 0
  if (op > IO_SECURE_DISCARD) return -EINVAL
  if (op === IO_SYNC) return 0
  const length = lengthOf(requests, base)
  const offset = offsetOf(requests, base)
  // A power of two below 2^32: the low words tell, and a remainder of doubles would cost more than all the rest.
  const partial = (requests[base + 3] | requests[base + 4]) & (geometry.sectorSize - 1)
  if (length === 0 || partial !== 0) return -EINVAL
  if (offset > geometry.sectorCount * 512 - length) return -EINVAL
  if (op !== IO_READ && geometry.readOnly) return -EROFS
  if (op === IO_DISCARD && !geometry.canDiscard) return -EOPNOTSUPP
  if (op === IO_SECURE_DISCARD && !geometry.canSecureDiscard) return -EOPNOTSUPP
  if (movesBytes(op) && (requests[base + 2] >>> 0) + length > arenaBytes) return -EFAULT
  return 0
}

/** Results that wait for `reap`: a ring of (token, result) pairs that never grows. */
export class ResultQueue {
  readonly capacity: number
  private readonly pairs: Int32Array
  private first = 0
  private held = 0

  constructor(capacity: number) {
    this.capacity = capacity
    this.pairs = new Int32Array(capacity * RESULT_WORDS)
  }

  get count(): number {
    return this.held
  }

  get full(): boolean {
    return this.held === this.capacity
  }

  push(token: number, result: number): void {
    assert(this.held < this.capacity, 'a medium keeps more results than it may take requests')
    const place = this.first + this.held
    const at = (place < this.capacity ? place : place - this.capacity) * RESULT_WORDS
    this.pairs[at] = token
    this.pairs[at + 1] = result
    this.held++
  }

  /** Moves up to `max` pairs to `results`, from pair number `start` on. @returns how many. */
  drain(results: Int32Array, max: number, start = 0): number {
    let moved = 0
    while (moved < max && this.held > 0) {
      const from = this.first * RESULT_WORDS
      const to = (start + moved) * RESULT_WORDS
      results[to] = this.pairs[from]
      results[to + 1] = this.pairs[from + 1]
      this.first = this.first + 1 < this.capacity ? this.first + 1 : 0
      this.held--
      moved++
    }
    return moved
  }
}
