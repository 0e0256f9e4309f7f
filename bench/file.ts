/**
 * @packageDocumentation
 * Bench (b): an O_DIRECT file through the ring. A front end in its own process keeps requests in flight, the daemon's
 * Worker moves them with io_uring; in turn with it, fio does the same on the same file.
 *
 *   4 KiB      one request of one segment for each of fio's
 *   128 KiB    three requests of 44 KiB (eleven segments, the most a request can have) for each of fio's
 *
 * The file is written in full before, so that no read is answered from a hole. The daemon takes a lock on it, which
 * fio does not look at; they never run at the same time.
 */
import { randomFillSync } from 'node:crypto'
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LoadPlan } from '../src/embedded/front-load.js'
import { BLKIF_OP_READ, BLKIF_OP_WRITE } from '../src/protocol/blkif.js'
import { Back, processCpuNs } from './back.js'
import { fio } from './fio.js'
import type { FioJob, FioResult } from './fio.js'
import { Front } from './front.js'
import { median } from './median.js'
import type { Pace } from './pace.js'
import { ringPagesFor } from './plane.js'

export interface FileLoad {
  readonly rw: FioJob['rw']
  readonly blockBytes: 4096 | 131072
  readonly depth: number
  /** The front end sleeps on its event channel instead of polling the ring. */
  readonly sleep: boolean
  readonly journal: 'inputs' | 'off'
}

export interface FileRow extends FileLoad {
  readonly bytesPerSecond: number
  readonly requestsPerSecond: number
  /** CPU of the daemon per request of the ring. */
  readonly cpuNs: number
  readonly p50Ns: number
  readonly p99Ns: number
  readonly fio: FioResult | undefined
  /** Bytes per second, ours to fio's: the median of the rounds' ratios. */
  readonly ratio: number | undefined
}

/** Requests that stand for one of fio's, and the segments of each. */
const SHAPES = { 4096: { requests: 1, segments: 1 }, 131072: { requests: 3, segments: 11 } } as const
const PAGE_BYTES = 4096
const RING_ENTRIES_MOST = 512

/** Makes the file. @returns its path, and what removes it. */
export function makeFile(bytes: number): { path: string; remove: () => void } {
  const path = join(tmpdir(), `xbbd-bench-${process.pid}.img`)
  const block = randomFillSync(Buffer.allocUnsafe(1 << 20))
  const descriptor = openSync(path, 'w', 0o600)
  for (let written = 0; written < bytes; written += block.length) writeSync(descriptor, block)
  fsyncSync(descriptor)
  closeSync(descriptor)
  return { path, remove: () => rmSync(path) }
}

/** One row: ours and fio's in turn, medians. */
export async function benchFile(
  path: string, sizeBytes: number, load: FileLoad, withFio: boolean, pace: Pace,
): Promise<FileRow> {
  const { requests, segments } = SHAPES[load.blockBytes]
  const depth = Math.min(RING_ENTRIES_MOST, load.depth * requests)
  const plan: LoadPlan = {
    depth, segments, op: load.rw.endsWith('read') ? BLKIF_OP_READ : BLKIF_OP_WRITE, sectors: sizeBytes / 512,
    random: load.rw.startsWith('rand'), seed: 1,
  }
  const job: FioJob = { ...load, file: path, sizeBytes, milliseconds: pace.measureMs }
  const back = await Back.start()
  const front = await Front.start({ dir: back.dir, ringPages: ringPagesFor(depth), depth, segments })
  try {
    const ours: Measured[] = []
    const theirs: FioResult[] = []
    for (let round = 0; round < pace.rounds; round++) {
      ours.push(await measure(back, front, path, plan, load, pace))
      if (withFio) theirs.push(await fio(job))
    }
    return { ...load, ...summary(ours, theirs) }
  } finally {
    await front.close()
    await back.close()
  }
}

interface Measured {
  readonly bytesPerSecond: number
  readonly requestsPerSecond: number
  readonly cpuNs: number
  readonly p50Ns: number
  readonly p99Ns: number
}

async function measure(
  back: Back, front: Front, path: string, plan: LoadPlan, { sleep, journal }: FileLoad, pace: Pace,
): Promise<Measured> {
  const attached = await back.attach(front.address, { target: path, slots: plan.depth, journal })
  if (attached.medium.notes.length > 0) process.stderr.write(`bench: ${attached.medium.notes.join('; ')}\n`)
  await front.run(plan, { milliseconds: pace.warmUpMs / 2, sleep })
  const cpu = processCpuNs()
  const { requests, wallNs, p50Ns, p99Ns } = await front.run(plan, { milliseconds: pace.measureMs, sleep })
  const cpuNs = (processCpuNs() - cpu) / requests
  await attached.detach()
  const requestsPerSecond = (requests * 1e9) / wallNs
  return { requestsPerSecond, bytesPerSecond: requestsPerSecond * plan.segments * PAGE_BYTES, cpuNs, p50Ns, p99Ns }
}

function summary(ours: readonly Measured[], theirs: readonly FioResult[]) {
  const of = (value: (run: Measured) => number) => median(ours.map(value))
  const ofFio = (value: (run: FioResult) => number) => median(theirs.map(value))
  return {
    bytesPerSecond: of((run) => run.bytesPerSecond),
    requestsPerSecond: of((run) => run.requestsPerSecond),
    cpuNs: of((run) => run.cpuNs),
    p50Ns: of((run) => run.p50Ns),
    p99Ns: of((run) => run.p99Ns),
    fio: theirs.length === 0 ? undefined : {
      requestsPerSecond: ofFio((run) => run.requestsPerSecond),
      bytesPerSecond: ofFio((run) => run.bytesPerSecond),
      cpuNs: ofFio((run) => run.cpuNs),
    },
    ratio: theirs.length === 0 ? undefined
      : median(theirs.map((run, round) => ours[round].bytesPerSecond / run.bytesPerSecond)),
  }
}
