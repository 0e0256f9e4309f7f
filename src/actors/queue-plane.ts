/**
 * @packageDocumentation
 * One queue at work: the shell around a QueueCore that moves what the core may not touch. A round is one batch of the
 * journal; nothing in it allocates, and everything it does outside comes after the batch is sealed, but for the grant
 * copies, which move bytes only between a guest's own pages and our buffers and whose outcome the batch still needs.
 *
 *   completions · commands ► apply ► take ring entries (and descriptors) ► apply ► rate limit ► admit ► grant copy
 *   ► apply ► settle
 *   ══ seal ══ ► answer, notify ► submit ► give back and borrow chunks
 *
 * What must never happen: an answer or an I/O whose batch is not sealed; a ring entry read twice; a loop without bound.
 */
import type { QueueCore } from '../core/queue-core.js'
import {
  COMMAND_LIMIT_KIBIBYTES, COMMAND_LIMIT_OPERATIONS, COMMAND_RING_BROKEN, RECORD_COMMAND, RECORD_COMPLETED,
  RECORD_COPIED, RECORD_INTAKE, RECORD_LENT, RECORD_RECALLED,
} from '../core/records.js'
import { COUNTER } from '../core/statistics.js'
import { QueueState } from '../machines/generated/queue.js'
import type { AbiLayout } from '../protocol/abi.js'
import { canonicalise } from '../protocol/entry.js'
import { RECORD_INDIRECT, recordWordsMax } from '../protocol/record.js'
import { segmentsBeyond } from '../protocol/validate.js'
import { COPY_WORDS, RESULT_WORDS } from '../ports/data-path.js'
import type { BackRing, EventPort, GrantCopier, MediumPort } from '../ports/data-path.js'
import type { QueuePlant, SharedRateLimit } from '../ports/queues.js'
import { BlockRequests } from './block-requests.js'
import type { DescriptorReader } from './descriptor-reader.js'
import { RateGate } from './rate-gate.js'
import { misbehave } from './queue-plant.js'

/** Where a round writes its records: the journal's writer, or scratch memory where a measurement wants no journal. */
export interface BatchSink {
  words: Int32Array
  at: number
  readonly dirty: boolean
  /** Where the open batch's commit word stands, in a journal. */
  readonly batchAt?: number
  begin(room: number, nowNs: number): void
  seal(timeNs: number, digest: number): void
}

/** The Worker's arena as one queue sees it. */
export interface ChunkSource {
  borrow(wanted: number): readonly number[]
  giveBack(chunk: number): void
}

export interface PlaneParts {
  readonly core: QueueCore
  readonly ring: BackRing
  readonly layout: AbiLayout
  readonly grants: GrantCopier
  readonly channel: EventPort
  readonly medium: MediumPort
  readonly sink: BatchSink
  readonly chunks: ChunkSource
  readonly nowNs: () => number
  /** Takes nothing before `serve`. */
  readonly held?: boolean | undefined
  /** Where INDIRECT requests were offered. */
  readonly descriptors?: DescriptorReader | undefined
  readonly plant?: { readonly kind: QueuePlant; readonly after: number } | undefined
}

/** Results reaped in one round at most. */
const RESULTS_MAX = 128
/** Commands that may wait for the next round; the device never has more than a few. */
const COMMANDS_MAX = 16
const LENT_MAX = 64

export class QueuePlane {
  readonly core: QueueCore
  readonly parts: PlaneParts
  private readonly results = new Int32Array(RESULTS_MAX * RESULT_WORDS)
  private readonly commands: { code: number; argument: number }[] = []
  private readonly lent: number[] = []
  private recall = 0
  private rate: RateGate | undefined
  private hurried = false
  private held: boolean
  /** About to sleep: who leaves is let go first. */
  private tidying = false
  private planted = false
  /** Entries or results of the last batch, whichever were more. */
  batchSize = 0
  private readonly room: number
  private readonly blocks: BlockRequests | undefined
  private medium: MediumPort
  /** Opened, and waiting for the last I/O of the one before it. */
  private successor: MediumPort | undefined
  private succeeded: () => void = () => undefined

