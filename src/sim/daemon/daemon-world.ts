/**
 * @packageDocumentation
 * The whole daemon in one thread and in time of its own: supervisor, devices, media, queues and their recovery, over a
 * simulated machine with guests and a toolstack that act as they please, and processes that die between any two
 * effects. One seed decides all of it: first who acts and what goes wrong at all, then how often.
 *
 *   toolstack ─ nodes ─┐                             ┌─ rings, grants, ports ─ guests
 *                      ├─► XenStore ─► daemon ◄──────┤
 *   guests ─ keys ─────┘            ▲  (killed,      └─ disks
 *                        journals ──┘   started again)
 *
 * In the end all is quiet: every device is detached, nothing may be held, and every journal must replay to itself.
 */
import { XenStored } from '../../embedded/xenstored/xenstored.js'
import { chainsOf } from '../../journal/chain.js'
import { segmentsInMemory } from '../../journal/journal-files.js'
import { replayJournals } from '../../journal/replay.js'
import type { Finding, Outcome, PlayOptions } from '../family.js'
import { Random } from '../random.js'
import type { SimDevice } from './device.js'
import { DiskModel } from './disk-model.js'
import { Disks } from './disks.js'
import { FRONT_PAGES, FrontEnd } from './front-end.js'
import { liveHonestly } from './honest-guests.js'
import { liveHostilely } from './hostile-guests.js'
import { liveSloppily } from './sloppy-guests.js'
import { heal, trouble } from './troubles.js'
import { Hypervisor } from './hypervisor.js'
import { Kernel } from './kernel.js'
import type { Blame } from './laws.js'
import { Leftovers, leftOf } from './leftovers.js'
import { Part, type Life } from './life.js'
import { deviceSettings, type DaemonPlan, type DomainPlan } from './plan.js'
import { DaemonProcess, type Machine, type ProcessSeams } from './process.js'
import { SimLedger, emptySegments, type Left } from './segments.js'
import { linkTo } from './store-link.js'
import { StoreWatch } from './store-watch.js'
import { Toolstack } from './toolstack.js'

export interface DaemonWorldOptions {
  readonly plan: DaemonPlan
  /** How tests plant faults. */
  readonly seams?: ProcessSeams
  /** Hears of everything; milliseconds of the world's time. */
  readonly note?: PlayOptions['note']
}

const SECTORS = 512
const VIOLATIONS_MAX = 20
/** Time enough for everything that may have begun to come to its end. */
const QUIET_MS = 100_000
/** The longest that anything of a device that is gone may be under way: a pause before it would have been restarted. */
const LATE_MS = 10_000
/** Between two looks for what devices have left behind. */
const LOOK_NS = 50e6

export class DaemonWorld {
  readonly plan: DaemonPlan
  readonly kernel = new Kernel()
  readonly random: Random
  readonly server = new XenStored()
  readonly hypervisor = new Hypervisor(this.kernel)
  readonly disks: Disks
  readonly devices: SimDevice[] = []
  readonly fronts: FrontEnd[] = []
  readonly violations: Finding[] = []
  readonly watch: StoreWatch
  readonly toolstack: Toolstack
  readonly machine: Machine
  process: DaemonProcess | undefined
  deaths = 0
  /** Workers that were shot. */
  shots = 0
  disturbedNs = 0
  /** The time of faults is over. */
  calm = false
  #left: Left
  readonly #leftovers: Leftovers
  #over = false
  #starting = false
  /** What the next process finds was left to it on purpose. */
  #announced = false
  readonly #options: DaemonWorldOptions
  readonly #always: Life = { alive: true, acts: () => true, did: () => undefined }

