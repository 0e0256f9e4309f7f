/**
 * @packageDocumentation
 * How long each device has been draining, in all: no counter of the data path knows it, because draining is a state of
 * the device. It is looked at whenever the list may have changed, which is rare; between two looks a device counts as
 * what it was at the first. A device that is not listed any more is forgotten.
 */
import type { DeviceListing } from '../ports/daemon-api.js'

interface Drain {
  readonly seconds: number
  /** Since when it drains now; undefined while it does not. */
  readonly sinceNs: number | undefined
}

const isDraining = ({ state }: DeviceListing) => state.split(' ').some((leaf) => leaf.endsWith('.draining'))

export class DrainClock {
  readonly #nowNs: () => number
  #drains = new Map<string, Drain>()

  constructor(nowNs: () => number) {
    this.#nowNs = nowNs
  }

  /** The list as it is now. */
  look(devices: readonly DeviceListing[]): void {
    const nowNs = this.#nowNs()
    const drains = devices.map((device): [string, Drain] => {
      const { sinceNs } = this.#drains.get(device.name) ?? { sinceNs: undefined }
      if (isDraining(device)) return [device.name, { seconds: this.#before(device.name), sinceNs: sinceNs ?? nowNs }]
      return [device.name, { seconds: this.seconds(device.name, nowNs), sinceNs: undefined }]
    })
    this.#drains = new Map(drains)
  }

  /** Seconds until now, a drain that goes on included. */
  seconds(name: string, nowNs = this.#nowNs()): number {
    const { sinceNs } = this.#drains.get(name) ?? { sinceNs: undefined }
    return this.#before(name) + (sinceNs === undefined ? 0 : (nowNs - sinceNs) / 1e9)
  }

  #before(name: string): number {
    return this.#drains.get(name)?.seconds ?? 0
  }
}
