/**
 * @packageDocumentation
 * A script's front end in the simulated world of one queue: the real plane, core and journal, a disk and a ring in
 * memory, virtual time; the laws watch where the script lets them. There is no XenStore and one connection: what needs
 * more is refused before the script begins (`lacks`).
 *
 *   until ─► a step of the world (disk, plane) ─► 1 µs ─► …     kill ─► no steps for the plane     start ─► recovery
 *
 * When everything waits for a slow disk, time jumps to when it is ready: a wait costs steps, not milliseconds.
 */
import { layered } from '../actors/port-layer.js'
import { COMMAND_ABANDON } from '../core/records.js'
import { ANSWER_WORDS, IO_SYNC, IO_WORDS, RESULT_WORDS } from '../ports/data-path.js'
import type { MediumPort } from '../ports/data-path.js'
import type { AbiLayout } from '../protocol/abi.js'
import { PAGE_BYTES, SECTOR_BYTES } from '../protocol/blkif.js'
import { XbbdError, assert } from '../protocol/errors.js'
import type { Vetoable } from '../protocol/keys.js'
import { ringSlot } from '../protocol/ring-index.js'
import { u64ToDouble } from '../protocol/u64.js'
import { INDEX_NAMES } from '../script/ast.js'
import type { DiskChange, IndexName } from '../script/ast.js'
import type { Ability, RingWish, ScriptPage, ScriptPort, ScriptRing, Setting } from '../script/port.js'
import type { SimRing } from './sim-ring.js'
import { World } from './world.js'

/** Longest wait, in steps. */
const STEPS_MAX = 20_000
/** Steps after which nothing more happens unless time passes. */
const QUIET_STEPS = 200
const NS_PER_MS = 1e6

interface Page extends ScriptPage {
  readonly frame: number
}

class WorldRing implements ScriptRing {
  readonly size: number
  readonly layout: AbiLayout
  private readonly ring: SimRing

  constructor(ring: SimRing, layout: AbiLayout) {
    this.ring = ring
    this.size = ring.size
    this.layout = layout
  }

  entry(place: number): Int32Array {
    const at = place * this.layout.entryWords
    return this.ring.shared.subarray(at, at + this.layout.entryWords)
  }

  index(name: IndexName): number {
    const { sharedReqProd, reqEvent, sharedRspProd, rspEvent } = this.ring
    return [sharedReqProd, reqEvent, sharedRspProd, rspEvent][INDEX_NAMES.indexOf(name)] >>> 0
  }

  setIndex(name: IndexName, value: number): void {
    const { ring } = this
    if (name === 'req_prod') ring.sharedReqProd = value | 0
    else if (name === 'rsp_prod') ring.sharedRspProd = value | 0
    else if (name === 'req_event') ring.reqEvent = value | 0
    else ring.rspEvent = value | 0
  }

  answer(index: number, out: Int32Array): void {
    const at = ringSlot(index, this.size) * ANSWER_WORDS
    out.set(this.ring.sharedAnswers.subarray(at, at + ANSWER_WORDS))
  }

  notify(): void {
    // Nobody sleeps here.
  }
}

/** A disk that is slow or fails, as the script says at this moment. */
class ScriptedDisk {
  slowMs = 0
  fails: { readonly errno: number; readonly from: number; readonly to: number } | undefined
  /** When what was begun last is ready. */
  readyNs = 0
  private readonly failing = new Map<number, number>()

  around(port: MediumPort, nowNs: () => number): MediumPort {
    return layered<MediumPort>(port, {
      submit: (requests, count) => {
        const taken = port.submit(requests, count)
        for (let index = 0; index < taken; index++) this.note(requests, index * IO_WORDS)
        if (taken > 0 && this.slowMs > 0) this.readyNs = nowNs() + this.slowMs * NS_PER_MS
        return taken
      },
      reap: (results, max) => {
        const count = port.reap(results, max)
        for (let at = 0; at < count * RESULT_WORDS; at += RESULT_WORDS) {
          const errno = this.failing.get(results[at])
          if (errno !== undefined) results[at + 1] = -errno
          this.failing.delete(results[at])
        }
        return count
      },
    })
  }

  private note(requests: Int32Array, at: number): void {
    const { fails } = this
    if (fails === undefined) return
    const from = u64ToDouble(requests[at + 4], requests[at + 5]) / SECTOR_BYTES
    const to = from + u64ToDouble(requests[at + 3], requests[at + 6]) / SECTOR_BYTES
    const ranged = fails.to < Infinity
    const inside = requests[at] === IO_SYNC ? !ranged : from < fails.to && to > fails.from
    if (inside) this.failing.set(requests[at + 1], fails.errno)
  }
}

/** A disk as the script's first lines have it. */
function limitsOf(changes: readonly DiskChange[]) {
  let [sectors, sectorSize, readOnly, without] = [8192, 512, false, [] as readonly Vetoable[]]
  for (const change of changes) {
    if (change.disk === 'size') sectors = change.bytes / SECTOR_BYTES
    else if (change.disk === 'sector-size') sectorSize = parseInt(change.format)
    else if (change.disk === 'read-only') readOnly = true
    else if (change.disk === 'without') without = change.features
  }
  const offers = (feature: Vetoable) => !readOnly && !without.includes(feature)
  const limits = {
    sectorSize, readOnly,
    offersFlush: offers('flush'), offersBarrier: offers('barrier'), offersDiscard: offers('discard'),
  }
  return { sectors, limits, without }
}

export interface SimScriptOptions {
  readonly seed?: number
  /** Changes the plane's inside: how tests plant faults. */
  readonly sabotage?: (world: World) => void
}

