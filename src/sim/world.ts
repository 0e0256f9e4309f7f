/**
 * @packageDocumentation
 * One queue in a world of one thread: the real plane, core, charts and journal between a simulated front end and a
 * simulated disk, in virtual time, from one seed. The same seed gives the same run, byte for byte of the journal.
 *
 *   step:  front end puts requests and consumes answers · disk completes some · plane makes a round · 1 µs passes
 *
 * The laws watch at every border (laws.ts). A run ends in one of three ways: it drains, the
 * front end vanishes, the ring's producer lies; and each also while the disk hangs.
 */
import { DESCRIPTOR_AREA_BYTES, DescriptorReader, batchFor } from '../actors/descriptor-reader.js'
import { shareRateLimit } from '../actors/rate-bucket.js'
import { QueuePlane } from '../actors/queue-plane.js'
import type { BatchSink } from '../actors/queue-plane.js'
import { takeOver } from '../actors/takeover.js'
import type { Takeover } from '../actors/takeover.js'
import { ArenaLender } from '../core/arena-lender.js'
import { checkpointWordsMax, writeCheckpoint } from '../core/checkpoint.js'
import { CHUNK_BYTES, chunksForRequest } from '../core/extent-pool.js'
import { QueueCore } from '../core/queue-core.js'
import type { CoreSettings } from '../core/queue-core.js'
import {
  COMMAND_ABANDON, COMMAND_ATTACH, COMMAND_DETACH, COMMAND_DRAIN, COMMAND_RECOVERED, COMMAND_RETRY,
} from '../core/records.js'
import { COUNTER } from '../core/statistics.js'
import { compiledSteppers } from '../core/steppers.js'
import type { Steppers } from '../core/steppers.js'
import { BatchWriter } from '../journal/batch-writer.js'
import { judgeLegacy } from '../journal/legacy.js'
import { queueIdentity } from '../journal/queue-identity.js'
import type { SegmentMemory } from '../journal/batch-writer.js'
import { readHeader } from '../journal/segment-reader.js'
import { QueueState } from '../machines/generated/queue.js'
import type { BackRing, BufferArena, EventPort, GrantCopier, MediumPort } from '../ports/data-path.js'
import { LEVEL_MEDIUM_FULL, type OnEnospc, type SharedRateLimit } from '../ports/queues.js'
import { abiLayout } from '../protocol/abi.js'
import type { AbiLayout, BlkifAbiName } from '../protocol/abi.js'
import type { RateLimit } from '../protocol/rate-limit.js'
import { assert } from '../protocol/errors.js'
import type { DiskLimits } from '../protocol/validate.js'
import { HonestFront, frontPages, type FrontOptions } from './honest-front.js'
import { LawBook } from './laws.js'
import type { Violation } from './laws.js'
import { Random } from './random.js'
import { SimDisk } from './sim-disk.js'
import { SimGuest } from './sim-guest.js'
import { SimRing } from './sim-ring.js'

export interface WorldOptions {
  readonly seed: number
  readonly steps: number
  readonly abi?: BlkifAbiName
  readonly ringEntries?: number
  readonly slots?: number
  readonly depth?: number
  readonly arenaChunks?: number
  readonly delayMax?: number
  readonly errorShare?: number
  readonly shortShare?: number
  readonly syncErrorShare?: number
  /** Probability per step that the disk becomes full, or is so no more; and what then becomes of a write. */
  readonly fillShare?: number
  readonly onEnospc?: OnEnospc
  /** I/Os that the disk takes at a time. */
  readonly diskDepth?: number
  readonly buffered?: boolean
  readonly segmentWords?: number
  /** `journal = full`: every transition is recorded. */
  readonly trace?: boolean
  readonly steppers?: Steppers
  /** Most segments of an INDIRECT request; absent: they are not offered. */
  readonly indirect?: number
  /** Size of the disk. */
  readonly sectors?: number
  /** What the disk offers, where it is not the usual. */
  readonly limits?: Partial<DiskLimits>
  /** Virtual time of a step, nanoseconds; default 1000. */
  readonly stepNs?: number
  /** The rate limit from the beginning; {@link World.limit} changes it. */
  readonly limit?: RateLimit
  /** What the front end asks for, where it is not everything. */
  readonly asks?: Pick<FrontOptions, 'barrierShare' | 'flushShare' | 'discards'>
  /** The front end does not keep the rules by which the laws tell requests apart: they do not watch. */
  readonly lawless?: boolean
  /** Changes the plane's inside before it runs: how tests plant faults. */
  readonly sabotage?: (plane: QueuePlane) => void
  /** Layers between the plane and what the laws watch: how tests plant faults at the borders. */
  readonly seams?: Seams
}

