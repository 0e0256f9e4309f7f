/**
 * @packageDocumentation
 * From an attachment (plain data) to a plane that can work: ring, grants, channel, medium, journal and core, opened in
 * order; when one of them fails, those before are closed again in reverse. Nothing of a refused queue is left.
 */
import { checkpointWordsMax, writeCheckpoint } from '../core/checkpoint.js'
import { CHUNK_BYTES, chunksForRequest } from '../core/extent-pool.js'
import { QueueCore } from '../core/queue-core.js'
import type { CoreSettings } from '../core/queue-core.js'
import type { Steppers } from '../core/steppers.js'
import { BatchWriter } from '../journal/batch-writer.js'
import { originAt } from '../journal/format.js'
import type { CrcOfWords, JournalOrigin } from '../journal/format.js'
import type { SegmentSource } from '../journal/batch-writer.js'
import { queueIdentity } from '../journal/queue-identity.js'
import type {
  BackRing, BufferArena, ConnectionOrder, ConnectionReport, EventPort, GrantCopier, MediumPort,
} from '../ports/data-path.js'
import type { DataPath } from '../ports/host.js'
import type { MediumGeometry, MediumPlan, OpenMediumPort } from '../ports/medium.js'
import type { QueueAttachment, QueueSettings } from '../ports/queues.js'
import { abiLayout } from '../protocol/abi.js'
import { mostSegments, segmentsBeyond } from '../protocol/validate.js'
import type { AbiLayout } from '../protocol/abi.js'
import { DescriptorReader, batchFor } from './descriptor-reader.js'
import { KILL_POINTS, Killer } from './kill-points.js'
import { QueuePlane } from './queue-plane.js'
import type { BatchSink, ChunkSource } from './queue-plane.js'
import { ScratchSink } from './scratch-sink.js'
import { requireIdle, takeOver, type Takeover } from './takeover.js'

export interface PlaneWorld {
  readonly dataPath: DataPath
  readonly openMedium: OpenMediumPort
  readonly arena: BufferArena
  readonly nowNs: () => number
  /** Absent: zlib's. */
  readonly crcOfWords?: CrcOfWords
  /** How the charts are stepped; one pair per queue (a shadow keeps state). */
  readonly steppers: () => Steppers
  /** The journal's segments, for the writer with this number in the segment table. */
  readonly segments: (journal: number) => SegmentSource
  /** Ends the process at once, as SIGKILL does; for planted kill points. */
  readonly die?: () => void
  /** What goes into every journal's header. */
  readonly origin: JournalOrigin
}

export interface OpenPlane {
  readonly plane: QueuePlane
  readonly ring: BackRing
  readonly channel: EventPort
  /** Set when it goes on from a journal. */
  readonly takeover: Takeover | undefined
  /** It was detached in good order, and keeps no journal that says so by itself. */
  rest(): void
  /** Calls `listener` whenever the medium has results and was armed. */
  onMediumReady(listener: () => void): void
  /** For the newest port, where that has a connection. */
  orderConnection(order: ConnectionOrder): void
  onConnectionReport(listener: (report: ConnectionReport) => void): void
  /** `done` is called when the port before it is closed. */
  reopenMedium(plan: MediumPlan, done: () => void): void
  close(): void
}

/** Throws what the adapters throw; then everything is closed again. */
export function openPlane(
  world: PlaneWorld,
  attachment: QueueAttachment,
  statistics: SharedArrayBuffer,
  journal: number,
  chunks: ChunkSource,
  legacy?: Int32Array,
): OpenPlane {
  const { settings } = attachment
  const undo: (() => void)[] = []
  const opened = <T extends { close(): void }>(thing: T): T => {
    undo.unshift(() => thing.close())
    return thing
  }
  try {
    const killer = killerOf(world, settings)
    const around = <T>(port: T, layer: ((port: T) => T) | undefined): T => layer?.call(killer, port) ?? port
    const ring = around(opened(world.dataPath.openRing(attachment.ring)), killer?.ring)
    const grants = around(opened(world.dataPath.openGrants(attachment.grants, world.arena)), killer?.grants)
    const channel = around(opened(world.dataPath.openChannel(attachment.channel)), killer?.channel)
    const medium = around(world.openMedium(attachment.medium, world.arena), killer?.medium)
    let closeMedium = () => medium.close()
    undo.unshift(() => closeMedium())
    const chunkCount = Math.floor((world.arena.dataBytes ?? world.arena.bytes.length) / CHUNK_BYTES)
    const forCore = coreSettings(settings, attachment.medium.geometry, ring.size, chunkCount)
    const counters = new Float64Array(statistics)
    const takeover = legacy && takeOver({
      words: legacy, fresh: forCore, ring, steppers: world.steppers(), statistics: counters,
    })
    if (attachment.takeover === 'unknown') requireIdle(ring)
    const core = takeover?.core ?? new QueueCore(forCore, world.steppers(), counters)
    if (takeover) killer?.at('folded')
    takeover?.publish(channel)
    const { sink: written, rest } = sinkOf(world, attachment, core, journal, killer)
    const sink = around(written, killer?.sink)
    const layout = abiLayout(attachment.ring.abi)
    const { plant } = settings
    const { nowNs } = world
    const { held } = attachment
    const descriptors = readerFor(core, grants, layout, world.arena)
    const parts = { core, ring, layout, grants, channel, medium, sink, chunks, nowNs, descriptors, plant, held }
    const plane = new QueuePlane(parts)
    closeMedium = () => plane.closeMedium()
    // From here on whoever comes after us goes on from our journal, which begins with all that was inherited.
    plane.beginJournal()
    if (takeover) killer?.at('adopted')
    const newest = new NewestPort(medium)
    return {
      plane,
      ring,
      channel,
      takeover,
      rest,
      onMediumReady: (listener) => void (newest.ready = listener),
      orderConnection: (order) => newest.port.connection?.order(order),
      onConnectionReport: (listener) => void (newest.report = listener),
      reopenMedium: (plan, done) => {
        const port = world.openMedium(plan, world.arena)
        newest.become(port)
        plane.replaceMedium(port, done)
      },
      close: () => undo.forEach((close) => close()),
    }
  } catch (error) {
    undo.forEach((close) => close())
    throw error
  }
}

