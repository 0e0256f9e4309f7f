/**
 * @packageDocumentation
 * The stage of the benches that watch a whole daemon: the real processes, `xbbd host` and `xbbd run`, and the front ends
 * of its guests in a third one (guests-process.ts), one guest and one disk each.
 */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../src/cli/control/client.js'
import { Child } from '../src/cli/demo/processes.js'
import type { GuestsReply, GuestsRequest } from './guests-process.js'

const DEVID = 51712
const IMAGE_BYTES = 64 << 20

/** Host, daemon and guests of one run. */
export interface Stage {
  readonly dir: string
  readonly daemonPid: number
  /** Path of the control socket. */
  readonly socket: string
  readonly control: ControlClient
  readonly ask: (request: GuestsRequest) => Promise<readonly number[]>
}

/** Everything ends with `use`, also when that fails. */
export async function withStage<T>(use: (stage: Stage) => Promise<T>): Promise<T> {
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
    const socket = join(runDir, 'control')
    const control = await ControlClient.connect(socket)
    const ask = (request: GuestsRequest) => askGuests(guests, request)
    return await use({ dir, daemonPid: daemon.process.pid ?? 0, socket, control, ask })
  } finally {
    guests.kill()
    for (const child of children) await child.end('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
    rmSync(runDir, { recursive: true, force: true })
  }
}

/** Attaches and connects devices until there are so many: each on a sparse file of its own. */
export async function grow({ dir, control, ask }: Stage, devices: number): Promise<void> {
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
