/**
 * @packageDocumentation
 * From a node that the toolstack made to a front end that may connect: Initialising and InitWait. The same states
 * serve a device that is new, one that comes back after Closed, and one whose front end is connected to an earlier
 * process: the last is recognised by what XenStore says (our state 4 or 5, the front end inside, or closed and owed
 * answers), and goes to Recovering without a word in XenStore.
 */
import { always, closers, frontend, leavers, notedFrontend, on } from './edges.js'

const judgedLater = notedFrontend('Remembered; judged when everything is read and open.')
const endThere = '#device.Closing.closingMedium'

export const initialising = {
  description: 'Reads what the toolstack wrote, opens the medium, publishes what it can.',
  initial: 'reading',
  on: on(frontend(judgedLater)),
  states: {
    reading: {
      description: 'Our directory and the state of the front end are being read.',
      entry: ['startAfresh', 'readNodes'] as const,
      on: on({
        'xenstore.nodesRead': [
          {
            guard: 'nodesIncomplete', target: 'incomplete', actions: ['rememberNodes'],
            description: 'The toolstack has not named the front end yet.',
          },
          { target: 'choosing', actions: ['rememberNodes'], description: 'All there is to know was read.' },
        ],
        'xenstore.directoryVanished': {
          target: '#device.Removed', actions: ['rememberGone'], description: 'The device was taken away while we read.',
        },
        'xenstore.domainGone': { actions: ['rememberOrphaned'], description: 'Judged when everything is read.' },
        ...leavers({
          target: '#device.Parked', actions: ['rememberParking'], description: 'Nothing is held yet: parked at once.',
        }),
        ...closers({ actions: ['endQuietly'] }),
      }),
    },
    incomplete: {
      description: 'The directory exists, but frontend or frontend-id is not written yet.',
      on: on({
        'xenstore.nodesTouched': { target: 'reading', description: 'Something was written: read again.' },
        'xenstore.directoryVanished': {
          target: '#device.Removed', actions: ['rememberGone'], description: 'The toolstack gave up.',
        },
        'xenstore.domainGone': {
          target: '#device.Closed', actions: ['rememberOrphaned'], description: 'Nobody is left to be served.',
        },
        ...leavers({
          target: '#device.Parked', actions: ['rememberParking'], description: 'Nothing is held: parked at once.',
        }),
        ...closers({ target: '#device.Closed', actions: ['endQuietly'] }),
      }),
    },
    choosing: {
      description: 'Decides by the nodes: refused, ended, taken over from an earlier process, or new.',
      always: always(
        { guard: 'isEnding', target: '#device.Closed', description: 'The end was asked for meanwhile.' },
        {
          guard: 'nodesRefused', target: '#device.Closed', actions: ['endFailed', 'reportAttachFailure'],
          description: 'The nodes cannot be served: the attach has failed (S4).',
        },
        {
          guard: 'foundConnected', target: '#device.Recovering', actions: ['watchFrontend', 'rememberResuming'],
          description:
            'An earlier process served this front end, which holds its ring or waits for answers: gone on with.',
        },
        {
          guard: 'foundEnded', target: '#device.Closed', actions: ['watchFrontend'],
          description: 'Offline, or closed on both sides: Closed is all there is to say.',
        },
        { target: 'openingMedium', actions: ['watchFrontend'], description: 'A device to be served.' },
      ),
    },
    openingMedium: {
      description: 'The medium is being opened and locked; while another holds the lock, this waits a bounded time.',
      entry: ['rememberInserted', 'openMedium'] as const,
      on: on({
        'medium.opened': {
          target: 'publishing', actions: ['rememberMedium'], description: 'Open: now it can be offered.',
        },
        'medium.refused': {
          target: endThere, actions: ['endFailed', 'reportAttachFailure', 'switchToClosing'],
          description: 'No medium, no device: the attach has failed (S4).',
        },
        'xenstore.directoryVanished': {
          target: endThere, actions: ['rememberGone'], description: 'The device was taken away meanwhile.',
        },
        'xenstore.domainGone': {
          target: endThere, actions: ['rememberOrphaned'], description: 'Nobody is left to be served.',
        },
        ...leavers({
          target: '#device.Parking.closingMedium', actions: ['rememberParking'],
          description: 'Only the medium is held: given back.',
        }),
        ...closers({ target: endThere, actions: ['endQuietly'] }),
      }),
    },
    publishing: {
      description: 'Features, limits and hotplug-status=connected are being written in one transaction.',
      entry: ['publishFeatures'] as const,
      on: on({
        'xenstore.featuresPublished': [
          {
            guard: 'isParking', target: '#device.Parking.closingMedium',
            description: 'Written; but the process is going to end.',
          },
          { guard: 'isEnding', target: endThere, description: 'Written; but the end was asked for.' },
          {
            target: '#device.InitWait', actions: ['switchToInitWait', 'clearError'],
            description: 'Written: the front end may come.',
          },
        ],
        'xenstore.featuresRefused': {
          target: endThere, actions: ['endFailed', 'reportAttachFailure', 'switchToClosing'],
          description: 'XenStore refused for good: the attach has failed (S4).',
        },
        'xenstore.directoryVanished': {
          actions: ['rememberGone'], description: 'Remembered until the transaction has ended.',
        },
        'xenstore.domainGone': {
          actions: ['rememberOrphaned'], description: 'Remembered until the transaction has ended.',
        },
        ...leavers({
          actions: ['rememberParking'], description: 'Remembered until the transaction has ended.',
        }),
        ...closers({ actions: ['endQuietly'] }),
      }),
    },
  },
} as const

