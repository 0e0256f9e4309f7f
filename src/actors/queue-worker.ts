/**
 * @packageDocumentation
 * What one Worker does: it goes round its queues, a bounded batch each, spins a little when all are quiet, and then
 * sleeps in the event loop until a channel or a medium wakes it. Whatever one plane throws ends that plane alone.
 *
 *   wake-up ─ notification$ / completion$ ─► turn: round, round, … ─ quiet? spin ─ still quiet? arm all ─ sleep
 *
 * A slice is bounded in time, so that messages of the main thread are heard; spinning is bounded and adapts to the gaps
 * that were seen: it is worth its processor only when work usually comes sooner than a wake-up would take.
 */
import { Subject } from 'rxjs'
import { ArenaLender } from '../core/arena-lender.js'
import {
  COMMAND_ABANDON, COMMAND_ATTACH, COMMAND_DETACH, COMMAND_DRAIN, COMMAND_MEDIUM_OPENED, COMMAND_MEDIUM_RESIZED,
  COMMAND_MEDIUM_SECTOR_SIZE, COMMAND_MEDIUM_SIZE_HIGH, COMMAND_RECOVERED, COMMAND_RETRY, COMMAND_YIELD,
  DRAIN_WITHOUT_SPACE,
} from '../core/records.js'
import { COUNTER } from '../core/statistics.js'
import { QueueState } from '../machines/generated/queue.js'
import type { MediumPlan } from '../ports/medium.js'
import type { QueueEvent, QueueName } from '../ports/queues.js'
import { LEVEL_BUSY, LEVEL_MEDIUM_FULL } from '../ports/queues.js'
import { assert, sentenceOf } from '../protocol/errors.js'
import { u64High, u64Low } from '../protocol/u64.js'
import { CrowdPace } from './crowd-pace.js'
import { Newcomers } from './newcomers.js'
import { QueueTimers } from './queue-timers.js'
import { SpinGovernor } from './spin-governor.js'
import { openPlane, reserveFor } from './open-plane.js'
import type { PlaneWorld } from './open-plane.js'
import { servedQueue, type ServedQueue } from './served-queue.js'
import type { AttachMessage, DownMessage, UpMessage } from './worker-messages.js'

export interface WorkerWorld extends PlaneWorld {
  readonly arenaChunks: number
  /** Longest spin before sleeping, nanoseconds; 0 = never spin. */
  readonly spinMaxNs: number
  /** What a wake-up of this thread costs; absent = as on common hardware. */
  readonly wakeUpNs?: number
  /** Calls `fire` once, after so many milliseconds. @returns what cancels it. */
  readonly after: (milliseconds: number, fire: () => void) => () => void
  /** Runs `turn` soon, after the event loop has looked at everything else. */
  readonly soon: (turn: () => void) => void
  readonly post: (message: UpMessage) => void
}

/** The event loop is entered at least so often. */
const SLICE_NS = 500_000
/** Looks at quiet queues between two looks at the clock. */
const LOOKS = 32

/** States in which what stands in the ring is taken, sooner or later. */
const TAKING: ReadonlySet<number> = new Set([QueueState.Running, QueueState.Shortage, QueueState.Throttled])

const COMMANDS = { retry: COMMAND_RETRY, abandon: COMMAND_ABANDON, yield: COMMAND_YIELD } as const

export class QueueWorker {
  /** One emission per wake-up by a front end, and one per wake-up by a medium. */
  readonly notification$ = new Subject<QueueName>()
  readonly completion$ = new Subject<QueueName>()
  private readonly world: WorkerWorld
  private readonly lender: ArenaLender
  private readonly newcomers: Newcomers
  private readonly queues = new Map<QueueName, ServedQueue>()
  private readonly spin: SpinGovernor
  private readonly pace = new CrowdPace()
  private awake = false
  private lastWorkNs = 0
  /** When the last batch began, as its journal has it: one reading of the clock serves both. */
  private workedNs = 0

