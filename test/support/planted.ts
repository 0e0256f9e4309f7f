/**
 * @packageDocumentation
 * Faults to plant into a simulated queue, each the kind of slip that a programmer makes: a step left out, a check that
 * always says yes, an effect that comes a moment too early or too late. Every law of the data path is shown to notice
 * its own (test/sim/laws.test.ts).
 *
 *   seams      lie at a border: between the plane and what the laws watch
 *   sabotage   changes the inside: a guard, a gate, a pool
 *   steppers   obey another chart than the one that was proved
 */
import type { DescriptorReader } from '../../src/actors/descriptor-reader.js'
import { layered } from '../../src/actors/port-layer.js'
import type { BatchSink, QueuePlane } from '../../src/actors/queue-plane.js'
import type { ExtentPool } from '../../src/core/extent-pool.js'
import type { QueueCore } from '../../src/core/queue-core.js'
import { compiledSteppers } from '../../src/core/steppers.js'
import { QueueEvent } from '../../src/machines/generated/queue.js'
import { RequestEvent, RequestState } from '../../src/machines/generated/request.js'
import { COPY_TO_GUEST, COPY_WORDS, IO_SYNC, IO_WORDS, RESULT_WORDS } from '../../src/ports/data-path.js'
import type { BackRing, GrantCopier, MediumPort } from '../../src/ports/data-path.js'
import type { Law } from '../../src/sim/laws.js'
import type { Ending } from '../../src/sim/world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'

export interface Planted {
  readonly law: Law
  readonly title: string
  /** The world in which it shows; without the fault it breaks no law. */
  readonly world?: Partial<WorldOptions>
  readonly ending?: Ending
  readonly fault: Partial<WorldOptions>
}

/** Puts a method or property of an object's own in front of its class's. */
function replace(target: object, name: string, descriptor: PropertyDescriptor): void {
  Object.defineProperty(target, name, { configurable: true, ...descriptor })
}

const inCore = (name: string, value: unknown) => ({ sabotage: ({ core }: QueuePlane) => replace(core, name, { value }) })

const answersTwice = (ring: BackRing) =>
  layered(ring, {
    answer: (answers, count, rspProd) => {
      ring.answer(answers, count, rspProd)
      return ring.answer(answers, count, rspProd)
    },
  })

const forgetsAnAnswer = (ring: BackRing) => {
  let answered = 0
  return layered(ring, {
    answer: (answers, count, rspProd) => {
      const forget = answered < 20 && (answered += count) >= 20
      return ring.answer(answers, forget ? count - 1 : count, rspProd)
    },
  })
}

/** Leaves what goes to the guest for the next batch: «nobody will look that soon». */
const copiesLate = (grants: GrantCopier) => {
  let left = new Int32Array(0)
  return layered(grants, {
    copy: (copies, count) => {
      grants.copy(left, left.length / COPY_WORDS)
      left = copies.slice(0, count * COPY_WORDS)
      for (let index = 0; index < count; index++) copies[index * COPY_WORDS + 3] = 0
      return 0
    },
  })
}

/** Copies whole pages: «the rest of the page does no harm». */
const copiesWholePages = (grants: GrantCopier) =>
  layered(grants, {
    copy: (copies, count) => {
      for (let at = 0; at < count * COPY_WORDS; at += COPY_WORDS)
        if (copies[at + 3] === COPY_TO_GUEST) copies[at + 1] = 4096 << 16
      return grants.copy(copies, count)
    },
  })

/** Says that syncs are done which the disk never saw. */
const skipsSyncs = (medium: MediumPort): MediumPort => {
  const skipped: number[] = []
  return layered(medium, {
    submit: (requests, count) => {
      for (let index = 0; index < count; index++) {
        const at = index * IO_WORDS
        if (requests[at] === IO_SYNC) skipped.push(requests[at + 1], 0)
        else if (medium.submit(requests.subarray(at, at + IO_WORDS), 1) === 0) return index
      }
      return count
    },
    reap: (results, max) => {
      const own = skipped.splice(0, max * RESULT_WORDS)
      results.set(own)
      const have = own.length / RESULT_WORDS
      return have + medium.reap(results.subarray(own.length), max - have)
    },
    get inFlight() {
      return medium.inFlight + skipped.length / RESULT_WORDS
    },
  })
}

