/**
 * @packageDocumentation
 * Drives a MediumPort in tests as a queue does: requests in arrays, results by reap, waiting by arm and onReady.
 * Every token is new and every result is checked to belong to a request that has none yet, so that no test can
 * overlook a result that comes twice or never.
 */
import { IO_WORDS, RESULT_WORDS } from '../../src/ports/data-path.js'
import type { BufferArena, MediumPort } from '../../src/ports/data-path.js'
import type { MediumGeometry } from '../../src/ports/medium.js'

/** A port to be judged; `dispose` lets go of whatever stands behind it. */
export interface MediumUnderTest {
  readonly port: MediumPort
  readonly arena: BufferArena
  readonly geometry: MediumGeometry
  dispose(): void
}

/** One request in readable form; bytes, not sectors. */
export interface TestRequest {
  readonly op: number
  readonly at?: number
  readonly length?: number
  readonly offset?: number
}

/** An arena of plain memory. */
export function plainArena(bytes = 1 << 20): BufferArena {
  return { bytes: new Uint8Array(bytes), handle: 0 }
}

export class MediumDriver {
  readonly medium: MediumUnderTest
  readonly port: MediumPort
  readonly bytes: Uint8Array
  readonly wakes = { count: 0 }
  private nextToken = -3
  private readonly outstanding = new Map<number, number>()
  private woken: () => void = () => undefined

  constructor(medium: MediumUnderTest) {
    this.medium = medium
    this.port = medium.port
    this.bytes = medium.arena.bytes
    this.port.onReady(() => {
      this.wakes.count++
      this.woken()
    })
  }

  /** Offers all of `requests` once; results will stand at the same index. @returns how many were taken. */
  offer(requests: readonly TestRequest[]): { taken: number; tokens: number[] } {
    const words = new Int32Array(requests.length * IO_WORDS)
    const tokens = requests.map((request, index) => {
      const token = this.nextToken++
      const offset = request.offset ?? 0
      const length = request.length ?? 0
      words.set([request.op, token, request.at ?? 0, length % 2 ** 32], index * IO_WORDS)
      words.set([offset % 2 ** 32, Math.floor(offset / 2 ** 32), Math.floor(length / 2 ** 32)], index * IO_WORDS + 4)
      return token
    })
    const taken = this.port.submit(words, requests.length)
    tokens.slice(0, taken).forEach((token, index) => this.outstanding.set(token, index))
    return { taken, tokens: tokens.slice(0, taken) }
  }

  /** Collects what is ready now. @returns (token, result) pairs. */
  reap(max = 256): [number, number][] {
    const results = new Int32Array(max * RESULT_WORDS)
    const count = this.port.reap(results, max)
    expect(count).toBeLessThanOrEqual(max)
    return Array.from({ length: count }, (_, index) => {
      const token = results[index * RESULT_WORDS]
      if (!this.outstanding.delete(token)) throw new Error(`a result for token ${token}, which waits for none`)
      return [token, results[index * RESULT_WORDS + 1]]
    })
  }

  /** Arms and waits, unless something is ready already. */
  async ready(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.woken = resolve
    })
    if (this.port.arm()) return
    await woken
  }

  /** Submits everything, however often it takes, and waits for all results, in the order of `requests`. */
  async run(requests: readonly TestRequest[]): Promise<number[]> {
    const results = new Map<number, number>()
    const order: number[] = []
    while (order.length < requests.length || results.size < order.length) {
      const offered = this.offer(requests.slice(order.length))
      order.push(...offered.tokens)
      const pairs = this.reap()
      for (const [token, result] of pairs) results.set(token, result)
      if (pairs.length === 0 && results.size < order.length) await this.ready()
    }
    expect(this.port.inFlight).toBe(0)
    return order.map((token) => results.get(token) ?? NaN)
  }

  close(): void {
    this.port.close()
    this.medium.dispose()
  }
}