  constructor(world: WorkerWorld) {
    this.world = world
    const lender = (this.lender = new ArenaLender(world.arenaChunks))
    this.newcomers = new Newcomers({
      lender, after: world.after, recall: () => this.recall(),
      admit: (message, chunks) => this.attach(message, chunks),
      refuse: (name, sentence) => this.tell({ kind: 'refused', name, sentence }),
      receive: (message) => this.receive(message),
    })
    this.spin = new SpinGovernor(world.spinMaxNs, world.wakeUpNs)
    this.notification$.subscribe((name) => {
      const queue = this.queues.get(name)
      if (queue) queue.plane.core.statistics[COUNTER.wakeUps]++
      this.wake()
    })
    this.completion$.subscribe(() => this.wake())
  }

  /** Whether a queue has work, or had so lately that this Worker has not fallen asleep since. */
  get busy(): boolean {
    return this.awake
  }

  /** Of its arena, lent to nobody. */
  get freeChunks(): number {
    return this.lender.freeChunks
  }

  /** Queues that have, or are owed, a part of its arena. */
  get borrowers(): readonly QueueName[] {
    return this.lender.borrowers
  }

  /** A message of the main thread. */
  receive(message: DownMessage): void {
    if (this.newcomers.keeps(message)) return
    switch (message.kind) {
      case 'ping':
        return this.world.post({ kind: 'pong' }) // no reason to look at the queues: an idle Worker goes on sleeping
      case 'attach':
        this.newcomers.come(message, reserveFor(message.attachment.settings))
        break
      case 'drain':
        if (message.onEnospc === 'error') this.close(message.name)
        else this.command(message.name, COMMAND_DRAIN)
        break
      case 'retry':
      case 'abandon':
      case 'yield':
        this.command(message.name, COMMANDS[message.kind])
        break
      case 'serve':
        this.queues.get(message.name)?.plane.serve()
        break
      case 'detach':
        this.detach(message.name)
        break
      case 'connection':
        this.queues.get(message.name)?.orderConnection(message.order)
        break
      case 'limit':
        this.queues.get(message.name)?.plane.limit(message.limit)
        break
      case 'mediumOpened':
        this.mediumOpened(message.name, message.plan, message.renewal)
        break
    }
    this.wake()
  }

  private attach({ attachment, statistics, journal, legacy }: AttachMessage, chunks: readonly number[]): void {
    const { name } = attachment.settings
    try {
      const opened = openPlane(this.world, attachment, statistics, journal, {
        borrow: (wanted) => this.borrow(name, wanted),
        giveBack: (chunk) => this.lender.giveBack(name, chunk),
      }, legacy)
      opened.channel.onNotified(() => this.notification$.next(name))
      opened.onMediumReady(() => this.completion$.next(name))
      opened.onConnectionReport((report) => this.tell({ kind: 'connection', name, report }))
      const { plane, ring, takeover } = opened
      this.queues.set(name, servedQueue(name, opened, attachment.medium, this.timersOf(name)))
      plane.lend(chunks)
      // Before the first request: what is gone on with may be under a limit that is no more, or under none yet.
      if (attachment.limit || plane.core.gate.limited) plane.limit(attachment.limit)
      if (takeover) plane.command(COMMAND_RECOVERED, takeover.published)
      else plane.command(COMMAND_ATTACH, ring.published())
      this.tell({ kind: 'attached', name })
    } catch (error) {
      this.lender.detach(name)
      this.tell({ kind: 'refused', name, sentence: sentenceOf(error) })
    }
  }

  private timersOf(name: QueueName): QueueTimers {
    const look = () => {
      const queue = this.queues.get(name)
      if (queue && queue.crash === undefined) this.tellEdges(queue, this.world.nowNs())
    }
    const retry = () => this.command(name, COMMAND_RETRY)
    return new QueueTimers({ after: this.world.after, wake: () => this.wake(), look, retry })
  }

  private borrow(name: QueueName, wanted: number): readonly number[] {
    const lent = this.lender.borrow(name, wanted)
    if (lent.length < wanted) this.recall()
    return lent
  }

