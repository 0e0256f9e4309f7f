/**
 * @packageDocumentation
 * A whole control plane in one thread: the real daemon, actors and charts over the real XenStore protocol, with a
 * bookkeeping hypervisor, queues that do no I/O, media that are names, and time that stands still. The guest writes
 * with the rights of a guest.
 */
import { Daemon } from '../../src/actors/daemon.js'
import { inProcessXenStore } from '../../src/embedded/xenstored/in-process.js'
import type { ActorJournal } from '../../src/ports/journal.js'
import { frontendPath, backendPath } from '../../src/protocol/keys.js'
import { parseXenbusState, xenbusStateValue, type XenbusState } from '../../src/protocol/xenbus-state.js'
import { FakeHost } from '../../src/sim/fake-host.js'
import { FakeMedia } from '../../src/sim/fake-media.js'
import { FakeQueuePool } from '../../src/sim/fake-queue-pool.js'
import { ManualClock } from '../../src/sim/manual-clock.js'
import { input } from './device-chart.js'

/** One device as its guest and its toolstack see it. */
export class Guest {
  readonly domid: number
  readonly frontend: string
  readonly backend: string
  readonly #plane: ControlPlane

  constructor(plane: ControlPlane, domid: number, devid = 51712) {
    this.#plane = plane
    this.domid = domid
    this.frontend = frontendPath(domid, devid)
    this.backend = backendPath(0, 'vbd', domid, devid)
  }

  async says(state: XenbusState, keys: Readonly<Record<string, string>> = {}): Promise<void> {
    const store = this.#plane.xenstore.connectAs(this.domid)
    for (const [key, value] of Object.entries(keys)) await store.write(`${this.frontend}/${key}`, value)
    await store.write(`${this.frontend}/state`, xenbusStateValue(state))
    store.close()
  }

  async backendState(): Promise<XenbusState | undefined> {
    const parsed = parseXenbusState(await this.node('state'))
    return parsed.ok ? parsed.state : undefined
  }

  node(key: string): Promise<string | undefined> {
    return this.#plane.xenstore.client.read(`${this.backend}/${key}`)
  }

  async connects(): Promise<void> {
    await this.says('Initialised', { 'ring-ref': '8', 'event-channel': '9', protocol: 'x86_64-abi' })
    await this.#plane.until(async () => (await this.backendState()) === 'Connected')
    await this.says('Connected')
    await this.#plane.until(() => this.#plane.stateOf(this.domid)?.startsWith('Connected') === true)
  }
}

export class ControlPlane {
  readonly xenstore = inProcessXenStore()
  readonly host = new FakeHost()
  readonly queues = new FakeQueuePool()
  readonly media = new FakeMedia()
  readonly clock = new ManualClock()
  readonly journals = new Map<string, object[]>()
  /** Inputs on which a device's actor throws, once each: `name type`. */
  readonly plants = new Set<string>()
  daemon: Daemon

  constructor() {
    this.daemon = this.#newDaemon()
  }

  /** Another process after this one: everything of the first is gone, XenStore stays. */
  async restart(): Promise<void> {
    this.daemon = this.#newDaemon()
    await this.daemon.start()
  }

  async domain(domid: number): Promise<Guest> {
    await this.xenstore.client.mkdir(`/local/domain/${domid}`)
    await this.xenstore.client.introduceDomain(domid, 1, 1)
    return new Guest(this, domid)
  }

  async attached(domid: number, target = `disk${domid}`): Promise<Guest> {
    const guest = await this.domain(domid)
    await this.daemon.attach({ domid, vdev: 'xvda', target, mode: 'w' })
    return guest
  }

  async connected(domid: number): Promise<Guest> {
    const guest = await this.attached(domid)
    await guest.connects()
    return guest
  }

  stateOf(domid: number): string | undefined {
    return this.daemon.list().find((device) => device.domid === domid)?.state
  }

  /** Lets everything that is ready run, until `condition`; fails when nothing brings it about. */
  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    for (let turn = 0; turn < 3000; turn++) {
      if (await condition()) return
      await new Promise((resolve) => setImmediate(resolve))
    }
    throw new Error(`it did not come to pass; devices: ${JSON.stringify(this.daemon.list(), undefined, 1)}`)
  }

  #newDaemon(): Daemon {
    return new Daemon({
      world: {
        store: this.xenstore.client, host: this.host, queues: this.queues, media: this.media, clock: this.clock,
        openJournal: (name) => this.#journal(name),
        mediumPatience: { retryMs: 200, attempts: 5, sayAfter: 2 },
      },
      backendDomid: 0, type: 'vbd', settings: () => input.settings,
      supervision: { maxRestarts: 2, periodMs: 60_000, firstPauseMs: 100, maxPauseMs: 1000 },
      sizePollMs: 60_000,
      failed: (error) => {
        throw error
      },
    })
  }

  #journal(name: string): ActorJournal {
    const records: object[] = []
    this.journals.set(name, records)
    return {
      input: (event) => {
        records.push(JSON.parse(JSON.stringify(event)) as object)
        const plant = `${name} ${'type' in event ? String(event.type) : ''}`
        if (this.plants.delete(plant)) throw new Error(`planted at ${plant}`)
      },
      state: () => undefined,
    }
  }
}
