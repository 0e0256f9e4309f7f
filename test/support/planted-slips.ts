/**
 * @packageDocumentation
 * Faults for the simulator to find (test/sim/planted-faults.test.ts): those of test/support/planted.ts, each shown there
 * to break its law, and more of the kind that only shows when things meet: in core, charts, journal and recovery. Each
 * is a small sabotage of the real thing; nobody tells the simulator which plan it takes.
 */
import { layered } from '../../src/actors/port-layer.js'
import type { QueuePlane } from '../../src/actors/queue-plane.js'
import type { BatchSink } from '../../src/actors/queue-plane.js'
import type { QueueCore } from '../../src/core/queue-core.js'
import { lastAnswers } from '../../src/core/recovery.js'
import { compiledSteppers } from '../../src/core/steppers.js'
import { QueueEvent } from '../../src/machines/generated/queue.js'
import { RequestEvent, RequestState } from '../../src/machines/generated/request.js'
import { RESULT_WORDS } from '../../src/ports/data-path.js'
import type { MediumPort } from '../../src/ports/data-path.js'
import type { Fault } from '../../src/sim/queue/player.js'
import type { WorldOptions } from '../../src/sim/world-options.js'
import { PLANTED } from './planted.js'

export interface Slip {
  readonly area: 'core' | 'charts' | 'journal' | 'recovery' | 'shell'
  readonly title: string
  /** Whose plans show it; default `queue`. */
  readonly family?: 'queue' | 'hostile'
  readonly fault: Fault
}

const replace = (target: object, name: string, descriptor: PropertyDescriptor) =>
  void Object.defineProperty(target, name, { configurable: true, ...descriptor })

const inCore = (sabotage: (core: QueueCore, plane: QueuePlane) => void): Fault => ({
  world: { sabotage: (plane) => sabotage(plane.core, plane) },
})

const seams = (layers: WorldOptions['seams']): Fault => ({ world: { seams: layers! } })

/** In this state, this event counts as that one. */
const requestTakes = (state: number, event: number, as: number): Fault => ({
  world: {
    steppers: {
      ...compiledSteppers,
      request: (host, slot, told) =>
        compiledSteppers.request(host, slot, host.state[slot] === state && told === event ? as : told),
    },
  },
})

/** What a medium could not do whole it is said to have done whole. */
const wholeResults = (medium: MediumPort): MediumPort => {
  const lengths = new Map<number, number>()
  return layered(medium, {
    submit: (requests, count) => {
      for (let at = 0; at < count * 8; at += 8) lengths.set(requests[at + 1], requests[at] < 2 ? requests[at + 3] : 0)
      return medium.submit(requests, count)
    },
    reap: (results, max) => {
      const count = medium.reap(results, max)
      for (let at = 0; at < count * RESULT_WORDS; at += RESULT_WORDS)
        if (results[at + 1] >= 0) results[at + 1] = lengths.get(results[at]) ?? results[at + 1]
      return count
    },
  })
}

/** Every twentieth batch is sealed with a word that is not what was folded. */
const damages = (sink: BatchSink): BatchSink => {
  let batches = 0
  return layered(sink, {
    seal: (timeNs, digest) => {
      const at = sink.at - 1
      sink.seal(timeNs, digest)
      if (++batches % 20 === 0) sink.words[at] ^= 0x10000
    },
  })
}

const stampsWrongDigest = (sink: BatchSink): BatchSink => {
  let batches = 0
  return layered(sink, { seal: (timeNs, digest) => sink.seal(timeNs, ++batches % 20 === 0 ? digest ^ 1 : digest) })
}

const forgetsToSeal = (sink: BatchSink): BatchSink => {
  let batches = 0
  return layered(sink, {
    seal: (timeNs, digest) => {
      if (++batches % 20 !== 0) sink.seal(timeNs, digest)
    },
  })
}

const listsWithout = (core: QueueCore, change: (lists: ReturnType<QueueCore['lists']>) => object) => {
  const lists = core.lists.bind(core)
  replace(core, 'lists', { value: () => ({ ...lists(), ...change(lists()) }) })
}

