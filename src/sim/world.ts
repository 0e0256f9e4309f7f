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
import { DescriptorReader } from '../actors/descriptor-reader.js'
import { layered } from '../actors/port-layer.js'
import { shareRateLimit } from '../actors/rate-bucket.js'
import { QueuePlane, type BatchSink } from '../actors/queue-plane.js'
import { takeOver, type Takeover } from '../actors/takeover.js'
import { ArenaLender } from '../core/arena-lender.js'
import { checkpointWordsMax, writeCheckpoint } from '../core/checkpoint.js'
import { QueueCore, type CoreSettings } from '../core/queue-core.js'
import {
  COMMAND_ABANDON, COMMAND_ATTACH, COMMAND_DETACH, COMMAND_DRAIN, COMMAND_MEDIUM_OPENED, COMMAND_MEDIUM_RESIZED,
  COMMAND_RECOVERED, COMMAND_RETRY,
} from '../core/records.js'
import { COUNTER } from '../core/statistics.js'
import { compiledSteppers } from '../core/steppers.js'
import { BatchWriter, type SegmentMemory } from '../journal/batch-writer.js'
import { judgeLegacy } from '../journal/legacy.js'
import { queueIdentity } from '../journal/queue-identity.js'
import { readHeader } from '../journal/segment-reader.js'
import { QueueState } from '../machines/generated/queue.js'
import type { BackRing, BufferArena, EventPort, GrantCopier, MediumPort } from '../ports/data-path.js'
import { LEVEL_MEDIUM_FULL, type SharedRateLimit } from '../ports/queues.js'
import { abiLayout, type AbiLayout } from '../protocol/abi.js'
import type { RateLimit } from '../protocol/rate-limit.js'
import { assert } from '../protocol/errors.js'
import { BorderLaws } from './border-laws.js'
import { HonestFront, frontPages } from './honest-front.js'
import { LawBook } from './laws.js'
import { Random } from './random.js'
import { SimDisk } from './sim-disk.js'
import { SimGuest } from './sim-guest.js'
import type { SimFront } from './sim-front.js'
import { SimRing } from './sim-ring.js'
import { SECTORS, makeArena, worldSettings } from './world-options.js'
import type { BadSuccessor, WorldOptions } from './world-options.js'

/** How a run ends. */
export type Ending = 'drain' | 'abandon' | 'break'

/** Rounds after the last I/O within which the queue must have noticed that it is empty. */
const ROUNDS_TO_DRAINED = 2
const NAME = 'vbd/1/51712/q0'

export class World {
  plane: QueuePlane
  core: QueueCore
  readonly front: SimFront
  readonly laws: LawBook
  /** Those that hold whatever the front end does. */
  readonly borders: BorderLaws
  readonly disk: SimDisk
  readonly ring: SimRing
  readonly guest: SimGuest
  readonly layout: AbiLayout
  arena: BufferArena
  lender: ArenaLender
  readonly segments: Int32Array[] = []
  writer: BatchWriter
  readonly channel: EventPort = {
    notify: () => {
      this.notified++
      this.frontAwake = true
    },
    onNotified: () => undefined,
    unmask: () => undefined,
    close: () => undefined,
  }
  /** The back end died when the front end was gone, or its ring broken: nobody goes on from there. */
  lost = false
  /** The disk fills up no more. */
  calmed = false
  /** How often the back end died. */
  deaths = 0
  /** How often the front end was woken. */
  notified = 0
  nowNs = 1_000_000
  private readonly options: WorldOptions
  private readonly random: Random
  private readonly fillShare: number
  private shared: SharedRateLimit | undefined
  private frontEndGone = false
  /** It is gone as a whole, not only its ring. */
  private vanished = false
  /** The plane has made a round since the queue was attached or gone on with. */
  private begun = false
  private ending = false
  private awake = true
  private frontAwake = true
  private sectorCount: number
  private quietRounds = 0
  private abandonedSealed = 0

