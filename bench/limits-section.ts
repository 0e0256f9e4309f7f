/**
 * @packageDocumentation
 * Bench (l): rate limits in real time. How exactly a limited disk gets what it may have, and its burst after a rest;
 * what its neighbour keeps beside it; what a limit costs that never holds anybody back.
 *
 *   rest ─► burst + rate × time ─► rate × time        a run after a rest, and one right behind it
 *   neighbour alone ─► beside the limited disk ─► beside the same disk without its limit     (in turn, round by round)
 *
 * Front ends sleep until they are notified. The neighbour has one request in flight on a file: it is slowed by
 * whatever keeps its Worker, or the processors, from it.
 */
import { cpus } from 'node:os'
import { formatCount } from '../src/cli/units.js'
import { BLKIF_OP_READ } from '../src/protocol/blkif.js'
import type { RateLimit } from '../src/protocol/rate-limit.js'
import { Back, open } from './back.js'
import type { Attached } from './back.js'
import { makeFile } from './file.js'
import { Front } from './front.js'
import { median } from './median.js'
import type { Pace } from './pace.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const MiB = 1 << 20
const DEPTH = 32
const NULL_BYTES = 1024 * MiB
const LIMIT: RateLimit = { iops: 1000, iopsBurst: 500 }
const NEVER_MET: RateLimit = { iops: 1e9 }

interface Row {
  readonly what: string
  readonly requestsPerSecond: number
  /** What the figure is compared with, and the ratio to that. */
  readonly to: string
  readonly ratio: number
}

export async function limitsSection(pace: Pace, say: Say): Promise<Section> {
  say('a disk at its limit')
  const exact = await exactness(pace)
  say('its neighbour')
  const neighbour = await neighbours(pace)
  say('a limit that nobody meets')
  const rows = [...exact, ...neighbour, await cost(pace)]
  return {
    name: 'l',
    title: `a disk limited to ${LIMIT.iops} requests/s, ${LIMIT.iopsBurst} at once; ${cpus().length} processors for all`,
    columns: columns('|what', 'requests/s', '|compared with', 'ratio'),
    table: rows.map((row) => [row.what, formatCount(row.requestsPerSecond), row.to, `${row.ratio.toFixed(3)}×`]),
    notes: ['A burst is what a run after a rest gets beyond the rate. Ratios of the neighbour: medians over the rounds.'],
    rows,
  }
}

async function exactness(pace: Pace): Promise<Row[]> {
  const { iops = 0, iopsBurst = 0 } = LIMIT
  const stage = await Stage.start(1)
  try {
    const queue = await stage.attach(0, `null:${NULL_BYTES}`, LIMIT)
    await sleep(2 * (iopsBurst / iops) * 1000)
    const rested = await stage.run(0, NULL_BYTES, 1000)
    const long = await stage.run(0, NULL_BYTES, pace.quick ? 2000 : 10_000)
    await queue.detach()
    const burst = rested.requests - (rested.wallNs / 1e9) * iops
    return [
      row('over a long run', (long.requests * 1e9) / long.wallNs, 'its limit', iops),
      row('at once, after a rest', burst, 'its burst', iopsBurst),
    ]
  } finally {
    await stage.close()
  }
}

async function neighbours(pace: Pace): Promise<Row[]> {
  const bytes = (pace.quick ? 128 : 512) * MiB
  const file = makeFile(bytes)
  const stage = await Stage.start(2)
  const rounds: number[][] = []
  try {
    for (let round = 0; round < pace.rounds; round++) {
      const figures: number[] = []
      for (const limit of [undefined, LIMIT, {}]) {
        const beside = limit && (await stage.attach(0, `null:${NULL_BYTES}`, limit))
        const queue = await stage.attach(1, file.path)
        if (beside) await stage.run(0, NULL_BYTES, 500)
        const [result] = await Promise.all([
          stage.run(1, bytes, pace.measureMs, 1),
          beside && stage.run(0, NULL_BYTES, pace.measureMs),
        ])
        figures.push((result.requests * 1e9) / result.wallNs)
        await queue.detach()
        await beside?.detach()
      }
      rounds.push(figures)
    }
  } finally {
    await stage.close()
    file.remove()
  }
  const of = (index: number) => median(rounds.map((figures) => figures[index]))
  const ratio = (index: number) => median(rounds.map((figures) => figures[index] / figures[0]))
  return [
    { what: 'neighbour alone', requestsPerSecond: of(0), to: 'itself', ratio: 1 },
    { what: 'neighbour of the limited disk', requestsPerSecond: of(1), to: 'alone', ratio: ratio(1) },
    { what: 'neighbour of it without its limit', requestsPerSecond: of(2), to: 'alone', ratio: ratio(2) },
  ]
}

async function cost(pace: Pace): Promise<Row> {
  const stage = await Stage.start(1)
  const ratios: number[] = []
  const rates: number[] = []
  try {
    // The first round is for the compiler.
    for (let round = 0; round <= pace.rounds; round++) {
      const figures: number[] = []
      for (const limit of [{}, NEVER_MET]) {
        const queue = await stage.attach(0, `null:${NULL_BYTES}`, limit)
        await stage.run(0, NULL_BYTES, pace.warmUpMs / 2)
        const { requests, wallNs } = await stage.run(0, NULL_BYTES, pace.measureMs)
        figures.push((requests * 1e9) / wallNs)
        await queue.detach()
      }
      if (round === 0) continue
      rates.push(figures[1])
      ratios.push(figures[1] / figures[0])
    }
  } finally {
    await stage.close()
  }
  return { what: 'under a limit never met', requestsPerSecond: median(rates), to: 'without', ratio: median(ratios) }
}

/** One Worker, and front ends of which each is a process. */
class Stage {
  private readonly back: Back
  private readonly fronts: readonly Front[]
  private seed = 1

  private constructor(back: Back, fronts: readonly Front[]) {
    this.back = back
    this.fronts = fronts
  }

  static async start(fronts: number): Promise<Stage> {
    const back = await Back.start()
    const started: Front[] = []
    for (let index = 0; index < fronts; index++)
      started.push(await Front.start({ dir: back.dir, ringPages: 1, depth: DEPTH, segments: 1, pinned: false }))
    return new Stage(back, started)
  }

  async attach(front: number, target: string, limit?: RateLimit): Promise<Attached> {
    const medium = open(target)
    const wanted = limit && Object.keys(limit).length > 0 ? { limit } : {}
    const queue = await this.back.attach(this.fronts[front].address, { target, slots: DEPTH, medium, ...wanted })
    const detach = async () => {
      await queue.detach()
      medium.close()
    }
    return { ...queue, detach }
  }

  run(front: number, bytes: number, milliseconds: number, depth = DEPTH) {
    const plan = { depth, op: BLKIF_OP_READ, segments: 1, sectors: bytes / 512, random: true, seed: this.seed++ }
    return this.fronts[front].run(plan, { milliseconds, sleep: true })
  }

  async close(): Promise<void> {
    for (const front of this.fronts) await front.close()
    await this.back.close()
  }
}

const row = (what: string, requestsPerSecond: number, to: string, asked: number): Row =>
  ({ what, requestsPerSecond, to, ratio: requestsPerSecond / asked })

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