  constructor(parts: PlaneParts) {
    this.parts = parts
    this.core = parts.core
    this.medium = parts.medium
    this.held = parts.held === true
    const { slots, batch, disk } = parts.core.settings
    const taken = recordWordsMax(segmentsBeyond(disk)) * batch
    const inputs = 2 * COMMANDS_MAX + (2 + LENT_MAX) + 2 + 4 * RESULTS_MAX + 2 + taken + 2
    this.blocks = disk.maxBlockSegments ? new BlockRequests(this.core, parts.ring, parts.layout) : undefined
    this.room = inputs + 2 + 2 * slots + parts.core.effectWordsMax()
  }

  /** For the next round. `attach`, `drain`, … (core/records.ts COMMAND_*). */
  command(code: number, argument = 0): void {
    this.commands.push({ code, argument })
  }

  /** Chunks that the Worker lends; they count from the next round on. */
  lend(chunks: readonly number[]): void {
    this.lent.push(...chunks)
  }

  /** The Worker wants so many chunks back. */
  recallChunks(count: number): void {
    this.recall = count
  }

  /** The device's rate limit from now on; none when it is undefined. */
  limit(shared: SharedRateLimit | undefined): void {
    this.rate = shared && new RateGate(shared)
    if (this.hurried) this.rate?.hurry()
    this.command(COMMAND_LIMIT_OPERATIONS, shared?.limit.iops ?? 0)
    this.command(COMMAND_LIMIT_KIBIBYTES, Math.ceil((shared?.limit.bps ?? 0) / 1024))
  }

  /** From now on it takes what is in the ring, where it was attached `held`. */
  serve(): void {
    this.held = false
  }

  /** The device closes: what is taken from now on does not wait for the rate limit. */
  hurry(): void {
    this.hurried = true
    this.held = false
    this.rate?.hurry()
  }

  /** When the rate limit lets somebody go who waits for it; undefined while nobody does. */
  get rateWakeNs(): number | undefined {
    return this.rate?.wakeNs
  }

  /** Opens the journal before there is anything to write: its checkpoint counts from now on. */
  beginJournal(): void {
    this.parts.sink.begin(this.room, this.parts.nowNs())
  }

  /** I/O that was asked for and has not come back. */
  get inFlightIo(): number {
    return this.medium.inFlight + this.core.effects.submitCount
  }

  /** One batch, of `most` entries and results. @returns how much was done; 0 means that there was nothing to do. */
  round(most = RESULTS_MAX): number {
    const { core, parts, parts: { sink } } = this
    const results = Math.min(most, this.medium.pace ?? RESULTS_MAX)
    const reaped = this.medium.inFlight > 0 ? this.medium.reap(this.results, results) : 0
    if (reaped === 0 && this.isQuiet()) return 0
    this.tidying = false
    const now = parts.nowNs()
    const backlog = core.effects.submitCount
    sink.begin(this.room, now)
    core.beginBatch(now)
    const done = this.collect(reaped)
    const taken = this.take(most)
    this.batchSize = Math.max(reaped, taken)
    const allowed = this.rate === undefined ? 0 : this.rate.round(core, sink, now)
    core.endInputs()
    if (core.effects.copyCount > 0) this.copy()
    sink.at = core.settle(sink.words, sink.at)
    const submits = core.effects.submitCount
    if (sink.dirty || submits > backlog) sink.seal(now, core.batchDigest())
    this.answer()
    if (this.successor) this.succeed()
    if (submits > 0 && !this.successor) this.submit(submits)
    this.tradeChunks()
    return done + taken + allowed + core.effects.answerCount + (submits - core.effects.submitCount)
  }

  /** Before sleeping: asks ring and medium for a wake-up. @returns whether there is work after all. */
  arm(): boolean {
    const { core, parts } = this
    this.tidying = core.restless
    if (this.tidying || core.effects.submitCount > 0) return true
    if (this.commands.length > 0 || this.lent.length > 0) return true
    const listening = core.queueState === QueueState.Running && !this.held
    const ringHasWork = listening && parts.ring.arm(core.reqCons)
    const mediumHasWork = this.armMedium()
    return ringHasWork || mediumHasWork
  }

