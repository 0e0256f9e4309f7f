/**
 * @packageDocumentation
 * The other end of rig/guest/peer.c: tells a program in a guest to grant pages, take them back, offer ports and notify,
 * and waits for each answer within the call, as the contract suites want it.
 *
 *   control page, words:  0 request │ 1 answer │ 2 operation │ 3.. arguments │ 8 result │ 9 value
 *   data page             references, or the bytes of one page
 *
 * Only these two pages are mapped here. Whatever the guest's other pages hold is asked of the guest, so that what Xen
 * says of them is the doing of who is being judged, and of nobody else.
 */
import { mapRingPages } from '../../../src/io/native/gntdev.js'
import { unmap, view } from '../../../src/io/native/owners.js'
import type { Guest } from './guest.js'

const GRANT = 1, REVOKE = 2, PEEK = 3, POKE = 4, READ = 5, WRITE = 6
const OFFER = 7, RETRACT = 8, NOTIFY = 9, HEARD = 10, STORM = 11

/** References in the data page. */
const LISTED_MAX = 1024
/** A guest that is asked for a thousand pages is slow in an emulator; one that says nothing for so long is dead. */
const ANSWER_WITHIN_MS = 20_000

export interface Storm {
  readonly port: number
  /** Its page: word 0 counts the kicks, each before it happens; word 1 is their number once all have happened. */
  readonly gref: number
  readonly kicks: number
  /** The longest pause between two, in microseconds. */
  readonly pauseUs: number
  readonly seed: number
}

export class GuestPeer {
  readonly domid: number
  /** References of its own two pages, which stay mapped here. */
  readonly own: readonly number[]
  readonly #mapping: number
  readonly #control: Int32Array
  readonly #data: Int32Array
  readonly #nap = new Int32Array(new SharedArrayBuffer(4))

  private constructor(domid: number, own: readonly number[]) {
    this.domid = domid
    this.own = own
    this.#mapping = mapRingPages(domid, own)
    const words = new Int32Array(view(this.#mapping))
    this.#control = words.subarray(0, 1024)
    this.#data = words.subarray(1024)
  }

  /** Starts the program in a guest that is ready. */
  static async start(guest: Guest): Promise<GuestPeer> {
    await guest.succeed('modprobe xen-gntalloc && modprobe xen-evtchn')
    const said = await guest.succeed(
      'guest-peer >/tmp/peer.out 2>&1 & until [ -s /tmp/peer.out ]; do sleep 0.1; done; cat /tmp/peer.out',
    )
    const grefs = /^grefs (\d+) (\d+)$/m.exec(said)
    if (!grefs) throw new Error(`the guest's peer does not start: ${said.trim()}`)
    return new GuestPeer(guest.domid, [Number(grefs[1]), Number(grefs[2])])
  }

  /** Grants fresh pages, full of zeroes, to domain 0. @returns their references. */
  grant(count: number, writable = true): number[] {
    const grefs: number[] = []
    while (grefs.length < count) {
      const some = Math.min(count - grefs.length, LISTED_MAX)
      this.#ask(GRANT, some, writable ? 1 : 0)
      grefs.push(...this.#data.subarray(0, some))
    }
    return grefs
  }

  /** Takes pages back, which nobody may have mapped: gntalloc would wait for their end, unnoticed. */
  revoke(grefs: readonly number[]): void {
    for (let from = 0; from < grefs.length; from += LISTED_MAX) {
      const some = grefs.slice(from, from + LISTED_MAX)
      this.#data.set(some)
      this.#ask(REVOKE, some.length)
    }
  }

  peek(gref: number, word: number): number {
    this.#ask(PEEK, gref, word)
    return this.#control[9]
  }

  poke(gref: number, word: number, value: number): void {
    this.#ask(POKE, gref, word, value)
  }

  /** The bytes of a page, as the guest sees them. */
  read(gref: number): Uint8Array {
    this.#ask(READ, gref)
    return new Uint8Array(this.#data.slice().buffer)
  }

  write(gref: number, page: Uint8Array): void {
    new Uint8Array(this.#data.buffer, this.#data.byteOffset, 4096).set(page)
    this.#ask(WRITE, gref)
  }

  /** A port that domain 0 may bind. */
  offer(): number {
    return this.#ask(OFFER)
  }

  retract(port: number): void {
    this.#ask(RETRACT, port)
  }

  notify(port: number, times = 1): void {
    this.#ask(NOTIFY, port, times)
  }

  /** Wake-ups of the guest since it was last asked. */
  heard(port: number): number {
    return this.#ask(HEARD, port)
  }

  /** Lets the guest kick while nobody waits for it; its next answer comes when it is done. */
  storm({ port, gref, kicks, pauseUs, seed }: Storm): void {
    this.#ask(STORM, port, gref, kicks, pauseUs, seed)
  }

  /** Lets go of its pages. The guest's end is destroyed with the guest. */
  close(): void {
    unmap(this.#mapping)
  }

  #ask(operation: number, ...values: number[]): number {
    const control = this.#control
    control[2] = operation
    values.forEach((value, index) => (control[3 + index] = value))
    const request = Atomics.add(control, 0, 1) + 1
    const end = performance.now() + ANSWER_WITHIN_MS
    for (let looks = 0; Atomics.load(control, 1) !== request; looks++) {
      if (looks > 2000) Atomics.wait(this.#nap, 0, 0, 0.2)
      if (performance.now() > end) throw new Error(`the guest has not answered operation ${operation}`)
    }
    const result = control[8]
    if (result < 0) throw new Error(`operation ${operation} failed in the guest with errno ${-result}`)
    return result
  }
}
