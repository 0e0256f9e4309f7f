/**
 * @packageDocumentation
 * One virtual block device, from the toolstack's first word to its last. Rare events only: what happens per request is
 * the queue's affair. The chart knows every state of the front end in every state of its own; it asks for effects and
 * does none.
 *
 *   Initialising ─► Recovering ─► Connected        (an earlier process served this front end, and left it)
 *   Initialising ─► InitWait ─► Connecting ─► Connected ─► Closing ─► Closed ─► (Initialising … | Removed)
 *        │              │            │             │           └────► Failed
 *        └──────────────┴────────────┴─────────────┴─► Parking ─► Parked
 *
 * What must never happen: Closed with something still held; InitWait without an open medium; Closing or Closed
 * published while parking (Linux's blkfront marks the disk dead as soon as it reads Closing).
 */
import { device } from './device/actions.js'
import { initialising, initWait } from './device/beginning.js'
import { connected } from './device/connected.js'
import { connecting } from './device/connecting.js'
import { on } from './device/edges.js'
import { closing, parking } from './device/ending.js'
import { recovering } from './device/recovering.js'
import { closed, failed } from './device/rest.js'

const late = 'It comes too late to matter: what it was about has been decided.'

export const deviceMachine = device.createMachine({
  id: 'device',
  description: 'One virtual block device of one guest.',
  initial: 'Initialising',
  context: ({ input }) => ({
    input,
    nodes: null,
    refusal: null,
    online: true,
    found: 'Unknown',
    frontend: 'Unknown',
    frontendLeft: false,
    resuming: false,
    legacy: null,
    legacies: [],
    rejoins: [],
    leaving: 'no',
    gone: false,
    orphaned: false,
    ending: null,
    medium: null,
    inserted: null,
    renewals: 0,
    limit: {},
    connection: null,
    grants: null,
    ring: null,
    channel: null,
    otherRings: [],
    otherChannels: [],
    error: null,
    notes: [],
    connections: 0,
  }),
  on: on({
    'xenstore.nodesTouched': { description: 'Only a device whose nodes were incomplete reads them again.' },
    'xenstore.targetChanged': [
      { guard: 'isCdrom', actions: ['rememberTarget'], description: 'Remembered: it counts when all else is done.' },
      { actions: ['noteTargetKept'], description: 'A disk does not change.' },
    ],
    'xenstore.limitChanged': {
      actions: ['rememberLimit', 'limitQueue'],
      description: 'The toolstack wrote another rate limit: in force at once.',
    },
    'queue.mediumRenewed': { description: late },
    'xenstore.onlineChanged': { actions: ['rememberOnline'], description: 'Remembered: it counts at Closed.' },
    'xenstore.frontendNonsense': {
      actions: ['noteEvent'],
      description: 'The front end wrote no state: it stays where it was.',
    },
    'xenstore.writeFailed': { actions: ['noteEvent'], description: 'A node could not be written; said in the list.' },
    'xenstore.nodesRead': { description: late },
    'xenstore.featuresPublished': { description: late },
    'xenstore.featuresRefused': { description: late },
    'xenstore.frontendRead': { description: late },
    'xenstore.propertiesPublished': { description: late },
    'xenstore.propertiesRefused': { description: late },
    'xenstore.sizeAnnounced': { description: late },
    'medium.resized': {
      actions: ['rememberSize'],
      description: 'Remembered: it is published with the next connection.',
    },
    'medium.waited': { actions: ['noteEvent'], description: 'Somebody else holds the lock; said in the list.' },
    'medium.gone': { actions: ['noteEvent'], description: 'No connection depends on it; said in the list.' },
    'queue.legacyRead': { description: late },
    'queue.ranShort': { description: late },
    'queue.ranFull': { description: late },
    'queue.wasThrottled': { description: late },
    'queue.recovered': { description: late },
    'operator.reloaded': { description: 'Nothing waits for anything that a reload could bring.' },
    'clock.elapsed': { description: late },
    '*': { actions: ['noteEvent'], description: 'Not expected here; said in the list.' },
  }),
  states: {
    Initialising: initialising,
    InitWait: initWait,
    Connecting: connecting,
    Recovering: recovering,
    Connected: connected,
    Closing: closing,
    Parking: parking,
    Closed: closed,
    Failed: failed,
    Parked: {
      description: 'Drained and let go, the front end still Connected; the next process goes on from here.',
      entry: ['reportParked'],
      on: on({ '*': { description: 'Left to the next process, which reads how things stand.' } }),
    },
    Removed: {
      description: 'Our directory is gone and nothing is held.',
      type: 'final',
      entry: ['reportRemoved'],
    },
  },
})