  /** Asks the medium alone for a wake-up. @returns whether results wait already. */
  armMedium(): boolean {
    return this.medium.inFlight > 0 && this.medium.arm()
  }

  /** The medium was opened anew: the old port is drained, while new I/O waits, and then replaced. */
  replaceMedium(medium: MediumPort, succeeded: () => void): void {
    this.successor?.close()
    this.successor = medium
    this.succeeded = succeeded
  }

  /** After `detach`, or when the plane is given up: nothing of it is in flight. */
  closeMedium(): void {
    this.successor?.close()
    this.medium.close()
  }

  /** The plane threw: what it wanted submitted is forgotten, what is with the medium must be awaited. */
  giveUp(): void {
    this.core.effects.submitCount = 0
  }

  /** Collects what has come back, whatever it says; for a plane that is given up and whose I/O is awaited. */
  discardResults(): number {
    return this.medium.reap(this.results, RESULTS_MAX)
  }

  /**
   * Nothing to do but what the medium may hand back, and what can be done before sleeping. Spinning goes through here,
   * so it must cost next to nothing.
   */
  private isQuiet(): boolean {
    const { core } = this
    if (this.tidying || core.pressing || core.effects.submitCount > 0 || this.commands.length > 0) return false
    if (this.lent.length > 0 || this.recall > 0) return false
    if (this.rate?.isDue(this.parts.nowNs())) return false
    return core.queueState !== QueueState.Running || this.held || this.parts.ring.peek(core.reqCons) === 0
  }

  private collect(count: number): number {
    const { core, parts: { sink, sink: { words } } } = this
    const from = sink.at
    let at = from
    for (let index = 0; index < count; index++) {
      const token = this.results[index * RESULT_WORDS]
      words[at] = RECORD_COMPLETED | ((token & 0xffff) << 16)
      words[at + 1] = token
      words[at + 2] = this.results[index * RESULT_WORDS + 1]
      words[at + 3] = 0
      at += 4
    }
    sink.at = at
    if (this.commands.length > 0 || this.lent.length > 0 || this.recall > 0) this.writeRare()
    core.apply(words, from, sink.at)
    return sink.at - from
  }

  private writeRare(): void {
    const { sink, sink: { words } } = this.parts
    let at = sink.at
    const commands = this.commands.splice(0, COMMANDS_MAX)
    for (const { code, argument } of commands) {
      words[at] = RECORD_COMMAND | (code << 8)
      words[at + 1] = argument
      at += 2
    }
    const lent = this.lent.splice(0, LENT_MAX)
    if (lent.length > 0) {
      words[at] = RECORD_LENT | (lent.length << 16)
      words[at + 1] = 0
      words.set(lent, at + 2)
      at += 2 + lent.length
      if (lent.length & 1) words[at++] = 0
    }
    if (this.recall > 0) {
      words[at] = RECORD_RECALLED
      words[at + 1] = this.recall
      at += 2
      this.recall = 0
    }
    sink.at = at
  }

  private take(most: number): number {
    const { core, parts: { ring, sink, sink: { words } }, blocks } = this
    if (core.queueState !== QueueState.Running || this.held) return 0
    const from = sink.at
    const room = Math.min(core.intakeRoom(), most)
    const look = blocks ? ring.size : room
    let count = room > 0 ? ring.take(core.reqCons, core.rspProd, look, blocks !== undefined) : this.waiting()
    if (count === 0) return 0
    words[from] = RECORD_INTAKE
    words[from + 1] = ring.reqProd
    sink.at = from + 2
    if (count > 0 && room > 0) count = blocks?.write(count, room, sink) ?? this.writeTaken(count)
    if (count < 0) {
      words[from] = RECORD_COMMAND | (COMMAND_RING_BROKEN << 8)
      sink.at = from + 2
    }
    core.apply(words, from, sink.at)
    return room > 0 ? count : 0
  }

  /** With no slot free the ring is only looked at: whether entries wait decides on Shortage. */
  private waiting(): number {
    const { core, parts } = this
    const waiting = parts.ring.peek(core.reqCons)
    if (waiting === 0) return 0
    return waiting > parts.ring.size ? -1 : waiting
  }

