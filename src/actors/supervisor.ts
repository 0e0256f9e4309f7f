/**
 * @packageDocumentation
 * One supervised device: the supervisor's chart, and the device's shell of the present life. A crash of the shell
 * costs no other device anything: it is salvaged, started again after a pause, and given up in the end; the new life
 * finds in XenStore how things stand, as a new process would, and takes the front end's connection over.
 */
import { Subject, type Subscription } from 'rxjs'
import { targetOf } from '../machines/device/nodes.js'
import type { DeviceInput } from '../machines/device/types.js'
import { supervisorMachine, type SupervisorEffect, type SupervisorInput } from '../machines/supervisor.machine.js'
import type { DeviceListing, DeviceStatistics, PendingDevice, StopMode } from '../ports/daemon-api.js'
import {
  LEVEL_BROKEN, LEVEL_BUSY, LEVEL_MEDIUM_FULL, LEVEL_MEDIUM_GONE, LEVEL_SHORTAGE, LEVEL_THROTTLED,
} from '../ports/queues.js'
import { sentenceOf } from '../protocol/errors.js'
import { vdevName } from '../protocol/vdev.js'
import { ChartActor } from './chart-actor.js'
import { DeviceShell, type DeviceWorld } from './device-shell.js'
import { addCounters, noCounters, type NamedCounters } from './queue-counters.js'
import { BackendDirectory } from './xenbus/backend-directory.js'
import { rereading } from './xenbus/watching.js'

export interface SupervisedOptions {
  readonly world: DeviceWorld
  readonly input: DeviceInput
  readonly path: string
  readonly bounds: Omit<SupervisorInput, 'child'>
  /** Something that a list would show has changed. */
  readonly changed: () => void
  /** XenStore failed where no device can be blamed. */
  readonly failed: (error: unknown) => void
}

const ASKS = { park: 'operator.parked', yield: 'operator.yielded', close: 'operator.closed' } as const

/** How its present life stands, as far as stopping the daemon is concerned. */
export type Rest = 'no' | 'parked' | 'closed' | 'failed' | 'removed'

export class SupervisedDevice {
  readonly #options: SupervisedOptions
  readonly #chart: ChartActor<typeof supervisorMachine>
  #shell: DeviceShell | undefined
  #rest: Rest = 'no'
  #earlier: NamedCounters = noCounters
  #cancelPause: (() => void) | undefined
  #sentence: string | undefined
  #domain: 'unknown' | 'unseen' | 'alive' | 'dead' = 'unknown'
  readonly #touch$ = new Subject<void>()
  #subscription: Subscription | undefined
  /** Effects of the supervisor that take time: the salvage, the announcement. */
  readonly #under = new Set<Promise<void>>()

