/**
 * @packageDocumentation
 * A Worker's first requests should not be its slowest: V8 interprets what it has not seen often, at a tenth of the
 * speed (a hundredth under an emulator). So a Worker that has nothing to do yet serves rings of its own first: the same
 * code, over memory that nobody else sees.
 *
 *   NativeFrontRing ─ reads, writes, flushes, 1 to 32 at a time ─► QueueWorker ─ a file in memory ─► answers
 *
 * It is done in slices, so that messages of the main thread are heard, a bounded number of requests, and is over as
 * soon as a real queue has work. What must never happen: a word of it in a journal of the daemon, or a byte in its
 * arena.
 *
 * Ring and medium are of the classes that serve guests. Grants and channels cannot be: no guest is there yet. Code that
 * was compiled for one stand-in would be thrown away when the first guest's comes, so each ring has stand-ins of a
 * shape of their own: having seen more than four, V8 compiles calls that take any.
 */
import { QueueWorker, type WorkerWorld } from '../../actors/queue-worker.js'
import { CHUNK_BYTES } from '../../core/extent-pool.js'
import { STATISTICS_LENGTH } from '../../core/statistics.js'
import { createOpenMediumPort } from '../../io/media/open-port.js'
import { memoryGeometry } from '../../io/media/memory-port.js'
import { closeDescriptor, mapMemory, unmap, view } from '../../io/native/owners.js'
import { NativeBackRing, NativeFrontRing } from '../../io/native/ring.js'
import { memfdCreate } from '../../io/native/shm.js'
import { systemClock } from '../../io/native/system-clock.js'
import type { SegmentSource } from '../../journal/batch-writer.js'
import { ANSWER_WORDS, COPY_WORDS } from '../../ports/data-path.js'
import type { EventPort, GrantCopier } from '../../ports/data-path.js'
import type { DataPath } from '../../ports/host.js'
import type { QueueAttachment } from '../../ports/queues.js'
import { abiLayout } from '../../protocol/abi.js'
import { BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_READ, BLKIF_OP_WRITE } from '../../protocol/blkif.js'
import { encodeEntry } from '../../protocol/entry.js'

const REQUESTS = 20_000
const SLICE_NS = 1_000_000
const RINGS = 6
const ENTRIES = 32
const ARENA_CHUNKS = 16
const SEGMENT_WORDS = 64 * 1024
const SECTORS = 8 * 1024

/** What a warm-up shares with the Worker whose code it runs. */
export type WarmUpWorld = Pick<WorkerWorld, 'nowNs' | 'crcOfWords' | 'steppers' | 'origin'>

/** One ring, both its ends, and what its front end has put and taken. */
class WarmRing {
  readonly page = mapMemory(4096)
  readonly front = new NativeFrontRing(this.page, 1, 'x86_64')
  notified: () => void = () => undefined
  served = 0

  constructor() {
    this.front.init()
  }

  close(): void {
    this.front.close()
    unmap(this.page)
  }
}

export class WarmUp {
  readonly #world: WarmUpWorld
  readonly #rings = Array.from({ length: RINGS }, () => new WarmRing())
  readonly #disk = memfdCreate('xbbd-warm-up', SECTORS * 512)
  readonly #arena = mapMemory(ARENA_CHUNKS * CHUNK_BYTES)
  readonly #entries: Int32Array
  readonly #answers = new Int32Array(ENTRIES * ANSWER_WORDS)
  readonly #worker: QueueWorker
  #turn: (() => void) | undefined
  #served = 0

