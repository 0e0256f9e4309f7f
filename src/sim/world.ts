/**
 * @packageDocumentation
 * One queue in a world of one thread: the real plane, core, charts and journal between a simulated front end and a
 * simulated disk, in virtual time, from one seed. The same seed gives the same run, byte for byte of the journal.
 *
 *   step:  front end puts requests and consumes answers · disk completes some · plane makes a round · 1 µs passes
 *
 * The laws watch at every border (laws.ts). A run ends with a drain and a report.
 */
import { QueuePlane } from '../actors/queue-plane.js'
import { ArenaLender } from '../core/arena-lender.js'
import { checkpointWordsMax, writeCheckpoint } from '../core/checkpoint.js'
import { CHUNK_BYTES, chunksForRequest } from '../core/extent-pool.js'
import { QueueCore } from '../core/queue-core.js'
import type { CoreSettings } from '../core/queue-core.js'
import { COMMAND_ATTACH, COMMAND_DETACH, COMMAND_DRAIN } from '../core/records.js'
import { compiledSteppers } from '../core/steppers.js'
import type { Steppers } from '../core/steppers.js'
import { BatchWriter } from '../journal/batch-writer.js'
import { queueIdentity } from '../journal/queue-identity.js'
import type { SegmentMemory } from '../journal/batch-writer.js'
import { QueueState } from '../machines/generated/queue.js'
import { abiLayout } from '../protocol/abi.js'
import type { BlkifAbiName } from '../protocol/abi.js'
import { HonestFront } from './honest-front.js'
import { LawBook } from './laws.js'
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
  readonly buffered?: boolean
  readonly segmentWords?: number
  /** `journal = full`: every transition is recorded. */
  readonly trace?: boolean
  readonly steppers?: Steppers
  /** Changes the plane's inside before it runs: how tests plant faults. */
  readonly sabotage?: (plane: QueuePlane) => void
}

export interface WorldReport {
  readonly complaints: readonly string[]
  readonly violations: readonly { law: string; text: string }[]
  readonly answered: number
  readonly core: QueueCore
  readonly plane: QueuePlane
  /** The journal's segments, oldest first. */
  readonly segments: readonly Int32Array[]
  readonly drained: boolean
}

const SECTORS = 4096
/** Nobody sleeps in this world, so nobody needs to be woken. */
const SILENT_CHANNEL = {
  notify: () => undefined,
  onNotified: () => undefined,
  unmask: () => undefined,
  close: () => undefined,
}

export class World {
  readonly plane: QueuePlane
  readonly core: QueueCore
  readonly front: HonestFront
  readonly laws: LawBook
  readonly disk: SimDisk
  readonly ring: SimRing
  readonly segments: Int32Array[] = []
  readonly writer: BatchWriter
  private readonly random: Random
  private nowNs = 1_000_000

  constructor(options: WorldOptions) {
    const layout = abiLayout(options.abi ?? 'x86_64')
    const size = options.ringEntries ?? 32
    const slots = options.slots ?? size
    const chunks = options.arenaChunks ?? 16
    this.random = new Random(options.seed)
    const arena = { bytes: new Uint8Array(chunks * CHUNK_BYTES), handle: 0 }
    const guest = new SimGuest(size * 11, size * 11)
    this.ring = new SimRing(size, layout)
    this.disk = new SimDisk({ bytes: SECTORS * 512, delayMax: 4, ...options }, arena, this.random)
    const settings = worldSettings(slots, chunks, options)
    this.core = new QueueCore(settings, options.steppers ?? compiledSteppers)
    this.laws = new LawBook(layout, this.disk, settings.buffered)
    const lender = new ArenaLender(chunks)
    const name = 'vbd/1/51712/q0'
    const origin = { program: 'sim', boot: 'sim', pid: 0, wallMs: 0, monotonicNs: 0 }
    const source = { next: (_: string, least: number) => this.nextSegment(options.segmentWords ?? 16384, least) }
    this.writer = new BatchWriter(queueIdentity({ journal: name, settings, ...origin }), source, {
      wordsMax: () => checkpointWordsMax(this.core),
      write: (words, at) => writeCheckpoint(this.core, words, at),
    })
    const sink = this.laws.watchSink(this.writer)
    this.plane = new QueuePlane({
      core: this.core,
      ring: this.laws.watchRing(this.ring),
      layout,
      grants: this.laws.watchGrants(guest.copier(arena)),
      channel: SILENT_CHANNEL,
      medium: this.laws.watchMedium(this.disk),
      sink,
      chunks: {
        borrow: (wanted) => lender.borrow(name, wanted),
        giveBack: (chunk) => lender.giveBack(name, chunk),
      },
      nowNs: () => this.nowNs,
    })
    const errorsExpected = (options.errorShare ?? 0) + (options.shortShare ?? 0) + (options.syncErrorShare ?? 0) > 0
    this.front = new HonestFront(this.ring, guest, layout, this.random, {
      sectorCount: SECTORS, depth: options.depth ?? size, maxSegments: 11, discards: true, errorsExpected,
    })
    options.sabotage?.(this.plane)
    this.plane.command(COMMAND_ATTACH, this.ring.published())
    this.plane.lend(lender.attach(name, settings.reserveChunks) ?? [])
  }

  step(put: boolean): void {
    this.nowNs += 1000
    if (put && this.random.chance(0.8)) this.front.put(1 + this.random.below(8))
    if (this.random.chance(0.9)) this.disk.tick()
    if (this.random.chance(0.9)) this.plane.round()
    if (this.random.chance(0.8)) this.front.consume()
  }

  /** Drains and detaches. @returns whether it came to an end within `limit` steps. */
  drain(limit = 10_000): boolean {
    this.plane.command(COMMAND_DRAIN)
    for (let step = 0; step < limit && this.core.queueState !== QueueState.Drained; step++) this.step(false)
    if (this.core.queueState !== QueueState.Drained) return false
    this.laws.drained(this.plane.inFlightIo, 0, false)
    this.plane.command(COMMAND_DETACH)
    this.plane.round()
    this.front.consume()
    return true
  }

  private nextSegment(words: number, atLeast: number): SegmentMemory {
    const memory = { words: new Int32Array((Math.max(words, atLeast) + 1) & ~1), sequence: this.segments.length }
    this.segments.push(memory.words)
    return memory
  }
}

function worldSettings(slots: number, arenaChunks: number, options: WorldOptions): CoreSettings {
  return {
    trace: options.trace ?? false,
    buffered: options.buffered ?? false,
    slots,
    batch: 16,
    arenaChunks,
    reserveChunks: chunksForRequest(11),
    disk: {
      sectorCount: SECTORS,
      sectorSize: 512,
      readOnly: false,
      offersFlush: true,
      offersBarrier: true,
      offersDiscard: true,
      maxSegments: 11,
    },
  }
}

/** Runs one world to its end. */
export function runWorld(options: WorldOptions): WorldReport {
  const world = new World(options)
  for (let step = 0; step < options.steps; step++) world.step(true)
  const drained = world.drain()
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
