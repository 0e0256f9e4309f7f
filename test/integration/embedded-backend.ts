/**
 * @packageDocumentation
 * A small honest back end for the front end's tests, over the real embedded data path: memory disk, one batch at a
 * time, answers in reverse order. It can be told to pause, to refuse operations, to fail, and to lie.
 */
import { mapMemory, unmap, view } from '../../src/io/native/owners.js'
import { embeddedDataPath } from '../../src/embedded/data-path.js'
import type { BackRing, EventPort, GrantCopier } from '../../src/ports/data-path.js'
import type { ChannelPlan, GrantPlan, Host, RingPlan } from '../../src/ports/host.js'
import type { XenStore } from '../../src/ports/xenstore.js'
import { abiLayout } from '../../src/protocol/abi.js'
import * as blkif from '../../src/protocol/blkif.js'
import { canonicalise } from '../../src/protocol/entry.js'
import { BACKEND_KEYS, negotiationKeys } from '../../src/protocol/keys.js'
import { negotiate, type NegotiatedRing } from '../../src/protocol/negotiation.js'
import * as record from '../../src/protocol/record.js'

const ARENA = 64 << 10

export interface TestBackendOptions {
  readonly store: XenStore
  readonly host: Host
  readonly backend: string
  readonly frontend: string
  readonly domid: number
  readonly sizeBytes: number
  /** Keys that are published in place of the usual ones. */
  readonly keys?: Readonly<Record<string, string>>
}

export class TestBackend {
  readonly disk: Buffer
  readonly #options: TestBackendOptions
  readonly ops: number[] = []
  ring: NegotiatedRing | undefined
  paused = false
  refused = new Set<number>()
  failing = false
  lie: 'id' | 'generation' | 'op' | 'status' | 'overflow' | undefined
  /** What it maps while connected, with the undo. */
  #held: { ring: BackRing; grants: GrantCopier; port: EventPort; undo: () => Promise<void> } | undefined
  #reqCons = 0
  #rspProd = 0
  #last = Promise.resolve()
  #unwatch: () => Promise<void> = () => Promise.resolve()
  readonly #arena = mapMemory(ARENA)
  readonly states: number[] = []

  constructor(options: TestBackendOptions) {
    this.#options = options
    this.disk = Buffer.alloc(options.sizeBytes)
  }

