/**
 * @packageDocumentation
 * What a service manager hears of the daemon's life:
 *
 *   READY=1 STATUS=2 disks: 1 connected, 1 offered     it serves; STATUS follows the disks, once a second at most
 *   WATCHDOG=1                                         all its threads turn (watchdog.ts)
 *   RELOADING=1 MONOTONIC_USEC=…  then  READY=1        around a reload, also one that is refused
 *   RELOADING=1 …  then  MAINPID=… READY=1             around an upgrade: the manager's next message is the successor's
 *   STOPPING=1 STATUS=parking: waiting for …           then every second EXTEND_TIMEOUT_USEC: how long a stop may take
 *                                                      is park.timeout's to say, not the manager's
 */
import type { Subscription } from 'rxjs'
import type { Clock } from '../../ports/clock.js'
import type { DaemonApi, DeviceListing, PendingDevice, StopMode } from '../../ports/daemon-api.js'
import { sentenceOf } from '../../protocol/errors.js'
import { pendingText } from '../pending.js'
import type { ServiceManager } from './service-manager.js'
import { feedWatchdog } from './watchdog.js'

const STATUS_PAUSE_MS = 1000
/** Longer than the stopper is silent: it reports every second, and grants an abandoned stop five. */
const EXTENSION_USEC = 10_000_000

export class Announcer {
  private readonly manager: ServiceManager
  private readonly api: DaemonApi
  private readonly clock: Clock
  private readonly endings: (() => void)[] = []
  private told = ''
  private cancelRest: () => void = () => undefined
  private resting = false
  private stale = false
  private stops = false

  constructor(manager: ServiceManager, api: DaemonApi, clock: Clock) {
    this.manager = manager
    this.api = api
    this.clock = clock
  }

  /** It serves from now on. */
  ready(): void {
    if (!this.manager.listens) return
    this.told = disksText(this.api.list())
    this.manager.insist({ READY: 1, STATUS: this.told })
    const follow: Subscription = this.api.changed$.subscribe(() => this.changed())
    this.endings.push(() => follow.unsubscribe())
    const { watchdogUsec } = this.manager
    if (watchdogUsec === undefined) return
    this.endings.push(
      feedWatchdog({
        periodMs: Math.max(1, Math.floor(watchdogUsec / 2000)),
        clock: this.clock,
        alive: () => this.api.alive(),
        sign: () => void this.manager.tell({ WATCHDOG: 1 }),
      }),
    )
  }

  /** Around a reload; what it throws is passed on. */
  reloading<T>(reload: () => T): T {
    this.manager.insist({ RELOADING: 1, MONOTONIC_USEC: Math.floor(this.clock.nowNs() / 1000) })
    let outcome = 'reloaded'
    try {
      return reload()
    } catch (error) {
      outcome = `not reloaded, everything stays as it is: ${sentenceOf(error)}`
      throw error
    } finally {
      this.told = `${disksText(this.api.list())}; ${outcome}`
      this.manager.insist({ READY: 1, STATUS: this.told })
    }
  }

  /** Around an upgrade; what it rejects with is passed on. */
  async upgrading<T>(upgrade: () => Promise<T>): Promise<T> {
    this.manager.insist({ RELOADING: 1, MONOTONIC_USEC: Math.floor(this.clock.nowNs() / 1000) })
    try {
      return await upgrade()
    } catch (error) {
      this.told = `${disksText(this.api.list())}; not upgraded: ${sentenceOf(error)}`
      this.manager.insist({ READY: 1, STATUS: this.told })
      throw error
    }
  }

  /** Another process serves now, or is about to; the manager watches that one from here on. */
  handedOver(pid: number): void {
    this.manager.insist({ MAINPID: pid, READY: 1, STATUS: 'upgraded' })
  }

  /** A stop has begun, or goes on. */
  stopping(mode: StopMode, pending: readonly PendingDevice[]): void {
    if (mode === 'yield') return // the service goes on
    const what = mode === 'park' ? 'parking' : 'closing'
    const STATUS = pending.length === 0 ? what : `${what}: waiting for ${pendingText(pending)}`
    if (this.stops) this.manager.tell({ STATUS, EXTEND_TIMEOUT_USEC: EXTENSION_USEC })
    else this.manager.insist({ STOPPING: 1, STATUS })
    this.stops = true
  }

  close(): void {
    this.cancelRest()
    for (const end of this.endings.splice(0)) end()
    this.manager.close()
  }

  /** A guest may make its disk change as often as it likes; the manager hears of it once a second. */
  private changed(): void {
    this.stale = true
    if (this.resting || this.stops) return
    this.resting = true
    this.say()
    this.cancelRest = this.clock.after(STATUS_PAUSE_MS, () => {
      this.resting = false
      if (this.stale) this.changed()
    })
  }

  private say(): void {
    const text = disksText(this.api.list())
    if (text !== this.told && !this.manager.tell({ STATUS: text })) return // still stale: after the pause again
    this.told = text
    this.stale = false
  }
}

/** `3 disks: 2 connected, 1 failed`. */
export function disksText(devices: readonly DeviceListing[]): string {
  if (devices.length === 0) return 'no disks'
  const counts = new Map<string, number>()
  for (const word of devices.map(wordOf)) counts.set(word, (counts.get(word) ?? 0) + 1)
  const parts = [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([word, count]) => `${count} ${word}`)
  return `${devices.length === 1 ? '1 disk' : `${devices.length} disks`}: ${parts.join(', ')}`
}

function wordOf({ gaveUp, state, backendState }: DeviceListing): string {
  if (gaveUp || state === 'Failed') return 'failed'
  if (backendState === 'Connected') return 'connected'
  if (backendState === 'InitWait') return 'offered'
  return backendState === 'Closed' ? 'closed' : 'changing'
}
