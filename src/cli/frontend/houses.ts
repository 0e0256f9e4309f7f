/**
 * @packageDocumentation
 * Where a script's guest lives: in a house of its own (an embedded host, a daemon and a disk, all new, in a folder that
 * is removed again), or on an embedded host that runs already and is served by whoever serves there. Only in a house of
 * one's own a daemon can be killed, set, or given a failing disk.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeDevice, placeOf, removeDevice } from '../../actors/xenbus/toolstack.js'
import type { DevicePlace } from '../../actors/xenbus/toolstack.js'
import { GuestDomain } from '../../embedded/guest/guest-domain.js'
import type { ScriptHouse } from '../../embedded/script-port.js'
import { connectXenStore } from '../../io/xenstore/client.js'
import type { XenStoreClient } from '../../io/xenstore/client.js'
import type { AttachSpec } from '../../ports/daemon-api.js'
import { XbbdError } from '../../protocol/errors.js'
import type { DiskChange } from '../../script/ast.js'
import type { Setting } from '../../script/port.js'
import type { Child } from '../demo/processes.js'
import { Stage, makeImage } from '../demo/stage.js'

const VDEV = 'xvda'
const DISK_BYTES = 4 * 1024 * 1024

/** The disk as the script's first lines have it. */
function diskOf({ disk, outlives }: Setting) {
  let bytes = DISK_BYTES
  let mode: 'r' | 'w' = 'w'
  let wishes: Pick<AttachSpec, 'sectorFormat' | 'without'> = {}
  for (const change of disk) {
    if (change.disk === 'size') bytes = change.bytes
    else if (change.disk === 'read-only') mode = 'r'
    else if (change.disk === 'without') wishes = { ...wishes, without: change.features }
    else if (change.disk === 'sector-size') wishes = { ...wishes, sectorFormat: change.format }
  }
  return { bytes, mode, outlives, wishes }
}

type ScriptDisk = ReturnType<typeof diskOf>

/** What is planted in the daemon for these changes, the last of each kind. */
export function plantFor(changes: readonly DiskChange[]): string {
  const planted = new Map<string, string>()
  for (const change of changes) {
    if (change.disk === 'well') planted.clear()
    else if (change.disk === 'slow') planted.set('slow', `delay=${Math.max(1, Math.round(change.ms))}`)
    else if (change.disk === 'fails')
      planted.set('fails', `error=${change.errno}${change.sectors ? `:${change.sectors.join('-')}` : ''}`)
  }
  return [...planted.values()].join(',')
}

export interface OwnHouseOptions {
  /** What to attach in place of a disk of the script's own. */
  readonly target?: string
  /** Kept, with journals and images, where this says. */
  readonly keep?: string
}

/** Everything new, everything removed at the end. */
export class OwnHouse implements ScriptHouse {
  private readonly options: OwnHouseOptions
  private readonly stage: Stage
  private readonly changes: DiskChange[] = []
  private settings: Readonly<Record<string, string>> = {}
  private disk: ScriptDisk | undefined
  private daemon: Child | undefined
  private control: Awaited<ReturnType<Stage['startDaemon']>>['control'] | undefined

  constructor(options: OwnHouseOptions = {}) {
    this.options = options
    this.stage = new Stage(options.keep ?? mkdtempSync(join(tmpdir(), 'xbbd-script-')), () => undefined)
  }

  get hostDir(): string {
    return this.stage.hostDir
  }

  async open(setting: Setting): Promise<GuestDomain> {
    this.settings = setting.settings
    this.disk = diskOf(setting)
    this.changes.push(...setting.disk)
    await this.stage.startHost()
    await this.start()
    return GuestDomain.create({ dir: this.hostDir, name: 'script' })
  }

  async attach({ domid }: GuestDomain): Promise<void> {
    const { bytes, mode, outlives, wishes } = this.disk!
    const image = join(this.stage.dir, 'disk.img')
    if (this.options.target === undefined && outlives) makeImage(image, bytes)
    const target = this.options.target ?? (outlives ? image : `memory:${bytes}`)
    await this.control?.call('attach', { domid, vdev: VDEV, target, mode, ...wishes })
  }

  changeDisk(change: DiskChange): void {
    if (this.daemon)
      throw refused('the disk of a daemon at work is what it is: write this before connect, or after kill')
    if (change.disk !== 'slow' && change.disk !== 'fails' && change.disk !== 'well')
      throw refused(`disk ${change.disk} is how the disk is made: write this before connect`)
    this.changes.push(change)
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  async stop(): Promise<void> {
    const status = await this.end('SIGTERM')
    if (status !== 0) throw refused(`the daemon ended with status ${status}`)
  }

  async start(): Promise<void> {
    if (this.daemon) throw refused('the daemon is there: kill or stop it before')
    const flags = Object.entries(this.settings).flatMap(([key, value]) => [`--${key.replaceAll('.', '-')}`, value])
    const { daemon, control } = await this.stage.startDaemon(flags, { XBBD_PLANT: plantFor(this.changes) })
    this.daemon = daemon
    this.control = control
  }

  trouble(): string | undefined {
    if (this.daemon === undefined) return undefined
    const { process: { exitCode, signalCode }, said } = this.daemon
    const status = exitCode ?? signalCode
    return status === null ? undefined : `the daemon ended by itself: ${status}: ${said}`
  }

  async close(): Promise<void> {
    this.control?.close()
    await this.stage.end()
    if (this.options.keep === undefined) rmSync(this.stage.dir, { recursive: true, force: true })
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    const { daemon } = this
    if (!daemon) throw refused('no daemon is there: start it before')
    this.daemon = undefined
    this.control?.close()
    return daemon.end(signal)
  }
}

/** A host that runs already; the disk is attached by its XenStore, as a toolstack does. */
export class JoinedHouse implements ScriptHouse {
  readonly hostDir: string
  private readonly target: string | undefined
  private store: XenStoreClient | undefined
  private place: DevicePlace | undefined
  private disk: ScriptDisk | undefined

  constructor(hostDir: string, target?: string) {
    this.hostDir = hostDir
    this.target = target
  }

  async open(setting: Setting): Promise<GuestDomain> {
    const own = 'leave --host-dir away, and the script has a daemon of its own'
    if (Object.keys(setting.settings).length > 0) throw refused(`a daemon that runs already has its settings: ${own}`)
    if (plantFor(setting.disk) !== '') throw refused(`the disks of a daemon that runs already are well: ${own}`)
    this.disk = diskOf(setting)
    this.store = await connectXenStore(join(this.hostDir, 'xenstore'))
    return GuestDomain.create({ dir: this.hostDir, name: 'script' })
  }

  async attach({ domid }: GuestDomain): Promise<void> {
    const { bytes, mode, wishes } = this.disk!
    const spec = { domid, vdev: VDEV, target: this.target ?? `memory:${bytes}`, mode, ...wishes }
    this.place = placeOf(0, 'vbd', spec)
    await makeDevice(this.store!, this.place, spec, 0)
  }

  changeDisk(): void {
    throw refused('the disks of a daemon that runs already are what they are')
  }

  kill(): Promise<void> {
    return Promise.reject(refused('a daemon that runs already is not the script’s to end'))
  }

  stop(): Promise<void> {
    return this.kill()
  }

  start(): Promise<void> {
    return this.kill()
  }

  trouble(): undefined {
    return undefined
  }

  async close(): Promise<void> {
    if (this.store && this.place) await removeDevice(this.store, this.place)
    this.store?.close()
  }
}

function refused(sentence: string): XbbdError {
  return new XbbdError('XBBD_SCRIPT', sentence, { exitCode: 65 })
}
