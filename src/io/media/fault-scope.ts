/**
 * @packageDocumentation
 * Which requests a planted fault or delay is meant for, and how often it still fires. Scopes are written by people
 * (`error:EIO,op=read,from=8,to=16,times=1`), so they speak of operations by name and of 512-byte sectors.
 *
 * A sync has no range: a scope with a range touches syncs only when it names them.
 */
import { IO_DISCARD, IO_READ, IO_SYNC, IO_WRITE, IO_WRITE_ZEROES } from '../../ports/data-path.js'
import type { FaultScope } from '../../ports/medium.js'
import { lengthOf, offsetOf } from './requests.js'

const opNumbers: Readonly<Record<NonNullable<FaultScope['op']>, number>> = {
  read: IO_READ,
  write: IO_WRITE,
  sync: IO_SYNC,
  discard: IO_DISCARD,
  'write-zeroes': IO_WRITE_ZEROES,
}

/** Says of each request whether it is meant, and counts how often that happened. */
export class ScopeMatcher {
  private readonly op: number | undefined
  private readonly fromByte: number
  private readonly toByte: number
  private readonly ranged: boolean
  private left: number
  private tookLast = false

  constructor(scope: FaultScope & { readonly times?: number }) {
    this.op = scope.op === undefined ? undefined : opNumbers[scope.op]
    this.fromByte = (scope.from ?? 0) * 512
    this.toByte = (scope.to ?? Infinity) * 512
    this.ranged = scope.from !== undefined || scope.to !== undefined
    this.left = scope.times ?? Infinity
  }

  /** Whether the request whose words begin at `base` is meant; a request that is meant uses up one of `times`. */
  takes(requests: Int32Array, base: number): boolean {
    this.tookLast = this.left > 0 && this.covers(requests, base)
    if (this.tookLast) this.left--
    return this.tookLast
  }

  /** The last request asked about did not reach the medium after all and will be offered again: it did not count. */
  giveBack(): void {
    if (this.tookLast) this.left++
    this.tookLast = false
  }

  private covers(requests: Int32Array, base: number): boolean {
    const op = requests[base]
    if (this.op !== undefined && op !== this.op) return false
    if (op === IO_SYNC) return this.op === IO_SYNC || !this.ranged
    const offset = offsetOf(requests, base)
    return offset < this.toByte && offset + lengthOf(requests, base) > this.fromByte
  }
}