/** Hands every I/O on with other words. */
const asks = (change: (request: Int32Array) => void) => (medium: MediumPort): MediumPort =>
  layered(medium, {
    submit: (requests, count) => {
      const changed = requests.slice(0, count * IO_WORDS)
      for (let at = 0; at < changed.length; at += IO_WORDS) change(changed.subarray(at, at + IO_WORDS))
      return medium.submit(changed, count)
    },
  })

const aimsBeside = (request: Int32Array) => {
  if (request[0] !== IO_SYNC) request[4] += 512
}

const aimsBehindTheEnd = (request: Int32Array) => {
  if (request[0] !== IO_SYNC) request[4] += 4096 * 512
}

/** «One sync too many harms nobody.» */
const syncsOften = (medium: MediumPort): MediumPort =>
  layered(medium, {
    submit: (requests, count) => {
      for (let at = 0; at < count * IO_WORDS; at += IO_WORDS)
        for (let more = 60; requests[at] === IO_SYNC && more > 0; more--)
          medium.submit(requests.subarray(at, at + IO_WORDS), 1)
      return medium.submit(requests, count)
    },
  })

/** Seals a batch only when the next one begins. */
const sealsLate = (sink: BatchSink): BatchSink => {
  let late: (() => void) | undefined
  return layered(sink, {
    begin: (room, nowNs) => {
      late?.()
      late = undefined
      sink.begin(room, nowNs)
    },
    seal: (timeNs, digest) => {
      late = () => sink.seal(timeNs, digest)
    },
  })
}

const sealsOnlyRecords = (sink: BatchSink): BatchSink =>
  layered(sink, {
    seal: (timeNs, digest) => {
      if (sink.dirty) sink.seal(timeNs, digest)
    },
  })

const countsNothing = (core: QueueCore) => (slot: number) => {
  if (core.active[slot] !== 0) core.gate.leave(slot)
  core['leaving'][core['leavingCount']++] = slot
}

const sharesBuffers = (extents: ExtentPool) => {
  replace(extents, 'allocate', { value: () => extents.chunks[0] * 32 })
  replace(extents, 'release', { value: () => undefined })
}

const readsTwice = (descriptors: DescriptorReader) => {
  const read = descriptors.read.bind(descriptors)
  const twice = (entries: Int32Array, entryWords: number, count: number) => {
    read(entries, entryWords, count)
    return read(entries, entryWords, count)
  }
  replace(descriptors, 'read', { value: twice })
}

const readsWholePages = (descriptors: DescriptorReader) => {
  const grants = descriptors['grants']
  const copy = (copies: Int32Array, count: number) => {
    for (let at = 0; at < count * COPY_WORDS; at += COPY_WORDS) copies[at + 1] = 4096 << 16
    return grants.copy(copies, count)
  }
  replace(descriptors, 'grants', { value: layered(grants, { copy }) })
}

const requestsObey = (change: (state: number, event: number) => number): Partial<WorldOptions> => ({
  steppers: {
    ...compiledSteppers,
    request: (host, slot, event) => compiledSteppers.request(host, slot, change(host.state[slot], event)),
  },
})

const drainsAtOnce: Partial<WorldOptions> = {
  steppers: {
    ...compiledSteppers,
    queue: (host, slot, event) => {
      const state = compiledSteppers.queue(host, slot, event)
      return event === QueueEvent.drainAsked ? compiledSteppers.queue(host, slot, QueueEvent.emptied) : state
    },
  },
}

const FAILING: Partial<WorldOptions> = { errorShare: 0.1, shortShare: 0.1 }
const LOSING: Partial<WorldOptions> = { syncErrorShare: 0.2, buffered: true }