export interface Seams {
  readonly ring?: (ring: BackRing) => BackRing
  readonly grants?: (grants: GrantCopier) => GrantCopier
  readonly medium?: (medium: MediumPort) => MediumPort
  readonly sink?: (sink: BatchSink) => BatchSink
  /** Called when the journal takes a segment. */
  readonly segment?: () => void
}

/** What a successor does wrong: how tests plant faults in recovery. */
export interface BadSuccessor {
  /** It does not wait until the dead one's I/O has ended. */
  readonly unfenced?: boolean
  /** Changes what was inherited, before its queue goes on. */
  readonly sabotage?: (core: QueueCore) => void
  /** Something else than `publish`. */
  readonly publish?: (takeover: Takeover, ring: BackRing) => void
}

/** How a run ends. */
export type Ending = 'drain' | 'abandon' | 'break'

export interface WorldReport {
  readonly complaints: readonly string[]
  readonly violations: readonly Violation[]
  readonly answered: number
  readonly core: QueueCore
  readonly plane: QueuePlane
  /** The journal's segments, oldest first. */
  readonly segments: readonly Int32Array[]
  readonly drained: boolean
}

const SECTORS = 4096
/** Rounds after the last I/O within which the queue must have noticed that it is empty. */
const ROUNDS_TO_DRAINED = 2
const NAME = 'vbd/1/51712/q0'

export class World {
  plane: QueuePlane
  core: QueueCore
  readonly front: HonestFront
  readonly laws: LawBook
  readonly disk: SimDisk
  readonly ring: SimRing
  readonly guest: SimGuest
  readonly layout: AbiLayout
  arena: BufferArena
  lender: ArenaLender
  readonly segments: Int32Array[] = []
  writer: BatchWriter
  readonly channel: EventPort = {
    notify: () => void this.notified++,
    onNotified: () => undefined,
    unmask: () => undefined,
    close: () => undefined,
  }
  /** How often the back end died. */
  deaths = 0
  /** Nobody sleeps in this world, so nobody needs to be woken; how often the front end was is counted. */
  notified = 0
  nowNs = 1_000_000
  private readonly options: WorldOptions
  private readonly random: Random
  private readonly fillShare: number
  private shared: SharedRateLimit | undefined
  private frontEndGone = false
  private ending = false
  private quietRounds = 0

  constructor(options: WorldOptions) {
    this.options = options
    this.layout = abiLayout(options.abi ?? 'x86_64')
    const size = options.ringEntries ?? 32
    const chunks = options.arenaChunks ?? 16
    this.random = new Random(options.seed)
    this.arena = makeArena(chunks)
    const sectorCount = options.sectors ?? SECTORS
    const shape = { depth: options.depth ?? size, maxSegments: 11, maxIndirect: options.indirect ?? 0 }
    const { data, descriptors } = frontPages({ ...shape, depth: Math.max(shape.depth, size) })
    this.guest = new SimGuest(data + descriptors, data + descriptors)
    this.ring = new SimRing(size, this.layout)
    const diskOptions = { bytes: sectorCount * 512, delayMax: 4, ...options, depth: options.diskDepth ?? Infinity }
    this.disk = new SimDisk(diskOptions, this.arena, this.random)
    const settings = worldSettings(options, options.slots ?? size, chunks)
    this.core = new QueueCore(settings, options.steppers ?? compiledSteppers)
    this.laws = new LawBook(this.layout, this.disk, settings.buffered, settings.waitsForSpace)
    this.lender = new ArenaLender(chunks)
    this.writer = this.makeWriter(settings, options.segmentWords ?? 16384)
    this.plane = this.makePlane()
    this.fillShare = options.fillShare ?? 0
    const fails = (options.errorShare ?? 0) + (options.shortShare ?? 0) + (options.syncErrorShare ?? 0) > 0
    const errorsExpected = fails || (this.fillShare > 0 && options.onEnospc !== 'wait')
    this.front = new HonestFront(this.ring, this.guest, this.layout, this.random, {
      sectorCount, ...shape, discards: true, errorsExpected, ...options.asks,
    })
    options.sabotage?.(this.plane)
    this.shared = options.limit && shareRateLimit(options.limit)
    if (this.shared) this.plane.limit(this.shared)
    this.plane.command(COMMAND_ATTACH, this.ring.published())
    this.plane.lend(this.lender.attach(NAME, settings.reserveChunks) ?? [])
  }

