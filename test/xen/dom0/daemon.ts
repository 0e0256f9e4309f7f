/**
 * @packageDocumentation
 * The packaged daemon in dom0: `/usr/bin/xbbd run` as the unprivileged user under the confinement of privileges.ts, asked
 * over its control socket, and with its log kept. A scenario may stop, kill and start it; the run directory, and with it
 * the journals, stays until the scenario ends.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { ControlClient } from '../../../src/cli/control/client.js'
import type { UpgradeOutcome } from '../../../src/cli/upgrade/handover.js'
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
  /** The process that an upgrade left in charge: no child of ours, but it writes to the same log. */
  #successor: number | undefined

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
    const pid = this.#successor ?? this.#process?.pid
    if (!pid || !this.running) throw new Error('the daemon does not run')
    return pid
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
      // When the last process that writes to this log has ended.
      child.once('close', (status, signal) => {
        outcome = this.#successor === undefined ? (status ?? signal ?? 'SIGKILL') : this.#howSuccessorEnded()
        this.#process = undefined
        this.#successor = undefined
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

  /**
   * `xbbd upgrade` to the installed program, which is the same here: another process goes on, and the one before it ends
   * with 0. @returns what the command says as JSON.
   */
  async upgrade(): Promise<UpgradeOutcome> {
    const [child, before] = [this.#process, this.pid]
    const { status, stdout, stderr } = await this.xbbd('upgrade', '--json')
    if (status !== 0) throw new Error(`the upgrade ended with ${status}: ${stderr}`)
    const outcome = JSON.parse(stdout) as UpgradeOutcome
    await until('the old process has ended', () => hasEnded(before))
    if (child?.pid === before && child.exitCode !== 0) throw new Error(`the old process ended with ${child.exitCode}`)
    this.#successor = outcome.to.pid
    this.#control?.close()
    // Where I/O was left to the fence, the old process does not wait until the new one serves.
    const listens = () => ControlClient.connect(`${RUN_DIR}/control`).catch(() => undefined)
    this.#control = await until('the new process listens', listens, 60_000)
    this.#expectConfined()
    return outcome
  }

  /** Nobody but its parent is told its status; its last words are in the log. */
  #howSuccessorEnded(): number | NodeJS.Signals {
    return /"msg":"stopped: /.test(this.log.trimEnd().split('\n').at(-1) ?? '') ? 0 : 'SIGKILL'
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

  /** Numbers of its descriptors. */
  descriptors(): string[] {
    return readdirSync(`/proc/${this.pid}/fd`).sort()
  }

  /** Its descriptors once its Workers are warm (src/cli/run/warm-up.ts): what a guest must leave as it was. */
  async settledDescriptors(): Promise<string[]> {
    const directory = `/proc/${this.pid}/fd`
    const { stdout } = await until('the Workers are warm', async () => {
      const links = await execute('ls', ['-l', directory])
      return !links.stdout.includes('xbbd-warm-up') && links
    }, 60_000)
    if (!stdout.includes('socket:')) throw new Error(`${directory} cannot be read: ${stdout}`)
    return this.descriptors()
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

/** Gone, or a zombie whose new parent has not looked yet. */
function hasEnded(pid: number): boolean {
  try {
    return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}
