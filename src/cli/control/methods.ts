/**
 * @packageDocumentation
 * What can be asked over the control socket, by name:
 *
 *   status                              version, process, world, since when, how many devices, what is held
 *   attach {domid, vdev, target, …}     AttachOutcome
 *   detach {domid, vdev, force, …}      DetachOutcome
 *   insert {domid, vdev, target, …}     DeviceListing: another disc in a CD-ROM drive
 *   eject {domid, vdev, …}              DeviceListing: none
 *   resize {domid, vdev, waitMs?}       ResizeOutcome: the medium's size looked at, the guest told
 *   limit {domid, vdev, iops?, …}       DeviceListing: another rate limit, in force
 *   list                                DeviceListing[]
 *   statistics {name?}                  DeviceStatistics[]
 *   rings                               RingLook[]: the indices of all rings, as their pages have them
 *   config                              settings in force and where each came from
 *   reload                              as SIGHUP: what changed, what waits for the next start
 *   upgrade {program?, check?}          UpgradeOutcome, with an event per step
 *   stop {mode, timeoutMs?}             StopOutcome, with an event per second that says what is waited for
 *
 * Each method reads its parameters through `Params` and calls one function of the daemon; nothing is decided here.
 */
import type {
  AttachSpec, DaemonApi, DetachSpec, DiscSpec, HeldMappings, LimitSpec, PendingDevice, ResizeSpec, StopMode,
  StopOutcome,
} from '../../ports/daemon-api.js'
import type { ReloadPlan } from '../config/reload.js'
import { DOMID_MAX, VETOABLE } from '../../protocol/keys.js'
import { RATE_LIMIT_KEYS, RATE_LIMIT_MAX } from '../../protocol/rate-limit.js'
import { SECTOR_FORMATS } from '../../protocol/sector-format.js'
import type { Origins } from '../config/load.js'
import type { Settings } from '../config/schema.js'
import type { UpgradeOutcome } from '../upgrade/handover.js'
import type { UpgradeProgress, UpgradeRequest } from '../upgrade/upgrader.js'
import { Params } from './params.js'
import type { ControlHandlers } from './server.js'

const WAIT_MS_MAX = 24 * 3_600_000

export interface DaemonStatus {
  readonly version: string
  /** Which build of that version; empty when nothing says so. */
  readonly build: string
  readonly pid: number
  readonly world: string
  /** ISO 8601. */
  readonly since: string
  readonly devices: number
  /** Rings, channels and grants of guests. */
  readonly held: HeldMappings
  /** Entries in the process's table of owners. */
  readonly owned: { readonly descriptors: number; readonly mappings: number }
  /** `running`, or how it stops. */
  readonly state: 'running' | 'parking' | 'closing' | 'yielding'
}

/** An event of `stop`: whom it still waits for. */
export interface StopProgress {
  readonly pending: readonly PendingDevice[]
}

/** The running daemon as the control socket needs it: the devices, and the process around them. */
export interface ControlledDaemon {
  readonly api: DaemonApi
  status(): DaemonStatus
  config(): { readonly settings: Settings; readonly origins: Origins }
  reload(): Pick<ReloadPlan, 'changed' | 'waiting'>
  /** Parks or closes, and ends the process after the answer went out. `timeoutMs` as park.timeout, 0 = for ever. */
  upgrade(request: UpgradeRequest, progress: UpgradeProgress): Promise<UpgradeOutcome>
  stop(mode: StopMode, timeoutMs: number | undefined, progress: (event: StopProgress) => void): Promise<StopOutcome>
}

