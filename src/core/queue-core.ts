/**
 * @packageDocumentation
 * The deterministic heart of a queue: a fold of the request and queue charts over journalled inputs. It reads records
 * where they stand in the journal and gives back effects as data; it knows no clock, no ring, no disk, no memory but
 * its columns, so the live queue, the simulator, the replay and recovery all run this very class.
 *
 *   beginBatch(now)      answered slots become free; those held or waiting are tried again
 *   apply(records)       commands, completions, ring entries ──► events ──► steps of the charts
 *   endInputs()          what became possible is admitted ──► `copies` (one grant copy, both directions)
 *   applyCopied(record)  ──► more steps
 *   settle(words, at)    writes the effects' records; ──► `answers`, and `submits` for the medium
 *
 * Rules that must not be broken here: an action of a chart never calls a step (it appends to a list); a slot taken is
 * answered once or counted as abandoned; order of answers is order of completion, and recovery never derives it.
 */
import { RequestEvent, RequestState } from '../machines/generated/request.js'
import type { RequestHost } from '../machines/generated/request.js'
import { QueueEvent, QueueState } from '../machines/generated/queue.js'
import type { QueueHost } from '../machines/generated/queue.js'
import { assert } from '../protocol/errors.js'
import { ANSWER_WORDS } from '../ports/data-path.js'
import { LEVEL_BROKEN, LEVEL_BUSY, LEVEL_MEDIUM_FULL, LEVEL_SHORTAGE, LEVEL_THROTTLED } from '../ports/queues.js'
import { recordWords as takenWords } from '../protocol/record.js'
import type { DiskLimits } from '../protocol/validate.js'
import { AdmissionGate } from './admission.js'
import { EffectLists } from './effect-lists.js'
import { obey } from './commands.js'
import { judgeResult } from './completion.js'
import { takeUp } from './intake.js'
import {
  RECORD_ALLOWED, RECORD_COMMAND, RECORD_COMPLETED, RECORD_INDIRECT, RECORD_INTAKE, RECORD_LENT, RECORD_LONG,
  RECORD_RECALLED, RECORD_TAKEN, SHORT_OF_NOTHING, SHORT_OF_TOKENS, recordWords,
} from './records.js'
import { slotOfToken, tokenOf } from './request-columns.js'
import { putAnswer } from './recovery.js'
import { RequestPool } from './request-pool.js'
import { recordAnswer } from './account.js'
import { queueLife } from './queue-life.js'
import { COUNTER, STATISTICS_LENGTH } from './statistics.js'
import { getDouble } from './words.js'
import { StepTrace } from './step-trace.js'
import { beginWant, endWant, wantChanged, wantOf } from './want.js'
import type { QueueStepper, RequestStepper, Steppers } from './steppers.js'

export interface CoreSettings {
  /** Slots of the pool, at most the ring's entries. */
  readonly slots: number
  /** Most entries taken in one batch. */
  readonly batch: number
  readonly disk: DiskLimits
  /** After a failed sync nothing more is known to be durable (see DESIGN: laws). */
  readonly buffered: boolean
  /** Chunks of the Worker's arena, for the size of the pool's tables. */
  readonly arenaChunks: number
  /** Chunks that are never taken back: room for one largest request. */
  readonly reserveChunks: number
  /** A write that finds the medium full waits for space; absent = it is answered with an error. */
  readonly waitsForSpace?: boolean
  /** Every transition becomes a record (`journal = full`); absent = not. */
  readonly trace?: boolean
}

/** States in which there is nothing left to abandon. */
const HAS_ENDED: ReadonlySet<number> = new Set([
  RequestState.Free, RequestState.Answered, RequestState.Orphaned, RequestState.Abandoned,
])

