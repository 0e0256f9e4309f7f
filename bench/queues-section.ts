/**
 * @packageDocumentation
 * Bench (q): the same requests in flight on one queue, on four queues of one Worker, and on four queues of two Workers,
 * over one medium, as a device with several queues has it. What several queues gain depends on how many processors
 * there are for Workers and guest together; the table says how many there were.
 *
 * Front ends sleep until they are notified: four that poll would take the processors from those whom they wait for. The
 * shapes are measured in turn, round by round, so that the ratios are of one run.
 */
import { cpus } from 'node:os'
import { formatCount, formatNanoseconds } from '../src/cli/units.js'
import type { LoadPlan } from '../src/embedded/front-load.js'
import { BLKIF_OP_READ } from '../src/protocol/blkif.js'
import { Back, open, processCpuNs } from './back.js'
import { makeFile } from './file.js'
import { Front } from './front.js'
import { median } from './median.js'
import type { Pace } from './pace.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const MiB = 1 << 20
/** Requests in flight, in all. */
const DEPTH = 64

interface Shape {
  readonly queues: number
  readonly workers: number
}

const SHAPES: readonly Shape[] = [{ queues: 1, workers: 1 }, { queues: 4, workers: 1 }, { queues: 4, workers: 2 }]

interface Measured {
  readonly requestsPerSecond: number
  readonly cpuNs: number
}

interface Row extends Shape, Measured {
  readonly medium: string
  /** Requests per second, to those of one queue; median of the rounds' ratios. */
  readonly ratio: number
}

/** A back end with as many Workers, and as many front ends as it has queues. */
interface Stage {
  readonly back: Back
  readonly fronts: readonly Front[]
}

export async function queuesSection(pace: Pace, say: Say): Promise<Section> {
  const size = (pace.quick ? 128 : 512) * MiB
  say('writing a file')
  const { path, remove } = makeFile(size)
  const rows: Row[] = []
  try {
    for (const [medium, target] of [['null', `null:${size}`], ['file', path]] as const) {
      say(`random reads of 4 KiB on ${medium}`)
      rows.push(...(await inTurn(medium, target, size, pace)))
    }
  } finally {
    remove()
  }
  return {
    name: 'q',
    title: `random reads of 4 KiB, ${DEPTH} in flight, by queues and Workers; ${cpus().length} processors for all`,
    columns: columns('|medium', 'queues', 'Workers', 'requests/s', 'CPU per request', 'ratio'),
    table: rows.map((row) => [
      row.medium, String(row.queues), String(row.workers), formatCount(row.requestsPerSecond),
      formatNanoseconds(row.cpuNs), `${row.ratio.toFixed(2)}×`,
    ]),
    notes: ['Ratio: requests per second, to one queue in the same round. CPU: of the daemon. Nobody is kept on a processor.'],
    rows,
  }
}

async function inTurn(medium: string, target: string, size: number, pace: Pace): Promise<Row[]> {
  const stages: Stage[] = []
  try {
    for (const shape of SHAPES) stages.push(await stageFor(shape))
    const runs: Measured[][] = SHAPES.map(() => [])
    for (let round = 0; round < pace.rounds; round++)
      for (const [index, stage] of stages.entries()) runs[index].push(await measure(stage, target, size, pace))
    return SHAPES.map((shape, index) => ({
      ...shape, medium,
      requestsPerSecond: median(runs[index].map((run) => run.requestsPerSecond)),
      cpuNs: median(runs[index].map((run) => run.cpuNs)),
      ratio: median(runs[index].map((run, round) => run.requestsPerSecond / runs[0][round].requestsPerSecond)),
    }))
  } finally {
    for (const { fronts, back } of stages) {
      for (const front of fronts) await front.close()
      await back.close()
    }
  }
}

async function stageFor({ queues, workers }: Shape): Promise<Stage> {
  const back = await Back.start({ workers })
  const fronts: Front[] = []
  for (let queue = 0; queue < queues; queue++)
    fronts.push(await Front.start({ dir: back.dir, ringPages: 2, depth: DEPTH / queues, segments: 1, pinned: false }))
  return { back, fronts }
}

async function measure({ back, fronts }: Stage, target: string, size: number, pace: Pace): Promise<Measured> {
  const medium = open(target)
  const slots = DEPTH / fronts.length
  const queues = []
  for (const { address } of fronts) queues.push(await back.attach(address, { target, slots, medium }))
  const plan = (seed: number): LoadPlan =>
    ({ depth: slots, op: BLKIF_OP_READ, segments: 1, sectors: size / 512, random: true, seed })
  const run = (milliseconds: number) =>
    Promise.all(fronts.map((front, queue) => front.run(plan(queue + 1), { milliseconds, sleep: true })))
  await run(pace.warmUpMs / 2)
  const cpu = processCpuNs()
  const results = await run(pace.measureMs)
  const cpuNs = processCpuNs() - cpu
  for (const queue of queues) await queue.detach()
  medium.close()
  const requests = results.reduce((sum, result) => sum + result.requests, 0)
  const wallNs = Math.max(...results.map((result) => result.wallNs))
  return { requestsPerSecond: (requests * 1e9) / wallNs, cpuNs: cpuNs / requests }
}