  step(put: boolean): void {
    this.nowNs += this.options.stepNs ?? 1000
    const { random, front } = this
    if (put && !this.frontEndGone && random.chance(0.8)) front.put(1 + random.below(8))
    if (this.fillShare > 0) this.fill()
    if (random.chance(0.9)) this.disk.tick()
    if (random.chance(0.9)) this.round()
    if (!this.frontEndGone && random.chance(0.8)) front.consume()
  }

  /** Another rate limit, or none, from now on. */
  limit(limit: RateLimit | undefined): void {
    this.shared = limit && shareRateLimit(limit)
    this.plane.limit(this.shared)
  }

  /** Asks for a drain. */
  drain(): void {
    this.ending = true
    this.plane.command(COMMAND_DRAIN)
  }

  /** The front end vanishes as it stands: its grants with it, and nobody reads the ring any more. */
  abandon(): void {
    this.ending = true
    this.frontEndGone = true
    this.guest.revokeAll()
    this.laws.gone()
    this.plane.command(COMMAND_ABANDON)
  }

  /** The front end's producer index leaves the ring; noticed when the ring is looked at next. */
  breakRing(): void {
    this.ending = true
    this.frontEndGone = true
    this.ring.sharedReqProd = (this.ring.sharedRspProd + 3 * this.ring.size) | 0
  }

  /** Begins the end. */
  end(ending: Ending): void {
    if (ending === 'drain') this.drain()
    else if (ending === 'abandon') this.abandon()
    else this.breakRing()
  }

  /** Runs to Drained and detaches. @returns whether it came to that within `limit` steps. */
  finish(limit = 10_000): boolean {
    for (let step = 0; step < limit && this.core.queueState !== QueueState.Drained; step++) this.step(false)
    if (this.core.queueState !== QueueState.Drained) return false
    this.laws.drained(this.plane.inFlightIo, 0, this.core.statistics[COUNTER.abandoned])
    this.plane.command(COMMAND_DETACH)
    this.plane.round()
    if (!this.frontEndGone) this.front.consume()
    return true
  }

  /** The back end died where it stood. Its I/O comes to an end, and a successor goes on from the journal. */
  recover(bad: BadSuccessor = {}): void {
    this.deaths++
    this.arena = makeArena(this.options.arenaChunks ?? 16)
    this.disk.inherit(this.arena, bad.unfenced !== true)
    this.laws.crashed()
    const words = this.segments.findLast((segment) => readHeader(segment).ok)
    const legacy = words && judgeLegacy(words, 'sim').kind
    if (words !== undefined && legacy === 'recoverable') return this.goOn(words, bad)
    assert(legacy === undefined || legacy === 'rested', 'a queue that was served in good order')
    this.core = new QueueCore(this.core.settings, this.options.steppers ?? compiledSteppers)
    this.serve(COMMAND_ATTACH, this.ring.published())
  }

  private goOn(words: Int32Array, bad: BadSuccessor): void {
    const ring = this.laws.watchRing(this.ring)
    const { steppers = compiledSteppers } = this.options
    const { settings: fresh, statistics } = this.core
    const takeover = takeOver({ words, fresh, ring, steppers, statistics })
    this.core = takeover.core
    bad.sabotage?.(this.core)
    if (bad.publish) bad.publish(takeover, ring)
    else takeover.publish(this.channel)
    this.serve(COMMAND_RECOVERED, takeover.published)
  }

  /** A new life of the back end, with a journal of its own. */
  private serve(command: number, argument: number): void {
    const { settings } = this.core
    this.lender = new ArenaLender(this.options.arenaChunks ?? 16)
    this.writer = this.makeWriter(settings, this.options.segmentWords ?? 16384)
    this.plane = this.makePlane()
    this.options.sabotage?.(this.plane)
    if (this.shared || this.core.gate.limited) this.plane.limit(this.shared)
    this.plane.command(command, argument)
    this.plane.lend(this.lender.attach(NAME, settings.reserveChunks) ?? [])
    if (this.ending) this.plane.command(COMMAND_DRAIN)
  }