export class QueueCore extends RequestPool implements RequestHost {
  readonly settings: CoreSettings
  readonly gate: AdmissionGate
  /** The queue chart's single slot. */
  readonly life: QueueHost
  digest = 0
  reqCons = 0
  rspProd = 0
  reqProdSeen = 0
  nowNs = 0
  levels = 0
  /** A sync was lost on a buffered medium: none succeeds until it is opened anew. */
  syncLost = false
  /** Entries of the ring that the batch's answers take. */
  answeredEntries = 0
  /** Chunks that the gate would need to go on; the shell asks the Worker's arena for them. */
  wantedChunks = 0
  private readonly trace: StepTrace | undefined
  private readonly stepRequest: RequestStepper
  private readonly stepQueue: QueueStepper
  /** What Shortage or Throttled is for want of (SHORT_OF_*). */
  shortOf: number = SHORT_OF_NOTHING
  shortSinceNs = 0
  /** Whether a write that finds the medium full waits; no more once a drain has asked for an end without space. */
  waitsForSpace: boolean
  private abandonDue = false
  /** High word of the size that the next COMMAND_MEDIUM_OPENED brings. */
  sizeHigh = 0
  /** What requests are judged by; size and sectors change when the medium's do. */
  disk: DiskLimits

  constructor(settings: CoreSettings, steppers: Steppers, statistics?: Float64Array) {
    const counters = statistics ?? new Float64Array(STATISTICS_LENGTH)
    super(settings.slots, settings.disk, settings.arenaChunks, counters)
    this.settings = settings
    this.disk = settings.disk
    this.waitsForSpace = settings.waitsForSpace ?? false
    this.gate = new AdmissionGate(this, settings.slots)
    this.trace = settings.trace ? new StepTrace(settings.slots) : undefined
    const { request, queue } = this.trace?.around(steppers) ?? steppers
    this.stepRequest = request
    this.stepQueue = queue
    this.life = queueLife(this)
  }

  get queueState(): number {
    return this.life.state[0]
  }

  /** Words that {@link QueueCore.settle} writes at most. */
  effectWordsMax(): number {
    return EffectLists.wordsMax(this.slots) + (this.trace === undefined ? 0 : StepTrace.wordsMax(this.slots))
  }

  /** All transitions and effects so far, in 32 bits; closes the batch in the journal. */
  batchDigest(): number {
    return (this.digest ^ Math.imul(this.life.digest, 0x85ebca6b) ^ Math.imul(this.effects.digest, 0x9e3779b1)) | 0
  }

  /** Whether a batch without any input would change something: someone leaves, or a state has become untrue. */
  get restless(): boolean {
    return this.leavingCount > 0 || this.isRelieved() || this.isEmptied()
  }

  /** Whether that batch is worth a look at once: room was made where somebody waits for it. */
  get pressing(): boolean {
    const roomIsWanted = this.gate.length > 0 || this.queueState !== QueueState.Running
    return roomIsWanted && this.restless
  }

  /** How many requests may be taken now. */
  intakeRoom(): number {
    if (this.life.state[0] !== QueueState.Running) return 0
    return this.freeCount < this.settings.batch ? this.freeCount : this.settings.batch
  }

  /** Answers were published: their slots are free. `nowNs` is the batch's time stamp. */
  beginBatch(nowNs: number): void {
    this.nowNs = nowNs
    this.effects.clear()
    for (let index = 0; index < this.leavingCount; index++) this.fire(this.leaving[index], RequestEvent.freed)
    this.leavingCount = 0
    this.admit()
    if (this.isRelieved()) this.turn(QueueEvent.relieved)
    if (this.isEmptied()) this.turn(QueueEvent.emptied)
  }

  /** Folds the input records in words[at, end). */
  apply(words: Int32Array, at: number, end: number): void {
    while (at < end) {
      const head = words[at]
      switch (head & 0xff) {
        case RECORD_TAKEN:
        case RECORD_INDIRECT:
        case RECORD_LONG:
          this.take(words, at)
          at += takenWords(words, at)
          break
        case RECORD_COMPLETED:
          this.complete(words[at + 1], words[at + 2])
          at += 4
          break
        case RECORD_INTAKE:
          this.reqProdSeen = words[at + 1]
          at += 2
          break
        default:
          this.applyRare(words, at)
          at += recordWords(words, at, end - at) || Infinity
      }
    }
    assert(at === end, 'every input record ends')
  }

