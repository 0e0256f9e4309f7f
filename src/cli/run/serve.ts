/**
 * @packageDocumentation
 * The daemon's process, from lock to exit status. The order matters:
 *
 *   settings ─► lock run.dir ─► open the world ─► control socket ─► port for metrics ─► «ready»
 *   stop ─► devices parked or closed ─► answer to who asked ─► control socket ─► world ─► lock ─► status
 *
 * The lock comes before anything that could disturb another daemon and goes last; the control socket answers only
 * when devices can be asked about. SIGTERM and SIGINT park, a second one stops waiting, SIGHUP reads the configuration
 * again.
 */
import type { EventEmitter } from 'node:events'
import type { StopOutcome } from '../../ports/daemon-api.js'
import { owned as ownedEntries } from '../../io/native/owners.js'
import { systemClock } from '../../io/native/system-clock.js'
import { sentenceOf, XbbdError } from '../../protocol/errors.js'
import { controlSocketOf } from '../config/cross-check.js'
import { loadSettings, settingsOrThrow, type Layers, type Origins } from '../config/load.js'
import { planReload, type ReloadPlan } from '../config/reload.js'
import type { Settings } from '../config/schema.js'
import { controlMethods, type ControlledDaemon } from '../control/methods.js'
import { listenForMetrics, metricsHttp } from '../control/metrics-http.js'
import { ControlServer } from '../control/server.js'
import { pendingText } from '../pending.js'
import { Announcer } from './announcer.js'
import { lockRunDir } from './lock.js'
import type { Log } from './log.js'
import { scraperOf, type Scraper } from './scrape.js'
import { ServiceManager } from './service-manager.js'
import { statusOf, Stopper } from './stopper.js'
import type { OpenWorld, World } from './world.js'

/** What a process gives its daemon. */
export interface ServeOptions {
  readonly version: string
  /** Reads file and flags anew; called at start and at every reload. */
  readonly layers: () => Layers
  readonly openWorld: OpenWorld
  readonly openLog: (level: Settings['log.level']) => Log
  /** `process`, or what stands for it in a test: emits SIGTERM, SIGINT, SIGHUP. */
  readonly signals: EventEmitter
  /** Says whether a service manager wants to be told how it goes (service-manager.ts). */
  readonly environment: NodeJS.ProcessEnv
}

const WORLD_LOST = 69

/** Runs a daemon until it is stopped. @returns the exit status. Rejects with XbbdError when it could not start. */
export async function serve(options: ServeOptions): Promise<number> {
  const loaded = settingsOrThrow(loadSettings(options.layers()))
  const log = options.openLog(loaded.settings['log.level'])
  const warn = (sentence: string) => log.warn(sentence)
  const { environment } = options
  const manager = new ServiceManager({ environment, pid: process.pid, clock: systemClock, warn })
  const lock = lockRunDir(loaded.settings['run.dir'])
  log.info({ version: options.version }, 'starting')
  const early = holdSignals(options.signals)
  try {
    const world = await options.openWorld(loaded.settings, log)
    try {
      const announcer = new Announcer(manager, world.api, systemClock)
      return await new Service(options, loaded, world, log, announcer).run(early)
    } finally {
      await world.close()
    }
  } finally {
    early.release()
    lock.release()
  }
}

const ENDING = ['SIGTERM', 'SIGINT'] as const

/** A signal while the world is being opened must not tear it apart half-built: it is kept until the daemon can obey. */
interface HeldSignals {
  first(): string | undefined
  release(): void
}

function holdSignals(signals: EventEmitter): HeldSignals {
  let first: string | undefined
  const hold = (name: string) => void (first ??= name)
  for (const name of ENDING) signals.on(name, hold)
  return {
    first: () => first,
    release() {
      for (const name of ENDING) signals.off(name, hold)
    },
  }
}

interface LoadedSettings {
  readonly settings: Settings
  readonly origins: Origins
}

/** A daemon that has started. */
class Service implements ControlledDaemon {
  private readonly options: ServeOptions
  private readonly world: World
  private readonly log: Log
  private readonly announcer: Announcer
  private readonly stopper: Stopper
  private readonly since = new Date().toISOString()
  private settings: Settings
  private origins: Origins

  constructor(options: ServeOptions, loaded: LoadedSettings, world: World, log: Log, announcer: Announcer) {
    this.options = options
    this.world = world
    this.log = log
    this.announcer = announcer
    this.stopper = new Stopper(world.api, log, (mode, pending) => announcer.stopping(mode, pending))
    this.settings = loaded.settings
    this.origins = loaded.origins
  }

