/**
 * @packageDocumentation
 * The names of XenStore's nodes, so that no other file spells one. Three generations of names are spoken
 * (xen/include/public/io/blkif.h, head comment; PROTOCOL § 1.1): today's, the deprecated `num-ring-pages`, and those
 * of 2010 (`ring-pages`, `max-requests` …).
 *
 *   /local/domain/BE/backend/TYPE/FE/DEVID     ours: features, properties, state
 *   /local/domain/FE/device/vbd/DEVID          the front end's: transport, state; guest-writable, never trusted
 */

/** Highest domid that is a domain: DOMID_FIRST_RESERVED - 1, xen/include/public/xen.h. */
export const DOMID_MAX = 0x7fef

/** Written by the back end, or by the toolstack into its directory. */
export const BACKEND_KEYS = {
  frontend: 'frontend',
  frontendId: 'frontend-id',
  online: 'online',
  state: 'state',
  mode: 'mode',
  params: 'params',
  deviceType: 'device-type',
  removable: 'removable',
  dev: 'dev',
  sectorFormat: 'sector-format',
  hotplugStatus: 'hotplug-status',
  hotplugError: 'hotplug-error',
  physicalDevicePath: 'physical-device-path',
  limitIops: 'limit-iops',
  limitIopsBurst: 'limit-iops-burst',
  limitBps: 'limit-bps',
  limitBpsBurst: 'limit-bps-burst',
  featureBarrier: 'feature-barrier',
  featureFlushCache: 'feature-flush-cache',
  featureDiscard: 'feature-discard',
  discardAlignment: 'discard-alignment',
  discardGranularity: 'discard-granularity',
  discardSecure: 'discard-secure',
  featurePersistent: 'feature-persistent',
  maxIndirectSegments: 'feature-max-indirect-segments',
  maxQueues: 'multi-queue-max-queues',
  maxRingPageOrder: 'max-ring-page-order',
  maxRingPages: 'max-ring-pages',
  maxRequests: 'max-requests',
  maxRequestSegments: 'max-request-segments',
  maxRequestSize: 'max-request-size',
  sectors: 'sectors',
  sectorSize: 'sector-size',
  physicalSectorSize: 'physical-sector-size',
  info: 'info',
} as const

/** Written by the front end. */
export const FRONTEND_KEYS = {
  state: 'state',
  eventChannel: 'event-channel',
  protocol: 'protocol',
  ringRef: 'ring-ref',
  ringPageOrder: 'ring-page-order',
  numRingPages: 'num-ring-pages',
  /** 2010. */
  ringPages: 'ring-pages',
  maxRequests: 'max-requests',
  maxRequestSegments: 'max-request-segments',
  maxRequestSize: 'max-request-size',
  numQueues: 'multi-queue-num-queues',
  featurePersistent: 'feature-persistent',
} as const

/** What a toolstack may forbid for one device, by the node `…-enable` = 0 beside those of {@link BACKEND_KEYS}. */
export const VETOABLE = ['flush', 'barrier', 'discard', 'persistent', 'indirect', 'multi-queue'] as const

export type Vetoable = (typeof VETOABLE)[number]

/** `discard-enable`, which libxl writes, and its like. */
export function enableKey(feature: Vetoable): string {
  return `${feature}-enable`
}

/** `ring-ref0` to `ring-ref15`. */
export function ringRefKey(page: number): string {
  return `ring-ref${page}`
}

/** The most queues of one device that anyone may offer. */
export const QUEUES_LIMIT = 16

/** `queue-1/ring-ref`: a node of one of several queues; of the only one it stands without. */
export function queueKey(queue: number, queues: number, key: string): string {
  return queues === 1 ? key : `queue-${queue}/${key}`
}

/** Every node of the front end that {@link negotiate} may want, for rings of up to `pages` pages. */
export function negotiationKeys(pages = 16): string[] {
  const { state: _state, ...keys } = FRONTEND_KEYS
  return [...Object.values(keys), ...Array.from({ length: pages }, (_, page) => ringRefKey(page))]
}

/** Those of a front end with several queues, beyond {@link negotiationKeys}. */
export function queueKeys(queues: number, pages = 16): string[] {
  const { ringRef, eventChannel } = FRONTEND_KEYS
  const own = [eventChannel, ringRef, ...Array.from({ length: pages }, (_, page) => ringRefKey(page))]
  return Array.from({ length: queues }, (_, queue) => own.map((key) => queueKey(queue, queues, key))).flat()
}

/** The directory that holds all devices of one type: what a daemon watches. */
export function backendRoot(backendDomid: number, type: string): string {
  return `/local/domain/${backendDomid}/backend/${type}`
}

/** A device's back-end directory. */
export function backendPath(backendDomid: number, type: string, domid: number, devid: number): string {
  return `${backendRoot(backendDomid, type)}/${domid}/${devid}`
}

/** A device's front-end directory, where the toolstack puts it; the node `frontend` has the last word. */
export function frontendPath(domid: number, devid: number): string {
  return `/local/domain/${domid}/device/vbd/${devid}`
}

/** Which device a path below {@link backendRoot} belongs to, also a path of one of its nodes. */
export function deviceOfPath(path: string, root: string): { domid: number; devid: number } | undefined {
  if (!path.startsWith(`${root}/`)) return undefined
  const match = /^(\d{1,5})\/(\d{1,10})(?:\/|$)/.exec(path.slice(root.length + 1))
  return match ? { domid: Number(match[1]), devid: Number(match[2]) } : undefined
}