  private applyRare(words: Int32Array, at: number): void {
    const head = words[at]
    switch (head & 0xff) {
      case RECORD_COMMAND:
        return obey(this, (head >>> 8) & 0xff, words[at + 1])
      case RECORD_LENT:
        for (let index = 0; index < head >>> 16; index++) this.extents.lend(words[at + 2 + index])
        return
      case RECORD_RECALLED:
        return this.giveBack(words[at + 1])
      case RECORD_ALLOWED:
        return this.gate.allow(head >>> 16)
      default:
        assert(false, `record of kind ${head & 0xff} among the inputs`)
    }
  }

  /** All inputs of the batch are in: admit what became possible, and see whether the ring outran the pool. */
  endInputs(): void {
    this.admit()
    const inFlight = this.slots - this.freeCount
    if (inFlight > this.statistics[COUNTER.inFlightMax]) this.statistics[COUNTER.inFlightMax] = inFlight
    if (this.mayRunShort()) this.runShort(wantOf(this))
  }

  private mayRunShort(): boolean {
    const { queueState } = this
    if (queueState === QueueState.Running) return true
    return (queueState === QueueState.Shortage || queueState === QueueState.Throttled) && wantChanged(this)
  }

  /** The grant copy was done; `words[at]` is its COPIED record. */
  applyCopied(words: Int32Array, at: number): void {
    const failures = words[at] >>> 16
    const { effects } = this
    assert(words[at + 1] === effects.copyCount, 'as many copies were reported as were asked for')
    for (let index = 0; index < failures; index++) {
      const owner = words[at + 2 + 2 * index]
      assert(owner >= 0 && owner < effects.ownerCount, 'a copy of a request that asked for none')
      effects.copyFailed[effects.owners[owner]] = 1
      this.statistics[COUNTER.grantErrors]++
    }
    const owners = effects.ownerCount
    for (let index = 0; index < owners; index++) {
      const slot = effects.owners[index]
      const failed = effects.copyFailed[slot]
      effects.copyFailed[slot] = 0
      this.fire(slot, failed === 0 ? RequestEvent.copied : RequestEvent.copyFailed)
    }
    effects.forgetCopies()
  }

  /**
   * Ends the batch: every slot that is to be answered is, in the order in which they came to it.
   * Writes the effects' records at words[at..] and fills `effects.answers`. @returns the end of what was written.
   */
  settle(words: Int32Array, at: number): number {
    const { effects } = this
    if (this.queueState === QueueState.Yielded) effects.submitCount = 0
    this.answeredEntries = 0
    for (let index = 0; index < effects.answerCount; index++) this.answer(effects.answerSlots[index], index)
    const from = this.trace === undefined ? at : this.trace.write(words, at)
    const end = effects.write(words, from, this.rspProd)
    this.rspProd = (this.rspProd + this.answeredEntries) | 0
    const statistics = this.statistics
    statistics[COUNTER.batches]++
    statistics[COUNTER.inFlight] = this.slots - this.freeCount - this.leavingCount
    statistics[COUNTER.spaceWanted] = this.spaceWanted
    statistics[COUNTER.tokensWanted] = this.gate.tokensWanted
    const busy = this.freeCount + this.leavingCount < this.slots
    this.levels = busy ? this.levels | LEVEL_BUSY : this.levels & ~LEVEL_BUSY
    this.levels = this.spaceWanted > 0 ? this.levels | LEVEL_MEDIUM_FULL : this.levels & ~LEVEL_MEDIUM_FULL
    return end
  }

  /** One event for one request. */
  fire(slot: number, event: number): void {
    if (this.stepRequest(this, slot, event) < 0) this.noEdge('request', this.state[slot], event)
  }

  /** One event for the queue. */
  turn(event: number): void {
    const from = this.queueState
    if (this.stepQueue(this.life, 0, event) < 0) this.noEdge('queue', from, event)
    const said = this.queueState !== from || event === QueueEvent.short
    if (said) this.effects.noteEntered(from, this.queueState, this.shortOf)
    if (this.abandonDue) this.abandonRequests()
  }