  /** Whoever holds more than today's quota is asked to return it. */
  private recall(): void {
    for (const queue of this.queues.values()) {
      const excess = queue.crash === undefined ? this.lender.excess(queue.name) : 0
      if (excess > 0) queue.plane.recallChunks(excess)
    }
    this.wake()
  }

  private command(name: QueueName, code: number, argument = 0): void {
    this.queues.get(name)?.plane.command(code, argument)
  }

  private close(name: QueueName): void {
    const queue = this.queues.get(name)
    if (queue === undefined || queue.crash !== undefined) return
    queue.closing = true
    queue.plane.hurry()
    this.drainWhenTaken(queue)
  }

  /**
   * A front end that closes puts nothing more into its ring, but waits for all that is there: Linux holds its disk, and
   * its ear for XenStore, until the last answer. One that goes on regardless gets no more than what stood there first.
   * Where there is no space for what was taken, nothing more is taken.
   */
  private drainWhenTaken(queue: ServedQueue): boolean {
    const { core } = queue.plane
    if (!queue.closing || !queue.begun) return false
    if (queue.takeTo === undefined) {
      const waiting = queue.ring.peek(core.reqCons)
      queue.takeTo = (core.reqCons + (waiting > queue.ring.size ? 0 : waiting)) | 0
    }
    const mayTake = TAKING.has(core.queueState) && (core.levels & LEVEL_MEDIUM_FULL) === 0
    if (mayTake && ((core.reqCons - queue.takeTo) | 0) < 0) return false
    queue.closing = false
    queue.plane.command(COMMAND_DRAIN, DRAIN_WITHOUT_SPACE)
    return true
  }

  private detach(name: QueueName): void {
    const queue = this.queues.get(name)
    if (!queue) return
    try {
      assert(queue.plane.core.queueState === QueueState.Drained, `${name} is detached before it is drained`)
      queue.plane.command(COMMAND_DETACH)
      queue.plane.round()
      queue.rest()
      this.letGo(queue)
      this.tell({ kind: 'detached', name })
    } catch (error) {
      this.crashed(queue, error)
    }
  }

  private mediumOpened(name: QueueName, plan: MediumPlan, renewal: number): void {
    const queue = this.queues.get(name)
    if (!queue) return
    queue.reopenMedium(plan, () => this.tell({ kind: 'mediumRenewed', name, renewal }))
    const { sectorCount, sectorSize } = plan.geometry
    if (sectorSize !== queue.medium.geometry.sectorSize)
      queue.plane.command(COMMAND_MEDIUM_SECTOR_SIZE, sectorSize)
    queue.plane.command(COMMAND_MEDIUM_SIZE_HIGH, u64High(sectorCount))
    // Of another size only: what it lost stays lost.
    const same = handleOf(plan) !== undefined && handleOf(plan) === handleOf(queue.medium)
    queue.plane.command(same ? COMMAND_MEDIUM_RESIZED : COMMAND_MEDIUM_OPENED, u64Low(sectorCount))
    queue.medium = plan
  }

  private letGo(queue: ServedQueue): void {
    queue.timers.end()
    this.queues.delete(queue.name)
    this.lender.detach(queue.name)
    queue.close()
  }

  private wake(): void {
    if (this.awake) return
    this.awake = true
    this.turn()
  }

  /** One slice of work; ends by asking for another or by falling asleep. */
  private turn(): void {
    const { nowNs } = this.world
    const began = nowNs()
    let now = began
    let quietSince = began
    while (now - began < SLICE_NS) {
      const worked = this.lookForWork()
      if (worked > 0) {
        now = this.workedNs > now ? this.workedNs : nowNs()
        this.spin.noteGap(now - this.lastWorkNs)
        this.lastWorkNs = now
        quietSince = now
        continue
      }
      now = nowNs()
      if (now - Math.max(quietSince, this.lastWorkNs) >= this.spin.budgetNs && !this.armAll()) {
        this.spin.noteSleep()
        this.awake = false
        return
      }
    }
    this.world.soon(() => this.turn())
  }

