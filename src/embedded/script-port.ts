/**
 * @packageDocumentation
 * A script's front end as a guest of the embedded host: real shared pages, real grants, real event channels and
 * XenStore with a guest's rights. Who attaches the disk and owns the daemon stands outside (`ScriptHouse`), since that
 * is another process.
 *
 *   begin     house: daemon, disk ─► domain ─► attached, InitWait          makeRings   pages, grants, ports
 *   connect   keys and state 3 ─► the back end's 4 ─► 4                    close       5 ─► 5 ─► 6 ─► 6, all given back
 */
import { connectXenStore } from '../io/xenstore/client.js'
import type { Clock } from '../ports/clock.js'
import type { XenStore } from '../ports/xenstore.js'
import { abiLayout, ringEntries } from '../protocol/abi.js'
import type { AbiLayout, BlkifAbiName } from '../protocol/abi.js'
import { RING_HEADER_BYTES } from '../protocol/blkif.js'
import { XbbdError } from '../protocol/errors.js'
import { ringSlot } from '../protocol/ring-index.js'
import { xenbusStateValue } from '../protocol/xenbus-state.js'
import type { XenbusState } from '../protocol/xenbus-state.js'
import { INDEX_NAMES, PATIENCE_MS } from '../script/ast.js'
import type { DiskChange, IndexName } from '../script/ast.js'
import type { Ability, RingWish, ScriptPage, ScriptPort, ScriptRing, Setting } from '../script/port.js'
import { STATE } from './blkfront/peer.js'
import { TRANSPORT_KEYS, readNumber, transportKeys } from './blkfront/features.js'
import { GTF_READING, GTF_WRITING } from './guest/grant-table.js'
import type { GuestDomain } from './guest/guest-domain.js'
import type { GuestPort, PageRun } from './guest/guest.js'

/** What stands around the guest: a daemon, its disk, and whoever may do something to them. */
export interface ScriptHouse {
  readonly hostDir: string
  /** Makes everything ready for a script with this setting. @returns the guest. */
  open(setting: Setting): Promise<GuestDomain>
  attach(guest: GuestDomain): Promise<void>
  changeDisk(change: DiskChange): void
  kill(): Promise<void>
  stop(): Promise<void>
  start(): Promise<void>
  /** How the daemon ended by itself, if it did. */
  trouble(): string | undefined
  close(): Promise<void>
}

const DEVID = 51_712
const BACKEND_DOMID = 0
const HEADER_WORDS = RING_HEADER_BYTES / 4

interface Page extends ScriptPage {
  readonly run: PageRun
}

/** One ring with its channel. */
interface Wired {
  readonly ring: MemoryRing
  readonly run: PageRun
  readonly firstGref: number
  readonly port: GuestPort
}

class MemoryRing implements ScriptRing {
  readonly size: number
  readonly layout: AbiLayout
  readonly notify: () => void
  private readonly words: Int32Array

  constructor(words: Int32Array, size: number, layout: AbiLayout, notify: () => void) {
    this.words = words
    this.size = size
    this.layout = layout
    this.notify = notify
    words.fill(0, 0, HEADER_WORDS)
    this.setIndex('req_event', 1)
    this.setIndex('rsp_event', 1)
  }

  entry(place: number): Int32Array {
    const at = HEADER_WORDS + place * this.layout.entryWords
    return this.words.subarray(at, at + this.layout.entryWords)
  }

  index(name: IndexName): number {
    return Atomics.load(this.words, INDEX_NAMES.indexOf(name)) >>> 0
  }

  setIndex(name: IndexName, value: number): void {
    Atomics.store(this.words, INDEX_NAMES.indexOf(name), value | 0)
  }

  answer(index: number, out: Int32Array): void {
    const [low, high, tail] = this.entry(ringSlot(index, this.size))
    out.set([low, high, tail & 0xff, tail >> 16])
  }
}

export class EmbeddedScriptPort implements ScriptPort {
  readonly name = 'embedded'
  readonly lacks: ReadonlySet<Ability> = new Set()
  private readonly house: ScriptHouse
  private readonly clock: Clock
  private guest!: GuestDomain
  private store!: XenStore & { close(): void }
  private frontend = ''
  private backend = ''
  private abi: BlkifAbiName = 'x86_64'
  private wired: Wired[] = []
  private gone = false
  private interrupted = false

  constructor(house: ScriptHouse, clock: Clock) {
    this.house = house
    this.clock = clock
  }

  async begin(setting: Setting): Promise<void> {
    this.abi = setting.abi
    this.guest = await this.house.open(setting)
    await this.house.attach(this.guest)
    this.store = await this.guest.connectXenStore()
    this.frontend = this.guest.vbdPath(DEVID)
    this.backend = (await this.store.read(`${this.frontend}/backend`)) ?? ''
    await this.reached('InitWait', (state) => state >= STATE.InitWait && state <= STATE.Connected)
  }

  async makeRings({ pages, queues }: RingWish): Promise<readonly ScriptRing[]> {
    await this.giveRingsBack()
    const layout = abiLayout(this.abi)
    for (let queue = 0; queue < queues; queue++) {
      const run = this.guest.memory.allocate(pages)
      const firstGref = this.guest.grants.claim(pages)
      this.guest.grants.grantRun(firstGref, BACKEND_DOMID, run)
      const port = await this.guest.allocatePort(BACKEND_DOMID)
      const ring = new MemoryRing(run.words, ringEntries(pages, this.abi), layout, () => port.notify())
      this.wired.push({ ring, run, firstGref, port })
    }
    return this.wired.map(({ ring }) => ring)
  }

