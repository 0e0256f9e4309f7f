/**
 * @packageDocumentation
 * Bench (d): what a daemon takes while it does nothing: the real processes, `xbbd host` and `xbbd run`, and front ends
 * in a third one. First one device, which has been under load, then more that are connected and idle.
 */
import { formatBytes, formatNanoseconds } from '../src/cli/units.js'
import type { Pace } from './pace.js'
import { cpuNsBetween, memoryOf, threadTimesOf } from './process-figures.js'
import type { Memory } from './process-figures.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'
import { grow, withStage } from './stage.js'
import type { Stage } from './stage.js'

const COUNTS = [1, 16, 64] as const

interface Row extends Memory {
  readonly devices: number
  readonly idleCpuNs: number
  readonly idleMs: number
  readonly perFurtherDevice: number | undefined
}

export async function footprintSection(pace: Pace, say: Say): Promise<Section> {
  const rows = await withStage(async (stage) => {
    const measured: Row[] = []
    for (const devices of COUNTS) {
      say(`${devices} devices, idle for ${pace.idleMs / 1000} s`)
      await grow(stage, devices)
      if (devices === 1) await stage.ask({ kind: 'load', milliseconds: pace.quick ? 1000 : 5000 })
      measured.push(await watch(stage, devices, measured[0], pace))
    }
    return measured
  })
  return {
    name: 'd',
    title: 'memory and idle CPU of the daemon, front ends elsewhere, rings of 16 pages',
    columns: columns('devices', 'PSS', 'of it journal', 'of it guests', 'per further device', 'idle CPU in 60 s'),
    table: rows.map((row) => [
      String(row.devices), formatBytes(row.pssBytes), formatBytes(row.journalBytes), formatBytes(row.guestBytes),
      row.perFurtherDevice === undefined ? '' : formatBytes(row.perFurtherDevice),
      formatNanoseconds((row.idleCpuNs * 60_000) / row.idleMs),
    ]),
    notes: [
      'The first device has been under load. Guests: pages of front ends that the embedded grant copy has touched.',
      'Asked for: 150 MiB with one device, 2 MiB per further one, 5 ms of CPU in 60 s with 64.',
      ...(pace.quick ? [`Idle CPU is scaled up from ${pace.idleMs / 1000} s.`] : []),
    ],
    rows,
  }
}

async function watch({ daemonPid }: Stage, devices: number, first: Row | undefined, pace: Pace): Promise<Row> {
  await new Promise((resolve) => setTimeout(resolve, 2000))
  const before = threadTimesOf(daemonPid)
  await new Promise((resolve) => setTimeout(resolve, pace.idleMs))
  const idleCpuNs = cpuNsBetween(before, threadTimesOf(daemonPid))
  const memory = memoryOf(daemonPid)
  const perFurtherDevice = first && (memory.pssBytes - first.pssBytes) / (devices - first.devices)
  return { devices, ...memory, idleCpuNs, idleMs: pace.idleMs, perFurtherDevice }
}
