/**
 * @packageDocumentation
 * Bench (a): what the plane can do when the disk costs nothing. A front end that polls, in a process of its own, keeps
 * `depth` requests in flight on a null medium:
 *
 *   a0    a discard of 4 KiB: one I/O of the medium, validated, journalled and stepped as any, but no byte moves
 *   a1    a write of one segment: the same, and one grant copy of 4 KiB
 *   a11   a write of eleven segments: one grant copy of 44 KiB
 *
 * Beside each stands the ceiling: the same front end with the same requests on a thread that answers at once. CPU is
 * that of the whole daemon's process, in which only the Worker is awake; it includes polling for work.
 */
import { Worker } from 'node:worker_threads'
import { COUNTER } from '../src/core/statistics.js'
import type { LoadPlan, LoadResult } from '../src/embedded/front-load.js'
import { BLKIF_OP_DISCARD, BLKIF_OP_WRITE } from '../src/protocol/blkif.js'
import { Back, processCpuNs } from './back.js'
import type { EchoData } from './echo-worker.js'
import { Front } from './front.js'
import { median } from './median.js'
import type { Pace } from './pace.js'
import { pin } from './pin.js'

export type PlaneLoad = 'a0' | 'a1' | 'a11'

export interface PlaneRow {
  readonly load: PlaneLoad
  readonly depth: number
  readonly journal: 'inputs' | 'off'
  readonly requestsPerSecond: number
  /** Of the daemon's process, per request. */
  readonly cpuNs: number
  readonly p50Ns: number
  readonly p99Ns: number
  /** Requests per batch of the journal, on average. */
  readonly perBatch: number
  readonly ceilingPerSecond: number
}

const DISK_SECTORS = 1 << 21
const SEGMENTS = { a0: 0, a1: 1, a11: 11 } as const

/** Ring pages for so many requests in flight. */
export function ringPagesFor(depth: number): number {
  return depth <= 32 ? 1 : depth <= 128 ? 4 : 16
}

/** What every request of a load is. */
export function planOf(load: PlaneLoad, depth: number): LoadPlan {
  const op = load === 'a0' ? BLKIF_OP_DISCARD : BLKIF_OP_WRITE
  return { depth, op, segments: SEGMENTS[load], sectors: DISK_SECTORS, random: true, seed: 1 }
}

/** One row: warm up, measure the plane and the ceiling in turn, take medians. */
export async function benchPlane(load: PlaneLoad, depth: number, journal: 'inputs' | 'off', pace: Pace): Promise<PlaneRow> {
  pin(process.pid, 'daemon')
  const back = await Back.start()
  const ringPages = ringPagesFor(depth)
  const front = await Front.start({ dir: back.dir, ringPages, depth, segments: Math.max(1, SEGMENTS[load]) })
  try {
    const plan = planOf(load, depth)
    const runs: Measured[] = []
    const ceilings: number[] = []
    for (let round = 0; round < pace.rounds; round++) {
      runs.push(await measure(back, front, plan, journal, pace))
      ceilings.push(await ceiling(back, front, plan, ringPages, pace))
    }
    const of = (value: (run: Measured) => number) => median(runs.map(value))
    return {
      load, depth, journal,
      requestsPerSecond: of(({ result }) => perSecond(result)),
      cpuNs: of(({ result, cpuNs }) => cpuNs / result.requests),
      p50Ns: of(({ result }) => result.p50Ns),
      p99Ns: of(({ result }) => result.p99Ns),
      perBatch: of(({ perBatch }) => perBatch),
      ceilingPerSecond: median(ceilings),
    }
  } finally {
    await front.close()
    await back.close()
  }
}

export function perSecond({ requests, wallNs }: LoadResult): number {
  return (requests * 1e9) / wallNs
}

interface Measured {
  readonly result: LoadResult
  readonly cpuNs: number
  readonly perBatch: number
}

async function measure(
  back: Back, front: Front, plan: LoadPlan, journal: 'inputs' | 'off', pace: Pace,
): Promise<Measured> {
  const attached = await back.attach(front.address, { target: 'null:1G', slots: plan.depth, journal })
  await front.run(plan, { milliseconds: pace.warmUpMs })
  const before = attached.statistics()
  const cpu = processCpuNs()
  const result = await front.run(plan, { milliseconds: pace.measureMs })
  const cpuNs = processCpuNs() - cpu
  const batches = attached.statistics()[COUNTER.batches] - before[COUNTER.batches]
  await attached.detach()
  return { result, cpuNs, perBatch: result.requests / batches }
}

async function ceiling(back: Back, front: Front, plan: LoadPlan, ringPages: number, pace: Pace): Promise<number> {
  const { handle, unmap } = await back.mapRing(front.address)
  const data: EchoData = { ringHandle: handle, ringPages, idleMs: 500 }
  const worker = new Worker(new URL('./echo-worker.js', import.meta.url), { workerData: data })
  await new Promise((resolve) => worker.once('message', resolve))
  const ended = new Promise((resolve) => worker.once('exit', resolve))
  const result = await front.run(plan, { milliseconds: pace.measureMs / 2 })
  await ended
  await unmap()
  return perSecond(result)
}
