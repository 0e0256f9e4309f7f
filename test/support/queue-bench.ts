/**
 * @packageDocumentation
 * One queue on the bench: the world of src/sim with a front end that a test writes by hand, entry by entry, and a disk
 * that answers at the next round. What crosses the borders is kept: I/Os, copies, answers.
 *
 *   bench.send({ op, … }) ─► ring ─► bench.run() ─► bench.answers(), bench.ios, bench.copies
 */
import { QueueState, queueStateNames } from '../../src/machines/generated/queue.js'
import { RECORD_CHECKPOINT, RECORD_NAMES, recordWords } from '../../src/core/records.js'
import { COUNTER } from '../../src/core/statistics.js'
import type { CounterName } from '../../src/core/statistics.js'
import { readBatches, readHeader } from '../../src/journal/segment-reader.js'
import { ANSWER_WORDS, COPY_WORDS, IO_WORDS, RESULT_WORDS } from '../../src/ports/data-path.js'
import type { GrantCopier, MediumPort } from '../../src/ports/data-path.js'
import { BLKIF_OP_INDIRECT, PAGE_BYTES } from '../../src/protocol/blkif.js'
import { encodeEntry } from '../../src/protocol/entry.js'
import { encodeDescriptors, pagesOfDescriptors } from '../../src/protocol/indirect.js'
import type { BlkifRequest, BlkifSegment } from '../../src/protocol/entry.js'
import { World } from '../../src/sim/world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'

export interface Answer {
  readonly id: number
  readonly idHigh: number
  readonly op: number
  readonly status: number
}

export interface Io {
  readonly op: number
  readonly arenaAt: number
  readonly length: number
  readonly offset: number
}

export interface Copy {
  readonly gref: number
  readonly offset: number
  readonly length: number
  readonly arenaAt: number
  readonly direction: number
}

/** One record of the journal, by name, with its words. */
export interface JournalRecord {
  readonly kind: string
  readonly words: readonly number[]
}

const DEFAULTS = { seed: 1, steps: 0, delayMax: 0 }

export class QueueBench {
  readonly world: World
  readonly ios: Io[] = []
  readonly copies: Copy[] = []
  /** Set to make every I/O, or those of one operation, end with this result. */
  result: ((op: number, result: number) => number) | undefined
  private readonly ops = new Map<number, number>()
  private reqProd = 0
  /** Pages at the guest's end that hold descriptors. */
  private descriptorPages = 0
  private rspCons = 0

  constructor(options: Partial<WorldOptions> = {}) {
    const { seams, ...rest } = options
    this.world = new World({
      ...DEFAULTS,
      ...rest,
      seams: {
        ...seams,
        medium: (medium) => this.watchMedium(medium),
        grants: (grants) => this.watchGrants(grants),
      },
    })
    this.world.plane.round()
    this.world.plane.round()
  }

  /** Puts a request on the ring. */
  send(request: BlkifRequest): void {
    const { ring, layout } = this.world
    encodeEntry(request, layout, ring.shared, (this.reqProd & (ring.size - 1)) * ring.entryWords)
    this.reqProd = (this.reqProd + 1) | 0
    ring.sharedReqProd = this.reqProd
  }

  /** A request over `pages` whole pages from page `first` of the guest on, granted for it. */
  sendPages(op: number, idLow: number, sector: number, pages: number, first = 0): readonly BlkifSegment[] {
    const segments = Array.from({ length: pages }, (_, page) => ({ gref: first + page, firstSect: 0, lastSect: 7 }))
    for (const { gref } of segments) this.world.guest.grant(gref, gref, true)
    this.send({ op, idLow, sectorLow: sector, segments })
    return segments
  }

  /**
   * An INDIRECT request over `pages` whole pages from page `first` on. Its descriptors go into pages that are granted
   * for reading; `change` what stands in its entry afterwards. @returns the references of these pages.
   */
  sendIndirect(
    inner: number, idLow: number, sector: number, segments: number | readonly BlkifSegment[], first = 0,
    change: Partial<BlkifRequest> = {},
  ): readonly number[] {
    const { guest } = this.world
    const whole = (page: number) => ({ gref: first + page, firstSect: 0, lastSect: 7 })
    const list = typeof segments === 'number' ? Array.from({ length: segments }, (_, page) => whole(page)) : segments
    for (const { gref } of list) guest.grant(gref, gref, true)
    const last = guest.memory.length / PAGE_BYTES
    const descriptorGrefs = Array.from({ length: pagesOfDescriptors(list.length) }, () => last - ++this.descriptorPages)
    descriptorGrefs.reverse()
    for (const gref of descriptorGrefs) guest.grant(gref, gref, false)
    encodeDescriptors(list, new Int32Array(guest.memory.buffer, descriptorGrefs[0] * PAGE_BYTES))
    this.send({
      op: BLKIF_OP_INDIRECT, indirectOp: inner, idLow, sectorLow: sector, nrSegments: list.length, descriptorGrefs, ...change,
    })
    return descriptorGrefs
  }

