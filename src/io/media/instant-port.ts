/**
 * @packageDocumentation
 * Media that have done their work when `submit` returns: memory and null. Such a port has no descriptor, no thread
 * and no native code, so the simulated world uses the very same one.
 *
 *   submit: refusal, or execute ──► results ──► reap
 *
 * It never calls its `onReady` listener: whoever arms it is told at once whether results wait, and nothing can come
 * to wait afterwards but by the caller's own `submit`.
 */
import { IO_WORDS } from '../../ports/data-path.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { MediumGeometry } from '../../ports/medium.js'
import { assert } from '../../protocol/errors.js'
import { INSTANT_DEPTH, ResultQueue, refusalOf } from './requests.js'

/** Executes one request that was found good. @returns bytes moved (0 for sync, discard, write-zeroes) or -errno. */
export type ExecuteRequest = (requests: Int32Array, base: number) => number

/** A {@link MediumPort} over a synchronous function; see {@link ExecuteRequest}. */
export class InstantPort implements MediumPort {
  private readonly geometry: MediumGeometry
  private readonly arenaBytes: number
  private readonly execute: ExecuteRequest
  private readonly results = new ResultQueue(INSTANT_DEPTH)

  constructor(geometry: MediumGeometry, arena: BufferArena, execute: ExecuteRequest) {
    this.geometry = geometry
    this.arenaBytes = arena.bytes.length
    this.execute = execute
  }

  get inFlight(): number {
    return this.results.count
  }

  submit(requests: Int32Array, count: number): number {
    let taken = 0
    while (taken < count && !this.results.full) {
      const base = taken * IO_WORDS
      const refusal = refusalOf(requests, base, this.geometry, this.arenaBytes)
      this.results.push(requests[base + 1], refusal === 0 ? this.execute(requests, base) : refusal)
      taken++
    }
    return taken
  }

  reap(results: Int32Array, max: number): number {
    return this.results.drain(results, max)
  }

  onReady(): void {
    // Nothing ever becomes ready here but inside submit, before the caller can arm.
  }

  arm(): boolean {
    return this.results.count > 0
  }

  close(): void {
    assert(this.inFlight === 0, 'a medium is closed with requests in flight')
  }
}