export const PLANTED: readonly Planted[] = [
  { law: 'answered-once', title: 'the ring is given every answer twice', fault: { seams: { ring: answersTwice } } },
  { law: 'answered-once', title: 'one answer is forgotten', fault: { seams: { ring: forgetsAnAnswer } } },
  {
    law: 'answered-once',
    title: 'answers still go out when the front end is gone',
    ending: 'abandon',
    fault: inCore('abandonRequests', () => undefined),
  },
  {
    law: 'answered-once',
    title: 'what was abandoned is not counted',
    ending: 'abandon',
    fault: { sabotage: ({ core }) => replace(core, 'countAbandoned', { value: countsNothing(core) }) },
  },
  { law: 'no-grant-kept', title: 'the copy to the guest comes after the answer', fault: { seams: { grants: copiesLate } } },
  { law: 'no-grant-kept', title: 'whole pages are copied', fault: { seams: { grants: copiesWholePages } } },
  {
    law: 'descriptors-once',
    title: 'descriptors are read to be judged, and read again to be carried out',
    world: { indirect: 40 },
    fault: { sabotage: ({ parts }) => parts.descriptors && readsTwice(parts.descriptors) },
  },
  {
    law: 'descriptors-once',
    title: 'whole pages of descriptors are read, whatever was counted',
    world: { indirect: 40 },
    fault: { sabotage: ({ parts }) => parts.descriptors && readsWholePages(parts.descriptors) },
  },
  { law: 'flush-is-durable', title: 'syncs are skipped', fault: { seams: { medium: skipsSyncs } } },
  { law: 'flush-is-durable', title: 'a flush goes to the disk as a write of nothing', fault: inCore('syncsFirst', () => false) },
  {
    law: 'barrier-orders',
    title: 'nothing is held for a barrier',
    fault: { sabotage: ({ core }) => replace(core.gate, 'mustHold', { value: () => false }) },
  },
  { law: 'barrier-orders', title: "a barrier's own data is not synced", fault: inCore('syncsAfter', () => false) },
  {
    law: 'barrier-orders',
    title: 'a barrier that waits for space lets the next ones pass',
    world: { fillShare: 0.1, onEnospc: 'wait' },
    fault: {
      sabotage: ({ core }) => {
        const wantSpace = core.wantSpace.bind(core)
        const lettingPass = (slot: number) => {
          wantSpace(slot)
          core.gate['barrier'] = -1
        }
        replace(core, 'wantSpace', { value: lettingPass })
      },
    },
  },
  {
    law: 'lost-sync-sticks',
    title: 'a lost sync is forgotten at once',
    world: LOSING,
    fault: { sabotage: ({ core }) => replace(core, 'syncLost', { get: () => false, set: () => undefined }) },
  },
  {
    law: 'only-own-read',
    title: 'a failed read counts as done',
    world: FAILING,
    fault: requestsObey((state, event) =>
      state === RequestState.Submitted && event === RequestEvent.failed ? RequestEvent.completed : event,
    ),
  },
  {
    law: 'only-own-read',
    title: 'a buffer is given to two requests',
    fault: { sabotage: ({ core }) => sharesBuffers(core.extents) },
  },
  {
    law: 'only-what-was-asked', title: 'the sector beside the right one', fault: { seams: { medium: asks(aimsBeside) } },
  },
  {
    law: 'inside-image', title: 'sectors behind the end of the disk', fault: { seams: { medium: asks(aimsBehindTheEnd) } },
  },
  { law: 'bounded', title: 'syncs are submitted again and again', fault: { seams: { medium: syncsOften } } },
  { law: 'journal-first', title: 'the batch is sealed a round late', fault: { seams: { sink: sealsLate } } },
  {
    law: 'journal-first',
    title: 'a batch without records is not sealed, though I/Os leave with it',
    world: { arenaChunks: 1 },
    fault: { seams: { sink: sealsOnlyRecords } },
  },
  { law: 'closed-is-empty', title: 'drained is said at once', fault: drainsAtOnce },
  {
    law: 'closed-is-empty',
    title: 'drained is said only after another while',
    fault: { sabotage: ({ core }) => replace(core, 'isEmptied', { value: () => false }) },
  },
]