  private writeTaken(count: number): number {
    const { core, parts, parts: { ring: { entries, entryWords }, layout, sink } } = this
    if (parts.descriptors?.read(entries, entryWords, count)) return this.writeTakenWith(parts.descriptors, count)
    let at = sink.at
    for (let index = 0; index < count; index++)
      at += canonicalise(entries, index * entryWords, layout, sink.words, at, core.slotForTake(index))
    sink.at = at
    return count
  }

  /** Some of the entries are INDIRECT, and their descriptors were copied. */
  private writeTakenWith(descriptors: DescriptorReader, count: number): number {
    const { core, parts: { ring: { entries, entryWords }, layout, sink } } = this
    const { words } = sink
    core.statistics[COUNTER.copyCalls]++
    for (let index = 0; index < count; index++) {
      const { at } = sink
      const length = canonicalise(entries, index * entryWords, layout, words, at, core.slotForTake(index))
      const indirect = (words[at] & 0xff) === RECORD_INDIRECT
      sink.at = at + (indirect ? descriptors.write(entries, index * entryWords, words, at) : length)
    }
    return count
  }

  private copy(): void {
    const { core, parts: { grants, sink } } = this
    const { copies, copyCount } = core.effects
    const failed = grants.copy(copies, copyCount)
    core.statistics[COUNTER.copyCalls]++
    const from = sink.at
    sink.words[from + 1] = copyCount
    sink.at = from + 2
    if (failed > 0) this.writeFailedCopies()
    sink.words[from] = RECORD_COPIED | (((sink.at - from - 2) >>> 1) << 16)
    core.applyCopied(sink.words, from)
  }

  /** One pair of words for each request of which a copy failed: a request's copies stand side by side. */
  private writeFailedCopies(): void {
    const { core: { effects: { copies, ownerEnds, ownerCount } }, parts: { sink } } = this
    let copy = 0
    for (let owner = 0; owner < ownerCount; owner++) {
      let status = 0
      for (const end = ownerEnds[owner]; copy < end; copy++)
        if (status === 0) status = copies[copy * COPY_WORDS + 3]
      if (status === 0) continue
      sink.words[sink.at] = owner
      sink.words[sink.at + 1] = status
      sink.at += 2
    }
  }

  private answer(): void {
    const { core, core: { effects: { answers, answerCount } }, parts } = this
    if (parts.plant) this.plantFault(parts.plant.kind, parts.plant.after, answerCount)
    if (answerCount === 0) return
    const { answeredEntries } = core
    const before = (core.rspProd - answeredEntries) | 0
    if (!parts.ring.answer(this.blocks?.place() ?? answers, answeredEntries, before)) return
    parts.channel.notify()
    core.statistics[COUNTER.notifications]++
  }

  private submit(count: number): void {
    const { effects, statistics } = this.core
    const before = this.medium.operations ?? 0
    statistics[COUNTER.submitCalls]++
    effects.forgetSubmits(this.medium.submit(effects.submits, count))
    statistics[COUNTER.operations] += (this.medium.operations ?? 0) - before
  }

  private succeed(): void {
    if (this.medium.inFlight > 0 || !this.successor) return
    this.medium.close()
    this.medium = this.successor
    this.successor = undefined
    this.succeeded()
  }

  private tradeChunks(): void {
    const { core, core: { effects }, parts } = this
    for (let index = 0; index < effects.returnedCount; index++) parts.chunks.giveBack(effects.returned[index])
    if (core.wantedChunks === 0) return
    const lent = parts.chunks.borrow(core.wantedChunks)
    core.wantedChunks = 0
    if (lent.length > 0) this.lend(lent)
  }

  /** Faults for tests and `xbbd demo --break`: the plane misbehaves once, and everyone must notice. */
  private plantFault(kind: QueuePlant, after: number, answerCount: number): void {
    if (this.planted || this.core.statistics[COUNTER.taken] < after) return
    this.planted = misbehave(kind, this.parts.sink, this.core.effects.answers, answerCount)
  }
}
