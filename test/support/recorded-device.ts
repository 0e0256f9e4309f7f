/**
 * @packageDocumentation
 * One recorded device with both its journals, as a daemon leaves them: the actors' (device and medium, folded by living
 * actors) and the queue's (a simulated run), on one clock: connected before the run begins, short of slots in its midst,
 * drained at its end.
 */
import { ChartActor } from '../../src/actors/chart-actor.js'
import { ActorJournals } from '../../src/journal/actor-journal.js'
import { chainsOf } from '../../src/journal/chain.js'
import type { JournalChain } from '../../src/journal/chain.js'
import { segmentsInMemory } from '../../src/journal/journal-files.js'
import { chartHash } from '../../src/machines/compile/index.js'
import { deviceMachine } from '../../src/machines/device.machine.js'
import type { DeviceEvent } from '../../src/machines/device/types.js'
import { charts } from '../../src/machines/index.js'
import { mediumMachine } from '../../src/machines/medium.machine.js'
import { World } from '../../src/sim/world.js'
import type { WorldOptions } from '../../src/sim/world-options.js'
import { input, undone, ways } from './device-chart.js'

const STEPS = 600
const NAME = 'vbd/1/51712'

export interface RecordedDevice {
  /** Segments of the actors' journal, and of the queue's. */
  readonly actors: readonly Int32Array[]
  readonly queue: readonly Int32Array[]
}

/**
 * The segments of both journals; the run stands still before its end when `stuck`, and at step `diesAt` the process of
 * the queue dies and another one goes on.
 */
export function recordedSegments(options: Partial<WorldOptions> = {}, stuck = false, diesAt = -1): RecordedDevice {
  let now = 10_000
  const actors: Int32Array[] = []
  const journals = new ActorJournals({
    register: () => 1,
    release: () => undefined,
    source: () => ({
      next: (_, least) => {
        actors.push(new Int32Array(Math.max(4096, least)))
        return { words: actors[actors.length - 1], sequence: 1000 + actors.length }
      },
    }),
    origin: { program: 'sim', boot: 'sim', pid: 0, wallMs: 0, monotonicNs: 0 },
    nowNs: () => (now += 1),
    charts: Object.fromEntries(charts.map(({ name, chart }) => [name, chartHash(chart)])),
  })
  const crashed = (sentence: string) => expect(sentence).toBe('')
  const device = new ChartActor({
    machine: deviceMachine, input: { ...input, name: NAME, domid: 1 }, journal: journals.open(NAME, 'device'),
    execute: () => undefined, crashed,
  })
  const medium = new ChartActor({
    machine: mediumMachine, input: { retryMs: 250, attempts: 4, sayAfter: 2 },
    journal: journals.open(`${NAME}/medium`, 'medium'), execute: () => undefined, crashed,
  })
  const tell = (events: readonly DeviceEvent[]) => events.forEach((event) => device.tell(ofDomain1(event)))
  device.start()
  medium.start()
  tell(ways['Connected.intake.Running Connected.medium.Present'])
  const world = new World({ seed: 31, steps: 0, segmentWords: 2048, slots: 20, delayMax: 20, ...options })
  for (let step = 0; step < STEPS; step++) {
    if (step === diesAt) world.recover()
    world.step(true)
  }
  now = world.nowNs
  if (stuck) return { actors, queue: world.segments }
  tell([{ type: 'frontend.Closing' }, { type: 'frontend.Closed' }])
  world.nowNs = now
  world.drain()
  world.finish()
  now = world.nowNs
  tell(undone)
  return { actors, queue: world.segments }
}

/** The words of device-chart.ts are those of domain 5; the simulated queue belongs to domain 1. */
function ofDomain1(event: DeviceEvent): DeviceEvent {
  const text = JSON.stringify(event).replaceAll('/domain/5/', '/domain/1/').replaceAll('"domid":5', '"domid":1')
  return JSON.parse(text.replace('"frontend-id":"5"', '"frontend-id":"1"')) as DeviceEvent
}

/** The same as chains. */
export function recordedDevice(options: Partial<WorldOptions> = {}, stuck = false): JournalChain[] {
  const { actors, queue } = recordedSegments(options, stuck)
  return chainsOf([...segmentsInMemory(actors, 'actors'), ...segmentsInMemory(queue, 'queue')])
}
