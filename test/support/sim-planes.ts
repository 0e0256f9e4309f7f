/**
 * @packageDocumentation
 * A QueueWorker in a world of one thread: several guests with simulated rings and grants, disks of memory or with a
 * mind of their own, and a clock that stands still unless it is moved. Handles of plans are indices into the guests.
 */
import { QueueWorker } from '../../src/actors/queue-worker.js'
import type { UpMessage } from '../../src/actors/worker-messages.js'
import { CHUNK_BYTES } from '../../src/core/extent-pool.js'
import { STATISTICS_LENGTH } from '../../src/core/statistics.js'
import { compiledSteppers } from '../../src/core/steppers.js'
import type { MediumPlan } from '../../src/ports/medium.js'
import type { QueueAttachment, QueueSettings } from '../../src/ports/queues.js'
import { abiLayout } from '../../src/protocol/abi.js'
import { nullGeometry } from '../../src/io/media/null-port.js'
import { HonestFront } from '../../src/sim/honest-front.js'
import { ManualClock } from '../../src/sim/manual-clock.js'
import { Random } from '../../src/sim/random.js'
import { SimDisk } from '../../src/sim/sim-disk.js'
import { SimGuest } from '../../src/sim/sim-guest.js'
import { SimRing } from '../../src/sim/sim-ring.js'

export const SECTORS = 4096
const ENTRIES = 32

/** One guest with one disk. */
export class SimTenant {
  readonly name: string
  readonly ring = new SimRing(ENTRIES, abiLayout('x86_64'))
  readonly guest = new SimGuest(ENTRIES * 11, ENTRIES * 11)
  readonly front: HonestFront
  readonly statistics = new SharedArrayBuffer(STATISTICS_LENGTH * 8)
  readonly index: number
  disk: SimDisk | undefined
  notified: () => void = () => undefined

  constructor(index: number, random: Random) {
    this.index = index
    this.name = `vbd/${index + 1}/51712/q0`
    const options = { sectorCount: SECTORS, depth: ENTRIES, maxSegments: 11 }
    this.front = new HonestFront(this.ring, this.guest, abiLayout('x86_64'), random, options)
  }

  attachment(extra: Partial<QueueSettings> = {}): QueueAttachment {
    const world = 'embedded' as const
    const domid = this.index + 1
    return {
      settings: {
        name: this.name, slots: ENTRIES, maxSegments: 11, batch: 16, readOnly: false, offersFlush: true,
        offersBarrier: true, offersDiscard: true, onEnospc: 'error', requests: 'compiled', journal: 'inputs', ...extra,
      },
      ring: { world, domid, abi: 'x86_64', pages: 1, ringHandle: this.index },
      channel: { world, domid, port: 1, eventHandle: this.index, notifyHandle: this.index },
      grants: { world, domid, mode: 'copy', memoryHandle: this.index, tableHandle: this.index },
      medium: { kind: 'memory', handle: this.index, layers: [], geometry: { ...nullGeometry(SECTORS), readOnly: false } },
    }
  }
}

export interface SimWorkerOptions {
  readonly tenants: number
  readonly seed?: number
  readonly arenaChunks?: number
  readonly delayMax?: number
}

/** The Worker, its tenants, and what it posted. */
export class SimWorker {
  readonly tenants: SimTenant[]
  readonly worker: QueueWorker
  readonly posted: UpMessage[] = []
  readonly clock = new ManualClock()
  /** Adapters opened and not closed: zero when everything was given back. */
  open = 0
  private readonly random: Random
  private readonly due: (() => void)[] = []
  private now = 1_000_000

  constructor({ tenants, seed = 1, arenaChunks = 16, delayMax = 3 }: SimWorkerOptions) {
    this.random = new Random(seed)
    this.tenants = Array.from({ length: tenants }, (_, index) => new SimTenant(index, this.random))
    const arena = { bytes: new Uint8Array(arenaChunks * CHUNK_BYTES), handle: 0 }
    this.worker = new QueueWorker({
      arena,
      arenaChunks,
      spinMaxNs: 0,
      nowNs: () => (this.now += 1000) + this.clock.nowNs(),
      steppers: () => compiledSteppers,
      segments: () => ({ next: (_, words) => ({ words: new Int32Array(Math.max(words, 16384)), sequence: 1 }) }),
      origin: { program: 'test', boot: 'test', pid: 0, wallMs: 0, monotonicNs: 0 },
      after: (milliseconds, fire) => this.clock.after(milliseconds, fire),
      soon: (turn) => void this.due.push(turn),
      post: (message) => void this.posted.push(message),
      dataPath: {
        openRing: ({ ringHandle }) => this.opened(this.tenants[ringHandle].ring),
        openGrants: ({ memoryHandle }) => this.opened(this.tenants[memoryHandle].guest.copier(arena)),
        openChannel: ({ eventHandle }) =>
          this.opened({
            notify: () => undefined,
            onNotified: (listener) => void (this.tenants[eventHandle].notified = listener),
            unmask: () => undefined,
            close: () => undefined,
          }),
      },
      openMedium: (plan: MediumPlan) => {
        const index = plan.kind === 'memory' ? plan.handle : 0
        const disk = new SimDisk({ bytes: SECTORS * 512, delayMax }, arena, this.random)
        this.tenants[index].disk = disk
        return this.opened(disk)
      },
    })
  }

  /** Counts an adapter, and discounts it when it is closed; what stands behind it may be opened again. */
  private opened<T extends { close(): void }>(adapter: T): T {
    this.open++
    const close = () => {
      this.open--
      adapter.close()
    }
    const member = (key: PropertyKey): unknown => {
      const value: unknown = Reflect.get(adapter, key, adapter)
      return typeof value === 'function' ? (value.bind(adapter) as unknown) : value
    }
    return new Proxy(adapter, {
      get: (_, key) => (key === 'close' ? close : member(key)),
      set: (_, key, value) => Reflect.set(adapter, key, value),
    })
  }

  attach(tenant: SimTenant, extra: Partial<QueueSettings> = {}): void {
    const { statistics } = tenant
    this.worker.receive({ kind: 'attach', attachment: tenant.attachment(extra), statistics, journal: tenant.index + 1 })
  }

  /** Time passes: disks complete, guests put and consume, whoever is due gets its turn. */
  run(steps: number, put = true): void {
    for (let step = 0; step < steps; step++) {
      for (const tenant of this.tenants) {
        if (put && tenant.front.put(1 + this.random.below(4))) tenant.notified()
        tenant.disk?.tick()
        tenant.front.consume()
      }
      this.worker.completion$.next('time')
      for (const turn of this.due.splice(0)) turn()
    }
  }

  kinds(name: string): string[] {
    return this.posted.filter((message) => 'name' in message && message.name === name).map(({ kind }) => kind)
  }
}
