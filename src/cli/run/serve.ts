/**
 * @packageDocumentation
 * The daemon's process, from lock to exit status. The order matters:
 *
 *   settings ─► lock run.dir ─► open the world ─► control socket ─► ports ─► «ready»
 *   stop ─► devices parked or closed ─► answer to who asked ─► control socket ─► world ─► lock ─► status
 *
 *   succeeding: settings ─► world, all but the devices ─► its turn ─► lock ─► devices ─► control socket ─► «ready»
 *   upgraded:   devices let go ─► control socket, lock ─► the successor serves ─► status; else from the lock again
 *
 * The lock comes before anything that could disturb another daemon and goes last; the control socket answers only
 * when devices can be asked about. SIGTERM and SIGINT park, a second one stops waiting, SIGHUP reads the configuration
 * again, or, when another build stands where this one was started from, changes to that.
 */
import type { EventEmitter } from 'node:events'
import type { StopOutcome } from '../../ports/daemon-api.js'
import { owned as ownedEntries } from '../../io/native/owners.js'
import { systemClock } from '../../io/native/system-clock.js'
import { codeOf, sentenceOf, XbbdError } from '../../protocol/errors.js'
import { controlSocketOf } from '../config/cross-check.js'
import { loadSettings, settingsOrThrow, type Layers, type Origins } from '../config/load.js'
import { planReload, type ReloadPlan } from '../config/reload.js'
import type { Settings } from '../config/schema.js'
import { controlMethods, type ControlledDaemon } from '../control/methods.js'
import { listenForMetrics, metricsHttp } from '../control/metrics-http.js'
import { ControlServer } from '../control/server.js'
import { pendingText } from '../pending.js'
import { buildOf, sameBuild, type Build } from '../upgrade/build.js'
import { Handover, type Ending } from '../upgrade/handover.js'
import { NOT_WANTED, placesOf, Succession } from '../upgrade/succession.js'
import type { ProgramCommand } from '../upgrade/successor-process.js'
import { Announcer } from './announcer.js'
import { keepCode } from './code-cache.js'
import { lockRunDir, lockRunDirSoon, type RunLock } from './lock.js'
import type { Log } from './log.js'
import { pageDoor, type PageDoor } from './page-door.js'
import { scraperOf, type Scraper } from './scrape.js'
import { ServiceManager } from './service-manager.js'
import { statusOf, Stopper } from './stopper.js'
import type { OpenWorld, Readiness, World } from './world.js'

/** What a process gives its daemon. */
export interface ServeOptions {
  readonly version: string
  /** Reads file and flags anew; called at start and at every reload. */
  readonly layers: () => Layers
  readonly openWorld: OpenWorld
  readonly openLog: (level: Settings['log.level']) => Log
  /** `process`, or what stands for it in a test: emits SIGTERM, SIGINT, SIGHUP. */
  readonly signals: EventEmitter
  /** Says whether a service manager wants to be told how it goes, and whether another process is succeeded. */
  readonly environment: NodeJS.ProcessEnv
  /** How this process was started, and its successor will be. */
  readonly command: ProgramCommand
}

const WORLD_LOST = 69

/** How long the lock may be somebody's who is about to let go, or is being ended. */
const LOCK_MS = 10_000
/** After so long a start, and what follows on it, has been compiled. */
const KEEP_CODE_MS = 3000

/** Runs a daemon until it is stopped. @returns the exit status. Rejects with XbbdError when it could not start. */
export async function serve(options: ServeOptions): Promise<number> {
  const succession = Succession.of(options.environment)
  try {
    return await serveFrom(options, succession)
  } catch (error) {
    if (codeOf(error) === NOT_WANTED) return 0
    succession?.failed(error)
    throw error
  }
}

