/**
 * @packageDocumentation
 * The packaged daemon in dom0: `/usr/bin/xbbd run` as the unprivileged user under the confinement of privileges.ts, asked
 * over its control socket, and with its log kept. A scenario may stop, kill and start it; the run directory, and with it
 * the journals, stays until the scenario ends.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { ControlClient } from '../../../src/cli/control/client.js'
import type { DeviceListing, DeviceStatistics } from '../../../src/ports/daemon-api.js'
import { execute, until, type Executed } from './execute.js'
import { confinement, runtimeDirectory } from './privileges.js'

export const RUN_DIR = '/run/xbbd'
const CONFIG = '/etc/xbbd/xbbd.conf'

export class Daemon {
  /** Everything that its processes said so far, one JSON object a line. */
  log = ''
  readonly #settings: Record<string, string> = { world: 'xen', 'run.dir': RUN_DIR, 'log.level': 'debug' }
  #process: ChildProcess | undefined
  #ended: Promise<number | NodeJS.Signals> | undefined
  #control: ControlClient | undefined
  #starts = 0

  /** Settings of xbbd.conf from the next start on (or a reload). */
  configure(settings: Readonly<Record<string, string>>): void {
    Object.assign(this.#settings, settings)
    const lines = Object.entries(this.#settings).map(([name, value]) => `${name} = ${value}\n`)
    writeFileSync(CONFIG, lines.join(''))
  }

  get running(): boolean {
    return this.#process !== undefined
  }

  get pid(): number {
    if (!this.#process?.pid) throw new Error('the daemon does not run')
    return this.#process.pid
  }

  /** Starts it and waits until it is ready. */
  async start(timeoutMs = 60_000): Promise<void> {
    if (this.#process) throw new Error('the daemon runs already')
    this.configure({})
    if (this.#starts++ === 0) runtimeDirectory(RUN_DIR)
    const [command, ...args] = [...confinement(), '/usr/bin/xbbd', 'run']
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' })
    const from = this.log.length
    child.stderr.on('data', (chunk) => (this.log += String(chunk)))
    this.#process = child
    let outcome: number | NodeJS.Signals | undefined
    this.#ended = new Promise((resolve) => {
      child.once('close', (status, signal) => {
        outcome = status ?? signal ?? 'SIGKILL'
        this.#process = undefined
        this.#control?.close()
        this.#control = undefined
        resolve(outcome)
      })
    })
    const ready = () => {
      if (outcome !== undefined) throw new Error(`the daemon ended with ${outcome}: ${this.log.slice(from)}`)
      return this.log.slice(from).includes('"msg":"ready"')
    }
    await until('the daemon is ready', ready, timeoutMs, 50)
    this.#expectConfined()
    this.#control = await ControlClient.connect(`${RUN_DIR}/control`)
  }

  /** What ran with more rights than the unit's would prove nothing about them. */
  #expectConfined(): void {
    const none = '0000000000000000'
    const expected = { NoNewPrivs: '1', Seccomp: '2', CapEff: none, CapPrm: none, CapInh: none, CapBnd: none, CapAmb: none }
    for (const [field, value] of Object.entries(expected))
      if (this.status(field) !== value) throw new Error(`the daemon runs with ${field} ${this.status(field)}, not ${value}`)
    if (this.status('Uid').startsWith('0')) throw new Error('the daemon runs as root')
  }

  /** SIGTERM: parks every disk. @returns the exit status. */
  async stop(timeoutMs = 60_000): Promise<number | NodeJS.Signals> {
    return this.kill('SIGTERM', timeoutMs)
  }

  /** Sends a signal that ends it, and waits for that. @returns its status, or the signal that killed it. */
  async kill(signal: NodeJS.Signals = 'SIGKILL', timeoutMs = 20_000): Promise<number | NodeJS.Signals> {
    this.signal(signal)
    return this.ended(timeoutMs)
  }

  /** How it ended. */
  async ended(timeoutMs = 20_000): Promise<number | NodeJS.Signals> {
    const ended = this.#ended
    if (!ended) throw new Error('the daemon was never started')
    let outcome: { how: number | NodeJS.Signals } | undefined
    void ended.then((how) => (outcome = { how }))
    return (await until('the daemon has ended', () => outcome, timeoutMs, 20)).how
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }

  /** One method of the control socket. */
  async call<T>(method: string, params: Record<string, unknown> = {}): Promise<T> {
    if (!this.#control) throw new Error('the daemon does not run')
    return (await this.#control.call(method, params)) as T
  }

  /** The command line, as root: what an operator types. */
  xbbd(...args: string[]): Promise<Executed> {
    return execute('xbbd', args)
  }

  list(): Promise<DeviceListing[]> {
    return this.call('list')
  }

  async device(domid: number, vdev: string): Promise<DeviceListing | undefined> {
    return (await this.list()).find((device) => device.domid === domid && device.vdev === vdev)
  }

  /** Waits until a disk is Connected on both ends. */
  connected(domid: number, vdev: string, timeoutMs = 30_000): Promise<DeviceListing> {
    return until(`${vdev} of domain ${domid} is connected`, async () => {
      const device = await this.device(domid, vdev)
      return device?.frontendState === 'Connected' && device.backendState === 'Connected' && device
    }, timeoutMs)
  }

  async statistics(domid: number, vdev: string): Promise<DeviceStatistics> {
    const device = await this.device(domid, vdev)
    if (!device) throw new Error(`the daemon has no ${vdev} of domain ${domid}`)
    return (await this.call<DeviceStatistics[]>('statistics', { name: device.name }))[0]
  }

  /** What its descriptors point to. */
  descriptors(): string[] {
    return readdirSync(`/proc/${this.pid}/fd`).sort()
  }

  /** One field of /proc/PID/status, as it stands there: `Uid`, `CapEff`, `VmRSS`. */
  status(field: string): string {
    const text = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? ''
  }

  /** Log lines at `error` or above. */
  complaints(): string[] {
    return this.log.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line))
  }
}
