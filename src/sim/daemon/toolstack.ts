/**
 * @packageDocumentation
 * The toolstack of a simulated machine: makes domains and devices, takes them away in each of the ways that libxl and
 * people have, changes discs and sizes. It has no patience to speak of, and no idea of what the daemon is doing.
 */
import {
  askToClose, makeDevice, placeOf, removeDevice, removeFrontend, type DevicePlace,
} from '../../actors/xenbus/toolstack.js'
import type { XenStored } from '../../embedded/xenstored/xenstored.js'
import { RATE_LIMIT_KEYS, RATE_LIMIT_NODES, type RateLimit } from '../../protocol/rate-limit.js'
import type { Random } from '../random.js'
import type { SimDevice } from './device.js'
import type { Hypervisor, SimDomain } from './hypervisor.js'
import type { Kernel } from './kernel.js'
import type { StoreClient } from './store-link.js'

export interface ToolstackParts {
  readonly kernel: Kernel
  readonly random: Random
  readonly store: StoreClient
  readonly server: XenStored
  readonly hypervisor: Hypervisor
}

export class Toolstack {
  readonly parts: ToolstackParts

  constructor(parts: ToolstackParts) {
    this.parts = parts
  }

  async createDomain(domid: number, pages: number): Promise<SimDomain> {
    const { store, hypervisor } = this.parts
    const home = `/local/domain/${domid}`
    await store.mkdir(`${home}/device/vbd`)
    for (const path of [home, `${home}/device`, `${home}/device/vbd`])
      await store.setPermissions(path, [{ access: 'r', domid: 0 }, { access: 'r', domid }])
    const domain = hypervisor.create(domid, pages)
    await store.introduceDomain(domid, 1, 1)
    return domain
  }

  place(domid: number, vdev: string): DevicePlace {
    return placeOf(0, 'vbd', { domid, vdev })
  }

  async attach(device: SimDevice, deviceType: 'disk' | 'cdrom' = 'disk'): Promise<void> {
    const { place, store: { name }, readOnly } = device
    device.reasons.clear()
    device.lives++
    const { refuses, gone } = device.store.mood
    if (refuses !== undefined || gone) device.reasons.add('its disk is not well')
    device.attached = true
    const { domid, devid } = place
    const mode = readOnly ? 'r' : 'w'
    const spec = { domid, vdev: String(devid), target: name, mode, deviceType } as const
    await makeDevice(this.parts.store, place, spec, 0)
  }

  /** As `xl block-detach`: asks, waits for Closed a while, and removes what is left. */
  async detach(device: SimDevice, waitMs: number): Promise<void> {
    device.reasons.add('detached')
    await askToClose(this.parts.store, device.place)
    await this.#closed(device, waitMs)
    await this.#remove(device)
  }

  /** With `--force`: the front end's directory goes first. */
  async detachByForce(device: SimDevice): Promise<void> {
    device.reasons.add('detached by force')
    await removeFrontend(this.parts.store, device.place)
    await this.detach(device, 200)
  }

  /** online=0 alone: libxl's first half. */
  async takeOffline(device: SimDevice): Promise<void> {
    device.reasons.add('taken offline')
    const { store } = this.parts
    if ((await store.read(`${device.place.backend}/state`)) === undefined) return
    await store.write(`${device.place.backend}/online`, '0')
    await this.#closed(device, 5000)
    await this.#remove(device)
  }

  /** The back end's directory is removed under everybody's feet. */
  async pull(device: SimDevice): Promise<void> {
    device.reasons.add('pulled')
    await this.#remove(device)
  }

  /** So much in a second from now on; nothing said, no limit. */
  async limit({ place }: SimDevice, limit: RateLimit): Promise<void> {
    const write = this.parts.store.transaction(async (ops) => {
      if ((await ops.read(`${place.backend}/state`)) === undefined) return
      for (const key of RATE_LIMIT_KEYS)
        await ops.write(`${place.backend}/${RATE_LIMIT_NODES[key]}`, String(limit[key] ?? ''))
    }, 1000)
    await write.catch(() => undefined)
  }

  /** The domain dies at once; its directories go a while later, as a toolstack finds the time. */
  async destroy(domid: number, devices: readonly SimDevice[], afterMs: number): Promise<void> {
    const { kernel, server, hypervisor, store } = this.parts
    for (const device of devices) device.reasons.add('domain destroyed')
    hypervisor.destroy(domid)
    server.release(domid)
    await kernel.pause(afterMs)
    for (const device of devices) await this.#remove(device)
    await store.remove(`/local/domain/${domid}`)
  }

  async #remove(device: SimDevice): Promise<void> {
    device.attached = false
    const { store } = this.parts
    const { frontend, backend } = device.place
    // Somebody writes there all the time: then one after the other.
    await removeDevice(store, device.place).catch(async () => {
      await store.remove(frontend)
      await store.remove(backend)
    })
  }

  async #closed({ place }: SimDevice, waitMs: number): Promise<void> {
    const { store, kernel } = this.parts
    for (let waited = 0; waited < waitMs; waited += 20) {
      const state = await store.read(`${place.backend}/state`)
      if (state === undefined || state === '6') return
      await kernel.pause(20)
    }
  }
}
