/**
 * @packageDocumentation
 * A slow disk: what is in scope waits its time in front of the medium, in order, and reaches it only then (so a write
 * that is not answered yet is not on the medium either, as on a real slow disk). Time comes from the injected clock;
 * one timer runs at most.
 *
 *   submit ──► held (a bounded ring of request words, each with its due time) ──due──► inner.submit
 *
 * When the inner port is full at that moment, the request stays held and is offered again at every reap and arm: the
 * inner port is full of requests whose results will wake the caller.
 */
import { IO_WORDS } from '../../ports/data-path.js'
import type { MediumPort } from '../../ports/data-path.js'
import type { MediumLayer } from '../../ports/medium.js'
import type { Clock } from '../../ports/clock.js'
import { assert } from '../../protocol/errors.js'
import { LayerPort } from './layer-port.js'
import type { LayerVerdict } from './layer-port.js'
import { INSTANT_DEPTH } from './requests.js'

export class DelayPort extends LayerPort {
  private readonly clock: Clock
  private readonly delayMs: number
  private readonly words = new Int32Array(INSTANT_DEPTH * IO_WORDS)
  private readonly dueNs = new Float64Array(INSTANT_DEPTH)
  private readonly scratchOut = new Int32Array(IO_WORDS)
  private first = 0
  private held = 0
  private cancelTimer: (() => void) | undefined

  constructor(inner: MediumPort, layer: Extract<MediumLayer, { kind: 'delay' }>, clock: Clock) {
    super(inner, layer)
    this.clock = clock
    this.delayMs = layer.milliseconds
  }

  override get inFlight(): number {
    return this.held + super.inFlight
  }

  override reap(results: Int32Array, max: number): number {
    this.release()
    this.schedule()
    return super.reap(results, max)
  }

  override arm(): boolean {
    this.release()
    this.schedule()
    return super.arm()
  }

  override close(): void {
    assert(this.held === 0, 'a medium is closed while requests are delayed')
    this.cancelTimer?.()
    super.close()
  }

  protected override keep(request: Int32Array): LayerVerdict {
    if (!this.scope.takes(request, 0)) return 'pass'
    if (this.held === INSTANT_DEPTH) return 'full'
    const slot = (this.first + this.held) % INSTANT_DEPTH
    this.words.set(request, slot * IO_WORDS)
    this.dueNs[slot] = this.clock.nowNs() + this.delayMs * 1e6
    this.held++
    this.schedule()
    return 'kept'
  }

  /** Hands everything that is due to the inner port, as far as that takes it. */
  private release(): void {
    const nowNs = this.clock.nowNs()
    while (this.held > 0 && this.dueNs[this.first] <= nowNs) {
      const base = this.first * IO_WORDS
      for (let word = 0; word < IO_WORDS; word++) this.scratchOut[word] = this.words[base + word]
      if (this.inner.submit(this.scratchOut, 1) === 0) return
      this.first = (this.first + 1) % INSTANT_DEPTH
      this.held--
    }
  }

  private schedule(): void {
    if (this.cancelTimer !== undefined || this.held === 0) return
    const waitNs = this.dueNs[this.first] - this.clock.nowNs()
    // A request that is overdue waits for room in the inner port: its results wake the caller, no timer need spin.
    if (waitNs <= 0 && this.inner.inFlight > 0) return
    this.cancelTimer = this.clock.after(Math.max(1, Math.ceil(waitNs / 1e6)), () => {
      this.cancelTimer = undefined
      this.release()
      this.schedule()
      this.wakeIfReady()
    })
  }
}