async function serveFrom(options: ServeOptions, succession: Succession | undefined): Promise<number> {
  const loaded = settingsOrThrow(loadSettings(options.layers()))
  const log = options.openLog(loaded.settings['log.level'])
  const warn = (sentence: string) => log.warn(sentence)
  const { environment } = options
  const build = buildOf(options.command.program)
  const manager = new ServiceManager({ environment, pid: process.pid, clock: systemClock, warn })
  const place = new RunDir(loaded.settings['run.dir'])
  if (succession === undefined) place.lock()
  log.info({ version: options.version }, succession === undefined ? 'starting' : 'starting, to take over')
  const early = new HeldSignals(options.signals)
  early.hold()
  const parts = { options, loaded, build, manager, place, log, early }
  succession?.here(build)
  try {
    for (let from = succession; ; from = undefined) {
      const ending = await tenure(parts, from)
      if (ending !== 'again') return ending
      await place.lockSoon()
    }
  } finally {
    early.release()
    place.release()
  }
}

/** The directory that one process at a time serves. */
class RunDir {
  readonly path: string
  private held: RunLock | undefined

  constructor(path: string) {
    this.path = path
  }

  lock(): void {
    this.held = lockRunDir(this.path)
  }

  async lockSoon(): Promise<void> {
    this.held = await lockRunDirSoon(this.path, LOCK_MS)
  }

  release(): void {
    this.held?.release()
    this.held = undefined
  }
}

/** What a process keeps, however often it opens its world. */
interface ServiceParts {
  readonly options: ServeOptions
  readonly loaded: LoadedSettings
  readonly build: Build
  readonly manager: ServiceManager
  readonly place: RunDir
  readonly log: Log
  readonly early: HeldSignals
}

/** One world, from its opening to its end. `from`: another process is succeeded. */
async function tenure(parts: ServiceParts, from: Succession | undefined): Promise<Ending> {
  const { options, loaded: { settings }, log, place } = parts
  const awaitTurn = from && (async (readiness: Readiness) => {
    await from.awaitTurn(settings, readiness)
    await place.lockSoon()
  })
  const world = await options.openWorld(settings, log, awaitTurn)
  try {
    return await new Service(parts, world).run(from)
  } finally {
    await world.close()
  }
}

const ENDING = ['SIGTERM', 'SIGINT'] as const

/** A signal while the world is being opened must not tear it apart half-built: it is kept until the daemon can obey. */
class HeldSignals {
  first: string | undefined
  private readonly signals: EventEmitter
  private readonly note = (name: string) => void (this.first ??= name)

  constructor(signals: EventEmitter) {
    this.signals = signals
  }

  hold(): void {
    this.first = undefined
    for (const name of ENDING) this.signals.on(name, this.note)
  }

  release(): void {
    for (const name of ENDING) this.signals.off(name, this.note)
  }
}

interface LoadedSettings {
  readonly settings: Settings
  readonly origins: Origins
}

/** A daemon that has started. */
class Service implements ControlledDaemon {
  private readonly parts: ServiceParts
  private readonly world: World
  private readonly log: Log
  private readonly announcer: Announcer
  private readonly stopper: Stopper
  private readonly handover: Handover
  private readonly since = new Date().toISOString()
  /** Where others find us, another process may be found. */
  private leavePlaces: () => void = () => undefined
  private settings: Settings
  private origins: Origins

  constructor(parts: ServiceParts, world: World) {
    const { loaded, log, manager, build, options, place } = parts
    this.parts = parts
    this.world = world
    this.log = log
    this.announcer = new Announcer(manager, world.api, systemClock)
    this.stopper = new Stopper(world.api, log, (mode, pending) => this.announcer.stopping(mode, pending))
    this.settings = loaded.settings
    this.origins = loaded.origins
    this.handover = new Handover({
      world, log, stopper: this.stopper, announcer: this.announcer, api: world.api, command: options.command,
      identity: { ...build, pid: process.pid },
      environment: () => ({ ...options.environment, ...manager.heirloom }),
      places: () => placesOf(this.settings),
      leave: () => {
        this.leavePlaces()
        place.release()
      },
    })
  }

  get api() {
    return this.world.api
  }

