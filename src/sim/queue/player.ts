/**
 * @packageDocumentation
 * Plays a plan of one queue: a world is made of it, its weather changes from step to step, its back end dies and is
 * gone on with, and in the end everything must come to rest. What is found wrong on the way ends the run.
 *
 *   steps ─ weather · company · world.step ─► calm: all that was asked for must be answered ─► ending ─► verdicts
 *                                                                     replay of every journal, power cut ─┘
 */
import { COUNTER } from '../../core/statistics.js'
import { chainsOf } from '../../journal/chain.js'
import { segmentsInMemory } from '../../journal/journal-files.js'
import { replayJournals } from '../../journal/replay.js'
import { QueueState, queueStateNames } from '../../machines/generated/queue.js'
import { XbbdError, sentenceOf } from '../../protocol/errors.js'
import { RunDigest } from '../digest.js'
import type { Finding, Outcome, PlayOptions } from '../family.js'
import { HonestFront } from '../honest-front.js'
import { CONFUSING, HostileFront } from '../hostile-front.js'
import { Random } from '../random.js'
import { World } from '../world.js'
import type { BadSuccessor, Seams, WorldOptions } from '../world-options.js'
import { COMMAND_YIELD } from '../../core/records.js'
import { MANNERS } from './manners.js'
import { drawLimit } from './plan.js'
import type { QueuePlan } from './plan.js'
import { Killed, Reaper } from './reaper.js'

/** How tests plant faults: into every world of a run, and into its successors. */
export interface Fault {
  readonly world?: Partial<WorldOptions>
  readonly successor?: BadSuccessor
}

/** Steps within which a calm world answers one of those that wait, ends an I/O, or comes to rest. */
const CALM_STEPS = 2000
/** And steps within which all of it is over: a disk may take its I/Os one after the other, but not for ever. */
const REST_STEPS = 100 * CALM_STEPS
/** Pages of a hostile front end. */
const HOSTILE_PAGES = 48

/** Its ring cannot be gone on from: it lied about what only it and we knew. */
class Refused extends Error {}

export class QueueRun {
  readonly world: World
  private readonly plan: QueuePlan
  private readonly options: PlayOptions
  private readonly successor: BadSuccessor | undefined
  private readonly findings: Finding[] = []
  private readonly reaper = new Reaper()
  private readonly random: Random
  private step = 0
  private deathsLeft: number
  private hungSince = 0
  private refused = false
  private seen = { violations: 0, complaints: 0 }

  constructor(plan: QueuePlan, options: PlayOptions = {}, fault: Fault = {}) {
    this.plan = plan
    this.options = options
    this.successor = fault.successor
    this.random = new Random(plan.seed + 7919)
    this.deathsLeft = plan.deaths ?? 0
    const faults = fault.world ?? {}
    const seams = { ...this.reaper.seams(() => this.world.ring) }
    this.world = new World({ ...worldOptions(plan), ...faults, seams: joined(seams, faults.seams) })
  }

  run(family: string): Outcome {
    try {
      this.play()
    } catch (error) {
      if (error instanceof Refused) this.refuse(error)
      else this.find('no-exception', sentenceOf(error))
    }
    this.look()
    if (this.findings.length === 0) this.judgeJournals()
    return this.outcome(family)
  }

  private refuse({ message }: Refused): void {
    this.refused = true
    this.note(`the journal is not gone on from: ${message}`)
  }

  private play(): void {
    const { plan, world } = this
    this.strike()
    for (; this.step < plan.steps && this.isWell(); this.step++) {
      this.trouble()
      this.live(() => world.step(world.front.entries < (plan.requests ?? Infinity)))
      this.look()
    }
    if (plan.ending === 'cut') return this.cutPower()
    this.calm()
    if (plan.ending === 'drain') this.answerAll()
    if (this.isWell()) {
      this.note(`it ends: ${plan.ending}`)
      this.live(() => world.end(plan.ending === 'cut' ? 'drain' : plan.ending))
    }
    this.rest()
  }

  /** Whether more makes sense: nothing was found, the ring stands. */
  private isWell(): boolean {
    return this.findings.length === 0 && !this.isOver()
  }

  private isOver(): boolean {
    const { lost, isDrained, core } = this.world
    return lost || isDrained || core.queueState === QueueState.Broken
  }

  /** Runs to Drained, and to Detached; its back end may still die on the way. */
  private rest(): void {
    const { world } = this
    const goesOn = () => !world.isDrained && !world.lost && this.findings.length === 0
    const done = () => world.ring.answeredTo + world.disk.ended
    let before = done()
    const last = this.step + REST_STEPS
    for (let left = CALM_STEPS; left > 0 && this.step < last && goesOn(); left--, this.step++) {
      if (done() !== before) left = CALM_STEPS
      before = done()
      this.live(() => world.step(false))
      this.look()
    }
    this.reaper.left = Infinity
    if (this.findings.length > 0 || world.lost) return
    if (!world.finish(1)) this.find('progress', `the queue is ${this.state()} and does not become Drained`)
    this.look()
    if (this.findings.length === 0) this.judgeLeftovers()
  }