  constructor(options: WorldOptions) {
    this.options = options
    this.layout = abiLayout(options.abi ?? 'x86_64')
    const size = options.ringEntries ?? 32
    const chunks = options.arenaChunks ?? 16
    this.random = new Random(options.seed)
    this.arena = makeArena(chunks)
    const sectorCount = (this.sectorCount = options.sectors ?? SECTORS)
    const shape = { depth: options.depth ?? size, maxSegments: 11, maxIndirect: options.indirect ?? 0 }
    const { data, descriptors } = frontPages({ ...shape, depth: Math.max(shape.depth, size) })
    const pages = options.front?.pages ?? data + descriptors
    this.guest = new SimGuest(pages, pages)
    this.ring = new SimRing(size, this.layout)
    const diskOptions = { bytes: sectorCount * 512, delayMax: 4, ...options, depth: options.diskDepth ?? Infinity }
    this.disk = new SimDisk(diskOptions, this.arena, this.random)
    const settings = worldSettings(options, options.slots ?? size, chunks)
    this.core = new QueueCore(settings, options.steppers ?? compiledSteppers)
    this.laws = new LawBook(this.layout, this.disk, settings.buffered, settings.waitsForSpace)
    const blame: ConstructorParameters<typeof BorderLaws>[3] = (law, text) => this.laws.blame(law, text)
    this.borders = new BorderLaws(settings, this.layout, sectorCount * 512, blame)
    this.disk.onReady(() => (this.awake = true))
    this.lender = new ArenaLender(chunks)
    this.writer = this.makeWriter(settings, options.segmentWords ?? 16384)
    this.plane = this.makePlane()
    this.fillShare = options.fillShare ?? 0
    const fails = (options.errorShare ?? 0) + (options.shortShare ?? 0) + (options.syncErrorShare ?? 0) > 0
    const errorsExpected = fails || (this.fillShare > 0 && options.onEnospc !== 'wait')
    const { ring, guest, layout, random } = this
    this.front = options.front?.make({ ring, guest, layout, random, sectorCount }) ??
      new HonestFront(ring, guest, layout, random, {
        sectorCount, ...shape, discards: true, errorsExpected, ...options.asks,
      })
    options.sabotage?.(this.plane)
    this.shared = options.limit && shareRateLimit(options.limit)
    if (this.shared) this.plane.limit(this.shared)
    this.plane.command(COMMAND_ATTACH, this.ring.published())
    if (this.lender.enter(NAME, settings.reserveChunks)) this.plane.lend(this.lender.pay(NAME) ?? [])
  }

  step(put: boolean): void {
    if (this.lost) return
    this.nowNs += this.options.stepNs ?? 1000
    const { random, front } = this
    const { putsMax = 8, sleeps, forgets } = this.options
    if (put && !this.frontEndGone && random.chance(0.8) && front.put(1 + random.below(putsMax)))
      this.awake ||= forgets === undefined || !random.chance(forgets)
    if (this.fillShare > 0) this.fill()
    if (random.chance(0.9)) this.disk.tick()
    if (random.chance(0.9) && (!sleeps || this.awake)) this.round()
    if (this.frontEndGone || !random.chance(0.8) || (sleeps && !this.frontAwake)) return
    front.consume()
    this.frontAwake = this.options.asks?.polls === true
  }

  /** Something for the plane's next round, as a message to its Worker: it is woken. */
  command(code: number, argument = 0): void {
    this.plane.command(code, argument)
    this.awake = true
  }

  /** The Worker wants chunks of its arena back. */
  recall(chunks: number): void {
    this.plane.recallChunks(chunks)
    this.awake = true
  }

  /** Somebody kicks the channel for no reason. */
  storm(): void {
    this.awake = this.frontAwake = true
  }

  /** The disk has another size from now on; the front end hears of it. */
  resize(sectors: number): void {
    this.sectorCount = sectors
    this.disk.size = sectors * 512
    this.front.resized(sectors)
    this.command(COMMAND_MEDIUM_RESIZED, sectors)
  }

  /** The medium that had gone is opened anew. */
  reopen(): void {
    this.disk.gone = false
    // It is the same disk, which stays open.
    this.plane.replaceMedium(layered(this.mediumPort(), { close: () => undefined }), () => undefined)
    this.command(COMMAND_MEDIUM_OPENED, this.sectorCount)
  }

  /** Another process is to go on, as things are: nothing more is taken. @returns whether it can now. */
  get hasYielded(): boolean {
    return this.core.queueState === QueueState.Yielded && this.plane.inFlightIo === 0
  }

  /** Another rate limit, or none, from now on. */
  limit(limit: RateLimit | undefined): void {
    this.shared = limit && shareRateLimit(limit)
    this.plane.limit(this.shared)
    this.awake = true
  }

  /** Asks for a drain. */
  drain(): void {
    this.ending = true
    this.command(COMMAND_DRAIN)
  }

  /** The front end vanishes as it stands: its grants with it, and nobody reads the ring any more. */
  abandon(): void {
    this.ending = true
    this.frontEndGone = this.vanished = true
    this.guest.revokeAll()
    this.laws.gone()
    this.command(COMMAND_ABANDON)
  }

  /** The front end's producer index leaves the ring; noticed when the ring is looked at next. */
  breakRing(): void {
    this.ending = true
    this.frontEndGone = true
    this.ring.sharedReqProd = (this.ring.sharedRspProd + 3 * this.ring.size) | 0
    this.awake = true
  }

  /** Begins the end. */
  end(ending: Ending): void {
    if (ending === 'drain') this.drain()
    else if (ending === 'abandon') this.abandon()
    else this.breakRing()
  }

