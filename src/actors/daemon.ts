/**
 * @packageDocumentation
 * The daemon's actor: watches `backend/<type>` (S1), keeps one supervised device per node, and answers the control
 * socket. It holds nothing itself but the map of devices; what goes wrong in one of them stays there.
 *
 *   watch$(backend/<type>) ─┬─ path of a known device ─► its own look at its directory
 *                           └─ anything else ─► one scan of the tree, at most one at a time
 *   watch$(@releaseDomain) ───► one look at the domains of all devices: one that died keeps its pages while we map any
 *
 * Stopping: `park` lets go of everything and leaves XenStore alone, `close` brings every device to Closed. Either
 * waits for media as long as they take; abandonStop ends the waiting, and says what is left.
 */
import { filter, firstValueFrom, map, merge, Subject, take, type Observable, type Subscription } from 'rxjs'
import type { DeviceSettings } from '../machines/device/types.js'
import type { SupervisorInput } from '../machines/supervisor.machine.js'
import type {
  AttachOutcome, AttachSpec, DaemonApi, DetachOutcome, DetachSpec, DeviceListing, DeviceStatistics, DiscSpec,
  HeldMappings, LimitSpec, PendingDevice, ResizeOutcome, ResizeSpec, StopMode, StopOutcome,
} from '../ports/daemon-api.js'
import type { RingLook } from '../ports/host.js'
import { XbbdError } from '../protocol/errors.js'
import { backendPath, backendRoot, deviceOfPath } from '../protocol/keys.js'
import type { DeviceWorld } from './device-shell.js'
import { SupervisedDevice } from './supervisor.js'
import {
  askToClose, changeDisc, limitDevice, makeDevice, placeOf, removeDevice, removeFrontend, type DevicePlace,
} from './xenbus/toolstack.js'
import { rereading, watch$ } from './xenbus/watching.js'

export interface DaemonOptions {
  readonly world: DeviceWorld
  /** Domain in which this daemon runs; 0 nearly always. */
  readonly backendDomid: number
  /** The directory below `backend/` that is served: `vbd`. */
  readonly type: string
  /** Of the device with that name, such as `vbd/5/51712`. */
  readonly settings: (device: string) => DeviceSettings
  readonly supervision: Omit<SupervisorInput, 'child'>
  /** How often media are asked for their size, milliseconds; 0 = never. */
  readonly sizePollMs: number
  /** XenStore is lost or refuses: the composition root decides (usually: park is over, exit, be started again). */
  readonly failed: (error: unknown) => void
}

const DEFAULT_WAIT_MS = 10_000

export class Daemon implements DaemonApi {
  readonly #options: DaemonOptions
  readonly #root: string
  readonly #devices = new Map<string, SupervisedDevice>()
  readonly #changed$ = new Subject<void>()
  readonly #abandoned$ = new Subject<void>()
  readonly #rescan$ = new Subject<void>()
  /** A device was begun: its domain is to be looked at. */
  readonly #begun$ = new Subject<void>()
  readonly #subscriptions: Subscription[] = []
  #cancelPoll: (() => void) | undefined
  #stopping: Promise<StopOutcome> | undefined
  #mode: StopMode = 'park'
  #settings: DaemonOptions['settings']

  constructor(options: DaemonOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#root = backendRoot(options.backendDomid, options.type)
  }

