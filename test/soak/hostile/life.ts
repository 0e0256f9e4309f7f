/**
 * @packageDocumentation
 * One connection of a hostile front end, from attach to Drained: the real plane, core and journal over the addon's own
 * ring and grant copier, in shared memory into which a second thread may write meanwhile.
 *
 *   put hostile entries ─► ring (native) ─► plane ─► disk that fails ─► answers, looked at by the witness
 *
 * Each life has another shape (layout, ring, arena, limits of the disk) and another end: it drains, the front end
 * vanishes, or its producer index lies.
 */
import { Worker } from 'node:worker_threads'
import { DESCRIPTOR_AREA_BYTES, DescriptorReader, batchFor } from '../../../src/actors/descriptor-reader.js'
import { QueuePlane } from '../../../src/actors/queue-plane.js'
import { ArenaLender } from '../../../src/core/arena-lender.js'
import { checkpointWordsMax, writeCheckpoint } from '../../../src/core/checkpoint.js'
import { CHUNK_BYTES, chunksForRequest } from '../../../src/core/extent-pool.js'
import { QueueCore } from '../../../src/core/queue-core.js'
import type { CoreSettings } from '../../../src/core/queue-core.js'
import { COMMAND_ABANDON, COMMAND_ATTACH, COMMAND_DETACH, COMMAND_DRAIN, COMMAND_RETRY } from '../../../src/core/records.js'
import { COUNTER } from '../../../src/core/statistics.js'
import { compiledSteppers } from '../../../src/core/steppers.js'
import { BatchWriter } from '../../../src/journal/batch-writer.js'
import { queueIdentity } from '../../../src/journal/queue-identity.js'
import { QueueState, queueStateNames } from '../../../src/machines/generated/queue.js'
import { EmbeddedGrantCopier, GTF_permit_access, GTF_readonly } from '../../../src/io/native/embedded-grants.js'
import { mapMemory, unmap, view } from '../../../src/io/native/owners.js'
import { NativeBackRing } from '../../../src/io/native/ring.js'
import { LEVEL_MEDIUM_FULL } from '../../../src/ports/queues.js'
import { abiLayout, resolveAbi } from '../../../src/protocol/abi.js'
import type { BlkifAbiName } from '../../../src/protocol/abi.js'
import { Random } from '../../../src/sim/random.js'
import { GREFS, HostileEntries, describePage } from './entries.js'
import { HostileDisk } from './disk.js'
import type { ScribblerData } from './scribbler.js'
import { Witness } from './witness.js'

export const PROTOCOLS = ['x86_64-abi', 'x86_32-abi', 'arm-abi'] as const
export type Ending = 'drain' | 'abandon' | 'lie'

export interface LifeOptions {
  readonly seed: number
  readonly protocol: (typeof PROTOCOLS)[number]
  /** Entries after which it ends. */
  readonly entries: number
  readonly ending: Ending
  /** A second thread writes into ring and descriptors. */
  readonly scribbled: boolean
}

export interface LifeReport {
  readonly taken: number
  readonly okay: number
  readonly error: number
  readonly unsupported: number
  readonly abandoned: number
  readonly faults: readonly string[]
}

const PAGE = 4096
const IMAGE_BYTES = 4 << 20
const ARENA_CHUNKS = 8
const ARENA_BYTES = ARENA_CHUNKS * CHUNK_BYTES
const HEADER_WORDS = 16
/** Pages of the guest that nobody was ever granted, behind those that have references. */
const SECRET_PAGES = 16
const SECRET = 0x5c
const SEGMENT_WORDS = 1 << 16
const STEPS_HANGING = 16
const ROUNDS_TO_DRAIN = 20_000
const NAME = 'vbd/1/51712/q0'

/** Plays one life to its end. */
export async function playLife(options: LifeOptions): Promise<LifeReport> {
  const life = new HostileLife(options)
  const scribbler = options.scribbled ? await life.scribble() : undefined
  try {
    life.play()
  } finally {
    await scribbler?.()
  }
  return life.end()
}

class HostileLife {
  private readonly options: LifeOptions
  private readonly random: Random
  private readonly abi: BlkifAbiName
  private readonly handles: { readonly ring: number; readonly memory: number; readonly table: number; readonly arena: number }
  private readonly shared: Int32Array
  private readonly table: Int32Array
  private readonly memory: Uint8Array
  private readonly core: QueueCore
  private readonly plane: QueuePlane
  private readonly native: NativeBackRing
  private readonly copier: EmbeddedGrantCopier
  private readonly disk: HostileDisk
  private readonly witness: Witness
  private readonly entries: HostileEntries
  private produced = 0
  private nowNs = 1_000_000

