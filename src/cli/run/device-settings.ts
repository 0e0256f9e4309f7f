/**
 * @packageDocumentation
 * From the operator's settings to what a device actor needs. The faults that XBBD_PLANT names (planted-faults.ts) come
 * in here, each for all devices or for the one that it names.
 */
import type { DeviceSettings } from '../../machines/device/types.js'
import { QUEUES_LIMIT } from '../../protocol/keys.js'
import { DEFAULT_RING_LIMITS } from '../../protocol/negotiation.js'
import type { RateLimit, RateLimitKey } from '../../protocol/rate-limit.js'
import type { Settings } from '../config/schema.js'
import { plantedFaults } from './planted-faults.js'

/** Zero is none. */
const only = (key: RateLimitKey, figure: number): RateLimit => (figure === 0 ? {} : { [key]: figure })

/** Settings of the device with a name such as `vbd/5/51712`. Throws XbbdError when XBBD_PLANT makes no sense. */
export function deviceSettings(settings: Settings): (device: string) => DeviceSettings {
  const faultsOf = plantedFaults(process.env.XBBD_PLANT ?? '')
  const common: DeviceSettings = {
    ring: {
      ...DEFAULT_RING_LIMITS,
      maxRingPageOrder: settings['ring.max-page-order'],
      maxRequestSegments: settings['requests.block-segments'],
      maxIndirectSegments: settings['requests.indirect-segments'],
      maxQueues: Math.min(QUEUES_LIMIT, settings['ring.max-queues'] || settings.workers),
      abiFallback: settings['abi.default'],
      persistent: settings['grants.mode'] === 'persistent',
    },
    grants: settings['grants.mode'] === 'map' ? 'map' : 'copy',
    slots: settings['requests.slots-max'],
    batch: Math.min(settings['requests.batch'], settings['requests.slots-max']),
    requests: settings['requests.mode'],
    journal: settings['journal.mode'],
    medium: {
      direct: settings['medium.direct'],
      engine: settings['medium.engine'],
      depth: settings['medium.depth'],
      mergeBytes: settings['medium.merge-size'],
      discard: settings['discard.mode'],
      nbd: {
        reconnectMs: settings['nbd.reconnect-time'],
        replayBytes: settings['nbd.replay-size'],
        fenceMs: settings['nbd.fence-time'],
      },
    },
    onEnospc: settings['medium.on-enospc'],
    discard: settings['discard.enable'],
    limit: {
      ...only('iops', settings['limit.iops']), ...only('iopsBurst', settings['limit.iops-burst']),
      ...only('bps', settings['limit.bps']), ...only('bpsBurst', settings['limit.bps-burst']),
    },
    closePatienceMs: 10_000,
    rejoin: { max: settings['restart.max'], periodMs: settings['restart.period'] },
  }
  return (device) => {
    const { queue, layers, kill } = faultsOf(device)
    return {
      ...common,
      ...(queue && { plant: queue }),
      ...(kill && { kill }),
      medium: { ...common.medium, ...(layers.length > 0 && { layers }) },
    }
  }
}
