/**
 * @packageDocumentation
 * What a toolstack does for a device, for hosts without one: both directories in one transaction, with the
 * permissions that a guest needs, as libxl writes them; and, to detach, the request that libxl makes (online=0 and
 * Closing in the back end's directory), then the removal.
 *
 *   BE  owner 0, guest reads      frontend frontend-id online state dev type mode device-type params …
 *   FE  owner guest, 0 reads      backend backend-id state virtual-device device-type protocol
 */
import type { AttachSpec } from '../../ports/daemon-api.js'
import type { XenStore, XenStoreOps } from '../../ports/xenstore.js'
import { XbbdError } from '../../protocol/errors.js'
import { BACKEND_KEYS as K, DOMID_MAX, VETOABLE, backendPath, enableKey, frontendPath } from '../../protocol/keys.js'
import { RATE_LIMIT_KEYS, RATE_LIMIT_NODES, type RateLimit } from '../../protocol/rate-limit.js'
import { parseVdev, vdevName } from '../../protocol/vdev.js'

/** In the front end's directory: whose disk it is. */
const FRONTEND_BACKEND = 'backend'

export interface DevicePlace {
  readonly domid: number
  readonly devid: number
  readonly backend: string
  readonly frontend: string
}

/** Where a device's two directories are. @throws XbbdError for a domain or name that cannot be. */
export function placeOf(backendDomid: number, type: string, spec: { domid: number; vdev: string }): DevicePlace {
  const { domid } = spec
  if (!Number.isInteger(domid) || domid < 0 || domid > DOMID_MAX)
    throw new XbbdError('XBBD_USAGE', `${domid} is no domain: use a number from 0 to ${DOMID_MAX}`, { exitCode: 64 })
  const vdev = parseVdev(spec.vdev)
  if (!vdev.ok) throw new XbbdError('XBBD_USAGE', vdev.sentence, { exitCode: 64 })
  const devid = vdev.value
  return {
    domid, devid, backend: backendPath(backendDomid, type, domid, devid), frontend: frontendPath(domid, devid),
  }
}

async function writeAll(ops: XenStoreOps, directory: string, nodes: Readonly<Record<string, string>>): Promise<void> {
  for (const [key, value] of Object.entries(nodes)) await ops.write(`${directory}/${key}`, value)
}

/** Writes both halves. @returns false when the very same device stands already. @throws XbbdError for another one. */
export async function makeDevice(
  store: XenStore, place: DevicePlace, spec: AttachSpec, backendDomid: number,
): Promise<boolean> {
  return store.transaction(async (ops) => {
    if ((await ops.read(`${place.backend}/${K.state}`)) !== undefined) return existing(ops, place, spec)
    if ((await ops.list(`/local/domain/${place.domid}`)) === undefined) {
      const sentence = `domain ${place.domid} does not exist: start the guest first`
      throw new XbbdError('XBBD_NO_DOMAIN', sentence, { exitCode: 69 })
    }
    await refuseOthers(ops, place, spec)
    for (const directory of [place.backend, place.frontend]) {
      await ops.remove(directory)
      await ops.mkdir(directory)
    }
    await ops.setPermissions(place.backend, [
      { access: 'n', domid: backendDomid }, { access: 'r', domid: place.domid },
    ])
    await ops.setPermissions(place.frontend, [
      { access: 'n', domid: place.domid }, { access: 'r', domid: backendDomid },
    ])
    await writeAll(ops, place.backend, backendNodes(place, spec))
    await writeAll(ops, place.frontend, frontendNodes(place, spec, backendDomid))
    return true
  })
}

/** The guest may have that very disk from another back end, such as QEMU's: its directory must not be lost. */
async function refuseOthers(ops: XenStoreOps, place: DevicePlace, spec: AttachSpec): Promise<void> {
  const other = await ops.read(`${place.frontend}/${FRONTEND_BACKEND}`)
  if (other === undefined || other === place.backend || (await ops.read(`${other}/${K.state}`)) === undefined) return
  const sentence = `${spec.vdev} of domain ${place.domid} is served by ${other}: detach it there, or use another name`
  throw new XbbdError('XBBD_DEVICE_EXISTS', sentence, { exitCode: 73 })
}

async function existing(ops: XenStoreOps, place: DevicePlace, spec: AttachSpec): Promise<false> {
  const read = (key: string) => ops.read(`${place.backend}/${key}`)
  const [target, mode, online] = [await read(K.params), await read(K.mode), await read(K.online)]
  const same = (target ?? '') === spec.target && mode === spec.mode
  const otherwise = !(await hasWishes(ops, place, spec))
  if (same && !otherwise && online === '1') return false
  const more = same && otherwise ? ', other sectors or features' : ''
  const what = `${target ?? 'nothing'} (mode ${mode ?? 'r'}${more})`
  const how = online === '1' ? `is attached with ${what}` : 'is being detached'
  const sentence = `${spec.vdev} of domain ${place.domid} ${how}: detach it first`
  throw new XbbdError('XBBD_DEVICE_EXISTS', sentence, { exitCode: 73 })
}