  private judgeLeftovers(): void {
    const { core, plane } = this.world
    const { freeCount, slots, extents, gate } = core
    const left = [slots - freeCount, extents.used, gate.length, gate.active, core.spaceWanted, plane.inFlightIo]
    if (left.some((count) => count !== 0))
      this.find('closed-is-empty', `slots, pages, line, at work, wanting space, I/Os left: ${left.join(' ')}`)
  }

  /** Trouble ends: the disk answers, what is full is emptied, what is gone comes back. */
  private calm(): void {
    const { world } = this
    world.disk.hanging = false
    world.calmed = true
    if (world.disk.gone && !this.isOver()) this.live(() => world.reopen())
    world.disk.full = false
    this.note('calm')
  }

  private answerAll(): void {
    const { world } = this
    const { front } = world
    let before = front.answered
    for (let left = CALM_STEPS; left > 0 && front.outstanding.size > 0 && this.isWell(); left--, this.step++) {
      if (front.answered !== before) left = CALM_STEPS
      before = front.answered
      // Whoever forgets to tell of its requests tells of them in the end.
      if (this.plan.forgets !== undefined && left % 50 === 0) world.storm()
      this.live(() => world.step(false))
      this.look()
    }
    if (front.outstanding.size > 0 && this.isWell())
      this.find('progress', `${front.outstanding.size} requests wait for ever, the queue is ${this.state()}`)
  }

  private cutPower(): void {
    const { front, disk } = this.world
    this.note('the power is cut')
    const wrong = front instanceof HonestFront ? front.promised.judgeImage(disk.afterPowerCut()) : undefined
    if (wrong !== undefined) this.find('front-end', wrong)
  }

  /** What happens beside the requests in this step. */
  private trouble(): void {
    const { plan, world, random } = this
    const { weather } = plan
    const { disk } = world
    const now = (share: number | undefined) => share !== undefined && random.chance(share)
    if (disk.hanging && this.step - this.hungSince > 20) disk.hanging = false
    else if (now(weather.hangs)) {
      disk.hanging = !disk.hanging
      this.hungSince = this.step
      this.note(disk.hanging ? 'the disk hangs' : 'the disk goes on')
    }
    if (disk.gone ? random.chance(0.2) : now(weather.vanishes)) this.vanish()
    if (now(weather.resizes)) this.resize()
    if (now(plan.recalls)) world.recall(1 + random.below(4))
    if (now(plan.limits)) world.limit(random.chance(0.5) ? drawLimit(random) : undefined)
    if (now(plan.storms)) world.storm()
    if (now(plan.yields)) this.hand()
    if (now(plan.parks)) this.park()
  }

  private vanish(): void {
    const { world } = this
    this.note(world.disk.gone ? 'the disk is opened anew' : 'the disk vanishes')
    if (world.disk.gone) world.reopen()
    else world.disk.gone = true
  }

  private resize(): void {
    const { sectors } = this.plan
    const now = (sectors >>> 1) + 8 * this.random.below((sectors >>> 4) + 1)
    this.note(`the disk has ${now} sectors`)
    this.world.resize(now)
  }

  /** Another process takes over on purpose. */
  private hand(): void {
    const { world } = this
    if (world.disk.hanging) return
    this.note('another process takes over')
    this.live(() => world.command(COMMAND_YIELD))
    for (let left = 500; left > 0 && !world.hasYielded && this.isWell(); left--) this.live(() => world.step(true))
    if (!this.isWell()) return
    if (!world.hasYielded && world.core.queueState === QueueState.Yielded)
      return this.find('progress', 'what was in flight does not come to an end')
    if (world.hasYielded) this.live(() => this.takeOver())
  }

  private park(): void {
    const { world } = this
    if (world.disk.hanging || (world.disk.full && this.plan.weather.onEnospc === 'wait')) return
    this.note('parked')
    this.live(() => world.drain())
    for (let left = 500; left > 0 && !this.isOver() && this.findings.length === 0; left--) {
      this.live(() => world.step(true))
      this.look()
    }
    const { left } = this.reaper
    this.reaper.left = Infinity
    if (world.isDrained && world.finish(1)) world.comeBack()
    this.reaper.left = left
  }

  /** Does something during which the back end may die, and is gone on with, again and again. */
  private live(act: () => void): void {
    for (let again = act; ; again = () => this.takeOver()) {
      try {
        return again()
      } catch (error) {
        if (!(error instanceof Killed)) throw error
        this.note(`the back end dies ${error.message}`)
        this.strike()
      }
    }
  }

