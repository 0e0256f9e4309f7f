/**
 * @packageDocumentation
 * The embedded world in one process, for tests: a host in a directory of its own, a guest, both disks' directories,
 * and a test back end. Everything is taken down by `close`, which fails when something is still owned.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeDevice, placeOf, type DevicePlace } from '../../src/actors/xenbus/toolstack.js'
import { Blkfront, type BlkfrontOptions } from '../../src/embedded/blkfront/blkfront.js'
import { GuestDomain } from '../../src/embedded/guest/guest-domain.js'
import { EmbeddedHostClient } from '../../src/embedded/host-client.js'
import { runHost, type RunningHost } from '../../src/embedded/host/main.js'
import { nowNs } from '../../src/io/native/clock.js'
import { connectXenStore, type XenStoreClient } from '../../src/io/xenstore/client.js'
import type { Clock } from '../../src/ports/clock.js'
import { TestBackend, type TestBackendOptions } from './embedded-backend.js'

export const realClock: Clock = {
  nowNs,
  wallMs: () => Date.now(),
  after(milliseconds, fire) {
    const timer = setTimeout(fire, milliseconds)
    return () => clearTimeout(timer)
  },
}

/** Resolves when `holds` does. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2))
}

export class EmbeddedRig {
  readonly dir = mkdtempSync(join(tmpdir(), 'xbbd-host-'))
  host!: RunningHost
  store!: XenStoreClient
  guest!: GuestDomain
  guestStore!: XenStoreClient
  hostClient!: EmbeddedHostClient
  backend!: TestBackend
  #paths!: DevicePlace

  static async start(options: Partial<TestBackendOptions> = {}): Promise<EmbeddedRig> {
    const rig = new EmbeddedRig()
    rig.host = await runHost({ dir: rig.dir })
    rig.store = await connectXenStore(rig.host.xenstorePath)
    rig.guest = await GuestDomain.create({ dir: rig.dir, name: 'guest' })
    rig.guestStore = await rig.guest.connectXenStore()
    rig.hostClient = EmbeddedHostClient.connect(rig.dir)
    const disk = { domid: rig.guest.domid, vdev: 'xvda', target: 'memory:4M', mode: 'w' } as const
    rig.#paths = placeOf(0, 'vbd', disk)
    await makeDevice(rig.store, rig.#paths, disk, 0)
    rig.backend = await rig.newBackend(options)
    return rig
  }

  get paths() {
    return this.#paths
  }

  /** A back end for the rig's disk; the earlier one must have vanished. */
  async newBackend(options: Partial<TestBackendOptions> = {}): Promise<TestBackend> {
    const backend = new TestBackend({
      store: this.store, host: this.hostClient, sizeBytes: 4 << 20, ...this.#paths, ...options,
    })
    await backend.start()
    return backend
  }

  connect(options: Partial<BlkfrontOptions> = {}): Promise<Blkfront> {
    return Blkfront.connect({
      guest: this.guest, store: this.guestStore, frontend: this.#paths.frontend, clock: realClock, timeoutMs: 10_000,
      ...options,
    })
  }

  async close(): Promise<void> {
    await this.backend.vanish()
    await this.hostClient.close()
    this.guestStore.close()
    this.guest.close()
    this.store.close()
    await this.host.close()
    rmSync(this.dir, { recursive: true })
  }
}