export class SimScriptPort implements ScriptPort {
  readonly name = 'simulated'
  readonly lacks: ReadonlySet<Ability> = new Set<Ability>(['xenstore', 'mappings', 'queues', 'processes'])
  world!: World
  private readonly options: SimScriptOptions
  private readonly disk = new ScriptedDisk()
  private setting!: Setting
  private alive = true
  private over = false
  private readonly freePages: number[] = []

  constructor(options: SimScriptOptions = {}) {
    this.options = options
  }

  begin(setting: Setting): Promise<void> {
    this.setting = setting
    for (const change of setting.disk) void this.changeDisk(change)
    this.makeWorld(32)
    return Promise.resolve()
  }

  makeRings({ pages }: RingWish): Promise<readonly ScriptRing[]> {
    // Pages that were made already lie in the memory of the world that is there.
    const entries = 32 * pages
    if (entries !== this.world.ring.size) {
      assert(this.unused, 'pages were made before the ring')
      this.makeWorld(entries)
    }
    return Promise.resolve([new WorldRing(this.world.ring, this.world.layout)])
  }

  connect(): Promise<void> {
    return Promise.resolve()
  }

  makePage(grant: 'read-write' | 'read-only' | 'none'): ScriptPage {
    const frame = this.freePages.pop()
    if (frame === undefined) {
      const sentence = 'the simulated guest has no more pages: put fewer at once'
      throw new XbbdError('XBBD_GUEST_MEMORY', sentence, { exitCode: 65 })
    }
    const bytes = this.world.guest.page(frame)
    bytes.fill(0)
    const page: Page = { gref: frame, bytes, frame }
    if (grant !== 'none') this.grant(page, grant === 'read-only')
    return page
  }

  dropPage(page: ScriptPage): void {
    this.revoke(page)
    this.freePages.push((page as Page).frame)
  }

  grant(page: ScriptPage, readOnly: boolean): void {
    this.world.guest.grant(page.gref, (page as Page).frame, !readOnly)
  }

  revoke(page: ScriptPage): boolean {
    this.world.guest.revoke(page.gref)
    return true
  }

  mapped(): boolean {
    return false
  }

  ringMapped(): boolean {
    return false
  }

  writeKeys(): Promise<void> {
    return Promise.resolve()
  }

  writeKey(): Promise<void> {
    return Promise.resolve()
  }

  writeState(): Promise<void> {
    return Promise.resolve()
  }

  readKey(): Promise<string | undefined> {
    return Promise.resolve(undefined)
  }

  changeDisk(change: DiskChange): Promise<void> {
    const { disk } = this
    if (change.disk === 'slow') disk.slowMs = change.ms
    else if (change.disk === 'well') [disk.slowMs, disk.fails] = [0, undefined]
    else if (change.disk === 'fails') {
      const [from, to] = change.sectors ?? [0, Infinity]
      disk.fails = { errno: change.errno, from, to }
    }
    return Promise.resolve()
  }

  kill(): Promise<void> {
    this.alive = false
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return this.kill()
  }

  start(): Promise<void> {
    this.alive = true
    this.world.recover()
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.over = true
    this.world.drain()
    if (this.world.finish(STEPS_MAX)) return Promise.resolve()
    return Promise.reject(new XbbdError('XBBD_EXPECTED', 'the queue does not drain', { exitCode: 1 }))
  }

  vanish(): Promise<void> {
    this.over = true
    this.world.abandon()
    this.world.finish(STEPS_MAX)
    return Promise.resolve()
  }

  async until(holds: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
    const deadline = this.world.nowNs + ms * NS_PER_MS
    let answered = this.world.ring.sharedRspProd
    for (let step = 0; step < STEPS_MAX; step++) {
      if (await holds()) return true
      if (this.world.nowNs >= deadline) return false
      this.step()
      if (step % QUIET_STEPS !== QUIET_STEPS - 1) continue
      if (answered === this.world.ring.sharedRspProd) this.jump(deadline)
      answered = this.world.ring.sharedRspProd
    }
    return holds()
  }

  complaints(): readonly string[] {
    return this.world.laws.violations.map(({ law, text }) => `the law ${law} is broken: ${text}`)
  }

  end(): Promise<void> {
    if (!this.over && this.world !== undefined && this.alive) {
      this.world.plane.command(COMMAND_ABANDON)
      this.world.step(false)
    }
    return Promise.resolve()
  }

  private step(): void {
    const { world, disk } = this
    if (!this.alive || this.over) return void (world.nowNs += 1000)
    world.disk.hanging = disk.slowMs > 0 && world.nowNs < disk.readyNs
    world.step(false)
  }

  /** Nothing happens any more: on to when the disk is ready, or to the end of the wait. */
  private jump(deadline: number): void {
    const { world, disk } = this
    const wake = this.alive && disk.readyNs > world.nowNs ? disk.readyNs : deadline
    world.nowNs = Math.max(world.nowNs, Math.min(wake, deadline))
  }

  private get unused(): boolean {
    return this.freePages.length === this.pageCount
  }

  private get pageCount(): number {
    return this.world.guest.memory.length / PAGE_BYTES
  }

  private makeWorld(ringEntries: number): void {
    const { abi, disk, settings, lawful } = this.setting
    const { sectors, limits, without } = limitsOf(disk)
    const indirect = without.includes('indirect') ? 0 : Number(settings['requests.indirect-segments'] ?? 32)
    this.world = new World({
      seed: this.options.seed ?? 1, steps: 0, abi, ringEntries, indirect, limits,
      sectors, arenaChunks: 32, delayMax: 4, lawless: !lawful,
      seams: { medium: (port) => this.disk.around(port, () => this.world?.nowNs ?? 0) },
    })
    this.options.sabotage?.(this.world)
    this.freePages.length = 0
    for (let frame = this.pageCount - 1; frame >= 0; frame--) this.freePages.push(frame)
  }
}