  private takeOver(): void {
    try {
      this.world.recover(this.successor)
    } catch (error) {
      const untrusted = error instanceof XbbdError && error.code === 'XBBD_JOURNAL_UNTRUSTED'
      if (untrusted && this.plan.lies?.rspProd !== undefined) throw new Refused(error.message)
      throw error
    }
  }

  /** Decides after how many effects the back end dies next; half of them die again while they recover. */
  private strike(): void {
    const { deathWithin = 160 } = this.plan
    const soon = this.world.deaths > 0 && this.random.chance(0.5)
    this.reaper.left = this.deathsLeft-- > 0 ? this.random.below(soon ? 6 : deathWithin) : Infinity
  }

  /** What laws and front end have found since the last look. */
  private look(): void {
    const { laws, front } = this.world
    for (; this.seen.violations < laws.violations.length; this.seen.violations++) {
      const { law, text } = laws.violations[this.seen.violations]
      this.find(law, text)
    }
    for (; this.seen.complaints < front.complaints.length; this.seen.complaints++)
      this.find('front-end', front.complaints[this.seen.complaints])
  }

  private judgeJournals(): void {
    const files = { chains: chainsOf(segmentsInMemory(this.world.segments)), problems: [] }
    const { journals } = replayJournals(files, { compiledOnly: this.plan.shadow !== true })
    for (const { divergences, damage } of journals) {
      for (const { sentence } of divergences) this.find('replay-agrees', sentence)
      for (const sentence of damage) this.find('replay-agrees', sentence)
    }
  }

  private find(law: string, sentence: string): void {
    this.findings.push({ law, sentence, step: this.step })
    this.note(`${law}: ${sentence}`)
  }

  private note(sentence: string): void {
    this.options.note?.(this.step, sentence)
  }

  private state(): string {
    return queueStateNames[this.world.core.queueState]
  }

  private outcome(family: string): Outcome {
    const { world, plan } = this
    const { front, core } = world
    const digest = new RunDigest()
    for (const words of world.segments) digest.words(words)
    digest.text(front.digest.hex())
    const counts = {
      entries: front.entries, hostile: front.lies, answers: front.answered, kills: this.reaper.struckCount,
      takeovers: world.deaths, errors: front.errors, abandoned: core.statistics[COUNTER.abandoned],
      refused: this.refused ? 1 : 0, steps: this.step,
    }
    return { family, seed: plan.seed, violations: this.findings, digest: digest.hex(), counts }
  }
}

/** Both layers: `inner` lies nearer to the plane. */
function joined(inner: Seams, outer: Seams | undefined): Seams {
  if (outer === undefined) return inner
  const both = <Port>(a?: (port: Port) => Port, b?: (port: Port) => Port) => (port: Port) => {
    const through = b ? b(port) : port
    return a ? a(through) : through
  }
  return {
    ring: both(inner.ring, outer.ring),
    grants: both(inner.grants, outer.grants),
    medium: both(inner.medium, outer.medium),
    sink: both(inner.sink, outer.sink),
    segment: () => {
      outer.segment?.()
      inner.segment?.()
    },
  }
}

function worldOptions(plan: QueuePlan): WorldOptions {
  const { seed, steps, weather, manner, lies, indirect, refuses = [] } = plan
  const { depth: diskDepth, fills, vanishes, resizes, ...disk } = weather
  const full = fills !== undefined && weather.onEnospc !== 'wait'
  const errorsExpected = vanishes !== undefined || resizes !== undefined || full
  const { abi, ringEntries, slots, arenaChunks, segmentWords, sectors, putsMax, depth } = plan
  return {
    seed, steps, abi, ringEntries, slots, arenaChunks, segmentWords, sectors, putsMax, depth, ...disk,
    limits: {
      readOnly: plan.readOnly === true,
      ...(plan.sectorSize !== undefined && { sectorSize: plan.sectorSize }),
      offersFlush: !refuses.includes('flush'),
      offersBarrier: !refuses.includes('barrier'),
      offersDiscard: !refuses.includes('discard'),
    },
    ...(diskDepth !== undefined && { diskDepth }),
    ...(fills !== undefined && { fillShare: fills }),
    ...(indirect !== undefined && { indirect }),
    ...(plan.trace && { trace: true }),
    ...(plan.sleeps && { sleeps: true }),
    ...(plan.forgets !== undefined && { forgets: plan.forgets }),
    ...(plan.limit && { limit: plan.limit }),
    ...(plan.limit || plan.limits !== undefined ? { stepNs: 20_000 } : {}),
    ...(manner !== undefined && {
      asks: {
        smallShare: 0.8, tries: 6, ...MANNERS[manner], depth, ...plan.asks, ...(errorsExpected && { errorsExpected }),
      },
    }),
    ...(lies !== undefined && {
      lawless: CONFUSING.some((kind) => lies[kind] !== undefined),
      front: { pages: HOSTILE_PAGES, make: (parts) => new HostileFront(parts, HOSTILE_PAGES, indirect ?? 0, lies) },
    }),
  }
}
