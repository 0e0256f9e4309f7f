/**
 * @packageDocumentation
 * The shell of one device: executes what its chart asks for, tells its chart what came of it. All that can fail
 * outside comes back as an event; what throws here is our own fault, ends this device alone and is reported to the
 * supervisor, who then salvages: what the device holds is known here and not only in the chart.
 *
 *   XenStore ─ watches, reads ─┐                        ┌─ BackendDirectory (serial)
 *   QueuePool ─ events ────────┼─► chart ─► effects ────┼─ Host: grants, ring, channel
 *   medium actor ──────────────┘                        └─ QueuePool, medium actor, clock
 */
import type { Subscription } from 'rxjs'
import { COUNTER } from '../core/statistics.js'
import { deviceMachine } from '../machines/device.machine.js'
import type { DeviceEffect, DeviceEvent, DeviceInput } from '../machines/device/types.js'
import type { MediumInput } from '../machines/medium.machine.js'
import type { Clock } from '../ports/clock.js'
import type { Host } from '../ports/host.js'
import type { OpenActorJournal } from '../ports/journal.js'
import type { MediumOpener } from '../ports/medium.js'
import {
  LEVEL_BROKEN, LEVEL_MEDIUM_FULL, LEVEL_MEDIUM_GONE, type QueueEvent, type QueuePool,
} from '../ports/queues.js'
import type { XenStore } from '../ports/xenstore.js'
import { sentenceOf } from '../protocol/errors.js'
import type { XenbusState } from '../protocol/xenbus-state.js'
import { ChartActor } from './chart-actor.js'
import { Connections } from './connection-actor.js'
import { legaciesOf } from './device-legacies.js'
import { WANTS, wantOf } from './device-wants.js'
import { Holdings } from './holdings.js'
import { askHypervisor } from './hypervisor-effects.js'
import { MediumActor } from './medium-actor.js'
import { addCounters, CountersTotal, namedCounters, noCounters, type NamedCounters } from './queue-counters.js'
import type { QueueSet } from './queue-set.js'
import { Serial } from './serial.js'
import { BackendDirectory } from './xenbus/backend-directory.js'
import { FrontendEar } from './xenbus/frontend-ear.js'
import { performWrite } from './xenbus/writes.js'

/** The outside, as all devices of a daemon share it. */
export interface DeviceWorld {
  readonly store: XenStore
  readonly host: Host
  readonly queues: QueuePool
  readonly media: MediumOpener
  readonly clock: Clock
  readonly openJournal: OpenActorJournal
  /** The device with this name is forgotten: nobody writes its journal any more. */
  readonly closeJournal?: (device: string) => void
  readonly mediumPatience: MediumInput
}

export interface DeviceShellOptions {
  readonly world: DeviceWorld
  readonly input: DeviceInput
  /** `/local/domain/0/backend/vbd/5/51712` */
  readonly path: string
  readonly ended: (how: Extract<DeviceEffect, { type: 'reportEnded' }>['how']) => void
  readonly crashed: (sentence: string) => void
  readonly moved: () => void
}

export class DeviceShell {
  readonly #options: DeviceShellOptions
  readonly #chart: ChartActor<typeof deviceMachine>
  readonly #directory: BackendDirectory
  readonly #medium: MediumActor
  readonly #connections: Connections
  readonly #holdings: Holdings
  readonly #ear: FrontendEar
  readonly #xenstore = new Serial((error) => this.#crash(error))
  readonly #hypervisor = new Serial((error) => this.#crash(error))
  #queueEvents: Subscription | undefined
  readonly #timers = new Map<string, () => void>()
  #levels = 0
  /** Wall clock at the moment when requests began to wait for space; for people. */
  #fullSinceMs = 0
  #counters: NamedCounters = noCounters
  readonly #total = new CountersTotal()
  #over = false

