/**
 * @packageDocumentation
 * From the operator's settings to what a device actor needs. Here also the faults that tests and `xbbd demo --break`
 * plant come in: by the environment variable XBBD_PLANT, never by configuration, so that nobody plants one by mistake.
 */
import type { DeviceSettings } from '../../machines/device/types.js'
import type { MediumLayer } from '../../ports/medium.js'
import type { QueuePlant } from '../../ports/queues.js'
import { DEFAULT_RING_LIMITS } from '../../protocol/negotiation.js'
import { XbbdError } from '../../protocol/errors.js'
import type { Settings } from '../config/schema.js'

/** Requests that go well before a planted fault fires. */
const PLANT_AFTER = 100
const QUEUE_PLANTS: readonly string[] = ['throw', 'answer', 'journal'] satisfies QueuePlant[]

export function deviceSettings(settings: Settings): DeviceSettings {
  const plant = plantedFault(process.env.XBBD_PLANT)
  return {
    ring: {
      ...DEFAULT_RING_LIMITS,
      maxRingPageOrder: settings['ring.max-page-order'],
      abiFallback: settings['abi.default'],
    },
    slots: settings['requests.slots-max'],
    batch: Math.min(settings['requests.batch'], settings['requests.slots-max']),
    requests: settings['requests.mode'],
    journal: settings['journal.mode'],
    ...(plant.queue && { plant: plant.queue }),
    medium: {
      direct: settings['medium.direct'],
      engine: settings['medium.engine'],
      depth: settings['medium.depth'],
      ...(plant.layers && { layers: plant.layers }),
    },
    closePatienceMs: 10_000,
  }
}

interface Plant {
  readonly queue?: { readonly kind: QueuePlant; readonly after: number }
  readonly layers?: readonly MediumLayer[]
}

/** `read` (one bit of each of a thousand reads), `answer`, `journal`, `throw`, or `delay=MS` for a slow disk. */
function plantedFault(text: string | undefined): Plant {
  if (text === undefined || text === '') return {}
  if (text === 'read') return { layers: [{ kind: 'corrupt', op: 'read', times: 1000 }] }
  if (QUEUE_PLANTS.includes(text)) return { queue: { kind: text as QueuePlant, after: PLANT_AFTER } }
  const delay = /^delay=(\d+)$/.exec(text)
  if (delay) return { layers: [{ kind: 'delay', milliseconds: Number(delay[1]) }] }
  const sentence = `XBBD_PLANT=${text} is no fault that can be planted: read, answer, journal, throw or delay=MS`
  throw new XbbdError('XBBD_PLANT', sentence, { exitCode: 64 })
}
