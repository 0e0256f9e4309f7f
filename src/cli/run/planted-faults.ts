/**
 * @packageDocumentation
 * Faults that tests and `xbbd demo --break` plant in a running daemon: by the environment variable XBBD_PLANT, never by
 * configuration, so that nobody plants one by mistake. Several are separated by commas, each for all devices or, with
 * `@`, for one:
 *
 *   XBBD_PLANT=throw@vbd/1/51712,delay=200        one queue throws; every medium takes 200 ms longer
 *
 *   read             a bit of each of 1000 reads flips         delay=MS           every I/O takes that much longer
 *   answer journal   a wrong answer; a wrong record          error=E            every I/O fails with errno E
 *   throw            the queue breaks an invariant           error=E:FROM-TO    the same, for these sectors only
 *   die              the Worker ends with an exception
 *   hang             the Worker never turns again           kill=POINT:VISIT   SIGKILL there (actors/kill-points.ts)
 *
 *   upgrade=POINT    SIGKILL in the middle of an upgrade, in the process that passes there (UPGRADE_POINTS)
 */
import { KILL_POINTS, type PlantedKill } from '../../actors/kill-points.js'
import type { MediumLayer } from '../../ports/medium.js'
import type { QueuePlant } from '../../ports/queues.js'
import { XbbdError } from '../../protocol/errors.js'

/**
 * Of the new process: nothing said yet, asked for its judgement, about to say that it is ready, let in, at work and
 * nothing said of it. Of the old one: everything is let go of, and the other is not told; it is told.
 */
export const UPGRADE_POINTS = [
  'starting', 'rehearsing', 'ready', 'taking', 'serving', 'yielded', 'handing',
] as const
export type UpgradePoint = (typeof UPGRADE_POINTS)[number]

/** Ends the process where XBBD_PLANT says so. */
export function passUpgradePoint(point: UpgradePoint): void {
  const planted = (process.env.XBBD_PLANT ?? '').split(',')
  if (planted.includes(`upgrade=${point}`)) process.kill(process.pid, 'SIGKILL')
}

/** What is planted in one device. */
export interface PlantedFaults {
  readonly queue: { readonly kind: QueuePlant; readonly after: number } | undefined
  readonly layers: readonly MediumLayer[]
  readonly kill: PlantedKill | undefined
}

/** Requests that go well before a planted fault of a queue fires. */
const PLANT_AFTER = 100
const QUEUE_PLANTS: readonly string[] = ['throw', 'die', 'hang', 'answer', 'journal'] satisfies QueuePlant[]

interface Planted {
  readonly device: string | undefined
  readonly queue?: QueuePlant
  readonly layer?: MediumLayer
  readonly kill?: PlantedKill
}

/** Faults by device, from the variable's text. @throws XbbdError 64 when it names no such fault. */
export function plantedFaults(text: string): (device: string) => PlantedFaults {
  const all = text.split(',').filter((word) => word !== '').map(planted)
  return (device) => {
    const here = all.filter((fault) => fault.device === undefined || fault.device === device)
    const kind = here.find(({ queue }) => queue !== undefined)?.queue
    return {
      queue: kind && { kind, after: PLANT_AFTER },
      kill: here.find(({ kill: point }) => point !== undefined)?.kill,
      layers: here.flatMap(({ layer }) => (layer === undefined ? [] : [layer])),
    }
  }
}

function planted(text: string): Planted {
  const [fault, device] = text.split('@')
  if (QUEUE_PLANTS.includes(fault)) return { device, queue: fault as QueuePlant }
  if (fault === 'read') return { device, layer: { kind: 'corrupt', op: 'read', times: 1000 } }
  const delay = /^delay=(\d+)$/.exec(fault)
  if (delay) return { device, layer: { kind: 'delay', milliseconds: Number(delay[1]) } }
  const kill = /^kill=([a-z-]+)(?::(\d+))?$/.exec(fault)
  const point = KILL_POINTS.find((name) => name === kill?.[1])
  if (point !== undefined) return { device, kill: { at: point, visit: Number(kill?.[2] ?? 1) } }
  const upgrade = /^upgrade=([a-z]+)$/.exec(fault)?.[1]
  if (UPGRADE_POINTS.some((point) => point === upgrade)) return { device: '' } // of no device
  const error = /^error=(\d+)(?::(\d+)-(\d+))?$/.exec(fault)
  if (error) {
    const range = error[2] === undefined ? {} : { from: Number(error[2]), to: Number(error[3]) }
    return { device, layer: { kind: 'error', errno: Number(error[1]), ...range } }
  }
  const known = 'read, answer, journal, throw, die, hang, kill=POINT:VISIT, upgrade=POINT, delay=MS, error=E:FROM-TO'
  const sentence = `XBBD_PLANT=${text} is no fault that can be planted: ${known}, with @DEVICE for one device alone`
  throw new XbbdError('XBBD_PLANT', sentence, { exitCode: 64 })
}
