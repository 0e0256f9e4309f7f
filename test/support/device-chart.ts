/**
 * @packageDocumentation
 * Inputs for tests of the device chart: the words of an honest toolstack, host, queue and front end, and a way to
 * walk the chart to a state by name. `given(...)` folds inputs; `when` is one more.
 */
import { deviceMachine } from '../../src/machines/device.machine.js'
import type { DeviceEffect, DeviceEvent, DeviceInput, RawNodes } from '../../src/machines/device/types.js'
import { begin, fold, type Folded } from '../../src/machines/fold.js'
import { steps } from '../../src/machines/device/steps.js'
import type { MediumPlan } from '../../src/ports/medium.js'
import type { QueueLegacy } from '../../src/ports/queues.js'
import { DEFAULT_RING_LIMITS } from '../../src/protocol/negotiation.js'
import type { XenbusState } from '../../src/protocol/xenbus-state.js'

export type DeviceFold = Folded<typeof deviceMachine>

export const input: DeviceInput = {
  name: 'vbd/5/51712',
  domid: 5,
  devid: 51712,
  settings: {
    ring: DEFAULT_RING_LIMITS, slots: 0, batch: 32, requests: 'compiled', journal: 'inputs', medium: {}, grants: 'copy',
    onEnospc: 'error', closePatienceMs: 30_000, rejoin: { max: 2, periodMs: 60_000 },
  },
}

export const plan: MediumPlan = {
  kind: 'null',
  layers: [],
  geometry: {
    sectorCount: 2048, sectorSize: 512, physicalSectorSize: 4096, readOnly: false, canFlush: true, canDiscard: true,
    canSecureDiscard: false, discardGranularity: 4096, discardAlignment: 0, buffered: false,
  },
}

export const backendNodes: RawNodes = {
  frontend: '/local/domain/5/device/vbd/51712', 'frontend-id': '5', online: '1', state: '1', mode: 'w',
  params: 'null:1M', dev: 'xvda', 'device-type': 'disk',
}

export const frontendNodes: RawNodes = { 'ring-ref': '8', 'event-channel': '9', protocol: 'x86_64-abi' }

const world = { world: 'embedded', domid: 5 } as const
export const grants = { ...world, mode: 'copy', memoryHandle: 1, tableHandle: 2 } as const
export const ring = { ...world, abi: 'x86_64', pages: 1, ringHandle: 3 } as const
export const channel = { ...world, port: 4, eventHandle: 5, notifyHandle: 6 } as const

export function nodesRead(nodes: Partial<RawNodes> = {}, frontendState: XenbusState = 'Initialising'): DeviceEvent {
  const merged = Object.entries({ ...backendNodes, ...nodes }).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return { type: 'xenstore.nodesRead', nodes: Object.fromEntries(merged), frontendState }
}

export const says = (state: XenbusState): DeviceEvent => ({ type: `frontend.${state}` })

/** The outcome of each step of Connecting, in order. */
export const outcomes: readonly DeviceEvent[] = [
  { type: 'xenstore.frontendRead', nodes: frontendNodes },
  { type: 'host.grantsOpened', plan: grants },
  { type: 'host.ringMapped', plan: ring },
  { type: 'host.channelBound', plan: channel },
  { type: 'queue.attached' },
  { type: 'xenstore.propertiesPublished' },
]

/** The outcomes of letting go of an attached queue. */
export const undone: readonly DeviceEvent[] = [
  { type: 'queue.drained', abandoned: 0 },
  { type: 'queue.detached' },
  { type: 'host.channelUnbound' },
  { type: 'host.ringUnmapped' },
  { type: 'host.grantsClosed' },
  { type: 'medium.closed' },
]

const opened: DeviceEvent = { type: 'medium.opened', plan, notes: [] }
const toInitWait: readonly DeviceEvent[] = [nodesRead(), opened, { type: 'xenstore.featuresPublished' }]
const toConnecting = [...toInitWait, says('Initialised')]
const toConnected = [...toConnecting, ...outcomes, says('Connected')]
/** What a new process finds when another served this front end and is no more. */
const foundServed: readonly DeviceEvent[] = [nodesRead({ state: '4' }, 'Connected')]
/** The journal of whoever served before, about the very ring that the front end names. */
export function legacyRead(legacy?: QueueLegacy): DeviceEvent {
  const connection = { grefs: [8], evtchn: 9, abi: 'x86_64' } as const
  return { type: 'queue.legacyRead', legacy: legacy ?? { kind: 'recoverable', connection } }
}
export function queueDied(atMs = 0): DeviceEvent {
  return { type: 'queue.crashed', sentence: 'its Worker died', atMs }
}
const toRecovering = [...foundServed, legacyRead(), opened]
const toDraining = [...toConnected, says('Closed')]

