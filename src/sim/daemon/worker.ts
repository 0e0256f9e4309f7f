/**
 * @packageDocumentation
 * A Worker of the daemon without a thread: the real QueueWorker, its arena, and messages that take their time in both
 * directions. It can die alone, as a thread does that throws, and it dies with its process.
 */
import { DESCRIPTOR_AREA_BYTES } from '../../actors/descriptor-reader.js'
import { QueueWorker } from '../../actors/queue-worker.js'
import type { DownMessage, UpMessage } from '../../actors/worker-messages.js'
import type { WorkerHandle } from '../../actors/worker-queue-pool.js'
import { CHUNK_BYTES } from '../../core/extent-pool.js'
import { compiledSteppers } from '../../core/steppers.js'
import type { JournalOrigin } from '../../journal/format.js'
import type { Disks } from './disks.js'
import type { Kernel } from './kernel.js'
import { Part, type Life } from './life.js'
import type { SimPool } from './segments.js'
import type { SimHost } from './sim-host.js'

export interface SimWorkerParts {
  readonly kernel: Kernel
  /** Of its process. */
  readonly life: Life
  readonly host: SimHost
  readonly disks: Disks
  readonly pool: SimPool
  readonly origin: JournalOrigin
  readonly arenaChunks: number
  /** The process is killed from within a plane. */
  readonly die: () => void
}

const MESSAGE_NS = 10_000

export class SimWorkerThread implements WorkerHandle {
  readonly worker: QueueWorker
  readonly #life: Part
  readonly #parts: SimWorkerParts
  #hear: (message: UpMessage) => void = () => undefined
  #mourn: (sentence: string) => void = () => undefined

  constructor(parts: SimWorkerParts) {
    const { kernel, life, host, disks, pool, origin, arenaChunks } = parts
    this.#parts = parts
    this.#life = new Part(life)
    const dataBytes = arenaChunks * CHUNK_BYTES
    const soon = (fire: () => void, nanoseconds: number) =>
      kernel.after(nanoseconds, () => this.#life.alive && fire())
    this.worker = new QueueWorker({
      arena: { bytes: new Uint8Array(dataBytes + DESCRIPTOR_AREA_BYTES), dataBytes, handle: 0 },
      arenaChunks,
      spinMaxNs: 0,
      nowNs: kernel.read,
      steppers: () => compiledSteppers,
      segments: (journal) => pool.source(journal),
      origin,
      after: kernel.clock(() => this.#life.alive).after,
      soon: (turn) => soon(turn, 1000),
      post: (message) => soon(() => this.#hear(message), MESSAGE_NS),
      die: parts.die,
      dataPath: host.dataPath(this.#life),
      openMedium: (plan, arena) => disks.openPort(this.#life, plan, arena),
    })
  }

  get alive(): boolean {
    return this.#life.alive
  }

  post(message: DownMessage): void {
    this.#parts.kernel.after(MESSAGE_NS, () => {
      if (this.#life.alive) this.worker.receive(message)
    })
  }

  onMessage(listener: (message: UpMessage) => void): void {
    this.#hear = listener
  }

  onDeath(listener: (sentence: string) => void): void {
    this.#mourn = listener
  }

  end(): Promise<void> {
    this.#life.die()
    return Promise.resolve()
  }

  /** The thread ends without being asked. */
  die(sentence: string): void {
    const { kernel, life, host } = this.#parts
    if (!this.#life.alive) return
    this.#life.die()
    host.returnAll()
    kernel.after(MESSAGE_NS, () => life.alive && this.#mourn(sentence))
  }
}