  async start(): Promise<void> {
    const { store, frontend } = this.#options
    await this.#publish()
    this.#unwatch = await store.watch(`${frontend}/state`, () => {
      this.#last = this.#last.then(() => this.#look())
    })
  }

  /** Ends without a word in XenStore, as a process that dies does. */
  async vanish(): Promise<void> {
    await this.#unwatch()
    await this.#last
    await this.#release()
    unmap(this.#arena)
  }

  setState(state: number): Promise<void> {
    this.states.push(state)
    return this.#options.store.write(`${this.#options.backend}/state`, String(state))
  }

  /** Works on what waits; called by itself unless paused. */
  work(): void {
    const held = this.#held
    if (!held || this.paused) return
    for (;;) {
      const count = held.ring.take(this.#reqCons, this.#rspProd, Math.min(64, held.ring.size))
      if (count < 0) throw new Error('the front end produced more than the ring holds')
      if (count > 0) this.#batch(held, count)
      else if (!held.ring.arm(this.#reqCons)) break
    }
    held.port.unmask()
  }

  #batch(held: { ring: BackRing; grants: GrantCopier; port: EventPort }, count: number): void {
    const layout = abiLayout(this.ring!.abi)
    const words = new Int32Array(record.RECORD_MAX_WORDS)
    const answers = new Int32Array(count * 4)
    for (let index = 0; index < count; index++) {
      canonicalise(held.ring.entries, index * layout.entryWords, layout, words, 0, 0)
      const at = (count - 1 - index) * 4
      answers[at] = words[record.RECORD_ID]
      answers[at + 1] = words[record.RECORD_ID + 1]
      answers[at + 2] = record.recordOp(words, 0)
      answers[at + 3] = this.#perform(held.grants, words)
    }
    if (this.lie === 'id') answers[0] = 400_000
    if (this.lie === 'generation') answers[1] += 1
    if (this.lie === 'op') answers[2] = blkif.BLKIF_OP_DISCARD
    if (this.lie === 'status') answers[3] = 5
    let notify = held.ring.answer(answers, count, this.#rspProd)
    if (this.lie === 'overflow') notify = held.ring.answer(answers, count, this.#rspProd + this.ring!.entries)
    this.#reqCons += count
    this.#rspProd += count
    if (notify || this.lie === 'overflow') held.port.notify()
  }

  #perform(grants: GrantCopier, words: Int32Array): number {
    const op = record.recordOp(words, 0)
    this.ops.push(op)
    if (this.refused.has(op)) return blkif.BLKIF_RSP_EOPNOTSUPP
    if (this.failing) return blkif.BLKIF_RSP_ERROR
    const from = record.recordSector(words, 0) * 512
    if (op === blkif.BLKIF_OP_DISCARD) {
      this.disk.fill(0xdd, from, from + (words[record.RECORD_NR_SECTORS] >>> 0) * 512)
      return blkif.BLKIF_RSP_OKAY
    }
    const arena = new Uint8Array(view(this.#arena))
    const toGuest = op === blkif.BLKIF_OP_READ
    const copies = new Int32Array(4 * record.recordNrSegments(words, 0))
    let bytes = 0
    for (let index = 0; index < copies.length / 4; index++) {
      const length = record.segmentBytes(words, 0, index)
      copies.set(
        [record.segmentGref(words, 0, index), record.segmentOffset(words, 0, index) | (length << 16), bytes, +toGuest],
        4 * index,
      )
      bytes += length
    }
    if (from + bytes > this.disk.length) return blkif.BLKIF_RSP_ERROR
    if (toGuest) arena.set(this.disk.subarray(from, from + bytes))
    if (copies.length > 0 && grants.copy(copies, copies.length / 4) > 0) return blkif.BLKIF_RSP_ERROR
    if (!toGuest) this.disk.set(arena.subarray(0, bytes), from)
    return blkif.BLKIF_RSP_OKAY
  }

  async #publish(): Promise<void> {
    const { store, backend, keys } = this.#options
    const offers = {
      'feature-barrier': '1', 'feature-flush-cache': '1', 'feature-discard': '1', 'discard-granularity': '4096',
      'discard-alignment': '0', 'max-ring-page-order': '4', 'max-ring-pages': '16', ...keys,
    }
    for (const [key, value] of Object.entries(offers)) await store.write(`${backend}/${key}`, value)
    await this.setState(2)
  }

  async #look(): Promise<void> {
    const { store, frontend } = this.#options
    const state = Number((await store.read(`${frontend}/state`)) ?? 0)
    const own = this.states.at(-1)
    if ((state === 3 || state === 4) && own === 2) await this.#connect()
    else if (state === 5 && own !== 5) await this.setState(5)
    else if (state === 6 || state === 0) {
      await this.#release()
      if (own !== 6) await this.setState(6)
    } else if (state === 1 && own === 6) await this.#publish()
  }

  async #connect(): Promise<void> {
    const { store, host, frontend, backend, domid } = this.#options
    const keys: Record<string, string | undefined> = {}
    for (const key of negotiationKeys()) keys[key] = await store.read(`${frontend}/${key}`)
    const negotiated = negotiate(keys)
    if (!negotiated.ok) throw new Error(negotiated.sentence)
    this.ring = negotiated.ring
    const { grefs, abi, evtchn } = negotiated.ring
    const ring = plan<RingPlan>(await host.mapRing({ domid, grefs, abi }))
    const channel = plan<ChannelPlan>(await host.bindChannel(domid, evtchn))
    const grants = plan<GrantPlan>(await host.openGrants(domid, 'copy'))
    const path = embeddedDataPath(0)
    const held = {
      ring: path.openRing(ring),
      grants: path.openGrants(grants, { bytes: new Uint8Array(view(this.#arena)), handle: this.#arena }),
      port: path.openChannel(channel),
      undo: async () => {
        await host.unmapRing(ring)
        await host.unbindChannel(channel)
        await host.closeGrants(grants)
      },
    }
    // A successor goes on where its predecessor, which had answered everything, left the ring.
    this.#rspProd = this.#reqCons = held.ring.published()
    this.#held = held
    held.port.onNotified(() => this.work())
    const properties = {
      [BACKEND_KEYS.sectors]: String(this.disk.length / 512), [BACKEND_KEYS.sectorSize]: '512',
      [BACKEND_KEYS.info]: '0', ...this.#options.keys,
    }
    for (const [key, value] of Object.entries(properties)) await store.write(`${backend}/${key}`, value)
    await this.setState(4)
  }

  async #release(): Promise<void> {
    const held = this.#held
    this.#held = undefined
    if (!held) return
    held.port.close()
    held.ring.close()
    held.grants.close()
    await held.undo()
  }
}

function plan<Plan>(outcome: { ok: true; plan: Plan } | { ok: false; code: string; sentence: string }): Plan {
  if (!outcome.ok) throw Object.assign(new Error(outcome.sentence), { code: outcome.code })
  return outcome.plan
}
