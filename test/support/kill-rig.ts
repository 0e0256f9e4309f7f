/**
 * @packageDocumentation
 * A daemon that is killed again and again while a front end in a process of its own verifies what it wrote: at random
 * moments, at every named kill point of the data path, and while it recovers. Used by the suite for a few rounds and by
 * `npm run soak:kill` for many.
 *
 *   round:  daemon starts (perhaps with a planted kill) ─► it serves ─► it dies ─► next round        front end: pause
 */
import { readdirSync } from 'node:fs'
import { KILL_POINTS, type KillPoint } from '../../src/actors/kill-points.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { Random } from '../../src/sim/random.js'
import { RealWorld } from './processes.js'
import type { Running } from './xbbd-process.js'

export interface KillOptions {
  readonly rounds: number
  readonly seed?: number
  /** Largest call of the load; more than 44 KiB is several requests, for want of indirect descriptors. */
  readonly maxBytes?: number
  readonly imageBytes?: number
  /** What is started as `xbbd`; the compiled tree's by default. */
  readonly program?: string
  /** Whole path; below the world's directory by default. */
  readonly runDir?: string
  /** Extra faults, such as `delay=5`: a slow disk keeps writes in flight when the daemon dies. */
  readonly plant?: string
  readonly say?: (round: number, how: string) => void
}

export interface KillReport {
  readonly rounds: number
  /** How often the process died where, `random` for a moment of no name. */
  readonly deaths: Readonly<Record<string, number>>
  /** Of each successor that answered. */
  readonly firstAnswers: readonly FirstAnswer[]
  /** What the front end says of itself in the end. */
  readonly result: Readonly<Record<string, unknown>>
  readonly status: number | null
}

/** Milliseconds to a successor's first answer: from the start of its process, and from its own first line in the log. */
export interface FirstAnswer {
  readonly fromRestart: number
  readonly fromProgram: number
}

/** Points that every life passes often; the others are passed once in a recovery. */
const RARE: readonly KillPoint[] = ['rolling', 'folded', 'adopted']
/** A planted point that is not reached so long after the first answer, or at all, is replaced by a plain SIGKILL. */
const PATIENCE_MS = { served: 15_000, atAll: 60_000 }

export async function killAgainAndAgain(options: KillOptions): Promise<KillReport> {
  const world = await RealWorld.start()
  try {
    return await new KillRig(world, options).run()
  } finally {
    await world.close()
  }
}

class KillRig {
  private readonly world: RealWorld
  private readonly options: KillOptions
  private readonly random: Random
  private readonly deaths: Record<string, number> = {}
  private readonly firstAnswers: FirstAnswer[] = []

  constructor(world: RealWorld, options: KillOptions) {
    this.world = world
    this.options = options
    this.random = new Random(options.seed ?? 1)
  }

  private get runDir(): string {
    return this.options.runDir ?? `${this.world.dir}/kills`
  }

  async run(): Promise<KillReport> {
    const { rounds, maxBytes = 65_536, imageBytes = 16 << 20 } = this.options
    const { world } = this
    const front = world.started({}, 'test/support/verifying-front.js', world.hostDir, String(maxBytes))
    const domid = Number(/domid (\d+)/.exec(await front.line(/^domid/))?.[1])
    const first = await world.daemon({ runDir: this.runDir, plant: this.options.plant ?? '' })
    await first.attach({ domid, target: world.image(imageBytes) })
    await front.line(/^connected/)
    await this.pause(150)
    first.signal('SIGKILL')
    await first.ended
    if (this.options.program !== undefined) await this.settledLife(front)
    for (let round = 0; round < rounds; round++) await this.round(round, front)
    const last = await this.live('', front)
    await last.line(/"msg":"ready"/)
    front.child.stdin?.write('stop\n')
    const result = JSON.parse((await front.line(/^result/)).slice('result '.length)) as Record<string, unknown>
    const { status } = await front.ended
    return { rounds, deaths: this.deaths, firstAnswers: this.firstAnswers, result, status }
  }

  /** An installed program that has lived for some seconds leaves its compiled code to the next (run/code-cache.ts). */
  private async settledLife(front: Running): Promise<void> {
    const daemon = await this.live('', front)
    const keeps = () => readdirSync(this.runDir).some((name) => /^code-[0-9a-f]+$/.test(name))
    for (let waited = 0; !keeps() && waited < PATIENCE_MS.served; waited += 50) await this.pause(50)
    daemon.child.kill('SIGKILL')
    await daemon.ended
  }

  private async round(round: number, front: Running): Promise<void> {
    const point = round % 2 === 0 ? undefined : KILL_POINTS[(round >>> 1) % KILL_POINTS.length]
    const visit = point === undefined || RARE.includes(point) ? 1 : 1 + this.random.below(60)
    const seen = firsts(front).length
    const daemon = await this.live(point === undefined ? '' : `kill=${point}:${visit}`, front)
    const over = daemon.ended.then(() => true)
    // A third of the moments of no name lie before the first answer, in the start or in the recovery itself.
    const early = point === undefined && this.random.chance(0.34)
    const moment = early ? this.pause(this.random.below(600)) : this.served(front, seen).then(() => this.pause(
      point === undefined ? this.random.below(120) : PATIENCE_MS.served,
    ))
    const itself = await Promise.race([over, moment.then(() => false)])
    if (!itself) daemon.child.kill('SIGKILL')
    await daemon.ended
    const how = itself && point !== undefined ? point : 'random'
    this.deaths[how] = (this.deaths[how] ?? 0) + 1
    this.options.say?.(round, how)
  }

  /** A successor; when it has answered, it is noted how long that took. */
  private live(plant: string, front: Running): Promise<Running> {
    const { world } = this
    const seen = firsts(front).length
    front.child.stdin?.write('mark\n')
    const faults = [plant, this.options.plant ?? ''].filter((word) => word !== '').join(',')
    const places = ['--run-dir', this.runDir, '--host-dir', world.hostDir, '--journal-size', '16M', '--restart-max', '1000']
    const began = systemClock.wallMs()
    const { program = 'src/cli/main.js' } = this.options
    const daemon = world.started({ XBBD_PLANT: faults }, program, 'run', ...places)
    void daemon.ended.then(() => {
      const answered = firsts(front).at(seen)
      const started = startOf(daemon)
      // What was read before it began was the dead one's.
      if (answered === undefined || started === undefined || answered < started) return
      this.firstAnswers.push({ fromRestart: answered - began, fromProgram: answered - started })
    })
    return Promise.resolve(daemon)
  }

  /** Resolves when the front end has had an answer since `seen` were noted. */
  private async served(front: Running, seen: number): Promise<void> {
    for (let waited = 0; firsts(front).length === seen && waited < PATIENCE_MS.atAll; waited += 5) await this.pause(5)
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void setTimeout(resolve, milliseconds))
  }
}

/** When it said that it was starting, by the wall clock. */
function startOf(daemon: Running): number | undefined {
  const line = daemon.stderr().split('\n').find((text) => text.includes('"msg":"starting"'))
  return line === undefined ? undefined : Date.parse((JSON.parse(line) as { time: string }).time)
}

function firsts(front: Running): number[] {
  return [...front.stderr().matchAll(/^first ([\d.]+)$/gm)].map(([, text]) => Number(text))
}
