/**
 * @packageDocumentation
 * The disks of a simulated machine, by name: content with a volatile cache, a lock that the kernel keeps, and moods
 * (slow, failing, full, gone, of another size). Processes open them; Workers have ports on what was opened.
 *
 *   open ─► lock ─► Medium ─ plan(handle) ─► port ─ submit ─► … in any order … ─► result, for whoever lives
 *
 * I/O of a dead process goes on to its end, with the memory that it was given, and until then the lock is held: that is
 * the fence on which recovery rests. `platter` is what the machine's death would leave.
 */
import { IO_READ, IO_SYNC, IO_WORDS, IO_WRITE, RESULT_WORDS } from '../../ports/data-path.js'
import type { BufferArena, MediumPort } from '../../ports/data-path.js'
import type { Medium, MediumError, MediumGeometry, MediumOpened, MediumOpener, MediumPlan } from '../../ports/medium.js'
import type { Random } from '../random.js'
import type { Kernel } from './kernel.js'
import type { Blame } from './laws.js'
import type { Life } from './life.js'

/** How a disk behaves now. */
export interface Mood {
  /** Most nanoseconds that a request takes; 0: as usual. */
  delayNs: number
  errorShare: number
  shortShare: number
  syncErrorShare: number
  full: boolean
  gone: boolean
  /** It cannot be opened, and why. */
  refuses: MediumError | undefined
}

export const goodMood = (): Mood => ({
  delayNs: 0, errorShare: 0, shortShare: 0, syncErrorShare: 0, full: false, gone: false, refuses: undefined,
})

interface Pending {
  readonly opening: Opening
  readonly port: DiskPort
  readonly arena: BufferArena
  readonly op: number
  readonly token: number
  readonly arenaAt: number
  readonly length: number
  readonly offset: number
}

/** Opened by a process, and not closed. */
export interface Opening {
  readonly disk: SimStore
  readonly life: Life
  readonly handle: number
  readonly readOnly: boolean
  /** Of Workers that may have died since. */
  readonly ports: Set<DiskPort>
  inFlight: number
  closed: boolean
}

/** One disk. */
export class SimStore {
  readonly name: string
  readonly mood = goodMood()
  cache: Uint8Array
  platter: Uint8Array
  sectorCount: number
  /** As it was made: so much any guest may count on. */
  readonly sectorsAtFirst: number
  /** When it was closed last. */
  openUntilNs = 0
  readonly openings = new Set<Opening>()

  constructor(name: string, sectorCount: number, sectorsMax: number) {
    this.name = name
    this.sectorCount = this.sectorsAtFirst = sectorCount
    this.cache = new Uint8Array(sectorsMax * 512)
    this.platter = new Uint8Array(sectorsMax * 512)
  }

  /** Whoever has it; the dead have it while their I/O goes on. */
  get holders(): Opening[] {
    for (const opening of this.openings)
      if (opening.closed || (!opening.life.alive && opening.inFlight === 0)) this.openings.delete(opening)
    return [...this.openings]
  }
}

export class Disks {
  readonly stores = new Map<string, SimStore>()
  readonly kernel: Kernel
  readonly random: Random
  readonly blame: Blame
  /** Most nanoseconds that a request takes on a disk that is well. */
  usualNs = 200_000
  readonly #openings = new Map<number, Opening>()
  #next = 1

  constructor(kernel: Kernel, random: Random, blame: Blame) {
    this.kernel = kernel
    this.random = random
    this.blame = blame
  }

  add(name: string, sectorCount: number, sectorsMax = sectorCount): SimStore {
    const store = new SimStore(name, sectorCount, sectorsMax)
    this.stores.set(name, store)
    return store
  }

  opener(life: Life): MediumOpener {
    return {
      open: ({ target, readOnly }) => {
        if (!life.acts('open')) return refused('io', 'dead')
        const opened = target === '' ? { ok: true as const, medium: emptyDrive() } : this.#open(life, target, readOnly)
        life.did('open')
        return opened
      },
    }
  }

  openPort(life: Life, plan: MediumPlan, arena: BufferArena): MediumPort {
    if (plan.kind !== 'memory') return new NothingPort()
    const opening = this.#openings.get(plan.handle)
    if (opening === undefined || opening.closed) throw new Error(`medium ${plan.handle} is not open`)
    return new DiskPort(this, opening, life, arena)
  }

  /** I/O asked for by Workers that are dead, of a process that lives. */
  orphans(owner: Life): number {
    let count = 0
    for (const { openings } of this.stores.values())
      for (const opening of openings) if (opening.life === owner) count += opening.inFlight
    return owner.alive ? count : 0
  }

  #open(life: Life, target: string, readOnly: boolean): MediumOpened {
    const disk = this.stores.get(target)
    if (disk === undefined) return refused('missing', `${target} does not exist: make it first`)
    if (disk.mood.gone) return refused('io', `${target} cannot be read`)
    if (disk.mood.refuses) return { ok: false, error: disk.mood.refuses }
    if (disk.holders.length > 0) return refused('locked', `${target} is in use: detach it there first`)
    const handle = this.#next++
    const opening: Opening = { disk, life, handle, readOnly, ports: new Set(), inFlight: 0, closed: false }
    this.#openings.set(opening.handle, opening)
    disk.openings.add(opening)
    const geometry = geometryOf(disk, readOnly)
    return {
      ok: true,
      medium: {
        geometry,
        plan: { kind: 'memory', handle: opening.handle, geometry, layers: [] },
        notes: [],
        currentSectorCount: () => (disk.mood.gone ? undefined : disk.sectorCount),
        close: () => this.#close(opening),
      },
    }
  }

  #close(opening: Opening): void {
    if (!opening.life.acts('close')) return
    if (opening.closed) this.blame('released', `${opening.disk.name} is closed twice`)
    if ([...opening.ports].some(({ life }) => life.alive))
      this.blame('released', `${opening.disk.name} is closed under a queue`)
    opening.closed = true
    opening.disk.openUntilNs = this.kernel.nowNs
    opening.disk.openings.delete(opening)
    opening.life.did('close')
  }
}

