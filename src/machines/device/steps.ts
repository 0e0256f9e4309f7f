/**
 * @packageDocumentation
 * How a connection is made and unmade, as a table. `Connecting` walks down, one state per step; a step that fails, or
 * a connection that is no longer wanted, enters the undo of the last step that was done and walks up. The chart's
 * states are generated from these rows, so that a step without its undo cannot be written.
 *
 *   negotiating → openingGrants → mappingRing → bindingChannel → attachingQueue → publishing → Connected
 *                 closingGrants ← unmappingRing ← unbindingChannel ← detachingQueue ←──────────┘
 *
 * Every row is one effect and its outcome as an event; only one is under way at any time. The channel is bound before
 * anything reads the ring: mapping a ring twice is allowed by Xen, binding its channel twice is not, so the bind is
 * what excludes another process (XEN-FACTS §2.1).
 */
import type { DeviceEffect, DeviceEvent } from './types.js'

type StepEffect = Extract<DeviceEffect['type'],
  'readFrontend' | 'openGrants' | 'mapRing' | 'bindChannel' | 'attachQueue' | 'publishProperties'>
type UndoEffect = Extract<DeviceEffect['type'], 'closeGrants' | 'unmapRing' | 'unbindChannel' | 'detachQueue'>
type EventName = DeviceEvent['type']

export interface Undo {
  readonly state: string
  readonly effect: UndoEffect
  readonly done: EventName
  readonly forget: 'forgetGrants' | 'forgetRing' | 'forgetChannel' | 'forgetQueue'
  readonly description: string
}

export interface Step {
  readonly state: string
  readonly effect: StepEffect
  readonly done: EventName
  /** What the done event leaves in the context. */
  readonly remember: 'rememberConnection' | 'rememberGrants' | 'rememberRing' | 'rememberChannel' | 'rememberNothing'
  readonly refused: EventName | null
  readonly description: string
  readonly undo: Undo | null
}

export const steps: readonly Step[] = [
  {
    state: 'negotiating', effect: 'readFrontend', done: 'xenstore.frontendRead', remember: 'rememberConnection',
    refused: null, undo: null,
    description: 'The keys of the front end are read once and judged: ring, channel, ABI, each within its limits.',
  },
  {
    state: 'openingGrants', effect: 'openGrants', done: 'host.grantsOpened', remember: 'rememberGrants',
    refused: 'host.grantsRefused',
    description: 'A way to copy from and to the pages that this domain grants is opened.',
    undo: {
      state: 'closingGrants', effect: 'closeGrants', done: 'host.grantsClosed', forget: 'forgetGrants',
      description: 'The way to the granted pages is closed.',
    },
  },
  {
    state: 'mappingRing', effect: 'mapRing', done: 'host.ringMapped', remember: 'rememberRing',
    refused: 'host.ringRefused',
    description: 'All pages of the shared ring are mapped, or none.',
    undo: {
      state: 'unmappingRing', effect: 'unmapRing', done: 'host.ringUnmapped', forget: 'forgetRing',
      description: 'Every page of the ring is unmapped.',
    },
  },
  {
    state: 'bindingChannel', effect: 'bindChannel', done: 'host.channelBound', remember: 'rememberChannel',
    refused: 'host.channelRefused',
    description: 'The event channel is bound: from here on no other process can serve this ring.',
    undo: {
      state: 'unbindingChannel', effect: 'unbindChannel', done: 'host.channelUnbound', forget: 'forgetChannel',
      description: 'The event channel goes back to the front end, unbound.',
    },
  },
  {
    state: 'attachingQueue', effect: 'attachQueue', done: 'queue.attached', remember: 'rememberNothing',
    refused: 'queue.refused',
    description: 'A queue takes the ring over, at the last answer that was published.',
    undo: {
      state: 'detachingQueue', effect: 'detachQueue', done: 'queue.detached', forget: 'forgetQueue',
      description: 'The queue, drained, gives back ring, channel, grants, medium and buffers.',
    },
  },
  {
    state: 'publishing', effect: 'publishProperties', done: 'xenstore.propertiesPublished',
    remember: 'rememberNothing', refused: 'xenstore.propertiesRefused', undo: null,
    description: 'Size, sector size and kind of the disk are written in one transaction, with bounded retries.',
  },
]

/** The undo rows in the order in which they run. */
export const undoing: readonly Undo[] = steps.flatMap((step) => (step.undo === null ? [] : [step.undo])).reverse()

/** The undo that is entered when everything before row `index` was done; null when there is nothing to undo. */
export function undoBefore(index: number): Undo | null {
  for (let at = index - 1; at >= 0; at--) {
    const { undo } = steps[at]
    if (undo !== null) return undo
  }
  return null
}
