/**
 * @packageDocumentation
 * The yardstick: fio with io_uring, fixed buffers and registered files, which is as close to the kernel as a program
 * gets. It runs on the very file that the ring is measured on, in turn with it. Where fio is missing, the columns are
 * left out and the bench says so.
 */
import { spawn } from 'node:child_process'

export interface FioJob {
  readonly file: string
  readonly rw: 'randread' | 'randwrite' | 'read' | 'write'
  readonly blockBytes: number
  readonly depth: number
  readonly sizeBytes: number
  readonly milliseconds: number
}

export interface FioResult {
  readonly requestsPerSecond: number
  readonly bytesPerSecond: number
  /** CPU of fio per request, nanoseconds. */
  readonly cpuNs: number
}

interface FioReport {
  readonly jobs: readonly {
    readonly usr_cpu: number
    readonly sys_cpu: number
    readonly job_runtime: number
    readonly read: FioSide
    readonly write: FioSide
  }[]
}
interface FioSide {
  readonly total_ios: number
  readonly iops: number
  readonly bw_bytes: number
}

/** Rejects with fio's own words when it fails. */
export async function fio(job: FioJob): Promise<FioResult> {
  const report = JSON.parse(await output('fio', argumentsOf(job))) as FioReport
  const [{ usr_cpu, sys_cpu, job_runtime, read, write }] = report.jobs
  const side = job.rw.endsWith('read') ? read : write
  return {
    requestsPerSecond: side.iops,
    bytesPerSecond: side.bw_bytes,
    cpuNs: ((usr_cpu + sys_cpu) / 100) * ((job_runtime * 1e6) / side.total_ios),
  }
}

function argumentsOf({ file, rw, blockBytes, depth, sizeBytes, milliseconds }: FioJob): string[] {
  return [
    '--name=bench', `--filename=${file}`, '--ioengine=io_uring', '--fixedbufs', '--registerfiles', '--direct=1',
    `--rw=${rw}`, `--bs=${blockBytes}`, `--iodepth=${depth}`, `--size=${sizeBytes}`, '--norandommap', '--time_based',
    `--runtime=${milliseconds}ms`, '--output-format=json',
  ]
}

function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let complaints = ''
    child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => void (complaints += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(out)
      else reject(new Error(`${command} failed: ${complaints || out}`))
    })
  })
}