export class DiskPort implements MediumPort {
  readonly life: Life
  readonly #disks: Disks
  readonly #opening: Opening
  readonly #arena: BufferArena
  readonly #done: number[] = []
  #under = 0
  #armed = false
  #ready: () => void = () => undefined

  constructor(disks: Disks, opening: Opening, life: Life, arena: BufferArena) {
    this.#disks = disks
    this.#opening = opening
    this.life = life
    this.#arena = arena
    opening.ports.add(this)
  }

  get inFlight(): number {
    return this.life.alive ? this.#under + this.#done.length / RESULT_WORDS : 0
  }

  submit(requests: Int32Array, count: number): number {
    if (!this.life.acts('submit')) return count
    for (let index = 0; index < count; index++) this.#begin(requests, index * IO_WORDS)
    this.life.did('submit')
    return count
  }

  reap(results: Int32Array, max: number): number {
    if (!this.life.alive) return 0
    const count = Math.min(max, this.#done.length / RESULT_WORDS)
    results.set(this.#done.splice(0, count * RESULT_WORDS))
    return count
  }

  onReady(listener: () => void): void {
    this.#ready = listener
  }

  arm(): boolean {
    if (this.#done.length > 0) return this.life.alive
    this.#armed = true
    return false
  }

  close(): void {
    const { name } = this.#opening.disk
    if (this.inFlight > 0) this.#disks.blame('released', `a port of ${name} is closed with I/O in flight`)
    this.#opening.ports.delete(this)
  }

  #begin(requests: Int32Array, at: number): void {
    const { kernel, random } = this.#disks
    const request: Pending = {
      opening: this.#opening, port: this, arena: this.#arena,
      op: requests[at],
      token: requests[at + 1],
      arenaAt: requests[at + 2],
      length: (requests[at + 3] >>> 0) + (requests[at + 6] >>> 0) * 4294967296,
      offset: (requests[at + 4] >>> 0) + (requests[at + 5] >>> 0) * 4294967296,
    }
    this.#under++
    this.#opening.inFlight++
    const most = this.#opening.disk.mood.delayNs || this.#disks.usualNs
    kernel.after(10_000 + random.below(most), () => this.#end(request))
  }

  #end(request: Pending): void {
    const result = execute(request, this.#disks.random)
    this.#under--
    this.#opening.inFlight--
    if (!this.life.alive) return
    this.#done.push(request.token, result)
    if (!this.#armed) return
    this.#armed = false
    this.#ready()
  }
}

function execute({ opening: { disk, readOnly }, arena, op, arenaAt, length, offset }: Pending, random: Random): number {
  const { mood } = disk
  if (mood.gone) return -6
  if (op === IO_SYNC) {
    if (random.chance(mood.syncErrorShare)) return -5
    disk.platter.set(disk.cache)
    return 0
  }
  if (offset + length > disk.sectorCount * 512) return -22
  if (readOnly && op !== IO_READ) return -30
  if (random.chance(mood.errorShare)) return -5
  if (op === IO_WRITE && mood.full) return random.chance(0.5) ? -28 : -122
  const moved = length > 512 && random.chance(mood.shortShare) ? length - 512 : length
  if (op === IO_READ) arena.bytes.set(disk.cache.subarray(offset, offset + moved), arenaAt)
  else if (op === IO_WRITE) disk.cache.set(arena.bytes.subarray(arenaAt, arenaAt + moved), offset)
  else disk.cache.fill(0, offset, offset + length)
  return op === IO_READ || op === IO_WRITE ? moved : 0
}

/** A drive without a disc: whatever gets so far has nothing to do. */
class NothingPort implements MediumPort {
  readonly #done: number[] = []

  get inFlight(): number {
    return this.#done.length / RESULT_WORDS
  }

  submit(requests: Int32Array, count: number): number {
    for (let index = 0; index < count; index++) this.#done.push(requests[index * IO_WORDS + 1], 0)
    return count
  }

  reap(results: Int32Array, max: number): number {
    const count = Math.min(max, this.inFlight)
    results.set(this.#done.splice(0, count * RESULT_WORDS))
    return count
  }

  onReady(): void {
    // Nothing ever comes later.
  }

  arm(): boolean {
    return this.#done.length > 0
  }

  close(): void {
    // Nothing was opened.
  }
}

function geometryOf({ sectorCount }: SimStore, readOnly: boolean): MediumGeometry {
  return {
    sectorCount, sectorSize: 512, physicalSectorSize: 512, readOnly, canFlush: true, canDiscard: true,
    canSecureDiscard: false, discardGranularity: 512, discardAlignment: 0, buffered: false,
  }
}

function emptyDrive(): Medium {
  const geometry = { ...geometryOf({ sectorCount: 0 } as SimStore, true), canFlush: false, canDiscard: false }
  return {
    geometry, plan: { kind: 'null', geometry, layers: [] }, notes: [], currentSectorCount: () => 0,
    close: () => undefined,
  }
}

function refused(code: MediumError['code'], sentence: string): MediumOpened {
  return { ok: false, error: { code, sentence } }
}
