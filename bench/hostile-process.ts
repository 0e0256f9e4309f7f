/**
 * @packageDocumentation
 * The hostile front end of bench (h), in a process of its own: it connects as any other, and then does one thing as fast
 * as it can, until the time is over:
 *
 *   ring    fills its ring with hostile entries (test/soak/hostile/entries.ts), and kicks
 *   greed   the same with what costs most and is allowed: reads of eleven whole pages, the ring always full
 *   storm   kicks
 *   flood   writes nodes of its own directory, its state among them, hundreds of writes at a time
 */
import { GuestDomain } from '../src/embedded/guest/guest-domain.js'
import type { GuestPort } from '../src/embedded/guest/guest.js'
import { systemClock } from '../src/io/native/system-clock.js'
import type { XenStore } from '../src/ports/xenstore.js'
import { abiLayout, ringEntries } from '../src/protocol/abi.js'
import { BLKIF_OP_READ } from '../src/protocol/blkif.js'
import { encodeEntry } from '../src/protocol/entry.js'
import { sentenceOf } from '../src/protocol/errors.js'
import { Random } from '../src/sim/random.js'
import { GREFS, HostileEntries, describePage } from '../test/soak/hostile/entries.js'
import { connectFront } from './connect-front.js'

export type Attack = 'ring' | 'greed' | 'storm' | 'flood'

export type HostileRequest =
  | { readonly kind: 'create'; readonly dir: string }
  | { readonly kind: 'connect'; readonly devid: number; readonly sectors: number }
  | { readonly kind: 'attack'; readonly attack: Attack; readonly milliseconds: number }

export type HostileReply =
  | { readonly kind: 'done'; readonly domid: number; readonly count: number }
  | { readonly kind: 'failed'; readonly sentence: string }

const RING_PAGES = 16
const HEADER_WORDS = 16
/** Between two looks at the clock. */
const BURST = 64
const WRITES_AT_ONCE = 256

const WHOLE_PAGES = Array.from({ length: 11 }, (_, page) => ({ gref: 8 + page, firstSect: 0, lastSect: 7 }))
const layout = abiLayout('x86_64')
const size = ringEntries(RING_PAGES, 'x86_64')

class HostileGuest {
  readonly #guest: GuestDomain
  readonly #store: XenStore
  readonly #port: GuestPort
  readonly #ring: Int32Array
  readonly #firstGref: number
  #frontend = ''
  #entries: HostileEntries | undefined
  #produced = 0

  private constructor(guest: GuestDomain, store: XenStore, port: GuestPort) {
    this.#guest = guest
    this.#store = store
    this.#port = port
    const ring = guest.memory.allocate(RING_PAGES)
    ring.words[1] = ring.words[3] = 1
    this.#ring = ring.words
    const data = guest.memory.allocate(GREFS.absent)
    // References have the numbers that hostile entries name; those of the ring come behind them.
    this.#firstGref = guest.grants.claim(GREFS.absent + RING_PAGES) + GREFS.absent
    for (let page = 0; page < RING_PAGES; page++) guest.grants.table.grant(this.#firstGref + page, 0, ring.frame + page, false)
    for (let gref = 8; gref < GREFS.descriptors; gref++)
      guest.grants.table.grant(gref, 0, data.frame + gref, gref >= GREFS.indirect)
    for (let gref = GREFS.indirect; gref < GREFS.descriptors; gref++)
      describePage(data.words.subarray(gref * 1024, (gref + 1) * 1024), new Random(gref))
  }

  static async create(dir: string): Promise<HostileGuest> {
    const guest = await GuestDomain.create({ dir, name: 'hostile' })
    return new HostileGuest(guest, await guest.connectXenStore(), await guest.allocatePort(0))
  }

  get domid(): number {
    return this.#guest.domid
  }

  async connect(devid: number, sectors: number): Promise<void> {
    this.#frontend = this.#guest.vbdPath(devid)
    this.#entries = new HostileEntries(layout, new Random(7), sectors)
    const grefs = Array.from({ length: RING_PAGES }, (_, page) => this.#firstGref + page)
    await connectFront(this.#store, this.#frontend, { grefs, port: this.#port.port })
  }

  /** @returns how many entries, kicks or writes it was. */
  async attack(attack: Attack, milliseconds: number): Promise<number> {
    const end = systemClock.nowNs() + milliseconds * 1e6
    let count = 0
    while (systemClock.nowNs() < end) count += attack === 'flood' ? await this.#flood() : attack === 'storm' ? this.#kick() : this.#fill(attack === 'greed')
    return count
  }

  #fill(greedy: boolean): number {
    const room = Math.min(BURST, size - ((this.#produced - Atomics.load(this.#ring, 2)) | 0))
    for (let index = 0; index < room; index++) {
      const slot = (this.#produced + index) & (size - 1)
      const at = HEADER_WORDS + slot * layout.entryWords
      if (greedy) encodeEntry({ op: BLKIF_OP_READ, idLow: slot, segments: WHOLE_PAGES }, layout, this.#ring, at)
      else this.#entries?.put(this.#ring, at)
    }
    this.#produced = (this.#produced + room) | 0
    Atomics.store(this.#ring, 0, this.#produced)
    this.#port.notify()
    return room
  }

  #kick(): number {
    for (let kick = 0; kick < BURST; kick++) this.#port.notify()
    return BURST
  }

  async #flood(): Promise<number> {
    const nodes = ['state', 'feature-persistent', 'protocol', 'ring-page-order']
    const values = ['4', '1', 'x86_64-abi', '4']
    await Promise.all(Array.from({ length: WRITES_AT_ONCE }, (_, index) =>
      this.#store.write(`${this.#frontend}/${nodes[index & 3]}`, values[index & 3])))
    return WRITES_AT_ONCE
  }
}

let guest: HostileGuest | undefined

async function obey(request: HostileRequest): Promise<HostileReply> {
  if (request.kind === 'create') guest = await HostileGuest.create(request.dir)
  if (!guest) return { kind: 'failed', sentence: 'there is no guest yet' }
  if (request.kind === 'connect') await guest.connect(request.devid, request.sectors)
  const count = request.kind === 'attack' ? await guest.attack(request.attack, request.milliseconds) : 0
  return { kind: 'done', domid: guest.domid, count }
}

process.on('message', (request: HostileRequest) => {
  obey(request).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ kind: 'failed', sentence: sentenceOf(error) } satisfies HostileReply),
  )
})
process.on('disconnect', () => process.exit(0))