  /** Watches from now on; resolves when the devices that stood already were found. */
  async start(): Promise<void> {
    const { world, failed } = this.#options
    const error = (problem: unknown) => failed(problem)
    const path$ = watch$(world.store, this.#root)
    const scanned$ = new Subject<void>()
    const first = firstValueFrom(scanned$)
    const unknown$ = new Subject<void>()
    this.#subscriptions.push(
      merge(unknown$, this.#rescan$).pipe(rereading(() => this.#scan())).subscribe({
        next: () => scanned$.next(), error,
      }),
      path$.subscribe({ next: (path) => this.#pathChanged(path, unknown$), error }),
      merge(watch$(world.store, '@releaseDomain'), this.#begun$)
        .pipe(rereading(() => this.#lookAtDomains()))
        .subscribe({ error }),
    )
    this.#poll()
    await first
  }

  /** For devices that are attached from now on. Media are asked for size and space: it may be why one reloads. */
  apply(settings: DaemonOptions['settings']): void {
    this.#settings = settings
    for (const device of this.#devices.values()) device.reloaded()
  }

  list(): readonly DeviceListing[] {
    return [...this.#devices.values()].map((device) => device.listing())
  }

  statistics(name?: string): readonly DeviceStatistics[] {
    const all = [...this.#devices.values()].map((device) => device.statistics)
    return name === undefined ? all : all.filter((device) => device.name === name)
  }

  get changed$(): Observable<void> {
    return this.#changed$
  }

  async attach(spec: AttachSpec): Promise<AttachOutcome> {
    const { world, backendDomid, type } = this.#options
    if (this.#stopping)
      throw new XbbdError('XBBD_STOPPING', 'the daemon is stopping: start it again first', { exitCode: 75 })
    const place = placeOf(backendDomid, type, spec)
    const created = await makeDevice(world.store, place, spec, backendDomid)
    const name = this.#nameOf(place)
    this.#rescan$.next()
    const settled = () => {
      const device = this.#devices.get(name)
      return device !== undefined && (spec.waitMs === 0 || device.attached)
    }
    const waitMs = spec.waitMs || DEFAULT_WAIT_MS
    const inTime = await this.#until(settled, waitMs)
    // What was decided shall stand in XenStore, too, when the operator is told.
    if (spec.waitMs !== 0) await this.#devices.get(name)?.idle()
    const device = this.#devices.get(name)?.listing()
    if (device === undefined || !inTime) {
      const sentence = `${spec.vdev} of domain ${spec.domid} did not come up within ${waitMs} ms: see \`xbbd list\``
      throw new XbbdError('XBBD_ATTACH_TIMEOUT', sentence, { exitCode: 75 })
    }
    if (device.state === 'Failed' || device.gaveUp)
      throw new XbbdError('XBBD_ATTACH_FAILED', device.error ?? 'the attach failed', { exitCode: 66 })
    return { created, device }
  }

  async detach(spec: DetachSpec): Promise<DetachOutcome> {
    const { world, backendDomid, type } = this.#options
    const place = placeOf(backendDomid, type, spec)
    if (!(await askToClose(world.store, place))) return { existed: false, removed: true }
    const device = this.#devices.get(this.#nameOf(place))
    // Without its front end nobody is waited for but the medium.
    if (spec.force) await removeFrontend(world.store, place)
    if (spec.waitMs === 0) return { existed: true, removed: false }
    const closed = () => device === undefined || device.closed
    const waitMs = spec.waitMs ?? DEFAULT_WAIT_MS
    if (!(await this.#until(closed, waitMs))) return { existed: true, removed: false }
    await device?.idle()
    await removeDevice(world.store, place)
    await this.#until(() => !this.#devices.has(this.#nameOf(place)), waitMs)
    return { existed: true, removed: true }
  }

  async changeDisc(spec: DiscSpec): Promise<DeviceListing> {
    const { world, backendDomid, type } = this.#options
    const place = placeOf(backendDomid, type, spec)
    const device = this.#devices.get(this.#nameOf(place))
    await changeDisc(world.store, place, spec.target)
    const waitMs = spec.waitMs ?? DEFAULT_WAIT_MS
    const there = () => device?.hasDisc(spec.target) !== false
    if (!(await this.#until(there, waitMs)) || device === undefined) {
      const what = `${spec.vdev} of domain ${spec.domid}`
      const sentence = `${what} did not change its disc within ${waitMs} ms: see \`xbbd list\``
      throw new XbbdError('XBBD_DISC_TIMEOUT', sentence, { exitCode: 75 })
    }
    await device.idle()
    const listing = device.listing()
    if (spec.target === '' || listing.sectorCount !== 0) return listing
    const why = listing.notes.findLast((note) => note.startsWith('the drive is empty')) ?? 'the drive is empty'
    throw new XbbdError('XBBD_DISC_REFUSED', why, { exitCode: 66 })
  }

  async resize(spec: ResizeSpec): Promise<ResizeOutcome> {
    const { backendDomid, type } = this.#options
    const device = this.#devices.get(this.#nameOf(placeOf(backendDomid, type, spec)))
    const what = `${spec.vdev} of domain ${spec.domid}`
    if (device === undefined)
      throw new XbbdError('XBBD_NO_DEVICE', `${what} is not attached: see \`xbbd list\``, { exitCode: 69 })
    const sectorCountBefore = device.listing().sectorCount
    device.checkMedium()
    const waitMs = spec.waitMs ?? DEFAULT_WAIT_MS
    if (!(await this.#until(() => !device.listing().state.includes('Resizing'), waitMs))) {
      const sentence = `${what} was not told its size within ${waitMs} ms: see \`xbbd list\``
      throw new XbbdError('XBBD_RESIZE_TIMEOUT', sentence, { exitCode: 75 })
    }
    await device.idle()
    return { sectorCountBefore, device: device.listing() }
  }

  async limit({ domid, vdev, anew = false, ...limit }: LimitSpec): Promise<DeviceListing> {
    const { world, backendDomid, type } = this.#options
    const place = placeOf(backendDomid, type, { domid, vdev })
    const device = this.#devices.get(this.#nameOf(place))
    await limitDevice(world.store, place, limit, anew)
    await device?.look()
    const listing = device?.listing()
    if (listing !== undefined) return listing
    const sentence = `${vdev} of domain ${domid} is not served yet: see \`xbbd list\``
    throw new XbbdError('XBBD_NO_DEVICE', sentence, { exitCode: 75 })
  }

  stop(mode: StopMode): Promise<StopOutcome> {
    this.#stopping ??= this.#stop(mode)
    return this.#stopping
  }

  abandonStop(): void {
    this.#abandoned$.next()
  }

  pending(): readonly PendingDevice[] {
    return [...this.#devices.values()].filter((device) => !device.resting(this.#mode)).map((device) => device.pending)
  }

  held(): HeldMappings {
    return this.#options.world.host.held()
  }

  rings(): readonly RingLook[] {
    return this.#options.world.host.rings()
  }

  alive(): Promise<void> {
    return this.#options.world.queues.ping()
  }

  async #stop(mode: StopMode): Promise<StopOutcome> {
    this.#mode = mode
    this.#cancelPoll?.()
    for (const device of this.#devices.values()) device.stop(mode)
    const resting = this.#until(() => this.pending().length === 0)
    const abandoned = firstValueFrom(this.#abandoned$.pipe(map(() => false)))
    const clean = await Promise.race([resting, abandoned])
    const left = clean ? [] : this.pending()
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe()
    if (clean) for (const device of this.#devices.values()) await device.idle()
    for (const device of this.#devices.values()) device.dispose()
    return { mode, devices: this.#devices.size, left, held: this.held() }
  }

  #nameOf({ domid, devid }: Pick<DevicePlace, 'domid' | 'devid'>): string {
    return `${this.#options.type}/${domid}/${devid}`
  }

  #pathChanged(path: string, unknown$: Subject<void>): void {
    const place = deviceOfPath(path, this.#root)
    const device = place && this.#devices.get(this.#nameOf(place))
    if (device === undefined) unknown$.next()
    else device.touch()
  }

  /** Finds nodes without a device; known devices look after themselves, also after losing their node. */
  async #scan(): Promise<void> {
    const { store } = this.#options.world
    for (const domid of (await store.list(this.#root)) ?? [])
      for (const devid of (await store.list(`${this.#root}/${domid}`)) ?? []) {
        const place = deviceOfPath(`${this.#root}/${domid}/${devid}`, this.#root)
        if (place !== undefined && this.#stopping === undefined) this.#begin(place)
      }
    for (const device of this.#devices.values()) device.touch()
  }

  /** However many domains died at once, each that has devices is asked about once. */
  async #lookAtDomains(): Promise<void> {
    const { store } = this.#options.world
    for (const domid of new Set([...this.#devices.values()].map((device) => device.domid))) {
      const introduced = await store.isDomainIntroduced(domid)
      for (const device of this.#devices.values()) if (device.domid === domid) device.domainSeen(introduced)
    }
  }

  #begin({ domid, devid }: { domid: number; devid: number }): void {
    const { world, backendDomid, type, supervision } = this.#options
    const name = this.#nameOf({ domid, devid })
    if (this.#devices.has(name)) return
    const settings = this.#settings(name)
    const device = new SupervisedDevice({
      world, bounds: supervision,
      input: { name, domid, devid, settings },
      path: backendPath(backendDomid, type, domid, devid),
      changed: () => this.#deviceChanged(name),
      failed: this.#options.failed,
    })
    this.#devices.set(name, device)
    device.start()
    this.#begun$.next()
  }

  /** A device that has ended is forgotten; its node may have been made anew meanwhile. */
  #deviceChanged(name: string): void {
    const device = this.#devices.get(name)
    if (device?.ended === true && this.#stopping === undefined) {
      this.#devices.delete(name)
      device.dispose()
      this.#options.world.closeJournal?.(name)
      this.#rescan$.next()
    }
    this.#changed$.next()
  }

  /** Whether `condition` came true, looked at after every change; bounded by `waitMs` when given. */
  async #until(condition: () => boolean, waitMs?: number): Promise<boolean> {
    if (condition()) return true
    const late$ = new Subject<boolean>()
    const cancel = waitMs === undefined ? undefined : this.#options.world.clock.after(waitMs, () => late$.next(false))
    const came$ = this.#changed$.pipe(filter(condition), map(() => true))
    const result = await firstValueFrom(merge(came$, late$).pipe(take(1)))
    cancel?.()
    return result
  }

  #poll(): void {
    const { sizePollMs, world } = this.#options
    if (sizePollMs === 0) return
    this.#cancelPoll = world.clock.after(sizePollMs, () => {
      for (const device of this.#devices.values()) device.checkMedium()
      this.#poll()
    })
  }
}