const MORE: readonly Slip[] = [
  {
    area: 'core', title: 'a lost sync keeps nobody back',
    fault: inCore((core) => replace(core, 'syncLost', { get: () => false, set: () => undefined })),
  },
  {
    area: 'core', title: 'pages are given back to nobody',
    fault: inCore(({ extents }) => replace(extents, 'release', { value: () => undefined })),
  },
  {
    area: 'core', title: 'nobody is relieved of a shortage',
    fault: inCore((core) => replace(core, 'isRelieved', { value: () => false })),
  },
  {
    area: 'core', title: 'the end of the disk is taken to lie behind its end', family: 'hostile',
    fault: inCore((core) => void (core.disk = { ...core.disk, sectorCount: core.disk.sectorCount * 2 })),
  },
  {
    area: 'core', title: 'a read-only disk is written', family: 'hostile',
    fault: inCore((core) => void (core.disk = { ...core.disk, readOnly: false })),
  },
  {
    area: 'core', title: 'sectors of 4 KiB are taken for 512 bytes', family: 'hostile',
    fault: inCore((core) => void (core.disk = { ...core.disk, sectorSize: 512 })),
  },
  {
    area: 'core', title: 'a chunk is given back while it is in use',
    fault: inCore(({ extents }) => {
      const takeBack = () => {
        const chunk = extents.count === 0 ? -1 : extents.chunks[--extents.count]
        if (chunk >= 0) extents.free[chunk] = 0
        return chunk
      }
      replace(extents, 'takeBack', { value: takeBack })
    }),
  },
  {
    area: 'core', title: 'whoever waits is overtaken by a barrier',
    fault: inCore(({ gate }) => replace(gate, 'isBarrier', { value: () => false })),
  },
  {
    area: 'core', title: 'a write that finds no space is answered although it should wait',
    fault: inCore((core) => replace(core, 'waitsForSpace', { get: () => false, set: () => undefined })),
  },
  {
    area: 'core', title: 'whoever waits for space is never tried again',
    fault: { world: { steppers: {
      ...compiledSteppers,
      request: (host, slot, told) =>
        told === RequestEvent.retried ? host.state[slot] : compiledSteppers.request(host, slot, told),
    } } },
  },
  {
    area: 'charts', title: 'a failed write counts as done',
    fault: requestTakes(RequestState.Submitted, RequestEvent.failed, RequestEvent.completed),
  },
  {
    area: 'charts', title: 'a failed sync counts as done',
    fault: requestTakes(RequestState.Syncing, RequestEvent.failed, RequestEvent.completed),
  },
  {
    area: 'charts', title: 'a copy that failed counts as made', family: 'hostile',
    fault: requestTakes(RequestState.Granted, RequestEvent.copyFailed, RequestEvent.copied),
  },
  {
    area: 'charts', title: 'a queue that is short goes on taking',
    fault: { world: { steppers: {
      ...compiledSteppers,
      queue: (host, slot, event) => {
        const state = compiledSteppers.queue(host, slot, event)
        return event === QueueEvent.short ? compiledSteppers.queue(host, slot, QueueEvent.relieved) : state
      },
    } } },
  },
  { area: 'journal', title: 'a bit of a sealed batch flips', fault: seams({ sink: damages }) },
  { area: 'journal', title: 'the digest is another', fault: seams({ sink: stampsWrongDigest }) },
  { area: 'journal', title: 'a batch is forgotten', fault: seams({ sink: forgetsToSeal }) },
  {
    area: 'journal', title: 'a checkpoint forgets the line',
    fault: inCore((core) => listsWithout(core, () => ({ line: [] }))),
  },
  {
    area: 'journal', title: 'a checkpoint forgets who was answered last',
    fault: inCore((core) => listsWithout(core, () => ({ leaving: new Uint16Array(0) }))),
  },
  {
    area: 'recovery', title: 'what was committed is not published',
    fault: { successor: { publish: () => undefined } },
  },
  {
    area: 'recovery', title: 'what is published is published again',
    fault: { successor: { publish: ({ core }, ring) => {
      const { answers, count } = lastAnswers(core)
      ring.answer(answers, count, (core.rspProd - count) | 0)
    } } },
  },
  { area: 'recovery', title: 'the I/O of the dead is not awaited', fault: { successor: { unfenced: true } } },
  {
    area: 'recovery', title: 'a lost sync is forgiven',
    fault: { successor: { sabotage: (core) => void (core.syncLost = false) } },
  },
  {
    area: 'recovery', title: 'the line is redone from its end',
    fault: { successor: { sabotage: ({ gate }) => {
      const line = gate.slotsInLine.bind(gate)
      gate.slotsInLine = () => line().reverse()
    } } },
  },
  {
    area: 'recovery', title: 'what was in flight is not done again',
    fault: { successor: { sabotage: (core) => void core.active.fill(0) } },
  },
  {
    area: 'recovery', title: 'the ring is gone on with one entry too far',
    fault: { successor: { sabotage: (core) => void core.reqCons++ } },
  },
  { area: 'shell', title: 'what a disk did in part counts as done', fault: seams({ medium: wholeResults }) },
  {
    area: 'shell', title: 'nobody looks once more before sleeping',
    fault: inCore((_, plane) => replace(plane, 'arm', { value: () => false })),
  },
  {
    area: 'shell', title: 'the front end is not told',
    fault: inCore((_, plane) => replace(plane.parts.channel, 'notify', { value: () => undefined })),
  },
]

/** Of a fault that lies at a border, inside, or in the steps of a chart. */
const areaOf = ({ steppers, sabotage }: Partial<WorldOptions>): Slip['area'] =>
  steppers ? 'charts' : sabotage ? 'core' : 'shell'

export const SLIPS: readonly Slip[] = [
  ...PLANTED.map(({ title, fault }): Slip => ({ area: areaOf(fault), title, fault: { world: fault } })),
  ...MORE,
]