  constructor(options: DaemonWorldOptions) {
    this.#options = options
    this.plan = options.plan
    this.random = new Random(this.plan.seed + 7919)
    const { kernel, random, server, hypervisor, plan } = this
    const { blame } = this
    this.disks = new Disks(kernel, random, blame)
    this.disks.usualNs = plan.diskNs
    this.#left = emptySegments(plan.smallSegments, plan.largeSegments)
    this.machine = {
      kernel, random, hypervisor, disks: this.disks, store: { server, delayNs: plan.storeDelayNs },
      ledger: new SimLedger(), settings: deviceSettings(plan), workers: plan.workers, arenaChunks: plan.arenaChunks,
      hostFailShare: plan.hostFailShare, blame, log: options.note && ((line) => this.log(line)),
      ...(options.seams && { seams: options.seams }),
    }
    this.watch = new StoreWatch({
      server, blame, devices: () => this.devices, process: () => this.process, log: (line) => this.log(line),
      nowNs: () => kernel.nowNs,
    })
    this.#leftovers = new Leftovers(blame)
    const store = linkTo({ kernel, random, server, delayNs: plan.storeDelayNs }, 0, this.#always).client
    this.toolstack = new Toolstack({ kernel, random, store, server, hypervisor })
  }

  /** A law was broken: what follows would tell no more. */
  readonly #broken = (): boolean => this.violations.length > 0

  readonly blame: Blame = (law, sentence) => {
    this.log(`BROKEN ${law}: ${sentence}`)
    if (this.violations.length >= VIOLATIONS_MAX) return
    this.violations.push({ law, sentence, step: Math.floor(this.kernel.nowMs) })
  }

  log(line: string): void {
    this.#options.note?.(Math.floor(this.kernel.nowMs), line)
  }

  async run(): Promise<Outcome> {
    const { kernel, plan } = this
    this.#start(false)
    this.#lookForLeftovers()
    await this.#all(plan.domains.map((domain, index) => this.#domain(domain, index + 1)))
    if (plan.troubles.length > 0) this.#let(this.#troubles())
    await kernel.run(this.#broken, plan.durationMs)
    if (!this.#broken()) await this.#quiet()
    return this.#outcome()
  }

  /** One domain with its devices, from its creation on. */
  async #domain(plan: DomainPlan, domid: number): Promise<void> {
    const { toolstack } = this
    const domain = await toolstack.createDomain(domid, FRONT_PAGES * plan.devices.length)
    const life = new Part({ get alive() { return domain.alive }, acts: () => domain.alive, did: () => undefined })
    for (const [index, { guests, letter, paceNs, hostile, sloppy }] of plan.devices.entries()) {
      const name = `disk-${domid}-${letter}`
      const store = this.disks.add(name, SECTORS, 2 * SECTORS)
      const device: SimDevice = {
        place: toolstack.place(domid, `xvd${letter}`), store, model: new DiskModel(store),
        honest: hostile === undefined, sloppy: sloppy !== undefined, readOnly: false,
        reasons: new Set(), passing: new Set(), errors: false, attached: false, busy: false, lives: 0,
      }
      this.devices.push(device)
      await toolstack.attach(device)
      const client = linkTo({ kernel: this.kernel, random: this.random, ...this.machine.store }, domid, life).client
      const front = new FrontEnd({
        kernel: this.kernel, random: this.random, device, domain, life, store: client,
        firstPage: index * FRONT_PAGES, paceNs,
        blame: this.blame, disturbedNs: () => this.disturbedNs,
      })
      this.fronts.push(front)
      if (hostile) this.#let(liveHostilely(front, hostile.deeds, hostile.pauseNs))
      else this.#let(sloppy ? liveSloppily(front, sloppy) : liveHonestly(front, guests))
    }
  }

  /** One after the other, and now and then two at once. */
  async #troubles(): Promise<void> {
    const { kernel, random, plan } = this
    while (!this.calm) {
      await kernel.pause(1 + random.below(plan.troublePauseMs))
      if (this.calm) return
      const story = trouble(this, random.pick(plan.troubles))
      if (random.chance(0.7)) await story
      else this.#let(story)
    }
  }

  disturbed(): void {
    this.disturbedNs = this.kernel.nowNs
  }

  /** A domain dies, and its directories go a while later. */
  async destroy(domid: number): Promise<void> {
    const devices = this.devices.filter(({ place }) => place.domid === domid)
    for (const front of this.fronts) if (front.parts.domain.domid === domid) front.dead()
    await this.toolstack.destroy(domid, devices, this.random.below(50))
  }

  /** The process ends in good order: for a while, or because another one takes over. */
  async leave(mode: 'park' | 'yield'): Promise<void> {
    const leaving = this.process
    if (leaving?.ready !== true) return
    leaving.ready = false
    this.#announced = mode === 'yield'
    await leaving.stop(mode)
  }

  /** A story of its own; what it throws is a mistake of the simulator, unless it is dead. */
  #let(story: Promise<void>): void {
    story.catch((error: unknown) => 
      this.blame('simulator', error instanceof Error ? String(error.stack) : String(error)))
  }

