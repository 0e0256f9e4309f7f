/**
 * Faults planted in the daemon's parts: at a seam of the simulated process, in a chart's guards and actions, or in a
 * class that all processes share; and what the simulator must say of each.
 */
import { Legacies } from '../../src/actors/legacies.js'
import type { WorkerQueuePool, WorkerQueuePoolParts } from '../../src/actors/worker-queue-pool.js'
import { BackendDirectory } from '../../src/actors/xenbus/backend-directory.js'
import { FrontendEar } from '../../src/actors/xenbus/frontend-ear.js'
import { ArenaLender } from '../../src/core/arena-lender.js'
import { deviceMachine } from '../../src/machines/device.machine.js'
import type { DaemonLaw } from '../../src/sim/daemon/laws.js'
import type { DaemonPlan } from '../../src/sim/daemon/plan.js'
import type { ProcessSeams } from '../../src/sim/daemon/process.js'

export interface DaemonFault {
  readonly title: string
  readonly seams?: ProcessSeams
  /** Puts it in. @returns what takes it out again. */
  readonly plant?: () => () => void
  /** In what kind of world it shows soon; nothing of it is wrong without the fault. */
  readonly world?: Partial<DaemonPlan>
  /** Which laws it breaks, and in what words. */
  readonly law: readonly DaemonLaw[]
  readonly shows: RegExp
}

/** Replaces a member for a while. */
function patched(object: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(object, name)
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: true })
  return () => {
    if (before) Object.defineProperty(object, name, before)
    else Reflect.deleteProperty(object, name)
  }
}

const linux = { devices: [{ letter: 'a', guests: ['linux'], paceNs: 200_000 }] } as const
/** One busy guest on a slow disk, and processes that die under it. */
const DEADLY: Partial<DaemonPlan> = {
  domains: [linux], troubles: [], deaths: 6, deathWithin: 400, diskNs: 4e6, storeDelayNs: 2000, durationMs: 200,
}
const QUIET: Partial<DaemonPlan> = { domains: [linux], troubles: [], deaths: 0 }

/** What a queue held of its Worker's arena is given back only when the next one comes. */
function lateReturn(): () => void {
  const { detach, enter } = ArenaLender.prototype
  const late: (() => void)[] = []
  const undo = [
    patched(ArenaLender.prototype, 'detach', function (this: ArenaLender, queue: string) {
      late.push(() => detach.call(this, queue))
    }),
    patched(ArenaLender.prototype, 'enter', function (this: ArenaLender, queue: string, reserve: number) {
      for (const giveBack of late.splice(0)) giveBack()
      return enter.call(this, queue, reserve)
    }),
  ]
  return () => undo.forEach((take) => take())
}

/** What a queue held is nobody's any more, and nobody can have it. */
function lostChunks(): () => void {
  const { detach } = ArenaLender.prototype
  return patched(ArenaLender.prototype, 'detach', function (this: ArenaLender, queue: string) {
    const free = Reflect.get(this, 'free') as number[]
    const before = free.length
    detach.call(this, queue)
    free.length = before
  })
}

/** Every detached queue is looked after from then on, again and again. */
function looksForEver(queues: WorkerQueuePool): void {
  const { detach } = queues
  const { after } = Reflect.get(queues, 'parts') as WorkerQueuePoolParts
  const again = (): void => after(30, again)
  patched(queues, 'detach', (name: string) => {
    detach.call(queues, name)
    again()
  })
}

const guard = (name: string, decides: boolean) => () =>
  patched(deviceMachine.implementations.guards, name, () => decides)

export const DAEMON_FAULTS: readonly DaemonFault[] = [
  {
    title: 'a ring is never unmapped',
    seams: { host: (host) => void (host.unmapRing = () => Promise.resolve()) },
    law: ['released'], shows: /held|mapped twice/,
  },
  {
    title: 'a channel is never unbound',
    seams: { host: (host) => void (host.unbindChannel = () => Promise.resolve()) },
    law: ['released'], shows: /held/,
  },
  {
    title: 'grants stay open',
    seams: { host: (host) => void (host.closeGrants = () => Promise.resolve()) },
    law: ['released', 'states'], shows: /held/,
  },
  {
    title: 'whoever was killed is taken for one that rested',
    plant: () => patched(Legacies.prototype, 'of', () => ({ kind: 'rested' })),
    world: DEADLY,
    law: ['answered', 'progress', 'contents'], shows: /./,
  },
  {
    title: 'the journal of a Worker that died is lost',
    seams: { queues: (queues) => void patched(queues, 'inherit', () => undefined) },
    world: { ...QUIET, troubles: ['worker'], troublePauseMs: 20 },
    law: ['states', 'answered', 'progress', 'contents'], shows: /./,
  },
  {
    title: 'a guest that resumes without a word is not noticed',
    plant: guard('ringIsOther', false),
    world: QUIET,
    law: ['progress'], shows: /does not come/,
  },
  {
    title: 'a front end that comes back is not served',
    plant: guard('frontendMayReturn', false),
    world: QUIET,
    law: ['progress'], shows: /does not come/,
  },
  {
    title: 'a Worker’s death ends whoever is connecting',
    plant: guard('mayReattach', false),
    world: { ...QUIET, troubles: ['worker'], troublePauseMs: 15, storeDelayNs: 500_000 },
    law: ['states'], shows: /for no reason/,
  },
  {
    title: 'a process that parks says so to the guests',
    plant: guard('isParking', false),
    world: { ...QUIET, troubles: ['park'], troublePauseMs: 50 },
    law: ['states', 'progress'], shows: /for no reason|does not come/,
  },
  {
    title: 'the toolstack’s wishes are not read',
    plant: () => patched(BackendDirectory.prototype, 'wish', () => Promise.resolve({ wish: 'none', online: true })),
    world: QUIET,
    law: ['progress'], shows: /devices are left/,
  },
  {
    title: 'a front end is listened to when its device is gone',
    plant: () => patched(FrontendEar.prototype, 'close', () => undefined),
    law: ['bounded'], shows: /still watched|watched though/,
  },
  {
    title: 'the memory of a queue is given back when the next one comes',
    plant: lateReturn,
    law: ['bounded'], shows: /keeps a part of its arena|are lent though/,
  },
  {
    title: 'the memory of a queue is lost',
    plant: lostChunks,
    law: ['bounded'], shows: /are lent though/,
  },
  {
    title: 'a timer goes on when its device is gone',
    seams: { queues: looksForEver },
    world: QUIET,
    law: ['bounded'], shows: /timers go on/,
  },
]