export const initWait = {
  description: 'Published; the front end has the word.',
  initial: 'deciding',
  states: {
    deciding: {
      description: 'The front end may have moved while we were not listening.',
      always: always(
        {
          guard: 'frontendWantsConnection', target: '#device.Connecting',
          description: 'It did not wait for us: its keys are there.',
        },
        {
          guard: 'frontendIsClosing', target: '#device.Closing.waiting', actions: ['switchToClosing'],
          description: 'It is closing already: answered.',
        },
        { guard: 'frontendIsOutside', target: endThere, description: 'It closed or vanished already.' },
        { target: 'waiting', description: 'It has still to read what was published.' },
      ),
    },
    waiting: {
      description: 'Waits for the front end to publish its ring.',
      on: on({
        ...frontend({
          Unknown: { target: endThere, description: 'It vanished before it connected.' },
          Initialising: { description: 'It has only begun.' },
          InitWait: { description: 'No state of a front end in this dance: waited on.' },
          Initialised: { target: '#device.Connecting', description: 'Its ring is published.' },
          Connected: {
            target: '#device.Connecting', description: 'OVMF skips Initialised; its ring is published all the same.',
          },
          Closing: {
            target: '#device.Closing.waiting', actions: ['switchToClosing'],
            description: 'It gives up before connecting: answered with Closing (B24).',
          },
          Closed: { target: endThere, description: 'It gave up before connecting.' },
          Reconfiguring: { description: 'Means nothing to a disk: waited on.' },
          Reconfigured: { description: 'Means nothing to a disk: waited on.' },
        }),
        'xenstore.targetChanged': [
          {
            guard: 'isCdrom', target: endThere, actions: ['rememberTarget'],
            description: 'Another disc before anyone looked: closed, and begun anew with it.',
          },
          { actions: ['noteTargetKept'], description: 'A disk does not change.' },
        ],
        'medium.gone': {
          target: endThere, actions: ['endForMedium', 'reportError', 'switchToClosing'],
          description: 'The medium went away before anyone used it.',
        },
        'xenstore.directoryVanished': {
          target: endThere, actions: ['rememberGone'], description: 'The device was taken away.',
        },
        'xenstore.domainGone': {
          target: endThere, actions: ['rememberOrphaned'], description: 'Its guest died before it connected.',
        },
        ...leavers({
          target: '#device.Parking.closingMedium', actions: ['rememberParking'],
          description: 'Only the medium is held: given back; the state stays.',
        }),
        ...closers({ target: endThere, actions: ['endQuietly'] }),
      }),
    },
  },
} as const