  /** Stories that are to come to their end before time goes on by itself. */
  async #all(stories: readonly Promise<void>[]): Promise<void> {
    let done = false
    this.#let(Promise.all(stories).then(() => void (done = true)))
    if (!(await this.#come(() => done))) 
      this.blame('simulator', 'a story does not come to its end')
  }

  /** Lets time pass until `condition`, or until a law is broken. */
  #come(condition: () => boolean, withinMs = QUIET_MS): Promise<boolean> {
    return this.kernel.run(() => condition() || this.#broken(), withinMs)
  }

  #start(announced: boolean): void {
    const { plan, random } = this
    this.#starting = false
    if (this.#over) return
    const planned = plan.deaths > this.deaths && !this.calm
      ? { effect: 1 + random.below(plan.deathWithin), after: random.chance(0.5) } : undefined
    this.disturbedNs = this.kernel.nowNs
    const next = new DaemonProcess(this.machine, this.deaths + 1, this.#left, planned, () => this.#ended(next))
    this.process = next
    next.start(announced).catch((error: unknown) => 
      this.blame('alone', `the daemon does not start: ${String(error)}`))
    this.log(`process ${this.deaths + 1} starts`)
  }

  #ended({ pool, life }: DaemonProcess): void {
    this.deaths++
    this.disturbedNs = this.kernel.nowNs
    this.#left = pool.words.map((words) => words.slice())
    this.process = undefined
    this.log(`process ${this.deaths} ended at effect ${life.effects} ${life.last}`)
    if (this.#over || this.#starting) return
    this.#starting = true
    const announced = this.#announced
    this.#announced = false
    this.kernel.after((2 + this.random.below(50)) * 1e6, () => this.#start(announced))
  }

  /** Nothing goes wrong any more: everyone finishes, all is detached, and nothing may be left. */
  async #quiet(): Promise<void> {
    this.calm = true
    this.disturbed()
    for (const device of this.devices) heal(device)
    await this.#come(() => this.process?.ready === true)
    const guests = () => this.fronts.filter(({ parts: { domain, device } }) =>
      domain.alive && device.attached && device.honest && !device.sloppy && device.reasons.size === 0)
    await this.#come(() => guests().every(({ owed }) => owed === 0))
    for (const front of this.fronts) {
      front.finishing = true
      front.look()
    }
    if (!(await this.#come(() => guests().every(({ ended }) => ended))))
      this.blame('progress', 'a guest cannot finish')
    const hostile = new Set(this.devices.filter(({ honest }) => !honest).map(({ place: { domid } }) => domid))
    await this.#all([...hostile].map((domid) => this.destroy(domid)))
    await this.#come(() => this.devices.every(({ busy }) => !busy))
    const attached = this.devices.filter((device) => device.attached)
    await this.#all(attached.map((device) => this.toolstack.detach(device, 60_000)))
    const idle = () => this.process !== undefined && this.process.list().length === 0
    if (!(await this.#come(idle))) 
      this.blame('progress', `devices are left: ${this.#list()}`)
    if (!this.#broken()) await this.#judgeLeftovers()
    if (this.#broken()) return
    this.#judgeRest()
    let stopped = false
    this.process?.stop('park').then(
      () => (stopped = true), (error: unknown) => this.blame('alone', String(error)),
    )
    this.#over = true
    if (!(await this.#come(() => stopped))) 
      this.blame('progress', 'the daemon does not stop')
  }

  #lookForLeftovers(): void {
    if (this.#over) return
    this.#leftovers.look(this.process, this.devices, this.kernel.nowNs)
    this.kernel.after(LOOK_NS, () => this.#lookForLeftovers())
  }

  /** What arrives late is waited for, and then judged. */
  async #judgeLeftovers(): Promise<void> {
    const left = () => this.process && leftOf(this.process, this.plan.arenaChunks)
    if (!(await this.#come(() => left() === undefined, LATE_MS))) this.blame('bounded', String(left()))
  }

  #list(): string {
    return (this.process?.list() ?? []).map(({ name, state }) => `${name} in ${state}`).join(', ') || 'no daemon'
  }

  #judgeRest(): void {
    const { host } = this.process ?? {}
    const held = host?.held()
    if (held && held.rings + held.channels + held.grants > 0) 
      this.blame('released', `held in the end: ${JSON.stringify(held)}`)
    for (const store of this.disks.stores.values())
      if (store.holders.length > 0) this.blame('released', `${store.name} is open in the end`)
    // Whoever is still about to close waits for nothing any more: what it was not answered may be there or not.
    for (const front of this.fronts) front.dropRings()
    for (const { model, honest } of this.devices) {
      const wrong = honest ? model.compare() : undefined
      if (wrong !== undefined) this.blame('contents', wrong)
    }
  }

  #outcome(): Outcome {
    const { digest } = this.watch
    const chains = chainsOf(segmentsInMemory(this.#left, 'sim'))
    for (const words of this.#left) digest.words(words.filter((word) => word !== 0))
    const replay = replayJournals({ chains, problems: [] }, { compiledOnly: true })
    for (const { journal, divergences, damage: found } of replay.journals) {
      // Where segments were recycled, what stood in them is missing.
      const damage = found.filter((sentence) => !sentence.includes('are missing'))
      if (divergences.length + damage.length > 0)
        this.blame('replay', `${journal} does not replay: ${divergences[0]?.sentence ?? damage[0]}`)
    }
    const answered = this.fronts.reduce((sum, front) => sum + front.answered, 0)
    const { seed } = this.plan
    const hostile = this.fronts.reduce((sum, front) => sum + front.deeds, 0)
    const counts = { entries: answered, hostile, answers: answered, kills: this.deaths, nodes: this.watch.changes }
    return { family: 'daemon', seed, violations: this.violations, digest: digest.hex(), counts }
  }
}
