/**
 * @packageDocumentation
 * The embedded world in real processes, for tests: `xbbd host` and `xbbd run` each in a process of their own, driven by
 * the control socket as an operator would; guests and front ends live in the test's process.
 *
 *   DIR/host   sockets of XenStore and hypervisor        DIR/run   lock, control socket, journals        DIR/*  images
 *
 * Whoever starts a world closes it in afterAll: every process that is left is killed then, also when a test failed.
 */
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ControlClient } from '../../src/cli/control/client.js'
import type { DaemonStatus } from '../../src/cli/control/methods.js'
import { Blkfront, type BlkfrontOptions } from '../../src/embedded/blkfront/blkfront.js'
import { GuestDomain } from '../../src/embedded/guest/guest-domain.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { connectXenStore, type XenStoreClient } from '../../src/io/xenstore/client.js'
import type {
  AttachOutcome, AttachSpec, DetachOutcome, DetachSpec, DeviceListing, DeviceStatistics, StopMode, StopOutcome,
} from '../../src/ports/daemon-api.js'
import { startUnder, type Running } from './xbbd-process.js'

/** Resolves when `holds` does; fails with `what` after a time that only a fault can take. */
export async function until(
  what: string, holds: () => boolean | undefined | Promise<boolean | undefined>, patienceMs = 20_000,
): Promise<void> {
  const began = performance.now()
  while (!(await holds())) {
    if (performance.now() - began > patienceMs) throw new Error(`it never came true that ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
}

/** The number that blkif gives to a disk's name. */
export const devidOf = (vdev: string): number => 51712 + 16 * (vdev.charCodeAt(3) - 'a'.charCodeAt(0))

/** One guest: its domain, and XenStore with its rights. */
export class GuestHere {
  readonly domain: GuestDomain
  readonly store: XenStoreClient
  #closed = false

  constructor(domain: GuestDomain, store: XenStoreClient) {
    this.domain = domain
    this.store = store
  }

  get domid(): number {
    return this.domain.domid
  }

  frontend(vdev = 'xvda'): string {
    return this.domain.vbdPath(devidOf(vdev))
  }

  connect(options: Partial<BlkfrontOptions> = {}, vdev = 'xvda'): Promise<Blkfront> {
    const { domain: guest, store } = this
    return Blkfront.connect({ guest, store, frontend: this.frontend(vdev), clock: systemClock, ...options })
  }

  /** The domain is destroyed. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.store.close()
    this.domain.close()
  }
}

/** One daemon's process, and a connection to its control socket. */
export class DaemonProcess {
  readonly process: Running
  readonly control: ControlClient
  readonly runDir: string

  constructor(process: Running, control: ControlClient, runDir: string) {
    this.process = process
    this.control = control
    this.runDir = runDir
  }

  get pid(): number {
    return this.process.child.pid ?? 0
  }

  get socket(): string {
    return join(this.runDir, 'control')
  }

  signal(name: NodeJS.Signals): void {
    this.process.child.kill(name)
  }

  attach(spec: Pick<AttachSpec, 'domid' | 'target'> & Partial<AttachSpec>): Promise<AttachOutcome> {
    return this.control.call('attach', { vdev: 'xvda', mode: 'w', ...spec }) as Promise<AttachOutcome>
  }

  detach(spec: Pick<DetachSpec, 'domid'> & Partial<DetachSpec>): Promise<DetachOutcome> {
    return this.control.call('detach', { vdev: 'xvda', ...spec }) as Promise<DetachOutcome>
  }

  list(): Promise<readonly DeviceListing[]> {
    return this.control.call('list') as Promise<readonly DeviceListing[]>
  }

  async device(domid: number, vdev = 'xvda'): Promise<DeviceListing | undefined> {
    return (await this.list()).find((device) => device.domid === domid && device.vdev === vdev)
  }

  async statistics(domid: number, vdev = 'xvda'): Promise<DeviceStatistics> {
    const name = `vbd/${domid}/${devidOf(vdev)}`
    return ((await this.control.call('statistics', { name })) as DeviceStatistics[])[0]
  }

  status(): Promise<DaemonStatus> {
    return this.control.call('status') as Promise<DaemonStatus>
  }

  stop(mode: StopMode): Promise<StopOutcome> {
    return this.control.call('stop', { mode }) as Promise<StopOutcome>
  }

  /** With how it ended: exit status, log. */
  get ended() {
    return this.process.ended
  }

  /** Resident memory of the process, bytes. */
  get residentBytes(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) * 1024
  }

  /** Flags (open(2)) of every descriptor that the daemon has on `path`. */
  openFlags(path: string): number[] {
    const directory = `/proc/${this.pid}/fd`
    return readdirSync(directory).flatMap((fd) => {
      try {
        if (readlinkSync(join(directory, fd)) !== path) return []
        return [parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8)]
      } catch {
        return [] // closed meanwhile
      }
    })
  }
}

export interface DaemonSetting {
  /** Settings as flags: `['--workers', '2']`. */
  readonly flags?: readonly string[]
  /** XBBD_PLANT. */
  readonly plant?: string
  /** Below the world's directory, or anywhere by its whole path; default `run`. */
  readonly runDir?: string
  /** Additions to the environment. */
  readonly env?: NodeJS.ProcessEnv
  /** A command that executes the daemon, with its arguments. */
  readonly under?: readonly string[]
}

/** A host, and whatever daemons, guests and images a test makes on it. */
export class RealWorld {
  readonly dir = mkdtempSync(join(tmpdir(), 'xbbd-world-'))
  readonly hostDir = join(this.dir, 'host')
  host!: Running
  /** XenStore as domain 0. */
  store!: XenStoreClient
  readonly #processes: Running[] = []
  readonly #closers: (() => void)[] = []
  #images = 0

  static async start(): Promise<RealWorld> {
    const world = new RealWorld()
    try {
      world.host = world.started({}, 'src/cli/main.js', 'host', '--dir', world.hostDir)
      await world.host.line(/ready/)
      world.store = await connectXenStore(join(world.hostDir, 'xenstore'))
      world.#closers.push(() => world.store.close())
      return world
    } catch (error) {
      await world.close()
      throw error
    }
  }

  /** A process that is killed at the end, whatever happens. */
  started(env: NodeJS.ProcessEnv, script: string, ...args: string[]): Running {
    return this.startedUnder([], env, script, ...args)
  }

  startedUnder(
    wrapper: readonly string[], env: NodeJS.ProcessEnv, script: string, ...args: string[]
  ): Running {
    const running = startUnder(wrapper, env, script, ...args)
    this.#processes.push(running)
    return running
  }

  /** `xbbd run`, ready. */
  async daemon({ flags = [], plant = '', runDir = 'run', env = {}, under = [] }: DaemonSetting = {}): Promise<DaemonProcess> {
    const path = resolve(this.dir, runDir)
    const places = ['--run-dir', path, '--host-dir', this.hostDir, '--journal-size', '16M']
    const running = this.startedUnder(under, { ...env, XBBD_PLANT: plant }, 'src/cli/main.js', 'run', ...places, ...flags)
    await running.line(/"msg":"ready"/)
    const control = await ControlClient.connect(join(path, 'control'))
    this.#closers.push(() => control.close())
    return new DaemonProcess(running, control, path)
  }

  /** One question to whoever listens on that control socket now. */
  async ask<Result>(socket: string, method: string, params: object = {}): Promise<Result> {
    const control = await ControlClient.connect(socket)
    try {
      return (await control.call(method, params)) as Result
    } finally {
      control.close()
    }
  }

  async guest(options: { pages?: number; name?: string } = {}): Promise<GuestHere> {
    const domain = await GuestDomain.create({ dir: this.hostDir, name: 'guest', ...options })
    const guest = new GuestHere(domain, await domain.connectXenStore())
    this.#closers.push(() => guest.close())
    return guest
  }

  /** A new image file of so many bytes. @returns its path. */
  image(bytes: number): string {
    const path = join(this.dir, `image-${this.#images++}`)
    writeFileSync(path, '')
    truncateSync(path, bytes)
    return path
  }

  async close(): Promise<void> {
    for (const { child } of this.#processes) child.kill('SIGKILL')
    this.#killSuccessors()
    for (const closer of this.#closers.splice(0).reverse()) closer()
    await Promise.all(this.#processes.splice(0).map(({ ended }) => ended))
    rmSync(this.dir, { recursive: true, force: true })
  }

  /** Daemons that took over from those that were started here: they are children of nobody. */
  #killSuccessors(): void {
    for (const name of readdirSync('/proc').filter((text) => /^\d+$/.test(text))) {
      try {
        const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
        if (args.includes('run') && args.includes(this.hostDir)) process.kill(Number(name), 'SIGKILL')
      } catch {
        // Ended meanwhile, or not ours.
      }
    }
  }
}

/** Node of the back end's directory of a disk. */
export function backendNode(world: RealWorld, domid: number, key: string, vdev = 'xvda'): Promise<string | undefined> {
  return world.store.read(`/local/domain/0/backend/vbd/${domid}/${devidOf(vdev)}/${key}`)
}