/** The methods over one daemon. */
export function controlMethods(daemon: ControlledDaemon): ControlHandlers {
  const { api } = daemon
  return {
    status: immediate((params) => {
      params.done()
      return daemon.status()
    }),
    list: immediate((params) => {
      params.done()
      return api.list()
    }),
    statistics: immediate((params) => {
      const name = params.optionalText('name', 256)
      params.done()
      return api.statistics(name)
    }),
    rings: immediate((params) => {
      params.done()
      return api.rings()
    }),
    config: immediate((params) => {
      params.done()
      return daemon.config()
    }),
    reload: immediate((params) => {
      params.done()
      return daemon.reload()
    }),
    attach: async (values) => api.attach(readAttach(new Params(values))),
    detach: async (values) => api.detach(readDetach(new Params(values))),
    insert: async (values) => api.changeDisc(readDisc(new Params(values), true)),
    eject: async (values) => api.changeDisc(readDisc(new Params(values), false)),
    resize: async (values) => api.resize(readResize(new Params(values))),
    limit: async (values) => api.limit(readLimit(new Params(values))),
    upgrade: async (values, progress) => {
      const params = new Params(values)
      const program = params.optionalText('program')
      const check = params.flag('check')
      params.done()
      return daemon.upgrade({ check, ...(program === undefined ? {} : { program }) }, progress)
    },
    stop: async (values, progress) => {
      const params = new Params(values)
      const mode = params.optionalChoice('mode', ['park', 'close']) ?? 'park'
      const timeoutMs = params.optionalInteger('timeoutMs', 0, WAIT_MS_MAX)
      params.done()
      return daemon.stop(mode, timeoutMs, progress)
    },
  }
}

/** A method that answers at once. What it throws becomes a rejection. */
function immediate(answer: (params: Params) => unknown): ControlHandlers[string] {
  return (values) => new Promise((resolve) => resolve(answer(new Params(values))))
}

function readAttach(params: Params): AttachSpec {
  const deviceType = params.optionalChoice('deviceType', ['disk', 'cdrom'])
  const protocol = params.optionalText('protocol', 64)
  const waitMs = params.optionalInteger('waitMs', 0, WAIT_MS_MAX)
  const sectorFormat = params.optionalChoice('sectorFormat', SECTOR_FORMATS)
  const without = params.choices('without', VETOABLE)
  const spec: AttachSpec = {
    domid: params.integer('domid', 0, DOMID_MAX),
    vdev: params.text('vdev', 64),
    target: deviceType === 'cdrom' ? params.textOrNone('target') : params.text('target'),
    mode: params.optionalChoice('mode', ['r', 'w']) ?? 'w',
    ...(deviceType === undefined ? {} : { deviceType }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(sectorFormat === undefined ? {} : { sectorFormat }),
    ...(without.length === 0 ? {} : { without }),
    ...(waitMs === undefined ? {} : { waitMs }),
  }
  params.done()
  return spec
}

function readResize(params: Params): ResizeSpec {
  const waitMs = params.optionalInteger('waitMs', 0, WAIT_MS_MAX)
  const spec: ResizeSpec = {
    domid: params.integer('domid', 0, DOMID_MAX),
    vdev: params.text('vdev', 64),
    ...(waitMs === undefined ? {} : { waitMs }),
  }
  params.done()
  return spec
}

function readDisc(params: Params, withDisc: boolean): DiscSpec {
  const waitMs = params.optionalInteger('waitMs', 0, WAIT_MS_MAX)
  const spec: DiscSpec = {
    domid: params.integer('domid', 0, DOMID_MAX),
    vdev: params.text('vdev', 64),
    target: withDisc ? params.text('target') : '',
    ...(waitMs === undefined ? {} : { waitMs }),
  }
  params.done()
  return spec
}

function readLimit(params: Params): LimitSpec {
  const figures = RATE_LIMIT_KEYS.map((key) => [key, params.optionalInteger(key, 0, RATE_LIMIT_MAX[key])] as const)
  const spec: LimitSpec = {
    domid: params.integer('domid', 0, DOMID_MAX),
    vdev: params.text('vdev', 64),
    anew: params.flag('anew'),
    ...Object.fromEntries(figures.filter(([, value]) => value !== undefined)),
  }
  params.done()
  return spec
}

function readDetach(params: Params): DetachSpec {
  const waitMs = params.optionalInteger('waitMs', 0, WAIT_MS_MAX)
  const spec: DetachSpec = {
    domid: params.integer('domid', 0, DOMID_MAX),
    vdev: params.text('vdev', 64),
    force: params.flag('force'),
    ...(waitMs === undefined ? {} : { waitMs }),
  }
  params.done()
  return spec
}