  constructor(options: DeviceShellOptions) {
    this.#options = options
    const { world, input } = options
    this.#directory = new BackendDirectory(world.store, options.path)
    this.#holdings = new Holdings(world, (event) => this.#queueSaid(event))
    this.#chart = new ChartActor({
      machine: deviceMachine, input, journal: world.openJournal(input.name, 'device'),
      execute: (effect) => this.#execute(effect),
      crashed: (sentence) => this.#crash(new Error(sentence)),
      moved: () => options.moved(),
    })
    this.#ear = new FrontendEar({
      store: world.store, clock: world.clock, directory: this.#directory, inOrder: (job) => this.#xenstore.run(job),
      tell: (event) => this.tell(event), crashed: (error) => this.#crash(error),
      serving: () => this.state.startsWith('Connected'),
    })
    this.#medium = new MediumActor({
      opener: world.media, clock: world.clock, journal: world.openJournal(`${input.name}/medium`, 'medium'),
      patience: world.mediumPatience,
      tell: (event) => this.tell(event),
      crashed: (sentence) => this.#crash(new Error(sentence)),
    })
    this.#connections = new Connections({
      clock: world.clock, openJournal: (queue) => world.openJournal(`${input.name}/connection-${queue}`, 'connection'),
      order: (queue, order) => world.queues.orderConnection(queue, order),
      tellMedium: (event) => this.#medium.tell(event),
      crashed: (sentence) => this.#crash(new Error(sentence)),
    })
  }

  start(): void {
    const mine = `${this.#name}/`
    this.#queueEvents = this.#options.world.queues.event$.subscribe((event) => {
      if (event.name.startsWith(mine)) this.#guard(() => this.#oneQueueSaid(event))
    })
    this.#medium.start()
    this.#chart.start()
  }

  tell(event: DeviceEvent): void {
    if (!this.#over) this.#chart.tell(event)
  }

  /** Something below our directory changed. @returns when it has been looked at. */
  async touched(): Promise<void> {
    await this.#xenstore.run(async () => {
      if (this.#over) return
      const { wish, online, params, limit } = await this.#directory.wish()
      if (wish === 'vanished') this.tell({ type: 'xenstore.directoryVanished' })
      else if (wish === 'close') this.tell({ type: 'xenstore.closeRequested', online })
      else if (wish === 'online') this.tell({ type: 'xenstore.onlineChanged', online })
      if (params !== undefined && wish !== 'vanished') this.tell({ type: 'xenstore.targetChanged', params })
      if (limit !== undefined && wish !== 'vanished') this.tell({ type: 'xenstore.limitChanged', nodes: limit })
      if (wish !== 'none') return
      if (this.#chart.state === 'Initialising.incomplete') this.tell({ type: 'xenstore.nodesTouched' })
    })
  }

  checkMedium(): void {
    if (!this.#over) this.#guard(() => this.#medium.checkSize())
  }

  get state(): string {
    return this.#chart.state
  }

  get context(): ChartActor<typeof deviceMachine>['context'] {
    return this.#chart.context
  }

  get backendState(): XenbusState {
    return this.#directory.known
  }

  get levels(): number {
    return this.#levels
  }

  get #name(): string {
    return this.#options.input.name
  }

  /** Each queue of the connection, with its levels. */
  get queues(): QueueSet['levels'] {
    return this.#holdings.queues.levels
  }

  /** What the list says while requests wait: for space on the medium, or for the server behind it. */
  get waitSentence(): string | undefined {
    if ((this.#levels & LEVEL_MEDIUM_FULL) === 0) return this.#connections.sentence
    const waiting = this.#holdings.statistics().reduce((sum, raw) => sum + raw[COUNTER.spaceWanted], 0)
    const since = new Date(this.#fullSinceMs).toISOString()
    const requests = waiting === 1 ? '1 request waits' : `${waiting} requests wait`
    return `the medium is full: ${requests} for space since ${since}`
  }

  /** SIGHUP. */
  reloaded(): void {
    if (!this.#over && this.#levels & LEVEL_MEDIUM_FULL) this.tell({ type: 'operator.reloaded' })
  }

  /** Counters of all connections, the present one included; the same object while nothing was counted. */
  get counters(): NamedCounters {
    return this.#total.of(this.#counters, this.#holdings.statistics())
  }

  /** When everything that was asked of XenStore and the hypervisor has been done. */
  async idle(): Promise<void> {
    await this.#xenstore.idle()
    await this.#hypervisor.idle()
  }

  /** In the end: listens to nothing any more. */
  dispose(): void {
    this.#silence()
    this.#connections.endAll()
    this.#queueEvents?.unsubscribe()
  }

  /** After a crash: the chart hears nothing more; how far its queues have let go is still noted, for the salvage. */
  #silence(): void {
    this.#over = true
    this.#ear.close()
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    this.#chart.stop()
  }

  /** Gives back what a crashed device held, the queues brought to rest first. XenStore is not touched. */
  async salvage(): Promise<void> {
    this.#silence()
    await this.idle()
    await this.#holdings.release()
    this.dispose()
    this.#medium.salvage()
  }

  #crash(error: unknown): void {
    if (this.#over) return
    this.#silence()
    this.#options.crashed(sentenceOf(error))
  }

  #guard(body: () => void): void {
    try {
      body()
    } catch (error) {
      this.#crash(error)
    }
  }

  #execute(effect: DeviceEffect): void {
    switch (effect.type) {
      case 'readNodes':
        return this.#inXenStore(() => this.#readNodes())
      case 'watchFrontend':
        return this.#ear.follow(effect.path)
      case 'openMedium':
        return this.#medium.tell({ type: 'device.openRequested', spec: effect.spec, patient: effect.patient ?? false })
      case 'readJournal':
        return this.tell({ type: 'queue.legacyRead', ...legaciesOf(this.#options.world.queues, this.#name) })
      case 'closeMedium':
        return this.#medium.tell({ type: 'device.closeRequested' })
      case 'readFrontend':
        return this.#inXenStore(async () => {
          await this.#ear.readKeys(effect.path)
        })
      case 'startTimer':
        this.#timers.get(effect.timer)?.()
        this.#timers.set(effect.timer, this.#options.world.clock.after(effect.milliseconds, () =>
          this.tell({ type: 'clock.elapsed', timer: effect.timer }),
        ))
        return
      case 'stopTimer':
        return this.#timers.get(effect.timer)?.()
      case 'reportEnded':
        if (effect.how === 'removed') this.#directory.leave()
        return this.#options.ended(effect.how)
      case 'openGrants':
      case 'mapRing':
      case 'bindChannel':
      case 'closeGrants':
      case 'unmapRing':
      case 'unbindChannel':
        return void this.#hypervisor.run(async () => this.tell(await askHypervisor(this.#holdings, effect)))
      case 'attachQueue':
      case 'drainQueue':
      case 'abandonQueue':
      case 'retryQueue':
      case 'limitQueue':
      case 'detachQueue':
      case 'yieldQueue':
      case 'renewQueueMedium':
        return this.#command(effect)
      default:
        return this.#inXenStore(async () => {
          for (const event of await performWrite(this.#directory, effect)) this.tell(event)
          if (effect.type === 'switchState' && effect.state === 'Connected') this.#holdings.queues.serve()
        })
    }
  }

  #inXenStore(job: () => Promise<void>): void {
    void this.#xenstore.run(job)
  }

  async #readNodes(): Promise<void> {
    const read = await this.#directory.read()
    if (read === undefined) return this.tell({ type: 'xenstore.directoryVanished' })
    const { nodes, frontendState } = read
    if (!frontendState.ok) this.tell({ type: 'xenstore.frontendNonsense', sentence: frontendState.sentence })
    const state = frontendState.ok ? frontendState.state : 'Unknown'
    this.#ear.lastWord = state
    this.tell({ type: 'xenstore.nodesRead', nodes, frontendState: state })
  }

  #command(effect: DeviceEffect): void {
    const { queues } = this.#holdings
    switch (effect.type) {
      case 'attachQueue': {
        const { type: _type, others = [], limit, ...attachment } = effect
        const { grants, medium } = attachment
        this.#levels = 0
        queues.limit(limit)
        const held = attachment.takeover === undefined
        const attachments = [attachment, ...others.map((other) => ({ ...other, grants, medium }))]
          .map((one) => ({ ...one, ...(held && { held }) }))
        this.#holdings.attachQueues(attachments)
        return this.#connections.begin(attachments, medium)
      }
      case 'drainQueue':
        return queues.drain(effect.onEnospc)
      case 'abandonQueue':
        return queues.abandon()
      case 'yieldQueue':
        return queues.yield()
      case 'retryQueue':
        return queues.retry()
      case 'limitQueue':
        return queues.limit(effect.limit)
      case 'detachQueue':
        return queues.detach()
      case 'renewQueueMedium':
        queues.mediumOpened(effect.plan, effect.renewal)
        return this.#connections.begin(queues.living.map((name) => ({ settings: { name } })), effect.plan)
      default:
        throw new Error(`no queue does ${effect.type}`)
    }
  }

  /** One of them; what it means for the device is said by all together. */
  #oneQueueSaid(event: QueueEvent): void {
    if (event.kind === 'connection') return this.#connections.heard(event.name, event.report)
    if (['refused', 'detached', 'crashed', 'yielded'].includes(event.kind)) this.#connections.end(event.name)
    if (['drained', 'crashed', 'yielded'].includes(event.kind)) this.#keepCounters(event.name)
    this.#holdings.queues.heard(event)
  }

  #queueSaid(event: QueueEvent): void {
    if (this.#over) return
    switch (event.kind) {
      case 'attached':
        return this.tell({ type: 'queue.attached' })
      case 'refused':
        return this.tell({ type: 'queue.refused', sentence: event.sentence })
      case 'drained':
        return this.tell({ type: 'queue.drained', abandoned: event.abandoned })
      case 'detached':
        return this.tell({ type: 'queue.detached' })
      case 'crashed':
        this.#levels = 0
        return this.tell({
          type: 'queue.crashed', sentence: event.sentence, atMs: this.#options.world.clock.nowNs() / 1e6,
        })
      case 'mediumRenewed':
        return this.tell({ type: 'queue.mediumRenewed', renewal: event.renewal })
      case 'levels':
        return this.#levelsChanged(event.levels)
      case 'yielded':
        return this.tell({ type: 'queue.yielded' })
      case 'resumed':
      case 'recovered':
      case 'connection':
        return
    }
  }

  /** A queue's counters end with it. */
  #keepCounters(name: string): void {
    const raw = this.#holdings.takeStatistics(name)
    if (raw !== undefined) this.#counters = addCounters(this.#counters, namedCounters(raw))
  }

  /** Only edges that a chart cares about are inputs; busy and idle are read by whoever lists. */
  #levelsChanged(levels: number): void {
    const changed = levels ^ this.#levels
    this.#levels = levels
    const rose = levels & changed
    if (changed & WANTS) this.tell({ type: wantOf(levels) })
    if (rose & LEVEL_MEDIUM_FULL) this.#fullSinceMs = this.#options.world.clock.wallMs()
    if (rose & LEVEL_BROKEN) this.tell({ type: 'queue.ringBroke' })
    if (rose & LEVEL_MEDIUM_GONE) this.#medium.tell({ type: 'medium.lost', sentence: 'the medium is gone (ENXIO)' })
  }
}
