/**
 * @packageDocumentation
 * What a device may leave behind: nothing. Whether it was detached or its domain died, some time after the daemon has
 * done with it no watch in XenStore is its own any more, and no Worker keeps a part of its arena for a queue of it.
 * Looked for now and then while others go on, because whoever leaks a little at each of a guest's comings and goings is
 * found out only at the end of a long life; and at the very end, when nothing at all may be left.
 *
 *   listed ─ gone ─── a while ───► watches below its directories?   its queues among the borrowers of an arena?
 *   all gone ─────────────────────► every chunk of every arena is free; two watches and one timer, the daemon's own
 */
import type { SimDevice } from './device.js'
import { nameOf } from './device.js'
import type { Blame } from './laws.js'
import type { DaemonProcess } from './process.js'

/** Messages to XenStore and to Workers that are under way when a device is gone have arrived by then. */
const A_WHILE_NS = 200e6

/** `backend/vbd` and `@releaseDomain`. */
const OWN_WATCHES = 2
/** The daemon's look at sizes. */
const OWN_TIMERS = 1

export class Leftovers {
  readonly #blame: Blame
  /** Since when a device that was seen is gone, in the process that is looked at. */
  readonly #goneNs = new Map<string, number>()
  #daemon: DaemonProcess | undefined

  constructor(blame: Blame) {
    this.#blame = blame
  }

  /** To be called now and then. */
  look(daemon: DaemonProcess | undefined, devices: readonly SimDevice[], nowNs: number): void {
    if (daemon !== this.#daemon) this.#goneNs.clear()
    this.#daemon = daemon
    if (daemon?.ready !== true) return
    const listed = new Set(daemon.list().map(({ name }) => name))
    for (const device of devices) {
      const name = nameOf(device)
      if (listed.has(name)) this.#goneNs.delete(name)
      else if (!this.#goneNs.has(name)) this.#goneNs.set(name, nowNs)
      else if (nowNs - this.#goneNs.get(name)! > A_WHILE_NS) this.#judge(daemon, device)
    }
  }

  #judge(daemon: DaemonProcess, device: SimDevice): void {
    const { backend, frontend } = device.place
    const name = nameOf(device)
    const watch = daemon.watched.find((path) => path.startsWith(`${backend}/`) || path.startsWith(`${frontend}/`))
    if (watch !== undefined) this.#blame('bounded', `${name} is gone, and ${watch} is still watched`)
    const queue = daemon.workers.flatMap(({ borrowers }) => borrowers).find((one) => one.startsWith(`${name}/`))
    if (queue === undefined) return
    this.#blame('bounded', `${name} is gone, and a Worker keeps a part of its arena for ${queue}`)
  }
}

/** What is left although every device is gone, in words; undefined: nothing. */
export function leftOf(daemon: DaemonProcess, arenaChunks: number): string | undefined {
  const lent = daemon.workers.reduce((sum, { freeChunks }) => sum + arenaChunks - freeChunks, 0)
  if (lent > 0) return `${lent} chunks of the arena are lent though no device is there`
  if (daemon.watched.length > OWN_WATCHES) return `watched though no device is there: ${daemon.watched.join(' ')}`
  return daemon.timers > OWN_TIMERS ? `${daemon.timers} timers go on though no device is there` : undefined
}