  /** From the fixed words of a checkpoint (checkpoint.ts). */
  restoreScalars(words: Int32Array, at: number): void {
    this.life.state[0] = words[at + 2]
    this.digest = words[at + 3]
    this.life.digest = words[at + 4]
    this.reqCons = words[at + 5]
    this.rspProd = words[at + 6]
    this.reqProdSeen = words[at + 7]
    this.levels = words[at + 8]
    this.syncLost = (words[at + 9] & 1) !== 0
    this.waitsForSpace = (words[at + 9] & 2) !== 0
    this.gate.limited = (words[at + 9] >>> 2) & 3
    this.gate.allowed = words[at + 9] >>> 16
    this.shortOf = words[at + 10]
    const sectorSize = words[at + 19] || this.settings.disk.sectorSize
    this.disk = { ...this.disk, sectorCount: getDouble(words, at + 16), sectorSize }
    this.effects.digest = words[at + 18]
  }

  private noEdge(chart: string, state: number, event: number): never {
    assert(false, `the ${chart} chart has no edge for event ${event} in state ${state}`)
  }

  /** What waits in the line stays there once another process is to go on with it. */
  private admit(): void {
    if (this.gate.length > 0 && this.queueState !== QueueState.Yielded) this.gate.admitWaiting()
  }

  private isRelieved(): boolean {
    if (this.queueState !== QueueState.Shortage && this.queueState !== QueueState.Throttled) return false
    return this.freeCount > 0 && this.spaceWanted === 0 && !this.gate.starved && !this.gate.throttled
  }

  private isEmptied(): boolean {
    if (this.freeCount < this.slots) return false
    const state = this.queueState
    return state === QueueState.Draining || state === QueueState.Abandoning || state === QueueState.Broken
  }

  private take(words: Int32Array, at: number): void {
    const slot = words[at + 1] & 0xffff
    // No template here and below: it would be built for every request, whether the assertion holds or not.
    assert(this.freeCount > 0 && slot === this.freeSlots[this.freeCount - 1], 'a request goes to the next free slot')
    this.freeCount--
    this.statistics[COUNTER.taken]++
    const verdict = takeUp(this, words, at, slot)
    this.reqCons = (this.reqCons + this.entries[slot]) | 0
    this.fire(slot, RequestEvent.taken)
    if (verdict === 0) this.gate.arrive(slot)
    else this.fire(slot, RequestEvent.rejected)
  }

  private complete(token: number, result: number): void {
    const slot = slotOfToken(token)
    const known = slot < this.slots && token === tokenOf(slot, this.generation[slot])
    assert(known, 'a completion belongs to the life of a slot')
    this.fire(slot, judgeResult(this, slot, result))
  }

  /** As many as are free and as one batch can note; who wants more asks again. */
  private giveBack(wanted: number): void {
    const { effects } = this
    for (let index = 0; index < wanted && effects.returnedCount < effects.returned.length; index++) {
      const chunk = this.extents.takeBack(this.settings.reserveChunks)
      if (chunk < 0) return
      effects.noteReturned(chunk)
    }
  }

  private runShort(reason: number): void {
    if (reason === SHORT_OF_NOTHING) return
    this.shortOf = reason
    this.turn(reason === SHORT_OF_TOKENS ? QueueEvent.throttled : QueueEvent.short)
  }

  private answer(slot: number, index: number): void {
    const { answers } = this.effects
    putAnswer(this, slot, answers, index)
    const status = answers[index * ANSWER_WORDS + 3]
    this.answeredEntries += this.entries[slot]
    recordAnswer(this, slot, status)
    this.fire(slot, RequestEvent.answered)
    this.leaving[this.leavingCount++] = slot
  }

  // ---- what the queue chart orders ----

  abandonAll(): void {
    this.abandonDue = true
  }

  /** Every request that is not in flight ends here; those that are become orphans. */
  private abandonRequests(): void {
    this.abandonDue = false
    this.gate.clear()
    this.effects.forgetCopies()
    this.effects.answerCount = 0
    for (let slot = 0; slot < this.slots; slot++) {
      if (!HAS_ENDED.has(this.state[slot])) this.fire(slot, RequestEvent.abandoned)
    }
  }

  announceShortage(): void {
    beginWant(this, LEVEL_SHORTAGE)
  }

  announceThrottle(): void {
    beginWant(this, LEVEL_THROTTLED)
  }

  announceRelief(): void {
    endWant(this)
    this.shortOf = SHORT_OF_NOTHING
  }

  announceBroken(): void {
    this.levels |= LEVEL_BROKEN
  }
}