  constructor(options: SupervisedOptions) {
    this.#options = options
    const { world, input, bounds } = options
    const name = `supervisor/${input.name}`
    this.#chart = new ChartActor({
      machine: supervisorMachine, input: { ...bounds, child: input.name },
      journal: world.openJournal(name, 'supervisor'),
      execute: (effect) => this.#execute(effect),
      crashed: (sentence) => void (this.#sentence = sentence),
      moved: () => options.changed(),
    })
  }

  start(): void {
    this.#subscription = this.#touch$.pipe(rereading(() => this.#look())).subscribe({ error: this.#options.failed })
    this.#chart.start()
  }

  /** Its node, or something below it, changed: it looks, once for any number of touches while it looks. */
  touch(): void {
    this.#touch$.next()
  }

  /** Looks at once; resolves when what was found is in force. */
  async look(): Promise<void> {
    await this.#look()
  }

  async #look(): Promise<void> {
    if (this.#shell !== undefined) return this.#shell.touched()
    const directory = new BackendDirectory(this.#options.world.store, this.#options.path)
    if ((await directory.read()) === undefined) this.#chart.tell({ type: 'child.ended' })
  }

  /** Starts a stop; {@link SupervisedDevice.resting} says when it is over. */
  stop(mode: StopMode): void {
    this.#shell?.tell({ type: ASKS[mode] })
    this.#chart.tell({ type: 'operator.stopped' })
  }

  checkMedium(): void {
    this.#shell?.checkMedium()
  }

  /** The operator has reloaded: whatever waits may try at once. */
  reloaded(): void {
    this.#shell?.checkMedium()
    this.#shell?.reloaded()
  }

  get domid(): number {
    return this.#options.input.domid
  }

  /** Whether XenStore knows the guest's domain now. */
  domainSeen(introduced: boolean): void {
    this.#domain = introduced ? 'alive' : this.#domain === 'alive' || this.#domain === 'dead' ? 'dead' : 'unseen'
    this.#judgeDomain()
  }

  /**
   * A device that nobody has served yet may come before its domain is introduced; any other whose domain XenStore does
   * not know belongs to one that died, perhaps before this process began.
   */
  #judgeDomain(): void {
    const context = this.#shell?.context
    if (context === undefined || context.orphaned) return
    const served = !['Unknown', 'Initialising'].includes(context.found)
    if (this.#domain === 'dead' || (this.#domain === 'unseen' && served))
      this.#shell?.tell({ type: 'xenstore.domainGone' })
  }

  /** Whether nothing is held and nothing more is going to happen. */
  resting(mode: StopMode): boolean {
    if (this.#chart.state === 'Ended' || this.#chart.state === 'GaveUp') return true
    return this.#lives && (this.#rest === 'parked' || (mode === 'close' && this.#rest !== 'no'))
  }

  get #lives(): boolean {
    return this.#chart.state === 'Running' || this.#chart.state === 'Leaving'
  }

  /** The node is gone and nothing is left: the daemon forgets it. */
  get ended(): boolean {
    return this.#chart.state === 'Ended'
  }

  /** Whether what `params` names has been opened, or tried, and the guest has been told. */
  hasDisc(params: string): boolean {
    const context = this.#shell?.context
    const named = targetOf(params, true)
    const target = named.ok ? named.target : ''
    if (context?.nodes?.target !== target || context.inserted !== target) return false
    return !this.#state.includes('Changing') && !/^(Initialising|Closing)/.test(this.#state)
  }

  /** Whether an attach has come to its outcome. */
  get attached(): boolean {
    return this.#chart.state === 'GaveUp' || !/^(Initialising|$)/.test(this.#state)
  }

  /** Whether nothing is held and Closed was said. */
  get closed(): boolean {
    return !this.#lives ? this.resting('close') : /^(Closed|Failed|Removed)/.test(this.#state)
  }

  /** When everything asked of the outside has been done. */
  async idle(): Promise<void> {
    await Promise.all(this.#under)
    await this.#shell?.idle()
  }

  dispose(): void {
    this.#subscription?.unsubscribe()
    this.#cancelPause?.()
    this.#shell?.dispose()
    this.#chart.stop()
  }

  get pending(): PendingDevice {
    const inFlight = this.#shell?.counters.counters['inFlight'] ?? 0
    const sentence = this.#shell?.waitSentence
    return { name: this.#options.input.name, state: this.#state, inFlight, ...(sentence && { sentence }) }
  }

  get statistics(): DeviceStatistics {
    const { name, domid } = this.#options.input
    const own = this.#shell?.counters ?? noCounters
    const counters = this.#earlier === noCounters ? own : addCounters(this.#earlier, own)
    return { name, domid, vdev: this.#vdev, ...counters }
  }

  get #state(): string {
    return this.#lives ? (this.#shell?.state ?? '') : this.#chart.state
  }

  get #vdev(): string {
    const { devid } = this.#options.input
    return this.#shell?.context.nodes?.vdev ?? vdevName(devid) ?? String(devid)
  }

  /** One line of the list. */
  listing(): DeviceListing {
    const { name, domid, devid } = this.#options.input
    const context = this.#shell?.context
    const supervision = this.#chart.context
    const wait = this.#shell?.waitSentence
    return {
      domid, devid, name, path: this.#options.path, vdev: this.#vdev, state: this.#state,
      backendState: this.#shell?.backendState ?? 'Unknown',
      frontendState: context?.frontend ?? 'Unknown',
      online: context?.online ?? true,
      target: context?.nodes?.target ?? '',
      mode: context?.nodes?.readOnly === false ? 'w' : 'r',
      sectorCount: context?.medium?.geometry.sectorCount,
      sectorSize: context?.medium?.geometry.sectorSize,
      limit: context?.limit ?? {},
      connection: this.#connection(),
      error: context?.error ?? this.#sentence ?? supervision.sentence ?? undefined,
      notes: [...(wait === undefined ? [] : [wait]), ...(context?.notes ?? [])],
      restarts: supervision.restarts,
      gaveUp: this.#chart.state === 'GaveUp',
      connections: context?.connections ?? 0,
    }
  }

  #connection(): DeviceListing['connection'] {
    const shell = this.#shell
    const connection = shell?.context.connection
    if (!shell || !connection || shell.context.ring === null) return undefined
    const rings = [connection, ...(connection.others ?? [])]
    // While a new connection is made, the queues may still be those of the one before.
    const queues = shell.queues.slice(0, rings.length).map(({ name, levels }, index) => {
      const has = (bit: number) => (levels & bit) !== 0
      const { evtchn, grefs: ringRefs } = rings[index]
      return {
        name, evtchn, ringRefs, busy: has(LEVEL_BUSY), shortage: has(LEVEL_SHORTAGE), broken: has(LEVEL_BROKEN),
        mediumGone: has(LEVEL_MEDIUM_GONE), mediumFull: has(LEVEL_MEDIUM_FULL),
        throttled: has(LEVEL_THROTTLED),
      }
    })
    return { abi: connection.abi, ringPages: connection.pages, ringEntries: connection.entries, queues }
  }

  #execute(effect: SupervisorEffect): void {
    switch (effect.type) {
      case 'startChild':
        return this.#startChild()
      case 'salvageChild':
        return this.#track(this.#salvage())
      case 'startTimer':
        this.#cancelPause = this.#options.world.clock.after(effect.milliseconds, () =>
          this.#chart.tell({ type: 'clock.elapsed', timer: 'pause' }),
        )
        return
      case 'stopTimer':
        return this.#cancelPause?.()
      case 'announceGivingUp':
        this.#sentence = effect.sentence
        return this.#track(this.#announce(effect.sentence))
      case 'announceEnd':
        this.#shell?.dispose()
        return this.#options.changed()
    }
  }

  #startChild(): void {
    const { world, input, path, changed } = this.#options
    this.#rest = 'no'
    this.#shell = new DeviceShell({
      world, input, path,
      moved: () => {
        this.#judgeDomain()
        changed()
      },
      ended: (how) => {
        this.#rest = how
        if (how === 'removed') this.#chart.tell({ type: 'child.ended' })
        changed()
      },
      crashed: (sentence) => this.#chart.tell({ type: 'child.crashed', atMs: world.clock.nowNs() / 1e6, sentence }),
    })
    this.#shell.start()
  }

  async #salvage(): Promise<void> {
    const shell = this.#shell
    if (shell !== undefined) {
      await shell.salvage()
      this.#earlier = addCounters(this.#earlier, shell.counters)
    }
    this.#shell = undefined
    this.#chart.tell({ type: 'child.salvaged' })
  }

  async #announce(sentence: string): Promise<void> {
    await new BackendDirectory(this.#options.world.store, this.#options.path).reportError(sentence)
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => void (this.#sentence = sentenceOf(error)))
      .finally(() => this.#under.delete(tracked))
    this.#under.add(tracked)
  }
}