  async connect(persistent: boolean): Promise<void> {
    await this.writeState('Initialising')
    await this.reached('InitWait', (state) => state >= STATE.InitWait && state <= STATE.Connected)
    await this.writeKeys(persistent)
    await this.writeState('Initialised')
    await this.reached('Connected', (state) => state === STATE.Connected)
    await this.writeState('Connected')
  }

  makePage(grant: 'read-write' | 'read-only' | 'none'): ScriptPage {
    const run = this.guest.memory.allocate(1)
    const page: Page = { gref: this.guest.grants.claim(1), bytes: run.bytes, run }
    if (grant !== 'none') this.grant(page, grant === 'read-only')
    return page
  }

  dropPage(page: ScriptPage): void {
    const { gref, run } = page as Page
    // One that is still mapped stays granted, as on Linux.
    if (this.guest.grants.end(gref, 1) === 0) this.guest.memory.release(run)
  }

  grant(page: ScriptPage, readOnly: boolean): void {
    this.guest.grants.table.grant(page.gref, BACKEND_DOMID, (page as Page).run.frame, readOnly)
  }

  revoke({ gref }: ScriptPage): boolean {
    return this.guest.grants.table.revoke(gref)
  }

  mapped({ gref }: ScriptPage): boolean {
    return this.inUse(gref)
  }

  ringMapped(): boolean {
    return this.wired.some(({ firstGref, run }) =>
      Array.from({ length: run.pages }, (_, page) => firstGref + page).some((gref) => this.inUse(gref)),
    )
  }

  async writeKeys(persistent: boolean): Promise<void> {
    const named = this.wired.map(({ firstGref, run, port }) => {
      return { grefs: Array.from({ length: run.pages }, (_, page) => firstGref + page), port: port.port }
    })
    if (named.length === 0)
      throw new XbbdError('XBBD_SCRIPT', 'there are no rings yet: write rings before', { exitCode: 65 })
    const keys = transportKeys('ring-page-order', named, this.abi, { persistent })
    await this.store.transaction(async (ops) => {
      for (const [key, value] of keys) await ops.write(`${this.frontend}/${key}`, value)
    })
  }

  async writeKey(key: string, value: string | undefined): Promise<void> {
    if (value === undefined) return this.store.remove(`${this.frontend}/${key}`)
    await this.store.write(`${this.frontend}/${key}`, this.realValue(value))
  }

  writeState(state: XenbusState): Promise<void> {
    return this.store.write(`${this.frontend}/state`, xenbusStateValue(state))
  }

  async readKey(key: string): Promise<string | undefined> {
    // What is above a directory that is gone is not the guest's to see.
    return this.store.read(`${this.backend}/${key}`).catch(() => undefined)
  }

  changeDisk(change: DiskChange): Promise<void> {
    this.house.changeDisk(change)
    return Promise.resolve()
  }

  kill(): Promise<void> {
    return this.house.kill()
  }

  stop(): Promise<void> {
    return this.house.stop()
  }

  start(): Promise<void> {
    return this.house.start()
  }

  async close(): Promise<void> {
    const over = (state: number) => state === STATE.Closed || state === STATE.Unknown
    await this.writeState('Closing')
    await this.reached('Closing', (state) => state === STATE.Closing || over(state))
    await this.writeState('Closed')
    await this.reached('Closed', over)
    await this.giveRingsBack()
    for (const key of TRANSPORT_KEYS) await this.store.remove(`${this.frontend}/${key}`)
  }

  async vanish(): Promise<void> {
    await this.leave()
    this.store = await connectXenStore(`${this.house.hostDir}/xenstore`)
  }

  async until(holds: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
    const deadline = this.clock.nowNs() + ms * 1e6
    for (;;) {
      if (this.interrupted) throw new XbbdError('XBBD_INTERRUPTED', 'it was interrupted', { exitCode: 1 })
      if (await holds()) return true
      if (this.clock.nowNs() >= deadline) return false
      await new Promise<void>((resolve) => void this.clock.after(1, resolve))
    }
  }

  /** The script ends at whatever it waits for next, and everything is given back. */
  interrupt(): void {
    this.interrupted = true
  }

  complaints(): readonly string[] {
    const trouble = this.house.trouble()
    return trouble === undefined ? [] : [trouble]
  }

  async end(): Promise<void> {
    if (this.guest !== undefined && !this.gone) await this.leave()
    else this.store?.close()
    await this.house.close()
  }

  /** `$ref1`, `$port` of the first ring, if there is one. */
  private realValue(value: string): string {
    const wired = this.wired.at(0)
    const page = /^\$ref(\d{1,2})$/.exec(value)
    if (wired === undefined) return value
    if (page) return String(wired.firstGref + Number(page[1]))
    return value === '$port' ? String(wired.port.port) : value
  }

  private inUse(gref: number): boolean {
    return ((this.guest.grants.table.look(gref)?.flags ?? 0) & (GTF_READING | GTF_WRITING)) !== 0
  }

  private async leave(): Promise<void> {
    this.gone = true
    for (const { port } of this.wired.splice(0)) await port.close()
    this.store?.close()
    this.guest.close()
  }

  private async giveRingsBack(): Promise<void> {
    for (const { firstGref, run, port } of this.wired.splice(0)) {
      await port.close()
      if (this.guest.grants.end(firstGref, run.pages) === 0) this.guest.memory.release(run)
    }
  }

  private async reached(name: string, wanted: (state: number) => boolean): Promise<void> {
    const now = () => readNumber(this.store, `${this.backend}/state`, 0).catch(() => 0)
    if (await this.until(async () => wanted(await now()), PATIENCE_MS)) return
    const sentence = `the back end has not reached ${name} within ${PATIENCE_MS} ms: its state is ${await now()}`
    throw new XbbdError('XBBD_EXPECTED', sentence, { exitCode: 1 })
  }
}