  /** Runs to Drained and detaches. @returns whether it came to that within `limit` steps. */
  finish(limit = 10_000): boolean {
    for (let step = 0; step < limit && !this.isDrained; step++) this.step(false)
    if (!this.isDrained) return false
    const abandoned = this.core.statistics[COUNTER.abandoned]
    if (!this.options.lawless) this.laws.drained(this.plane.inFlightIo, 0, abandoned)
    this.borders.drained(abandoned)
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
    this.borders.crashed()
    this.core.statistics[COUNTER.abandoned] = this.abandonedSealed
    // A front end that lies about rsp_prod, plausibly, gets answers twice or never; no law follows it there.
    const lies = this.ring.published() !== this.ring.answeredTo
    const words = this.segments.findLast((segment) => readHeader(segment).ok)
    const legacy = words && judgeLegacy(words, 'sim')
    if (words !== undefined && legacy?.kind === 'recoverable') {
      const takeover = this.fold(words)
      return lies ? void (this.lost = true) : this.goOn(takeover, bad)
    }
    if (legacy?.kind === 'refused' && legacy.lost) return void (this.lost = true)
    assert(legacy === undefined || legacy.kind === 'rested', 'a queue that was served in good order')
    if (lies) this.lost = true
    else this.begin()
  }

  /** The queue says that it is drained, and has said so in this life. */
  get isDrained(): boolean {
    return this.begun && this.core.queueState === QueueState.Drained
  }

  /** It was parked in good order, and is served again. */
  comeBack(): void {
    this.deaths++
    if (this.ring.published() !== this.ring.answeredTo) return void (this.lost = true)
    this.ending = false
    this.laws.mediumOpened()
    this.begin()
  }

  private begin(): void {
    const { settings } = this.core
    const disk = { ...settings.disk, sectorCount: this.sectorCount }
    this.core = new QueueCore({ ...settings, disk }, this.options.steppers ?? compiledSteppers)
    this.serve(COMMAND_ATTACH, this.ring.published())
  }

  private fold(words: Int32Array): Takeover {
    const ring = this.ringPort()
    const { steppers = compiledSteppers } = this.options
    const { settings, statistics } = this.core
    const fresh = { ...settings, disk: { ...settings.disk, sectorCount: this.sectorCount } }
    return takeOver({ words, fresh, ring, steppers, statistics })
  }

  private goOn(takeover: Takeover, bad: BadSuccessor): void {
    this.core = takeover.core
    bad.sabotage?.(this.core)
    if (bad.publish) bad.publish(takeover, this.ringPort())
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
    if (this.lender.enter(NAME, settings.reserveChunks)) this.plane.lend(this.lender.pay(NAME) ?? [])
    if (this.ending) this.plane.command(this.vanished ? COMMAND_ABANDON : COMMAND_DRAIN)
    this.begun = false
    this.quietRounds = 0
    this.awake = true
  }

  /** The disk fills up or is emptied; whoever waits for space is told to try now and then. */
  private fill(): void {
    if (!this.calmed && this.random.chance(this.fillShare)) this.disk.full = !this.disk.full
    if (this.core.levels & LEVEL_MEDIUM_FULL && this.random.chance(0.1)) this.command(COMMAND_RETRY)
  }

  private round(): void {
    const done = this.plane.round()
    this.begun = true
    if (this.options.sleeps && done === 0) this.awake = this.plane.arm() || this.plane.rateWakeNs !== undefined
    const late = this.ending && !this.options.lawless && this.laws.quiet && this.core.queueState !== QueueState.Drained
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

  /** The lawful ones watch unless the front end has no manners; the borders always. */
  private watched<Port>(port: Port, watch: (port: Port) => Port): Port {
    return this.options.lawless ? port : watch.call(this.laws, port)
  }

  private ringPort(): BackRing {
    return this.watched<BackRing>(this.borders.watchRing(this.ring), this.laws.watchRing)
  }

  private mediumPort(): MediumPort {
    const watched = this.watched<MediumPort>(this.borders.watchMedium(this.disk), this.laws.watchMedium)
    return this.options.seams?.medium?.(watched) ?? watched
  }

  private sinkPort(): BatchSink {
    const { writer, borders } = this
    const seal = (timeNs: number, digest: number) => {
      writer.seal(timeNs, digest)
      borders.sealed()
      this.abandonedSealed = this.core.statistics[COUNTER.abandoned]
    }
    return this.watched<BatchSink>(layered<BatchSink>(writer, { seal }), this.laws.watchSink)
  }

  private makePlane(): QueuePlane {
    const { laws, lender, borders, options: { seams = {} } } = this
    const through = <Port>(seam: ((port: Port) => Port) | undefined, port: Port) => (seam ? seam(port) : port)
    laws.serve(this.arena)
    borders.serve(this.arena)
    const copier = this.guest.copier(this.arena)
    const grants = through(seams.grants, this.watched<GrantCopier>(copier, laws.watchGrants))
    const { batch, disk: { maxIndirectSegments: offered = 0 } } = this.core.settings
    return new QueuePlane({
      core: this.core,
      ring: through(seams.ring, this.ringPort()),
      layout: this.layout,
      grants,
      descriptors: offered === 0 ? undefined : new DescriptorReader(grants, this.layout, this.arena, offered, batch),
      channel: this.channel,
      medium: this.mediumPort(),
      sink: through(seams.sink, this.sinkPort()),
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