  constructor(options: LifeOptions) {
    this.options = options
    const random = this.random = new Random(options.seed)
    const resolved = resolveAbi(options.protocol)
    if (!resolved.ok) throw new Error(resolved.sentence)
    this.abi = resolved.abi
    const layout = abiLayout(resolved.abi)
    const pages = 2 ** random.below(5)
    this.handles = {
      ring: mapMemory(pages * PAGE),
      memory: mapMemory((GREFS.absent + SECRET_PAGES) * PAGE),
      table: mapMemory(2 * PAGE),
      arena: mapMemory(ARENA_BYTES + DESCRIPTOR_AREA_BYTES),
    }
    this.shared = new Int32Array(view(this.handles.ring))
    this.shared[1] = this.shared[3] = 1
    this.memory = new Uint8Array(view(this.handles.memory))
    this.memory.fill(SECRET, GREFS.absent * PAGE)
    this.table = new Int32Array(view(this.handles.table))
    const arena = { bytes: new Uint8Array(view(this.handles.arena)), dataBytes: ARENA_BYTES, handle: this.handles.arena }
    this.native = new NativeBackRing(this.handles.ring, pages, resolved.abi)
    this.copier = new EmbeddedGrantCopier(this.handles.memory, this.handles.table, this.handles.arena, 0)
    this.entries = new HostileEntries(layout, random, IMAGE_BYTES / 512)
    this.witness = new Witness(layout, { arenaBytes: ARENA_BYTES, imageBytes: IMAGE_BYTES })
    this.disk = new HostileDisk(new Uint8Array(IMAGE_BYTES), arena.bytes, random)
    const settings = settingsOf(random, this.native.size)
    this.core = new QueueCore(settings, compiledSteppers)
    const lender = new ArenaLender(ARENA_CHUNKS)
    const grants = this.witness.grants(this.copier, new Int32Array(view(this.handles.arena)))
    this.plane = new QueuePlane({
      core: this.core, ring: this.witness.ring(this.native), layout, grants,
      descriptors: settings.disk.maxIndirectSegments
        ? new DescriptorReader(grants, layout, arena, settings.disk.maxIndirectSegments, settings.batch)
        : undefined,
      channel: { notify: () => undefined, onNotified: () => undefined, unmask: () => undefined, close: () => undefined },
      medium: this.witness.medium(this.disk),
      sink: this.journal(settings),
      chunks: { borrow: (wanted) => lender.borrow(NAME, wanted), giveBack: (chunk) => { lender.giveBack(NAME, chunk) } },
      nowNs: () => this.nowNs,
    })
    for (let gref = 0; gref < GREFS.descriptors; gref++) this.grant(gref)
    for (let gref = GREFS.indirect; gref < GREFS.descriptors; gref++)
      describePage(new Int32Array(this.memory.buffer, gref * PAGE, PAGE / 4), random)
    this.plane.command(COMMAND_ATTACH, this.native.published())
    lender.enter(NAME, settings.reserveChunks)
    this.plane.lend(lender.pay(NAME) ?? [])
  }

  /** Starts the second thread. @returns how it is stopped. */
  async scribble(): Promise<() => Promise<void>> {
    const stop = new Int32Array(new SharedArrayBuffer(4))
    const data: ScribblerData = {
      ring: this.handles.ring, memory: this.handles.memory, seed: this.options.seed, stop,
      from: (GREFS.indirect * PAGE) / 4, to: (GREFS.descriptors * PAGE) / 4,
    }
    const worker = new Worker(new URL('./scribbler.js', import.meta.url), { workerData: data })
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    await new Promise((resolve) => worker.once('online', resolve))
    return async () => {
      Atomics.store(stop, 0, 1)
      await ended
    }
  }

  play(): void {
    const { core, witness, options } = this
    while (witness.taken < options.entries && isServing(core)) this.step()
    // Something is at work when the end comes.
    this.disk.hanging = true
    for (let step = 0; step < STEPS_HANGING && isServing(core); step++) this.step()
    if (options.ending === 'lie') this.lie()
    else this.plane.command(options.ending === 'drain' ? COMMAND_DRAIN : COMMAND_ABANDON)
    this.turn()
    this.disk.hanging = false
    for (let round = 0; round < ROUNDS_TO_DRAIN && isServing(core); round++) this.turn()
    if (isServing(core)) this.witness.faults.push('a lie about the producer was not noticed')
    for (let round = 0; round < ROUNDS_TO_DRAIN && core.queueState !== QueueState.Drained; round++) this.turn()
  }

