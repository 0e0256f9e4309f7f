/**
 * @packageDocumentation
 * A layer between queue and medium: everything passes through to the inner port but what the layer keeps for
 * itself. Layers are for planted faults and slow disks, so they are simple first: requests pass one at a time.
 *
 *   submit ──► keep()? ──no──► inner.submit            reap ◄── own results, then inner.reap, seen by passed()
 *                └─yes──► own results, now or later
 *
 * What must never happen: a request that is lost or answered twice, a wake-up that is lost. A layer therefore counts
 * only what it keeps, and `arm` looks at its own results before it asks the inner port.
 */
import { IO_WORDS, RESULT_WORDS } from '../../ports/data-path.js'
import type { MediumPort, PortConnection } from '../../ports/data-path.js'
import type { FaultScope } from '../../ports/medium.js'
import { ScopeMatcher } from './fault-scope.js'
import { INSTANT_DEPTH, ResultQueue } from './requests.js'

/** What a layer does with one request: it passes on (perhaps changed in `scratch`), is kept, or must wait outside. */
export type LayerVerdict = 'pass' | 'kept' | 'full'

export abstract class LayerPort implements MediumPort {
  protected readonly inner: MediumPort
  protected readonly scope: ScopeMatcher
  protected readonly own = new ResultQueue(INSTANT_DEPTH)
  private readonly scratch = new Int32Array(IO_WORDS)
  private listener: () => void = () => undefined
  private armed = false

  constructor(inner: MediumPort, scope: FaultScope & { readonly times?: number }) {
    this.inner = inner
    this.scope = new ScopeMatcher(scope)
    inner.onReady(() => this.wake())
  }

  get operations(): number | undefined {
    return this.inner.operations
  }

  get inFlight(): number {
    return this.own.count + this.inner.inFlight
  }

  get connection(): PortConnection | undefined {
    return this.inner.connection
  }

  submit(requests: Int32Array, count: number): number {
    for (let taken = 0; taken < count; taken++) {
      const base = taken * IO_WORDS
      for (let word = 0; word < IO_WORDS; word++) this.scratch[word] = requests[base + word]
      const verdict = this.own.full ? 'full' : this.keep(this.scratch)
      if (verdict === 'full') return taken
      if (verdict === 'pass' && this.inner.submit(this.scratch, 1) === 0) {
        this.untaken(this.scratch)
        return taken
      }
    }
    return count
  }

  reap(results: Int32Array, max: number): number {
    const own = this.own.drain(results, max)
    if (own > 0) return own
    const passed = this.inner.reap(results, max)
    for (let index = 0; index < passed; index++) this.passed(results, index * RESULT_WORDS)
    return passed
  }

  onReady(listener: () => void): void {
    this.listener = listener
  }

  arm(): boolean {
    this.armed = !(this.own.count > 0 || this.inner.arm())
    return !this.armed
  }

  close(): void {
    this.inner.close()
  }

  /** Decides on the request in `request`, whose words may be changed before it passes. */
  protected abstract keep(request: Int32Array): LayerVerdict

  /** Sees the result at `base` of what passed through. */
  protected passed(_results: Int32Array, _base: number): void {
    // Most layers do not care.
  }

  /** The inner port did not take what `keep` let pass: it will be offered again. */
  protected untaken(_request: Int32Array): void {
    this.scope.giveBack()
  }

  /** Calls the listener if someone waits, once. */
  protected wake(): void {
    if (!this.armed) return
    this.armed = false
    this.listener()
  }

  /** For layers that move on by themselves: wakes whoever waits, if there is something to reap by now. */
  protected wakeIfReady(): void {
    if (this.armed && this.arm()) {
      this.armed = true
      this.wake()
    }
  }
}