  /** `from`: another process is succeeded, and told. */
  async run(from: Succession | undefined): Promise<Ending> {
    const { options: { version }, early } = this.parts
    const socket = controlSocketOf(this.settings)
    const scraper = scraperOf(this.world, version, systemClock)
    const page = pageDoor(this.world, this.settings, version)
    const http = metricsHttp(scraper.text, undefined, page.handle)
    const control = await ControlServer.listen(socket, controlMethods(this), http)
    const closePort = await this.openPorts(scraper, page, control)
    this.leavePlaces = () => {
      control.leave()
      void closePort()
    }
    const release = this.takeSignals()
    early.release()
    let lost = false
    void this.world.lost.then((error) => {
      lost = true
      this.log.fatal({ error: sentenceOf(error) }, 'the world is gone: parking what can be parked')
      void this.stopper.stop('park', this.settings['park.timeout']).catch(() => undefined)
    })
    this.log.info({ version, world: this.world.kind, socket }, 'ready')
    const cancelKeeping = systemClock.after(KEEP_CODE_MS, () => {
      const problem = keepCode()
      if (problem !== undefined) this.log.debug(problem)
    })
    // Only the predecessor can tell the manager of us; what we said before would be unheard.
    void from?.serving(this.world).then(() => this.announcer.ready())
    if (from === undefined) this.announcer.ready()
    const held = early.first
    if (held !== undefined) this.stopper.signal(held, this.settings['park.timeout'])
    try {
      const outcome = await this.stopper.done
      if (outcome.mode === 'yield') return await this.leave(early)
      const status = statusOf(outcome)
      this.report(outcome)
      return lost && status === 0 ? WORLD_LOST : status
    } finally {
      cancelKeeping()
      release()
      this.announcer.close()
      await new Promise((resolve) => setImmediate(resolve)) // whoever asked for the end has its answer written first
      await control.close()
      await closePort()
      scraper.close()
    }
  }

  /** The ports for Prometheus and for browsers, where they are wanted; a daemon that cannot have one does not start. */
  private async openPorts(scraper: Scraper, page: PageDoor, control: ControlServer): Promise<() => Promise<void>> {
    const address = this.settings['metrics.listen']
    const closers: (() => Promise<void>)[] = []
    try {
      if (address !== '') closers.push(await listenForMetrics(address, scraper.text))
      closers.push(await page.listen())
    } catch (error) {
      for (const close of closers) await close()
      scraper.close()
      await control.close()
      throw error
    }
    return async () => void (await Promise.all(closers.map((close) => close())))
  }

  /** Another process serves, or this one begins anew: then signals are kept for its next world. */
  private async leave(early: HeldSignals): Promise<Ending> {
    const ending = await this.handover.ending
    if (ending === 'again') early.hold()
    return ending
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
      version: this.parts.build.version,
      build: this.parts.build.build,
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

  upgrade(...[request, progress]: Parameters<ControlledDaemon['upgrade']>) {
    return this.handover.upgrade(request, progress)
  }

  reload(): Pick<ReloadPlan, 'changed' | 'waiting'> {
    return this.announcer.reloading(() => this.readAgain())
  }

  private readAgain(): Pick<ReloadPlan, 'changed' | 'waiting'> {
    const read = settingsOrThrow(loadSettings(this.parts.options.layers()))
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

  /** SIGHUP: changes to the build that is installed now, or reads the configuration again. */
  private async renew(): Promise<void> {
    try {
      if (this.isOtherBuild()) return void (await this.upgrade({ check: false }, () => undefined))
    } catch (error) {
      this.log.error(`not upgraded, the configuration alone is read again: ${sentenceOf(error)}`)
      if (this.stopper.state !== 'running') return
    }
    try {
      this.reload()
    } catch (error) {
      if (!(error instanceof XbbdError)) throw error
      this.log.error(`not reloaded, everything stays as it is: ${error.message}`)
    }
  }

  private isOtherBuild(): boolean {
    const { build, options: { command } } = this.parts
    return !sameBuild(build, buildOf(command.program))
  }

  /** @returns what takes the handlers away again. */
  private takeSignals(): () => void {
    const { signals } = this.parts.options
    const end = (name: string) => {
      if (!this.handover.passOn(name)) this.stopper.signal(name, this.settings['park.timeout'])
    }
    const hup = () => void this.renew()
    for (const name of ENDING) signals.on(name, end)
    signals.on('SIGHUP', hup)
    return () => {
      for (const name of ENDING) signals.off(name, end)
      signals.off('SIGHUP', hup)
    }
  }
}