  constructor(world: WarmUpWorld) {
    this.#world = world
    this.#entries = manyEntries(this.#rings[0].front.entryWords)
    this.#worker = new QueueWorker({
      ...world,
      dataPath: this.#dataPath(),
      openMedium: createOpenMediumPort(systemClock),
      arena: { bytes: new Uint8Array(view(this.#arena)), handle: this.#arena },
      arenaChunks: ARENA_CHUNKS,
      spinMaxNs: 0,
      segments: recycledSegments,
      // Nothing here waits for space.
      after: () => () => undefined,
      soon: (turn) => void (this.#turn = turn),
      post: () => undefined,
    })
    for (let index = 0; index < RINGS; index++) {
      const statistics = new SharedArrayBuffer(STATISTICS_LENGTH * 8)
      this.#worker.receive({ kind: 'attach', attachment: attachment(index, this.#disk), statistics, journal: 1 })
    }
    this.#finish()
  }

  /** Serves for about a millisecond. @returns whether another slice would be of use. */
  slice(): boolean {
    const { nowNs } = this.#world
    for (const until = nowNs() + SLICE_NS; nowNs() < until && this.#served < REQUESTS; ) this.#serve()
    return this.#served < REQUESTS
  }

  /** Everything is given back. */
  close(): void {
    for (let index = 0; index < RINGS; index++)
      for (const kind of ['drain', 'detach'] as const) {
        const name = nameOf(index)
        this.#worker.receive(kind === 'drain' ? { kind, name, onEnospc: 'error' } : { kind, name })
        this.#finish()
      }
    for (const ring of this.#rings) ring.close()
    unmap(this.#arena)
    closeDescriptor(this.#disk)
  }

  /** Depth matters to what is compiled: it goes from one request to a full ring and back. */
  #serve(): void {
    const count = 1 + ((this.#served * 7) % ENTRIES)
    const ring = this.#rings[this.#served % RINGS]
    ring.front.put(this.#entries, count, ring.served)
    ring.notified()
    this.#finish()
    ring.served += ring.front.take(ring.served, this.#answers, ENTRIES)
    this.#served += count
  }

  #finish(): void {
    for (let turn = this.#turn; turn !== undefined; turn = this.#turn) {
      this.#turn = undefined
      turn()
    }
  }

  /** The plans carry nothing but the number of their ring, in the place of a handle. */
  #dataPath(): DataPath {
    return {
      openRing: ({ ringHandle }) => new NativeBackRing(this.#rings[ringHandle].page, 1, 'x86_64'),
      openGrants: ({ memoryHandle }) =>
        ofShape<GrantCopier>(memoryHandle, { copy: copyNothing, close: () => undefined }),
      openChannel: ({ eventHandle }) =>
        ofShape<EventPort>(eventHandle, {
          notify: () => undefined,
          onNotified: (listener) => void (this.#rings[eventHandle].notified = listener),
          unmask: () => undefined,
          close: () => undefined,
        }),
    }
  }
}

const nameOf = (index: number): string => `warm-up/q${index}`

/** The same thing as an object that V8 takes for one of another class than the others. */
function ofShape<T extends object>(shape: number, thing: T): T {
  return { [`shape${shape}`]: true, ...thing }
}

/** Every copy has succeeded. */
function copyNothing(copies: Int32Array, count: number): number {
  for (let index = 0; index < count; index++) copies[index * COPY_WORDS + 3] = 0
  return 0
}

/** Two segments in turn, read by nobody. */
function recycledSegments(): SegmentSource {
  const pair = [new Int32Array(SEGMENT_WORDS), new Int32Array(SEGMENT_WORDS)]
  let sequence = 0
  return { next: () => ({ words: pair[sequence & 1], sequence: ++sequence }) }
}

function attachment(index: number, disk: number): QueueAttachment {
  const place = { world: 'embedded', domid: 0 } as const
  return {
    settings: {
      name: nameOf(index), slots: ENTRIES, maxSegments: 11, batch: ENTRIES, readOnly: false,
      offersFlush: true, offersBarrier: true, offersDiscard: true, onEnospc: 'error', requests: 'compiled',
      journal: 'inputs',
    },
    ring: { ...place, abi: 'x86_64', pages: 1, ringHandle: index },
    channel: { ...place, port: 0, eventHandle: index, notifyHandle: index },
    grants: { ...place, mode: 'copy', memoryHandle: index, tableHandle: index },
    medium: {
      kind: 'file', geometry: memoryGeometry(SECTORS, false), layers: [], handle: disk,
      engine: 'inline', depth: ENTRIES, blockDevice: false,
    },
  }
}

/** Reads and writes of one to eleven segments, and now and then a flush. */
function manyEntries(entryWords: number): Int32Array {
  const entries = new Int32Array(ENTRIES * entryWords)
  for (let index = 0; index < ENTRIES; index++) {
    const op = index === ENTRIES - 1 ? BLKIF_OP_FLUSH_DISKCACHE : index % 2 === 0 ? BLKIF_OP_READ : BLKIF_OP_WRITE
    const length = op === BLKIF_OP_FLUSH_DISKCACHE ? 0 : 1 + ((index * 3) % 11)
    const segments = Array.from({ length }, (_, gref) => ({ gref, firstSect: 0, lastSect: 7 }))
    const request = { op, idLow: index, sectorLow: index * 128, segments }
    encodeEntry(request, abiLayout('x86_64'), entries, index * entryWords)
  }
  return entries
}