/** The queue has let go of the medium before the one with that number. */
export const renewed = (renewal: number): DeviceEvent => ({ type: 'queue.mediumRenewed', renewal })

/** A CD-ROM with a disc in it, and then another one in `params`. */
export const withDrive = (params = '/iso/one'): readonly DeviceEvent[] => [
  nodesRead({ 'device-type': 'cdrom', mode: 'r', params }), ...toConnected.slice(1),
]
const toChanging: readonly DeviceEvent[] = [...withDrive(), { type: 'xenstore.targetChanged', params: 'aio:/iso/two' }]

/** For every state that the chart rests in, inputs that lead there. */
export const ways: Readonly<Record<string, readonly DeviceEvent[]>> = {
  'Initialising.reading': [],
  'Initialising.incomplete': [nodesRead({ frontend: undefined })],
  'Initialising.openingMedium': [nodesRead()],
  'Initialising.publishing': [nodesRead(), opened],
  'InitWait.waiting': toInitWait,
  'Connecting.negotiating': toConnecting,
  'Connecting.openingGrants': [...toConnecting, ...outcomes.slice(0, 1)],
  'Connecting.mappingRing': [...toConnecting, ...outcomes.slice(0, 2)],
  'Connecting.bindingChannel': [...toConnecting, ...outcomes.slice(0, 3)],
  'Connecting.attachingQueue': [...toConnecting, ...outcomes.slice(0, 4)],
  'Connecting.publishing': [...toConnecting, ...outcomes.slice(0, 5)],
  'Recovering.readingJournal': foundServed,
  'Recovering.openingMedium': [...foundServed, legacyRead()],
  'Recovering.negotiating': toRecovering,
  'Recovering.openingGrants': [...toRecovering, ...outcomes.slice(0, 1)],
  'Recovering.mappingRing': [...toRecovering, ...outcomes.slice(0, 2)],
  'Recovering.bindingChannel': [...toRecovering, ...outcomes.slice(0, 3)],
  'Recovering.attachingQueue': [...toRecovering, ...outcomes.slice(0, 4)],
  'Recovering.rejudging': [...toConnected, queueDied()],
  'Recovering.reattaching': [...toConnected, queueDied(), legacyRead()],
  'Connected.intake.Running Connected.medium.Present': toConnected,
  'Connected.intake.Shortage Connected.medium.Present': [...toConnected, { type: 'queue.ranShort' }],
  'Connected.intake.Throttled Connected.medium.Present': [...toConnected, { type: 'queue.wasThrottled' }],
  'Connected.intake.Full Connected.medium.Present': [...toConnected, { type: 'queue.ranShort' }, { type: 'queue.ranFull' }],
  'Connected.intake.Running Connected.medium.Resizing': [...toConnected, { type: 'medium.resized', sectorCount: 4096 }],
  'Connected.intake.Shortage Connected.medium.Resizing': [
    ...toConnected, { type: 'queue.ranShort' }, { type: 'medium.resized', sectorCount: 4096 },
  ],
  'Connected.intake.Full Connected.medium.Resizing': [
    ...toConnected, { type: 'queue.ranFull' }, { type: 'medium.resized', sectorCount: 4096 },
  ],
  'Connected.intake.Running Connected.medium.Changing.ejecting': toChanging,
  'Connected.intake.Running Connected.medium.Changing.closingOld': [...toChanging, renewed(1)],
  'Connected.intake.Running Connected.medium.Changing.opening': [...toChanging, renewed(1), { type: 'medium.closed' }],
  'Connected.intake.Running Connected.medium.Changing.announcing': [
    ...toChanging, renewed(1), { type: 'medium.closed' }, { type: 'medium.opened', plan, notes: [] },
  ],
  'Closing.serving': [...toConnected, says('Closing')],
  'Closing.waiting': [...toInitWait, says('Closing')],
  'Closing.draining': toDraining,
  'Closing.abandoning': [...toConnected, says('Unknown')],
  'Closing.detachingQueue': [...toDraining, ...undone.slice(0, 1)],
  'Closing.unbindingChannel': [...toDraining, ...undone.slice(0, 2)],
  'Closing.unmappingRing': [...toDraining, ...undone.slice(0, 3)],
  'Closing.closingGrants': [...toDraining, ...undone.slice(0, 4)],
  'Closing.closingMedium': [...toDraining, ...undone.slice(0, 5)],
  'Parking.draining': [...toConnected, { type: 'operator.parked' }],
  'Parking.abandoning': [...toConnected, { type: 'operator.parked' }, says('Unknown')],
  'Parking.yielding': [...toConnected, { type: 'operator.yielded' }],
  'Parking.detachingQueue': [...toConnected, { type: 'operator.parked' }, ...undone.slice(0, 1)],
  'Parking.unbindingChannel': [...toConnected, { type: 'operator.parked' }, ...undone.slice(0, 2)],
  'Parking.unmappingRing': [...toConnected, { type: 'operator.parked' }, ...undone.slice(0, 3)],
  'Parking.closingGrants': [...toConnected, { type: 'operator.parked' }, ...undone.slice(0, 4)],
  'Parking.closingMedium': [...toConnected, { type: 'operator.parked' }, ...undone.slice(0, 5)],
  'Closed.waiting': [...toDraining, ...undone],
  'Closed.orphaned': [...toDraining, ...undone, { type: 'xenstore.domainGone' }],
  'Closed.offline': [...toDraining, ...undone, { type: 'operator.detached' }],
  Failed: [nodesRead(), { type: 'medium.refused', sentence: 'it is a directory' }, { type: 'medium.closed' }],
  Parked: [...toConnected, { type: 'operator.parked' }, ...undone],
  Removed: [...toDraining, ...undone, { type: 'xenstore.directoryVanished' }],
}

