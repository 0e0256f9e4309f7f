/**
 * @packageDocumentation
 * Bench (d): what a daemon takes while it does nothing: the real processes, `xbbd host` and `xbbd run`, and front ends
 * in a third one. First one device, which has been under load, then more that are connected and idle.
 */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../src/cli/control/client.js'
import { Child } from '../src/cli/demo/processes.js'
import { formatBytes, formatNanoseconds } from '../src/cli/units.js'
import type { GuestsReply, GuestsRequest } from './guests-process.js'
import type { Pace } from './pace.js'
import { cpuNsBetween, memoryOf, threadTimesOf } from './process-figures.js'
import type { Memory } from './process-figures.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const COUNTS = [1, 16, 64] as const
const DEVID = 51712
const IMAGE_BYTES = 64 << 20

interface Row extends Memory {
  readonly devices: number
  readonly idleCpuNs: number
  readonly idleMs: number
  readonly perFurtherDevice: number | undefined
}

/** Host, daemon and guests of one run. */
interface Stage {
  readonly dir: string
  readonly daemonPid: number
  readonly control: ControlClient
  readonly ask: (request: GuestsRequest) => Promise<readonly number[]>
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

async function withStage<T>(use: (stage: Stage) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-bench-'))
  const runDir = mkdtempSync('/dev/shm/xbbd-bench-')
  const hostDir = join(dir, 'host')
  const host = new Child('embedded host', 'cli/main.js', ['host', '--dir', hostDir])
  const args = ['run', '--run-dir', runDir, '--host-dir', hostDir, '--config', '/dev/null']
  const children = [host]
  const guests = fork(new URL('./guests-process.js', import.meta.url))
  try {
    await host.until(() => host.said.includes('is ready'))
    const daemon = new Child('daemon', 'cli/main.js', args)
    children.unshift(daemon)
    await daemon.until(() => daemon.said.includes('"ready"'))
    const control = await ControlClient.connect(join(runDir, 'control'))
    const ask = (request: GuestsRequest) => askGuests(guests, request)
    return await use({ dir, daemonPid: daemon.process.pid ?? 0, control, ask })
  } finally {
    guests.kill()
    for (const child of children) await child.end('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
    rmSync(runDir, { recursive: true, force: true })
  }
}

/** Attaches and connects devices until there are so many: each on a sparse file of its own. */
async function grow({ dir, control, ask }: Stage, devices: number): Promise<void> {
  const before = (await ask({ kind: 'create', dir: join(dir, 'host'), count: 0 })).length
  const domids = await ask({ kind: 'create', dir: join(dir, 'host'), count: devices - before })
  for (const domid of domids.slice(before)) {
    const image = join(dir, `disk-${domid}.img`)
    writeFileSync(image, '')
    truncateSync(image, IMAGE_BYTES)
    await control.call('attach', { domid, vdev: 'xvda', target: image, mode: 'w' })
  }
  await ask({ kind: 'connect', from: before, devid: DEVID })
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

function askGuests(child: ReturnType<typeof fork>, request: GuestsRequest): Promise<readonly number[]> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the guests have died'))
    child.once('exit', ended)
    child.once('message', (reply: GuestsReply) => {
      child.off('exit', ended)
      if (reply.kind === 'failed') reject(new Error(reply.sentence))
      else resolve(reply.domids)
    })
    child.send(request)
  })
}