  /** Holds what is left against what there was, and gives everything back. */
  end(): LifeReport {
    const { core, plane, witness, handles } = this
    const abandoned = core.statistics[COUNTER.abandoned]
    const faults = witness.faults
    if (core.queueState !== QueueState.Drained) faults.push(`it never drained: ${queueStateNames[core.queueState]}`)
    witness.ended(abandoned)
    if (core.inFlight + core.extents.used + plane.inFlightIo + core.gate.length > 0) faults.push('something is left of requests')
    if ((this.native.published() - core.rspProd) >>> 0 !== 0) faults.push('other answers are published than were given')
    if (this.memory.subarray(GREFS.absent * PAGE).some((byte) => byte !== SECRET)) faults.push('a page was written that was never granted')
    plane.command(COMMAND_DETACH)
    plane.round()
    this.native.close()
    this.copier.close()
    if (faults.length === 0) this.disk.close()
    for (const handle of Object.values(handles)) unmap(handle)
    return { taken: witness.taken, ...witness.statuses, abandoned, faults }
  }

  private step(): void {
    const { random, shared, core } = this
    const room = this.native.size - ((this.produced - core.rspProd) | 0)
    const count = Math.min(room, 1 + random.below(48))
    for (let index = 0; index < count; index++) {
      const slot = (this.produced + index) & (this.native.size - 1)
      this.entries.put(shared, HEADER_WORDS + slot * this.native.entryWords)
    }
    this.produced = (this.produced + count) | 0
    shared[3] = random.next() | 0
    Atomics.store(shared, 0, this.produced)
    if (random.below(8) === 0) this.grant(random.below(GREFS.descriptors))
    if (random.below(8) === 0) this.table[2 * random.below(GREFS.descriptors)] = 0
    this.turn()
  }

  private turn(): void {
    const { random } = this
    this.nowNs += 1000
    if (random.below(64) === 0) this.disk.full = !this.disk.full
    if (this.core.levels & LEVEL_MEDIUM_FULL && random.below(4) === 0) {
      this.disk.full = false
      this.plane.command(COMMAND_RETRY)
    }
    if (random.below(8) !== 0) this.disk.tick()
    this.plane.round()
    if (random.below(16) === 0) this.plane.arm()
  }

  /** A frame that the guest has, or has not, and rights that it gives, or not quite. */
  private grant(gref: number): void {
    const { random, table } = this
    const readOnly = gref >= GREFS.indirect || random.below(16) === 0
    table[2 * gref + 1] = random.below(64) === 0 ? random.next() | 0 : gref
    table[2 * gref] = random.below(64) === 0 ? random.next() | 0 : GTF_permit_access | (readOnly ? GTF_readonly : 0)
  }

  private lie(): void {
    const { random, core, native, shared } = this
    // Far enough not to come true by answers of the same round.
    const lies = [3 * native.size, 0x7fffffff, -1 - random.below(native.size), 3 * native.size + random.below(1 << 30)]
    Atomics.store(shared, 0, (core.rspProd + random.pick(lies)) | 0)
  }

  private journal(settings: CoreSettings): BatchWriter {
    const segments = [new Int32Array(SEGMENT_WORDS), new Int32Array(SEGMENT_WORDS)]
    let sequence = 0
    const source = { next: () => ({ words: segments[sequence & 1], sequence: sequence++ }) }
    const connection = { grefs: [8], evtchn: 9, abi: this.abi }
    const identity = queueIdentity({
      journal: NAME, settings, connection, program: 'soak', boot: 'soak', pid: 1, wallMs: 0, monotonicNs: 0,
    })
    return new BatchWriter(identity, source, {
      wordsMax: () => checkpointWordsMax(this.core),
      write: (words, at) => writeCheckpoint(this.core, words, at),
    })
  }
}

const SERVING: readonly number[] = [QueueState.Detached, QueueState.Running, QueueState.Shortage, QueueState.Throttled]
const isServing = ({ queueState }: QueueCore) => SERVING.includes(queueState)

/** What disk and negotiation are, in this life. */
function settingsOf(random: Random, ringSize: number): CoreSettings {
  const indirect = random.pick([0, 12, 64])
  return {
    waitsForSpace: random.chance(0.5),
    buffered: random.chance(0.5),
    trace: random.chance(0.1),
    slots: Math.max(1, Math.min(ringSize, random.pick([1, 7, 32, 64, 128]))),
    batch: batchFor(random.pick([1, 16, 32]), indirect),
    arenaChunks: ARENA_CHUNKS,
    reserveChunks: chunksForRequest(Math.max(11, indirect)),
    disk: {
      sectorCount: IMAGE_BYTES / 512,
      sectorSize: random.chance(0.2) ? 4096 : 512,
      readOnly: random.chance(0.1),
      offersFlush: random.chance(0.8),
      offersBarrier: random.chance(0.8),
      offersDiscard: random.chance(0.8),
      offersSecureDiscard: random.chance(0.3),
      maxSegments: 11,
      ...(indirect > 0 ? { maxIndirectSegments: indirect } : {}),
    },
  }
}
