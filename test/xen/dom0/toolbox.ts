/**
 * @packageDocumentation
 * What a scenario holds in its hands: a daemon, guests, images, XenStore, the tools of dom0. Whatever it made is taken
 * away afterwards, whether it passed or not, and what every scenario owes is checked then: the daemon ends with 0 and
 * without complaint, it was refused no system call, no domain stays behind as a zombie. Its logs, consoles and journals are saved for the host.
 */
import { createHash } from 'node:crypto'
import { copyFileSync, createReadStream, existsSync, ftruncateSync, closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { connectXenStore, type XenStoreClient } from '../../../src/io/xenstore/client.js'
import { Daemon, RUN_DIR } from './daemon.js'
import { execute, pause, succeed, until, type Executed } from './execute.js'
import { mappedOf } from './grants.js'
import { Guest, noZombies, type GuestOptions } from './guest.js'
import { giveToDaemon } from './privileges.js'

const IMAGES = '/tmp/images'
const CONSOLES = '/var/log/xen/console'

let domains = 0

/** How a scenario's end went. */
export interface Closed {
  /** Sentences of what was not in order. */
  readonly wrong: readonly string[]
  /** Something could not be taken away: what runs next would stumble over it. */
  readonly leftOver: boolean
}

export class Toolbox {
  readonly daemon = new Daemon()
  readonly store: XenStoreClient
  /** Whether this is `--short`: less of the same is enough then. */
  readonly short: boolean
  readonly #say: (text: string) => void
  readonly #guests: Guest[] = []
  readonly #cleanups: (() => unknown)[] = []
  #complaintsExpected = false

  private constructor(store: XenStoreClient, short: boolean, say: (text: string) => void) {
    this.store = store
    this.short = short
    this.#say = say
  }

  static async open(short: boolean, say: (text: string) => void): Promise<Toolbox> {
    rmSync(IMAGES, { recursive: true, force: true })
    mkdirSync(IMAGES, { mode: 0o755 })
    return new Toolbox(await connectXenStore('/run/xenstored/socket'), short, say)
  }

  readonly until = until
  readonly pause = pause
  readonly execute = execute
  /** What Xen says that dom0's back ends have mapped of a domain. */
  readonly mappedOf = mappedOf

  /** A line for the report: figures, what was seen on the way. */
  log(text: string): void {
    this.#say(text)
  }

  /** Runs at the end, last registered first, whatever happens. */
  cleanup(action: () => unknown): void {
    this.#cleanups.push(action)
  }

  /** The daemon's log may hold errors in this scenario: faults are part of it. */
  expectComplaints(): void {
    this.#complaintsExpected = true
  }

  /** A shell command in dom0, whatever its status is. */
  sh(command: string, timeoutMs?: number): Promise<Executed> {
    return execute('bash', ['-c', command], timeoutMs)
  }

  /** `xl …`, which must succeed. @returns its standard output. */
  xl(...args: string[]): Promise<string> {
    return succeed('xl', args)
  }

  /** A sparse image on tmpfs that belongs to the daemon. @returns its path. */
  image(name: string, bytes: number): string {
    const path = `${IMAGES}/${name}`
    const fd = openSync(path, 'w', 0o600)
    ftruncateSync(fd, bytes)
    closeSync(fd)
    giveToDaemon(path)
    return path
  }

  /** A disk of xl.cfg that our daemon serves. */
  disk(vdev: string, target: string, more = 'access=rw'): string {
    return `format=raw,vdev=${vdev},${more},script=block-xbbd,target=${target}`
  }

  async sha256(path: string): Promise<string> {
    const hash = createHash('sha256')
    await pipeline(createReadStream(path), hash)
    return hash.digest('hex')
  }

  /** Creates a guest, whose agent is ready unless it was left paused. Its name is made unique; it ends with the scenario. */
  async guest(options: GuestOptions = {}): Promise<Guest> {
    const guest = await Guest.start(this.store, `guest${++domains}`, options)
    this.#guests.push(guest)
    return options.paused ? guest : guest.ready()
  }

  /** Saves what tells about the scenario into `directory`, and takes everything away. */
  async close(directory: string): Promise<Closed> {
    const wrong: string[] = []
    let leftOver = false
    const attempt = async (what: string, action: () => unknown) => {
      try {
        await action()
      } catch (error) {
        wrong.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
        leftOver = true
      }
    }
    await attempt('XenStore', () => this.#save(directory, 'xenstore.txt', 'xenstore-ls -fp'))
    for (const action of this.#cleanups.reverse()) await attempt('a clean-up', action)
    for (const guest of this.#guests) await attempt('a guest', () => this.#endGuest(guest, directory))
    await attempt('the daemon', () => this.#endDaemon())
    writeIfAny(`${directory}/daemon.log`, this.daemon.log)
    await attempt('the journal', () => this.#saveJournal(directory))
    await attempt('Xen', () => this.#save(directory, 'xl-dmesg.txt', 'xl dmesg'))
    await attempt('dom0', async () => {
      const said = await this.#save(directory, 'dom0-dmesg.txt', 'dmesg -c')
      for (const call of refusedCalls(said)) wrong.push(`the unit's filter refused a system call: ${call}`)
    })
    await attempt('Xen', () => noZombies())
    if (!this.#complaintsExpected)
      for (const line of this.daemon.complaints()) wrong.push(`the daemon complained: ${line}`)
    this.store.close()
    return { wrong, leftOver }
  }

  async #endGuest(guest: Guest, directory: string): Promise<void> {
    if (await guest.exists()) await guest.destroy()
    const console = `${CONSOLES}/guest-${guest.name}.log`
    if (existsSync(console)) copyFileSync(console, `${directory}/${guest.name}.console`)
    // What was attached without libxl is nobody's to remove when the guest has gone.
    await this.store.remove(`/local/domain/0/backend/vbd/${guest.domid}`)
  }

  async #endDaemon(): Promise<void> {
    if (!this.daemon.running) return
    try {
      const status = await this.daemon.stop()
      if (status !== 0) throw new Error(`it ended with ${status} at the end of the scenario`)
    } finally {
      if (this.daemon.running) await this.daemon.kill('SIGKILL')
    }
  }

  async #saveJournal(directory: string): Promise<void> {
    if (!existsSync(`${RUN_DIR}/journal`)) return
    await succeed('cp', ['--sparse=always', '-r', `${RUN_DIR}/journal`, `${directory}/journal`])
    rmSync(RUN_DIR, { recursive: true, force: true })
  }

  async #save(directory: string, file: string, command: string): Promise<string> {
    const { stdout, stderr } = await this.sh(command)
    writeIfAny(`${directory}/${file}`, stdout + stderr)
    return stdout + stderr
  }
}

/** V8 asks once for a key to protect its code with (pkey_alloc), and does without. */
const EXPECTED = / syscall=330 /

/** The kernel's log of what the filter (confine/filter.c) did not let through. */
function refusedCalls(dmesg: string): string[] {
  return dmesg.split('\n').filter((line) => /audit: type=1326 /.test(line) && !EXPECTED.test(line))
}

function writeIfAny(path: string, text: string): void {
  if (text !== '') writeFileSync(path, text)
}
