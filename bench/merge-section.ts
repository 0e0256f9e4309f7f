/**
 * @packageDocumentation
 * Bench (m): neighbouring requests as one transfer (`medium.merge-size`) against each alone, on an O_DIRECT file. In
 * sequential loads nearly every request has a neighbour, in random ones none has: these show what looking for them costs.
 *
 * Both ways are measured in turn, round by round, on one Worker, so that the ratios are of one run.
 */
import { formatBytes, formatCount, formatNanoseconds } from '../src/cli/units.js'
import { COUNTER } from '../src/core/statistics.js'
import type { LoadPlan } from '../src/embedded/front-load.js'
import { BLKIF_OP_READ, BLKIF_OP_WRITE } from '../src/protocol/blkif.js'
import { Back, open, processCpuNs } from './back.js'
import { makeFile } from './file.js'
import { Front } from './front.js'
import { median } from './median.js'
import type { Pace } from './pace.js'
import { pin, pinNote } from './pin.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const MiB = 1 << 20
const DEPTH = 32
const MERGE_BYTES = 256 << 10

const LOADS = [
  { name: 'read', op: BLKIF_OP_READ, random: false },
  { name: 'write', op: BLKIF_OP_WRITE, random: false },
  { name: 'randread', op: BLKIF_OP_READ, random: true },
  { name: 'randwrite', op: BLKIF_OP_WRITE, random: true },
] as const
type Load = (typeof LOADS)[number]
const SEGMENTS = [1, 11] as const

interface Measured {
  readonly requestsPerSecond: number
  readonly cpuNs: number
  /** Operations that the disk was asked for, to one request. */
  readonly operations: number
}

interface Row extends Measured {
  readonly load: string
  readonly segments: number
  readonly together: boolean
  /** Requests per second, to each alone; median of the rounds' ratios. */
  readonly ratio: number
}

export async function mergeSection(pace: Pace, say: Say): Promise<Section> {
  const size = (pace.quick ? 128 : 1024) * MiB
  say(`writing a file of ${formatBytes(size)}`)
  const { path, remove } = makeFile(size)
  const rows: Row[] = []
  try {
    for (const segments of SEGMENTS)
      for (const load of LOADS) {
        say(`${load.name} of ${formatBytes(segments * 4096)}`)
        rows.push(...(await inTurn(path, load, segments, size, pace)))
      }
  } finally {
    remove()
  }
  return {
    name: 'm',
    title: `neighbours as one transfer of at most ${formatBytes(MERGE_BYTES)} against each alone, ${DEPTH} in flight, O_DIRECT`,
    columns: columns('|load', 'request', '|neighbours', 'requests/s', 'operations each', 'CPU per request', 'ratio'),
    table: rows.map((row) => [
      row.load, formatBytes(row.segments * 4096), row.together ? 'together' : 'alone', formatCount(row.requestsPerSecond),
      row.operations.toFixed(2), formatNanoseconds(row.cpuNs), `${row.ratio.toFixed(2)}×`,
    ]),
    notes: ['Ratio: requests per second, to each alone in the same round. CPU: of the daemon, polling included.', pinNote],
    rows,
  }
}

async function inTurn(path: string, load: Load, segments: number, size: number, pace: Pace): Promise<Row[]> {
  pin(process.pid, 'daemon')
  const back = await Back.start()
  const front = await Front.start({ dir: back.dir, ringPages: 1, depth: DEPTH, segments })
  const plan = { depth: DEPTH, op: load.op, segments, sectors: size / 512, random: load.random, seed: 1 }
  const ways = [{ mergeBytes: 0 }, { mergeBytes: MERGE_BYTES }]
  const runs: Measured[][] = ways.map(() => [])
  try {
    for (let round = 0; round < pace.rounds; round++)
      for (const [index, way] of ways.entries()) runs[index].push(await measure(back, front, path, way, plan, pace))
  } finally {
    await front.close()
    await back.close()
  }
  return ways.map(({ mergeBytes }, index) => ({
    load: load.name, segments, together: mergeBytes > 0,
    requestsPerSecond: median(runs[index].map((run) => run.requestsPerSecond)),
    cpuNs: median(runs[index].map((run) => run.cpuNs)),
    operations: median(runs[index].map((run) => run.operations)),
    ratio: median(runs[index].map((run, round) => run.requestsPerSecond / runs[0][round].requestsPerSecond)),
  }))
}

async function measure(
  back: Back, front: Front, target: string, way: { readonly mergeBytes: number }, plan: LoadPlan, pace: Pace,
): Promise<Measured> {
  const medium = open(target, way)
  const attached = await back.attach(front.address, { target, slots: plan.depth, medium })
  await front.run(plan, { milliseconds: pace.warmUpMs / 2 })
  const before = Float64Array.from(attached.statistics())
  const cpu = processCpuNs()
  const { requests, wallNs } = await front.run(plan, { milliseconds: pace.measureMs })
  const cpuNs = processCpuNs() - cpu
  const operations = attached.statistics()[COUNTER.operations] - before[COUNTER.operations]
  await attached.detach()
  medium.close()
  return { requestsPerSecond: (requests * 1e9) / wallNs, cpuNs: cpuNs / requests, operations: operations / requests }
}
