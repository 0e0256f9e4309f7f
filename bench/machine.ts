/**
 * @packageDocumentation
 * The machine on which figures were taken: without it they mean nothing. Steal time and load show whether it was quiet.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { formatBytes } from '../src/cli/units.js'

export interface Machine {
  readonly cpu: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
  /** `fio-3.33`; undefined when it is not installed. */
  readonly fio: string | undefined
  readonly load: readonly number[]
  /** Time that the hypervisor gave to others since boot, in hundredths of a second. */
  readonly stealTicks: number
}

export function machine(): Machine {
  const all = cpus()
  const fio = spawnSync('fio', ['--version'], { encoding: 'utf8' })
  return {
    cpu: all[0]?.model ?? 'unknown',
    cpus: all.length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    fio: fio.status === 0 ? fio.stdout.trim() : undefined,
    load: loadavg(),
    stealTicks: stealTicks(),
  }
}

/** One line for people. */
export function describe(of: Machine): string {
  const load = of.load.map((value) => value.toFixed(2)).join(' ')
  const parts = [`${of.cpus} × ${of.cpu}`, formatBytes(of.memoryBytes), `Linux ${of.kernel}`, `Node ${of.node}`]
  return `${parts.join(', ')}, ${of.fio ?? 'no fio'}, load ${load}`
}

function stealTicks(): number {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]
  return Number(line.split(/\s+/)[8] ?? 0)
}
