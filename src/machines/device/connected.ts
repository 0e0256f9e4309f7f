/**
 * @packageDocumentation
 * Connected: the queue works by itself and tells only levels. Two regions say how the device is: whether its queue
 * takes requests (intake), and how its medium is. Every way out leads through Closing or Parking, where the queue is
 * brought to rest before anything is unmapped: there is no teardown from two places (XSA-350).
 */
import { always, closers, frontend, leavers, on } from './edges.js'

const ranShort = { target: 'Shortage', description: 'Out of slots, buffers, quota or tokens (S15).' } as const
const wasThrottled = { target: 'Throttled', description: 'It reached its rate limit.' } as const
const ranFull = { target: 'Full', description: 'A write found no space, and is to wait for it.' } as const

/** Never two discs at once: the old one is let go of by queue and process before the new one is opened. */
const changing = {
  description: 'A disc is changed: the guest sees an empty drive, and then the new one.',
  initial: 'ejecting',
  states: {
    ejecting: {
      description: 'The queue gets an empty drive, and lets go of the old disc when nothing is in flight there.',
      entry: ['rememberEmpty', 'countRenewal', 'renewQueueMedium'] as const,
      on: on({
        'queue.mediumRenewed': {
          guard: 'isLatestRenewal', target: 'closingOld', description: 'Nobody borrows the old disc any more.',
        },
      }),
    },
    closingOld: {
      description: 'Lock and descriptor of the old disc are given back.',
      entry: ['closeMedium'] as const,
      on: on({
        'medium.closed': [
          { guard: 'driveIsEmpty', target: 'announcing', actions: ['rememberInserted'], description: 'Only ejected.' },
          { target: 'opening', description: 'Now the new one.' },
        ],
      }),
    },
    opening: {
      description: 'The new disc is being opened and locked.',
      entry: ['rememberInserted', 'openMedium'] as const,
      on: on({
        'medium.opened': {
          target: 'announcing', actions: ['rememberMedium', 'countRenewal', 'renewQueueMedium'],
          description: 'Open: the queue gets it.',
        },
        'medium.refused': {
          target: 'announcing', actions: ['noteUnreadable'],
          description: 'It cannot be opened: the drive stays empty, and says why.',
        },
      }),
    },
    announcing: {
      description: 'Size, sector size, kind and state are rewritten, so that the guest looks again.',
      entry: ['announceSize'] as const,
      on: on({
        'xenstore.sizeAnnounced': {
          target: '#device.Connected.medium.looking', description: 'Told; perhaps it was changed again meanwhile.',
        },
      }),
    },
  },
} as const

