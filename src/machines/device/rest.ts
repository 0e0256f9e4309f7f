/**
 * @packageDocumentation
 * Where a device holds nothing: Closed (a front end may come back), Failed (it may not), Parked (the next process
 * goes on) and Removed. In the first two the toolstack may still write Closing over our Closed when it detaches, and
 * waits for Closed: it is said again.
 */
import { always, closers, frontend, leavers, notedFrontend, on } from './edges.js'

const vanished = {
  target: '#device.Removed', actions: ['rememberGone'], description: 'The toolstack took the device away.',
} as const
const parked = {
  target: '#device.Parked', actions: ['rememberParking'], description: 'Nothing is held: parked at once.',
} as const

export const closed = {
  description: 'Nothing is held: no page, no channel, no lock on the medium.',
  initial: 'settling',
  on: on({ 'xenstore.directoryVanished': vanished, ...leavers(parked) }),
  states: {
    settling: {
      description: 'Decides by what happened on the way.',
      always: always(
        { guard: 'directoryGone', target: '#device.Removed', description: 'There is nobody left to tell.' },
        {
          guard: 'isParking', target: '#device.Parked', actions: ['switchToClosed'],
          description: 'The process ends, and waits for nobody who has failed.',
        },
        {
          guard: 'hasFailed', target: '#device.Failed', actions: ['switchToClosed'],
          description: 'Closed for the front end, failed for the operator.',
        },
        {
          guard: 'isOrphaned', target: 'orphaned', actions: ['switchToClosed'],
          description: 'Its guest is dead: nobody will come back.',
        },
        {
          guard: 'frontendReturned', target: '#device.Initialising',
          description: 'It is back already: a new handshake begins, with InitWait as the next word.',
        },
        {
          guard: 'isOffline', target: 'offline', actions: ['switchToClosed'],
          description: 'It was taken offline: this is the end.',
        },
        { target: 'waiting', actions: ['switchToClosed'], description: 'Closed; the front end may come back (B23).' },
      ),
    },
    waiting: {
      description: 'online=1: a boot loader may hand over, a guest may load its driver again.',
      entry: ['reportClosed'] as const,
      on: on({
        ...frontend({
          Unknown: { description: 'It vanished; it may be made anew.' },
          Initialising: [
            { guard: 'frontendMayReturn', target: '#device.Initialising', description: 'It is back: InitWait again.' },
            { description: 'It is back, but this daemon is stopping: the next one serves it.' },
          ],
          InitWait: { description: 'No state of a front end in this dance: ignored.' },
          Initialised: [
            { guard: 'frontendMayReturn', target: '#device.Initialising', description: 'It is back and did not wait.' },
            { description: 'It is back, but this daemon is stopping: the next one serves it.' },
          ],
          Connected: [
            {
              guard: 'frontendMayReturn', target: '#device.Initialising',
              description: 'It is back and skipped waiting.',
            },
            { description: 'It is back, but this daemon is stopping: the next one serves it.' },
          ],
          Closing: { description: 'It follows us to Closed.' },
          Closed: { description: 'Both are closed.' },
          Reconfiguring: { description: 'Means nothing to a disk.' },
          Reconfigured: { description: 'Means nothing to a disk.' },
        }),
        'xenstore.closeRequested': {
          target: 'offline', actions: ['rememberOnline', 'switchToClosed'],
          description: 'The toolstack detaches: Closed is said again.',
        },
        'xenstore.domainGone': {
          target: 'orphaned', actions: ['rememberOrphaned'], description: 'Its guest has died since.',
        },
        'operator.detached': { target: 'offline', actions: ['rememberOnline'], description: 'Detached for good.' },
        'operator.closed': {
          actions: ['rememberClosing', 'reportClosed'], description: 'Closed already: the daemon need not wait.',
        },
      }),
    },
    orphaned: {
      description: 'The guest died and nobody removed the directories: only removing them is left.',
      entry: ['reportClosed'] as const,
      on: on({
        ...frontend(notedFrontend('What is left of a guest that is dead: it means nothing.')),
        'xenstore.domainGone': { description: 'Known.' },
        ...closers({ actions: ['switchToClosed', 'reportClosed'] }),
      }),
    },
    offline: {
      description: 'online=0: the toolstack is going to remove the directories.',
      entry: ['reportClosed'] as const,
      on: on({
        ...frontend(notedFrontend('Remembered; an offline device is not served.')),
        'xenstore.onlineChanged': { target: 'settling', actions: ['rememberOnline'], description: 'Online again.' },
        'xenstore.domainGone': { actions: ['rememberOrphaned'], description: 'It was to be removed anyway.' },
        ...closers({ actions: ['switchToClosed', 'reportClosed'] }),
      }),
    },
  },
} as const

export const failed = {
  description: 'The device cannot be served; it stays visible until it is detached. No other device is touched.',
  entry: ['reportFailed'] as const,
  on: on({
    ...frontend(notedFrontend('Remembered; a failed device is not served until it is attached anew.')),
    'xenstore.directoryVanished': vanished,
    'xenstore.domainGone': { description: 'It says why it failed; it is to be removed in either case.' },
    ...leavers(parked),
    ...closers({ actions: ['switchToClosed', 'reportFailed'] }),
  }),
} as const