/** Whom listeners and orders of a medium's port mean: the one opened last, while another may still have I/O to end. */
class NewestPort {
  ready: () => void = () => undefined
  report: (report: ConnectionReport) => void = () => undefined
  port: MediumPort

  constructor(port: MediumPort) {
    this.port = port
    this.become(port)
  }

  become(port: MediumPort): void {
    this.port = port
    port.onReady(() => this.ready())
    port.connection?.onReport((what) => port === this.port && this.report(what))
  }
}

/** Chunks that the queue always has: room for its largest request. */
export function reserveFor(settings: QueueSettings): number {
  return chunksForRequest(mostSegments(settings))
}

/** Absent where no INDIRECT request was offered. */
function readerFor(core: QueueCore, grants: GrantCopier, layout: AbiLayout, arena: BufferArena) {
  const { batch, disk: { maxIndirectSegments = 0 } } = core.settings
  return maxIndirectSegments === 0 ? undefined : new DescriptorReader(grants, layout, arena, maxIndirectSegments, batch)
}

/** What the core must know, from what was negotiated and what the medium is. */
export function coreSettings(
  settings: QueueSettings,
  geometry: MediumGeometry,
  ringEntries: number,
  arenaChunks: number,
): CoreSettings {
  return {
    slots: Math.min(settings.slots, ringEntries),
    batch: batchFor(settings.batch, segmentsBeyond(settings)),
    buffered: geometry.buffered,
    arenaChunks,
    reserveChunks: reserveFor(settings),
    waitsForSpace: settings.onEnospc === 'wait',
    trace: settings.journal === 'full',
    disk: {
      sectorCount: geometry.sectorCount,
      sectorSize: geometry.sectorSize,
      readOnly: settings.readOnly,
      offersFlush: settings.offersFlush,
      offersBarrier: settings.offersBarrier,
      offersDiscard: settings.offersDiscard,
      ...(settings.offersSecureDiscard === true && { offersSecureDiscard: true }),
      maxSegments: settings.maxSegments,
      ...(settings.maxBlockSegments ? { maxBlockSegments: settings.maxBlockSegments } : {}),
      ...(settings.maxRequestSectors ? { maxRequestSectors: settings.maxRequestSectors } : {}),
      ...(settings.maxIndirectSegments ? { maxIndirectSegments: settings.maxIndirectSegments } : {}),
    },
  }
}

function killerOf({ die }: PlaneWorld, { kill }: QueueSettings): Killer | undefined {
  const at = KILL_POINTS.find((name) => name === kill?.at)
  return kill && at && die && new Killer({ at, visit: kill.visit }, die)
}

interface OpenSink {
  readonly sink: BatchSink
  readonly rest: () => void
}

function sinkOf(
  world: PlaneWorld, attachment: QueueAttachment, core: QueueCore, journal: number, killer: Killer | undefined,
): OpenSink {
  const nothing = () => undefined
  const source = world.segments(journal)
  const segments = killer?.segments(source) ?? source
  if (journal === 0) return { sink: new ScratchSink(), rest: nothing }
  if (attachment.settings.journal !== 'off')
    return { sink: journalOf(world, attachment, core, segments), rest: nothing }
  // Nothing is journalled, and whoever comes after us must know that: a header says so, and another one at the end.
  const mark = (unjournalled: 'served' | 'rested') =>
    journalOf(world, attachment, core, segments, unjournalled).begin(0, world.nowNs())
  mark('served')
  return { sink: new ScratchSink(), rest: () => mark('rested') }
}

function journalOf(
  world: PlaneWorld, attachment: QueueAttachment, core: QueueCore, segments: SegmentSource,
  unjournalled?: 'served' | 'rested',
): BatchWriter {
  const origin = { ...originAt(world.origin, world.nowNs()), ...(unjournalled && { unjournalled }) }
  const { name, connection } = attachment.settings
  const ring = connection && { connection }
  const identity = queueIdentity({ journal: name, settings: core.settings, ...ring, ...origin })
  const checkpointer = {
    wordsMax: () => checkpointWordsMax(core),
    write: (words: Int32Array, at: number) => writeCheckpoint(core, words, at),
  }
  return new BatchWriter(identity, segments, checkpointer, world.crcOfWords)
}