  /** The disk fills up or is emptied; whoever waits for space is told to try now and then. */
  private fill(): void {
    if (this.random.chance(this.fillShare)) this.disk.full = !this.disk.full
    if (this.core.levels & LEVEL_MEDIUM_FULL && this.random.chance(0.1)) this.plane.command(COMMAND_RETRY)
  }

  private round(): void {
    this.plane.round()
    const late = this.ending && this.laws.quiet && this.core.queueState !== QueueState.Drained
    this.quietRounds = late ? this.quietRounds + 1 : 0
    if (this.quietRounds === ROUNDS_TO_DRAINED + 1)
      this.laws.blame('closed-is-empty', 'nothing is in flight or owed, and the queue does not say that it is drained')
  }

  private makeWriter(settings: CoreSettings, segmentWords: number): BatchWriter {
    const origin = { program: 'sim', boot: 'sim', pid: this.deaths, wallMs: 0, monotonicNs: 0 }
    const connection = { grefs: [8], evtchn: 9, abi: this.layout.name }
    const source = { next: (_: string, least: number) => this.nextSegment(segmentWords, least) }
    return new BatchWriter(queueIdentity({ journal: NAME, settings, connection, ...origin }), source, {
      wordsMax: () => checkpointWordsMax(this.core),
      write: (words, at) => writeCheckpoint(this.core, words, at),
    })
  }

  private makePlane(): QueuePlane {
    const { laws, lender } = this
    const { seams = {}, lawless = false } = this.options
    const watched = <Port>(port: Port, watch: (port: Port) => Port) => (lawless ? port : watch.call(laws, port))
    const through = <Port>(seam: ((port: Port) => Port) | undefined, port: Port) => (seam ? seam(port) : port)
    laws.serve(this.arena)
    const grants = through(seams.grants, watched<GrantCopier>(this.guest.copier(this.arena), laws.watchGrants))
    const { batch, disk: { maxIndirectSegments: offered = 0 } } = this.core.settings
    return new QueuePlane({
      core: this.core,
      ring: through(seams.ring, watched<BackRing>(this.ring, laws.watchRing)),
      layout: this.layout,
      grants,
      descriptors: offered === 0 ? undefined : new DescriptorReader(grants, this.layout, this.arena, offered, batch),
      channel: this.channel,
      medium: through(seams.medium, watched<MediumPort>(this.disk, laws.watchMedium)),
      sink: through(seams.sink, watched<BatchSink>(this.writer, laws.watchSink)),
      chunks: {
        borrow: (wanted) => lender.borrow(NAME, wanted),
        giveBack: (chunk) => lender.giveBack(NAME, chunk),
      },
      nowNs: () => this.nowNs,
    })
  }

  private nextSegment(words: number, atLeast: number): SegmentMemory {
    const memory = { words: new Int32Array((Math.max(words, atLeast) + 1) & ~1), sequence: this.segments.length }
    this.segments.push(memory.words)
    this.options.seams?.segment?.()
    return memory
  }
}

function makeArena(chunks: number): BufferArena {
  const dataBytes = chunks * CHUNK_BYTES
  return { bytes: new Uint8Array(dataBytes + DESCRIPTOR_AREA_BYTES), dataBytes, handle: 0 }
}

function worldSettings(options: WorldOptions, slots: number, arenaChunks: number): CoreSettings {
  return {
    trace: options.trace ?? false,
    waitsForSpace: options.onEnospc === 'wait',
    buffered: options.buffered ?? false,
    slots,
    batch: batchFor(16, options.indirect ?? 0),
    arenaChunks,
    reserveChunks: chunksForRequest(Math.max(11, options.indirect ?? 0)),
    disk: {
      sectorCount: options.sectors ?? SECTORS,
      sectorSize: 512,
      readOnly: false,
      offersFlush: true,
      offersBarrier: true,
      offersDiscard: true,
      maxSegments: 11,
      ...(options.indirect ? { maxIndirectSegments: options.indirect } : {}),
      ...options.limits,
    },
  }
}

/** Runs one world to its end. */
export function runWorld(options: WorldOptions, ending: Ending = 'drain'): WorldReport {
  const world = new World(options)
  for (let step = 0; step < options.steps; step++) world.step(true)
  world.end(ending)
  return report(world, world.finish())
}

/** What a world can say of itself. */
export function report(world: World, drained: boolean): WorldReport {
  return {
    complaints: world.front.complaints,
    violations: world.laws.violations,
    answered: world.front.answered,
    core: world.core,
    plane: world.plane,
    segments: world.segments,
    drained,
  }
}