export interface Given {
  readonly folded: DeviceFold
  readonly state: string
  readonly context: DeviceFold['snapshot']['context']
  /** Effects of the last input. */
  readonly effects: readonly DeviceEffect[]
  /** Effects of all inputs. */
  readonly all: readonly DeviceEffect[]
  when(...events: readonly DeviceEvent[]): Given
}

function wrap(folded: DeviceFold, all: readonly DeviceEffect[]): Given {
  return {
    folded, all, state: folded.state, context: folded.snapshot.context, effects: folded.effects,
    when(...events) {
      let [last, seen] = [folded, all]
      for (const event of events) {
        last = fold(deviceMachine, last.snapshot, event)
        seen = [...seen, ...last.effects]
      }
      return wrap(last, seen)
    },
  }
}

/** The chart after `events`. */
export function given(...events: readonly DeviceEvent[]): Given {
  const first = begin(deviceMachine, input)
  return wrap(first, first.effects).when(...events)
}

/** The chart in the state of that name. */
export function givenState(name: string): Given {
  return given(...ways[name])
}

/** Names of effects; `switchState` with the state it switches to. */
export function names(effects: readonly DeviceEffect[]): string[] {
  return effects.map((effect) => (effect.type === 'switchState' ? `→ ${effect.state}` : effect.type))
}

/** What was acquired and not given back, by the effects asked for. */
export function held(all: readonly DeviceEffect[]): string[] {
  const undo: Record<string, string> = {
    closeGrants: 'openGrants', unmapRing: 'mapRing', unbindChannel: 'bindChannel', detachQueue: 'attachQueue',
    closeMedium: 'openMedium',
  }
  const open = new Set<string>()
  for (const { type } of all) {
    if (Object.values(undo).includes(type)) open.add(type)
    open.delete(undo[type] ?? '')
  }
  return [...open]
}

/** Plays the outside to every pending effect until the device rests; the queue drains, hosts obey. */
export function settle(device: Given): Given {
  const answers: Partial<Record<DeviceEffect['type'], DeviceEvent>> = {
    drainQueue: undone[0], abandonQueue: undone[0], yieldQueue: { type: 'queue.yielded' }, detachQueue: undone[1], unbindChannel: undone[2],
    unmapRing: undone[3], closeGrants: undone[4], closeMedium: undone[5],
  }
  for (let last = device; ; ) {
    const next = last.effects.map(({ type }) => answers[type]).find((event) => event !== undefined)
    if (next === undefined) return last
    last = last.when(next)
  }
}

/** What a device that waits in the middle of something waits for, by the last part of its state. */
export const awaited: Readonly<Record<string, DeviceEvent>> = {
  reading: nodesRead(), publishing: { type: 'xenstore.featuresPublished' },
  ...Object.fromEntries(steps.map((step, index) => [`Connecting.${step.state}`, outcomes[index]])),
  ...Object.fromEntries(steps.map((step, index) => [`Recovering.${step.state}`, outcomes[index]])),
  'Recovering.rejudging': legacyRead(), 'Recovering.reattaching': { type: 'queue.attached' },
  draining: undone[0], abandoning: undone[0], yielding: { type: 'queue.yielded' }, detachingQueue: undone[1], unbindingChannel: undone[2],
  unmappingRing: undone[3], closingGrants: undone[4], closingMedium: undone[5],
}

/** The outcome that a state waits for has come. */
export function carriedOn(device: Given): Given {
  const { state } = device
  const event = awaited[state] ?? awaited[state.split('.')[1] ?? '']
  return event === undefined || state.startsWith('Connected') ? device : device.when(event)
}