  get api() {
    return this.world.api
  }

  async run(early: HeldSignals): Promise<number> {
    const socket = controlSocketOf(this.settings)
    const scraper = scraperOf(this.world, this.options.version, systemClock)
    const control = await ControlServer.listen(socket, controlMethods(this), metricsHttp(scraper.text))
    const closePort = await this.openPort(scraper, control)
    const release = this.takeSignals()
    early.release()
    let lost = false
    void this.world.lost.then((error) => {
      lost = true
      this.log.fatal({ error: sentenceOf(error) }, 'the world is gone: parking what can be parked')
      void this.stopper.stop('park', this.settings['park.timeout']).catch(() => undefined)
    })
    this.log.info({ version: this.options.version, world: this.world.kind, socket }, 'ready')
    this.announcer.ready()
    const held = early.first()
    if (held !== undefined) this.stopper.signal(held, this.settings['park.timeout'])
    try {
      const outcome = await this.stopper.done
      const status = statusOf(outcome)
      this.report(outcome)
      return lost && status === 0 ? WORLD_LOST : status
    } finally {
      release()
      this.announcer.close()
      await new Promise((resolve) => setImmediate(resolve)) // whoever asked for the stop has its answer written first
      await control.close()
      await closePort()
      scraper.close()
    }
  }

  /** The port for Prometheus, where one is wanted; a daemon that cannot have it does not start. */
  private async openPort(scraper: Scraper, control: ControlServer): Promise<() => Promise<void>> {
    const address = this.settings['metrics.listen']
    if (address === '') return () => Promise.resolve()
    try {
      return await listenForMetrics(address, scraper.text)
    } catch (error) {
      scraper.close()
      await control.close()
      throw error
    }
  }

  private report({ mode, devices, left, held }: StopOutcome): void {
    if (left.length > 0) this.log.error({ mode, left }, `stopped; left behind: ${pendingText(left)}`)
    else if (held.rings + held.channels + held.grants > 0)
      this.log.error({ mode, held }, 'stopped, but mappings are still held: this is a fault of xbbd')
    else this.log.info({ mode, devices }, `stopped: all devices ${mode === 'park' ? 'parked' : 'closed'}`)
  }

  status() {
    const owned = ownedEntries()
    const count = (kind: string) => owned.filter((entry) => entry.kind === kind).length
    return {
      version: this.options.version,
      pid: process.pid,
      world: this.world.kind,
      since: this.since,
      devices: this.api.list().length,
      held: this.api.held(),
      owned: { descriptors: count('descriptor'), mappings: count('mapping') },
      state: this.stopper.state,
    }
  }

  config() {
    return { settings: this.settings, origins: this.origins }
  }

  stop(...[mode, timeoutMs, progress]: Parameters<ControlledDaemon['stop']>) {
    return this.stopper.stop(mode, timeoutMs ?? this.settings['park.timeout'], progress)
  }

  reload(): Pick<ReloadPlan, 'changed' | 'waiting'> {
    return this.announcer.reloading(() => this.readAgain())
  }

  private readAgain(): Pick<ReloadPlan, 'changed' | 'waiting'> {
    const read = settingsOrThrow(loadSettings(this.options.layers()))
    const plan = planReload(this.settings, read.settings)
    this.settings = plan.settings
    const origins = Object.fromEntries(plan.changed.map((key) => [key, read.origins[key]]))
    this.origins = { ...this.origins, ...origins }
    this.log.level = this.settings['log.level']
    this.world.apply(this.settings)
    const { changed, waiting } = plan
    this.log.info({ changed, waiting }, waiting.length === 0 ? 'reloaded' : 'reloaded; some wait for the next start')
    return { changed, waiting }
  }

  /** @returns what takes the handlers away again. */
  private takeSignals(): () => void {
    const { signals } = this.options
    const end = (name: string) => this.stopper.signal(name, this.settings['park.timeout'])
    const hup = () => {
      try {
        this.reload()
      } catch (error) {
        if (!(error instanceof XbbdError)) throw error
        this.log.error(`not reloaded, everything stays as it is: ${error.message}`)
      }
    }
    for (const name of ENDING) signals.on(name, end)
    signals.on('SIGHUP', hup)
    return () => {
      for (const name of ENDING) signals.off(name, end)
      signals.off('SIGHUP', hup)
    }
  }
}
