/**
 * @packageDocumentation
 * Bench (i): the same bytes in flight as requests of eleven segments, which is what an entry holds, of 32 by indirect
 * descriptors, which is what Linux takes, and of 256. On a null medium it shows what a request costs the daemon, on an
 * O_DIRECT file what the disk makes of longer I/Os.
 *
 * The shapes are measured in turn, round by round, on one Worker, so that the ratios are of one run.
 */
import { formatBytes, formatCount, formatNanoseconds } from '../src/cli/units.js'
import { COUNTER } from '../src/core/statistics.js'
import type { LoadPlan } from '../src/embedded/front-load.js'
import { BLKIF_OP_READ, BLKIF_OP_WRITE } from '../src/protocol/blkif.js'
import { Back, processCpuNs } from './back.js'
import { makeFile } from './file.js'
import { Front } from './front.js'
import { median } from './median.js'
import type { Pace } from './pace.js'
import { pin, pinNote } from './pin.js'
import { ringPagesFor } from './plane.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const MiB = 1 << 20
const PAGE_BYTES = 4096

/** Four mebibytes in flight, near enough. */
const SHAPES = [
  { segments: 11, depth: 96 },
  { segments: 32, depth: 32 },
  { segments: 256, depth: 4 },
] as const
type Shape = (typeof SHAPES)[number]

const LOADS = [
  { name: 'write', op: BLKIF_OP_WRITE, random: false },
  { name: 'read', op: BLKIF_OP_READ, random: false },
  { name: 'randread', op: BLKIF_OP_READ, random: true },
] as const
type Load = (typeof LOADS)[number]

interface Measured {
  readonly bytesPerSecond: number
  readonly requestsPerSecond: number
  readonly cpuNsPerMiB: number
}

interface Row extends Measured {
  readonly medium: string
  readonly load: string
  readonly segments: number
  /** Bytes per second, to those of requests of eleven segments; median of the rounds' ratios. */
  readonly ratio: number
}

export async function indirectSection(pace: Pace, say: Say): Promise<Section> {
  const size = (pace.quick ? 128 : 1024) * MiB
  say(`writing a file of ${formatBytes(size)}`)
  const { path, remove } = makeFile(size)
  const rows: Row[] = []
  try {
    for (const [medium, target] of [['null', `null:${size}`], ['file', path]] as const)
      for (const load of LOADS) {
        say(`${load.name} on ${medium}`)
        rows.push(...(await inTurn(medium, target, load, size, pace)))
      }
  } finally {
    remove()
  }
  return {
    name: 'i',
    title: 'four mebibytes in flight, by segments of a request: eleven in an entry, more by indirect descriptors',
    columns: columns('|medium', '|load', 'segments', 'request', 'requests/s', 'bytes/s', 'CPU per MiB', 'ratio'),
    table: rows.map((row) => [
      row.medium, row.load, String(row.segments), formatBytes(row.segments * PAGE_BYTES),
      formatCount(row.requestsPerSecond), formatBytes(row.bytesPerSecond), formatNanoseconds(row.cpuNsPerMiB),
      `${row.ratio.toFixed(2)}×`,
    ]),
    notes: [
      'Ratio: bytes per second, to those with eleven segments in the same round. CPU: of the daemon, polling included.',
      pinNote,
    ],
    rows,
  }
}

async function inTurn(medium: string, target: string, load: Load, size: number, pace: Pace): Promise<Row[]> {
  pin(process.pid, 'daemon')
  const back = await Back.start()
  const fronts: Front[] = []
  try {
    for (const { segments, depth } of SHAPES)
      fronts.push(await Front.start({ dir: back.dir, ringPages: ringPagesFor(depth), depth, segments }))
    const runs: Measured[][] = SHAPES.map(() => [])
    for (let round = 0; round < pace.rounds; round++)
      for (const [index, shape] of SHAPES.entries())
        runs[index].push(await measure(back, fronts[index], target, planOf(load, shape, size), pace))
    return SHAPES.map(({ segments }, index) => ({
      medium, load: load.name, segments, ...middle(runs[index]),
      ratio: median(runs[index].map((run, round) => run.bytesPerSecond / runs[0][round].bytesPerSecond)),
    }))
  } finally {
    for (const front of fronts) await front.close()
    await back.close()
  }
}

function planOf({ op, random }: Load, { segments, depth }: Shape, size: number): LoadPlan {
  return { depth, op, segments, sectors: size / 512, random, seed: 1 }
}

async function measure(back: Back, front: Front, target: string, plan: LoadPlan, pace: Pace): Promise<Measured> {
  const indirect = plan.segments > 11 ? plan.segments : 0
  const attached = await back.attach(front.address, { target, slots: plan.depth, indirect })
  await front.run(plan, { milliseconds: pace.warmUpMs / 2 })
  const before = attached.statistics()
  const cpu = processCpuNs()
  const { requests, wallNs } = await front.run(plan, { milliseconds: pace.measureMs })
  const cpuNs = processCpuNs() - cpu
  const after = attached.statistics()
  await attached.detach()
  const bytes = requests * plan.segments * PAGE_BYTES
  const taken = after[COUNTER.indirects] - before[COUNTER.indirects]
  if (indirect > 0 && taken === 0) throw new Error('no indirect request was seen where all were to be')
  return {
    bytesPerSecond: (bytes * 1e9) / wallNs,
    requestsPerSecond: (requests * 1e9) / wallNs,
    cpuNsPerMiB: (cpuNs * MiB) / bytes,
  }
}

function middle(runs: readonly Measured[]): Measured {
  const of = (value: (run: Measured) => number) => median(runs.map(value))
  return {
    bytesPerSecond: of((run) => run.bytesPerSecond),
    requestsPerSecond: of((run) => run.requestsPerSecond),
    cpuNsPerMiB: of((run) => run.cpuNsPerMiB),
  }
}
