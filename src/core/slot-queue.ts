/**
 * @packageDocumentation
 * A bounded first-in-first-out of slot numbers in one typed array.
 *
 *   slots [ . . 7 3 9 . . . ]     head ≤ tail, both free-running, index = position & mask
 *
 * A slot stands in at most one queue at a time and the array has room for every slot, so it can never be overrun; that
 * is asserted.
 */
import { assert } from '../protocol/errors.js'

export class SlotQueue {
  private readonly slots: Uint16Array
  private readonly mask: number
  private head = 0
  private tail = 0

  constructor(capacity: number) {
    const size = 1 << (32 - Math.clz32(Math.max(1, capacity - 1)))
    this.slots = new Uint16Array(size)
    this.mask = size - 1
  }

  get length(): number {
    return this.tail - this.head
  }

  push(slot: number): void {
    assert(this.tail - this.head <= this.mask, 'slot queue overrun')
    this.slots[this.tail++ & this.mask] = slot
  }

  /** The oldest; only when `length` > 0. */
  first(): number {
    return this.slots[this.head & this.mask]
  }

  /** The one `index` places behind the oldest. */
  at(index: number): number {
    return this.slots[(this.head + index) & this.mask]
  }

  shift(): number {
    const slot = this.slots[this.head++ & this.mask]
    if (this.head === this.tail) this.head = this.tail = 0
    return slot
  }

  clear(): void {
    this.head = this.tail = 0
  }
}