async function hasWishes(
  ops: XenStoreOps, place: DevicePlace, { sectorFormat, without = [] }: AttachSpec,
): Promise<boolean> {
  if (((await ops.read(`${place.backend}/${K.sectorFormat}`)) ?? '') !== (sectorFormat ?? '')) return false
  for (const feature of VETOABLE) {
    const vetoed = (await ops.read(`${place.backend}/${enableKey(feature)}`)) === '0'
    if (vetoed !== without.includes(feature)) return false
  }
  return true
}

function backendNodes(place: DevicePlace, spec: AttachSpec): Record<string, string> {
  const cdrom = spec.deviceType === 'cdrom'
  return {
    [K.frontend]: place.frontend, [K.frontendId]: String(place.domid), [K.online]: '1',
    [K.removable]: cdrom ? '1' : '0', bootable: '1', [K.dev]: vdevName(place.devid) ?? String(place.devid),
    type: 'phy', [K.mode]: spec.mode, [K.deviceType]: spec.deviceType ?? 'disk', [enableKey('discard')]: '1',
    specification: 'xen', [K.params]: spec.target, ...wishesOf(spec), [K.state]: '1',
  }
}

/** What of a device is only for this back end to read. */
function wishesOf({ sectorFormat, without = [] }: AttachSpec): Record<string, string> {
  const vetoes = without.map((feature) => [enableKey(feature), '0'] as const)
  return { ...(sectorFormat && { [K.sectorFormat]: sectorFormat }), ...Object.fromEntries(vetoes) }
}

function frontendNodes(place: DevicePlace, spec: AttachSpec, backendDomid: number): Record<string, string> {
  return {
    [FRONTEND_BACKEND]: place.backend, 'backend-id': String(backendDomid), 'virtual-device': String(place.devid),
    'device-type': spec.deviceType ?? 'disk', trusted: '1', protocol: spec.protocol ?? 'x86_64-abi', state: '1',
  }
}

/**
 * Changes the disc of a drive as libxl does for guests with a device model: `params` in the back end's directory, empty
 * for none. @throws XbbdError when there is no such drive.
 */
export async function changeDisc(store: XenStore, place: DevicePlace, target: string): Promise<void> {
  await store.transaction(async (ops) => {
    const read = (key: string) => ops.read(`${place.backend}/${key}`)
    const what = `${vdevName(place.devid) ?? place.devid} of domain ${place.domid}`
    await mustStand(ops, place)
    if ((await read(K.deviceType)) !== 'cdrom')
      throw new XbbdError('XBBD_USAGE', `${what} is no CD-ROM: detach it, and attach another disk`, { exitCode: 64 })
    await ops.write(`${place.backend}/${K.params}`, target)
  })
}

/**
 * Sets figures of a device's rate limit: what is absent stays, or is removed when all is set `anew`. A rate comes with
 * its burst, or with the usual one. @throws XbbdError when there is no such device.
 */
export async function limitDevice(
  store: XenStore, place: DevicePlace, limit: RateLimit, anew: boolean,
): Promise<void> {
  await store.transaction(async (ops) => {
    await mustStand(ops, place)
    for (const key of RATE_LIMIT_KEYS) {
      const node = `${place.backend}/${RATE_LIMIT_NODES[key]}`
      const rateIsNew = key === 'iopsBurst' ? limit.iops !== undefined : key === 'bpsBurst' && limit.bps !== undefined
      const figure = limit[key]
      if (figure !== undefined) await ops.write(node, String(figure))
      else if ((anew || rateIsNew) && (await ops.read(node)) !== undefined) await ops.remove(node)
    }
  })
}

async function mustStand(ops: XenStoreOps, place: DevicePlace): Promise<void> {
  if ((await ops.read(`${place.backend}/${K.state}`)) !== undefined) return
  const what = `${vdevName(place.devid) ?? place.devid} of domain ${place.domid}`
  throw new XbbdError('XBBD_NO_DEVICE', `${what} is not attached: see \`xbbd list\``, { exitCode: 69 })
}

/**
 * Asks a device to close, as libxl does. @returns false when there is no such device; what is left of one (a front end
 * whose back end was removed) is removed then. A front end that belongs to another back end is not ours to touch.
 */
export async function askToClose(store: XenStore, place: DevicePlace): Promise<boolean> {
  return store.transaction(async (ops) => {
    if ((await ops.read(`${place.backend}/${K.state}`)) === undefined) {
      const ours = (await ops.read(`${place.frontend}/${FRONTEND_BACKEND}`)) === place.backend
      if (ours) await ops.remove(place.frontend)
      if ((await ops.list(place.backend)) !== undefined) await ops.remove(place.backend)
      return false
    }
    await writeAll(ops, place.backend, { [K.online]: '0', [K.state]: '5' })
    return true
  })
}

/** Removes the front end's directory alone: the back end then abandons what it has not answered. */
export async function removeFrontend(store: XenStore, place: DevicePlace): Promise<void> {
  await store.remove(place.frontend)
}

/** Removes both directories. */
export async function removeDevice(store: XenStore, place: DevicePlace): Promise<void> {
  await store.transaction(async (ops) => {
    await ops.remove(place.frontend)
    await ops.remove(place.backend)
  })
}