  /** Goes round until there is work, a few times at most if it may spin: a look is cheaper than the clock. */
  private lookForWork(): number {
    let worked = this.goRound()
    if (worked > 0 || this.spin.budgetNs === 0) return worked
    for (let looks = LOOKS; worked === 0 && looks > 0; looks -= this.queues.size + 1) worked = this.goRound()
    return worked
  }

  /** One batch of every queue. @returns how much was done. */
  private goRound(): number {
    let worked = 0
    for (const queue of this.queues.values())
      worked += queue.crash === undefined ? this.roundOf(queue) : this.awaitIo(queue)
    this.newcomers.look()
    return worked
  }

  private roundOf(queue: ServedQueue): number {
    try {
      const { plane, bound } = queue
      const worked = plane.round(bound.most)
      queue.begun = true
      this.tellEdges(queue)
      const wakeNs = plane.rateWakeNs
      if (wakeNs !== undefined && !queue.timers.willWake) queue.timers.wakeAt(wakeNs, this.world.nowNs())
      if (worked > 0) {
        this.workedNs = plane.core.nowNs
        if (this.queues.size > 1) this.pace.worked(bound, plane.batchSize, this.workedNs, this.world.nowNs())
      }
      return queue.closing && this.drainWhenTaken(queue) ? worked + 1 : worked
    } catch (error) {
      this.crashed(queue, error)
      return 1
    }
  }

  private tellEdges(queue: ServedQueue, nowNs = queue.plane.core.nowNs): void {
    const { core } = queue.plane
    const levels = queue.timers.steady(core.levels, nowNs) & ~LEVEL_BUSY
    if (levels !== queue.levelsTold) {
      if ((levels ^ queue.levelsTold) & LEVEL_MEDIUM_FULL) queue.timers.mediumFull((levels & LEVEL_MEDIUM_FULL) !== 0)
      queue.levelsTold = levels
      this.world.post({ kind: 'levels', name: queue.name, levels })
    }
    if (queue.resuming) {
      queue.resuming = false
      this.tell({ kind: 'resumed', name: queue.name, atNs: core.nowNs })
    }
    if (queue.owed !== undefined && core.queueState !== QueueState.Detached && ((core.rspProd - queue.owed) | 0) >= 0) {
      queue.owed = undefined
      this.tell({ kind: 'recovered', name: queue.name })
    }
    if (core.queueState === QueueState.Drained && !queue.drainedTold) {
      queue.drainedTold = true
      this.tell({ kind: 'drained', name: queue.name, abandoned: core.statistics[COUNTER.abandoned] })
    }
    if (core.queueState === QueueState.Yielded) this.yieldOn(queue)
  }

  /** Everything that was answered is published; what was not stands in the journal, for whoever goes on from it. */
  private yieldOn(queue: ServedQueue): void {
    queue.yieldedNs ??= queue.plane.core.nowNs
    queue.timers.stopRetrying()
    if (queue.plane.inFlightIo > 0) return
    this.letGo(queue)
    this.tell({ kind: 'yielded', name: queue.name, atNs: queue.yieldedNs })
  }

  private crashed(queue: ServedQueue, error: unknown): void {
    queue.crash = sentenceOf(error)
    queue.timers.stopRetrying()
    queue.plane.giveUp()
    this.awaitIo(queue)
  }

  /** A plane that was given up: its I/O is awaited to the last, then its borrowings are given back. */
  private awaitIo(queue: ServedQueue): number {
    const collected = queue.plane.discardResults()
    if (queue.plane.inFlightIo > 0) return collected
    this.letGo(queue)
    this.tell({ kind: 'crashed', name: queue.name, sentence: queue.crash ?? '' })
    return collected + 1
  }

  /** Asks everyone for a wake-up. @returns whether someone has work after all. */
  private armAll(): boolean {
    let work = false
    for (const queue of this.queues.values()) {
      queue.channel.unmask()
      if (queue.crash === undefined ? queue.plane.arm() : queue.plane.armMedium()) work = true
    }
    return work
  }

  private tell(event: QueueEvent): void {
    this.world.post(event)
  }
}

/** What is open, by the table of owners. */
function handleOf(plan: MediumPlan): number | undefined {
  return 'handle' in plan ? plan.handle : undefined
}