export const connected = {
  description: 'The front end has its disk.',
  type: 'parallel',
  on: on({
    ...frontend({
      Unknown: {
        target: '#device.Closing.abandoning', actions: ['endAbandoning'],
        description: 'It vanished: nothing is answered any more.',
      },
      Initialising: {
        target: '#device.Closing.abandoning', actions: ['endForRestart'],
        description: 'It started over without closing; its pages may have other uses now.',
      },
      InitWait: { description: 'No state of a front end in this dance: ignored.' },
      Initialised: {
        actions: ['readFrontend'],
        description: 'A second connect is ignored (S12), unless it comes with another ring: its keys are looked at.',
      },
      Connected: { description: 'It has seen its disk.' },
      Closing: {
        target: '#device.Closing.serving', actions: ['endQuietly', 'switchToClosing'],
        description: 'Answered with Closing (B24); served until it says Closed.',
      },
      Closed: {
        target: '#device.Closing.draining', actions: ['endQuietly'],
        description: 'It skipped Closing: what was taken is answered, then all is let go.',
      },
      Reconfiguring: { description: 'Means nothing to a disk.' },
      Reconfigured: { description: 'Means nothing to a disk.' },
    }),
    'xenstore.frontendRead': [
      {
        guard: 'ringIsOther', target: '#device.Closing.abandoning', actions: ['endForRestart'],
        description: 'Suspended and resumed without a word: it has let go of this ring, and waits on the other.',
      },
      { description: 'The ring that is served: ignored (S12).' },
    ],
    'queue.ringBroke': {
      target: '#device.Closing.abandoning', actions: ['endForRing', 'reportError', 'switchToClosing'],
      description: 'The producer lied: this ring is not touched again, the device closes.',
    },
    'queue.crashed': [
      {
        guard: 'mayRejoin', target: '#device.Recovering.rejudging', actions: ['countRejoin'],
        description: 'Its Worker died, or it threw: gone on with from its journal; the guest sees a pause.',
      },
      {
        target: '#device.Closing.unbindingChannel', actions: ['endCrashed', 'reportError', 'switchToClosing'],
        description: 'The queue was ended too often in a while, its I/O awaited: clean close, then Failed.',
      },
    ],
    'xenstore.directoryVanished': {
      target: '#device.Closing.abandoning', actions: ['rememberGone', 'endAbandoning'],
      description: 'The toolstack took the device away.',
    },
    'xenstore.domainGone': {
      target: '#device.Closing.abandoning', actions: ['rememberOrphaned', 'endOrphaned'],
      description: 'Its guest is dead: what is mapped of it is let go at once, or Xen cannot free the domain.',
    },
    ...leavers({
      target: '#device.Parking.choosing', actions: ['rememberParking'],
      description: 'SIGTERM: let go without closing.',
    }),
    ...closers({
      target: '#device.Closing.serving', actions: ['endQuietly', 'switchToClosing', 'startPatience'],
    }),
  }),
  states: {
    intake: {
      description: 'Whether the queue takes requests.',
      initial: 'Running',
      states: {
        Running: {
          description: 'Requests are taken as they come.',
          on: on({ 'queue.ranShort': ranShort, 'queue.ranFull': ranFull, 'queue.wasThrottled': wasThrottled }),
        },
        Shortage: {
          description: 'Nothing is taken until something comes back.',
          on: on({
            'queue.recovered': { target: 'Running', description: 'A completion brought it back.' },
            'queue.ranFull': ranFull,
            'queue.wasThrottled': wasThrottled,
          }),
        },
        Throttled: {
          description: 'It is at its rate limit: requests wait for their turn.',
          on: on({
            'queue.recovered': { target: 'Running', description: 'It has stayed below its limit for a while.' },
            'queue.ranShort': ranShort,
            'queue.ranFull': ranFull,
          }),
        },
        Full: {
          description: 'The medium is full: requests wait for space, and nothing is taken meanwhile.',
          on: on({
            'queue.recovered': { target: 'Running', description: 'There was space for all of them.' },
            'queue.ranShort': ranShort,
            'queue.wasThrottled': wasThrottled,
            'operator.reloaded': {
              actions: ['retryQueue'], description: 'The operator may have made space: tried at once.',
            },
          }),
        },
      },
    },
    medium: {
      description: 'How the medium is.',
      initial: 'looking',
      states: {
        looking: {
          description: 'A disc may have been changed while something else was under way.',
          always: always(
            { guard: 'targetIsOther', target: 'Changing', description: 'Another disc is wanted.' },
            { target: 'Present', description: 'It is the one that is wanted.' },
          ),
        },
        Changing: changing,
        Present: {
          description: 'Open, of the size that was published.',
          on: on({
            'medium.resized': {
              target: 'Resizing', actions: ['rememberSize'], description: 'Its size changed: the guest is told.',
            },
            'medium.gone': [
              {
                guard: 'isCdrom', target: 'Changing', actions: ['discLost'],
                description: 'The disc is gone: an empty drive is no reason to close.',
              },
              { target: 'Gone', actions: ['endForMedium'], description: 'ENXIO or its like (S24).' },
            ],
            'xenstore.targetChanged': [
              { guard: 'isCdrom', target: 'looking', actions: ['rememberTarget'], description: 'The disc is changed.' },
              { actions: ['noteTargetKept'], description: 'A disk does not change.' },
            ],
          }),
        },
        Resizing: {
          description: 'sectors and state are rewritten in one transaction, so that the guest looks again.',
          entry: ['countRenewal', 'renewQueueMedium', 'announceSize'] as const,
          on: on({
            'xenstore.sizeAnnounced': { target: 'looking', description: 'The new size is published.' },
            'medium.resized': {
              target: 'Resizing', actions: ['rememberSize'], description: 'Changed again: told again.',
            },
            'medium.gone': { target: 'Gone', actions: ['endForMedium'], description: 'ENXIO or its like (S24).' },
          }),
        },
        Gone: {
          description: 'The medium is lost: requests are answered with errors, the device closes.',
          always: always({
            target: '#device.Closing.serving', actions: ['reportError', 'switchToClosing', 'startPatience'],
            description: 'The front end is asked to close (S24).',
          }),
        },
      },
    },
  },
} as const