  /** Rounds of disk and plane, each as if the Worker fell asleep after it. */
  run(rounds = 12): this {
    for (let round = 0; round < rounds; round++) {
      this.world.nowNs += 1000
      this.world.disk.tick()
      this.world.plane.round()
      this.world.plane.arm()
    }
    return this
  }

  /** Answers since the last call, in the order of the ring. */
  answers(): Answer[] {
    const { ring } = this.world
    const answers: Answer[] = []
    for (; this.rspCons !== ring.sharedRspProd; this.rspCons = (this.rspCons + 1) | 0) {
      const [id, idHigh, op, status] = ring.sharedAnswers.subarray((this.rspCons & (ring.size - 1)) * ANSWER_WORDS)
      answers.push({ id, idHigh, op, status })
    }
    return answers
  }

  /** The statuses alone, by id. */
  statuses(): Record<number, number> {
    return Object.fromEntries(this.answers().map(({ id, status }) => [id, status]))
  }

  counter(name: CounterName): number {
    return this.world.core.statistics[COUNTER[name]]
  }

  get state(): string {
    return queueStateNames[this.world.core.queueState]
  }

  /** Nothing is left of any request: slots, pages, places in the gate. */
  get leftovers(): object {
    const { core, plane } = this.world
    const { gate, extents } = core
    return { slots: core.inFlight, pages: extents.used, active: gate.active, line: gate.length, io: plane.inFlightIo }
  }

  /** The journal's records, checkpoints left out. */
  journal(): JournalRecord[] {
    const records: JournalRecord[] = []
    for (const segment of this.world.segments) {
      const header = readHeader(segment)
      if (!header.ok) throw new Error(header.sentence)
      for (const { words, from, to } of readBatches(segment, header.header))
        for (let at = from; at < to; at += recordWords(words, at, to - at)) {
          if ((words[at] & 0xff) === RECORD_CHECKPOINT) continue
          const size = recordWords(words, at, to - at)
          records.push({ kind: RECORD_NAMES[words[at] & 0xff], words: [...words.subarray(at, at + size)] })
        }
    }
    return records
  }

  /** Drains, and says whether it came to an end. */
  finish(): boolean {
    this.world.drain()
    return this.world.finish(200) && this.world.core.queueState === QueueState.Detached
  }

  private watchMedium(medium: MediumPort): MediumPort {
    return {
      submit: (requests, count) => {
        const taken = medium.submit(requests, count)
        for (let at = 0; at < taken * IO_WORDS; at += IO_WORDS) this.noteIo(requests, at)
        return taken
      },
      reap: (results, max) => {
        const count = medium.reap(results, max)
        for (let at = 0; at < count * RESULT_WORDS; at += RESULT_WORDS)
          results[at + 1] = this.result?.(this.ops.get(results[at]) ?? -1, results[at + 1]) ?? results[at + 1]
        return count
      },
      get inFlight() {
        return medium.inFlight
      },
      onReady: (listener) => medium.onReady(listener),
      arm: () => medium.arm(),
      close: () => medium.close(),
    }
  }

  private noteIo(requests: Int32Array, at: number): void {
    const u64 = (low: number, high: number) => (requests[at + low] >>> 0) + (requests[at + high] >>> 0) * 4294967296
    this.ops.set(requests[at + 1], requests[at])
    this.ios.push({ op: requests[at], arenaAt: requests[at + 2], length: u64(3, 6), offset: u64(4, 5) })
  }

  private watchGrants(grants: GrantCopier): GrantCopier {
    return {
      copy: (copies, count) => {
        for (let at = 0; at < count * COPY_WORDS; at += COPY_WORDS)
          this.copies.push({
            gref: copies[at] >>> 0,
            offset: copies[at + 1] & 0xffff,
            length: copies[at + 1] >>> 16,
            arenaAt: copies[at + 2],
            direction: copies[at + 3],
          })
        return grants.copy(copies, count)
      },
      close: () => grants.close(),
    }
  }
}
