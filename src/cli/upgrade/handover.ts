/**
 * @packageDocumentation
 * An upgrade is a death that was announced: the old process lets go, and a new one that is ready goes on by the way of
 * recovery. What the announcement gains is that the other was looked at first, that it is awake, and that there is a
 * way back:
 *
 *   findSuccessor ─► every queue yields ─► control socket, lock ─► «yours» ─► … ─► it serves ─► this process ends
 *                     I/O in flight is awaited, XenStore is left alone             else ended, and this one opens anew
 *
 * I/O that does not come back in time is left to the fence, as at a death: then this process ends at once, because what
 * it still holds only its end can free, and there is no way back. What must never happen: two processes that serve one
 * ring (the channel can be bound once, images are locked, and so is run.dir).
 */
import type { PendingDevice, StopOutcome } from '../../ports/daemon-api.js'
import { sentenceOf, XbbdError } from '../../protocol/errors.js'
import type { Announcer } from '../run/announcer.js'
import { passUpgradePoint } from '../run/planted-faults.js'
import type { Stopper } from '../run/stopper.js'
import type { World } from '../run/world.js'
import { buildText } from './build.js'
import type { ResumedQueue } from './dialogue.js'
import {
  dismiss, findSuccessor, type Candidate, type ProcessIdentity, type UpgradeProgress, type UpgradeRequest,
  type UpgraderParts,
} from './upgrader.js'

/** I/O in flight may take so long before it is left to the fence: other guests' disks pause meanwhile. */
const LET_GO_MS = 500
const SERVING_MS = 60_000

/** How one disk went over. */
export interface UpgradedDevice {
  readonly name: string
  /** Its state in the new process. */
  readonly state: string
  /** From the moment at which nothing more was taken to the first batch of the new process. */
  readonly pauseMs?: number
}

export interface UpgradeOutcome {
  /** Only looked at: nothing was changed. */
  readonly checked: boolean
  readonly from: ProcessIdentity
  readonly to: ProcessIdentity
  readonly devices: readonly UpgradedDevice[]
  /** Whose I/O had not come back: they are gone on with when it has. */
  readonly left: readonly PendingDevice[]
}

/** How the old process goes on: it ends with this status, or opens its world again. */
export type Ending = number | 'again'

export interface HandoverParts extends UpgraderParts {
  readonly identity: ProcessIdentity
  readonly world: World
  readonly stopper: Stopper
  readonly announcer: Announcer
  /** Gives up what only one process may have: control socket and lock. */
  readonly leave: () => void
}

export class Handover {
  /** Resolves when this process has let go of everything, and knows how to go on. */
  readonly ending: Promise<Ending>
  private readonly parts: HandoverParts
  private heir: Candidate | undefined
  private under = false
  private end: (ending: Ending) => void = () => undefined

  constructor(parts: HandoverParts) {
    this.parts = parts
    this.ending = new Promise((resolve) => void (this.end = resolve))
  }

  /** Rejects with XbbdError, and then this daemon serves on. */
  async upgrade(request: UpgradeRequest, progress: UpgradeProgress): Promise<UpgradeOutcome> {
    const { stopper, announcer, identity } = this.parts
    if (this.under || stopper.state !== 'running')
      throw new XbbdError('XBBD_UPGRADE_BUSY', 'the daemon stops or is being upgraded already', { exitCode: 75 })
    this.under = true
    try {
      if (!request.check) return await announcer.upgrading(() => this.replace(request, progress))
      const candidate = await findSuccessor(this.parts, request, progress)
      await dismiss(candidate)
      return { checked: true, from: identity, to: candidate.identity, devices: [], left: [] }
    } finally {
      this.under = false
    }
  }

  /** A signal that came while another process takes over is meant for that one. @returns whether it was passed on. */
  passOn(signal: string): boolean {
    this.heir?.process.signal(signal as NodeJS.Signals)
    return this.heir !== undefined
  }

  private async replace(request: UpgradeRequest, progress: UpgradeProgress): Promise<UpgradeOutcome> {
    const { stopper, log } = this.parts
    const candidate = await findSuccessor(this.parts, request, progress)
    log.info({ to: candidate.identity }, 'the new process is ready: letting go')
    if (stopper.state === 'running') this.heir = candidate
    const outcome = await stopper.stop('yield', LET_GO_MS)
    if (outcome.mode === 'yield') return this.handOver(candidate, outcome)
    await dismiss(candidate)
    throw new XbbdError('XBBD_UPGRADE_BUSY', 'the daemon was stopped meanwhile', { exitCode: 75 })
  }

  private async handOver(candidate: Candidate, { left }: StopOutcome): Promise<UpgradeOutcome> {
    const { world, announcer, leave, identity, log } = this.parts
    const { process, identity: to } = candidate
    const yielded = world.yielded()
    passUpgradePoint('yielded')
    leave()
    process.dialogue.say({ say: 'yours', queues: [...yielded.keys()] })
    passUpgradePoint('handing')
    const outcome = { checked: false, from: identity, to, left }
    if (left.length > 0) {
      announcer.handedOver(to.pid)
      this.end(0)
      return { ...outcome, devices: [] }
    }
    try {
      const { resumed } = await process.dialogue.hear('serving', SERVING_MS)
      announcer.handedOver(to.pid)
      log.info({ to }, `handed over to process ${to.pid}: xbbd ${buildText(to)}`)
      this.end(0)
      return { ...outcome, devices: resumed.map((queue) => upgraded(queue, yielded)) }
    } catch (error) {
      return await this.takeBack(candidate, error)
    }
  }

  /** Everything was let go of, and the other did not come to serve: opened anew, as after a death. */
  private async takeBack(candidate: Candidate, error: unknown): Promise<never> {
    const why = sentenceOf(error)
    this.parts.log.error({ why }, 'the new process did not come to serve: it is ended, and this one goes on')
    this.heir = undefined
    await candidate.process.end(0)
    this.end('again')
    const sentence = `the new process let the disks fall, and this daemon has taken them up again: ${why}`
    throw new XbbdError('XBBD_UPGRADE_FAILED', sentence, { exitCode: 75 })
  }
}

/** `vbd/5/51712/q0` is a queue of the device `vbd/5/51712`. */
function upgraded({ queue, atNs, state }: ResumedQueue, yielded: ReadonlyMap<string, number>): UpgradedDevice {
  const name = queue.replace(/\/q\d+$/, '')
  const sinceNs = yielded.get(queue)
  const pauseMs = atNs !== undefined && sinceNs !== undefined ? (atNs - sinceNs) / 1e6 : undefined
  return { name, state, ...(pauseMs !== undefined && { pauseMs }) }
}
