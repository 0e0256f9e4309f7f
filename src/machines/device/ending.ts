/**
 * @packageDocumentation
 * How a connection is unmade: Closing (the front end is told) and Parking (it is not), both brought to rest the same
 * way, generated from the undo column of the table of steps.
 *
 *   serving ─► draining ─┐
 *              abandoning ┴► detachingQueue ► unbindingChannel ► unmappingRing ► closingGrants ► closingMedium ► end
 *              yielding ─────────────────────┘  (another process takes over now: it need not drain)
 *
 * What must never happen: an unmap before the queue said `drained` and `detached`; Closed published with anything
 * still mapped; a word to XenStore while parking.
 */
import { always, closers, frontend, leavers, notedFrontend, on, type Edge, type Edges } from './edges.js'
import { undoing, type Undo } from './steps.js'

/** What may come while something is awaited that cannot be hurried. */
function patientEdges(frontendEdges: Edges): Edges {
  return {
    ...frontendEdges,
    'medium.gone': { actions: ['noteEvent'], description: 'The medium is let go anyway.' },
    'queue.ringBroke': { description: 'The ring is let go anyway.' },
    'xenstore.directoryVanished': { actions: ['rememberGone'], description: 'The device is being let go already.' },
    'xenstore.domainGone': { actions: ['rememberOrphaned'], description: 'Its pages are being let go already.' },
    ...leavers({ actions: ['rememberParking'], description: 'The process ends when this is done.' }),
    ...closers({ actions: ['endQuietly'] }),
  }
}

const restless = frontend(notedFrontend('Remembered; judged when everything is let go.'))

const retried: Edges = {
  'operator.reloaded': { actions: ['retryQueue'], description: 'There may be space on the medium: tried at once.' },
}

/** Vanishing or starting over makes a drain an abandonment; all else can wait. */
const whileDraining: Edges = {
  ...patientEdges(restless),
  ...frontend({
    ...notedFrontend('Remembered; judged when everything is let go.'),
    Unknown: {
      target: 'abandoning', actions: ['endAbandoning'],
      description: 'It vanished: nothing more is answered.',
    },
    Initialising: {
      target: 'abandoning', actions: ['endForRestart'],
      description: 'It started over: nothing more is answered.',
    },
  }),
  'queue.ringBroke': {
    target: 'abandoning', actions: ['endForRing'],
    description: 'The producer lied: the ring is not touched again.',
  },
  'xenstore.directoryVanished': {
    target: 'abandoning', actions: ['rememberGone', 'endAbandoning'], description: 'The device was taken away.',
  },
  'xenstore.domainGone': {
    target: 'abandoning', actions: ['rememberOrphaned', 'endOrphaned'],
    description: 'Its guest is dead: nothing more is answered.',
  },
}

/** Linux holds its disk until the last request is answered: another queue answers what this one leaves. */
const rejoined: Edge = {
  guard: 'mayRejoin', target: '#device.Recovering.rejudging', actions: ['countRejoin'],
  description: 'Its Worker died, or it threw: gone on with from its journal, and closed then.',
}

function undoState(undo: Undo, next: string, instead: readonly Edge[] = []) {
  return {
    description: undo.description,
    entry: [undo.effect],
    on: on({
      [undo.done]: [...instead, { target: next, actions: [undo.forget], description: `Done: on to ${next}.` }],
    }),
  }
}

/** Draining, abandoning and all undoing; `end` is where it goes with nothing held, `instead` with only the medium. */
function lettingGo(
  end: Edge, drain: 'drainQueue' | 'drainQueuePatiently', instead: (last: Undo) => readonly Edge[] = () => [],
) {
  const crashed: Edge = {
    target: 'unbindingChannel', actions: ['endCrashed'],
    description: 'The queue threw on the way and gave everything back: it needs no detaching.',
  }
  const died = drain === 'drainQueue' ? [{ ...crashed, guard: 'isParking' } as const, rejoined, crashed] : crashed
  const drained: Edge = { target: 'detachingQueue', description: 'At rest: nothing is in flight.' }
  const undoStates = undoing.map((undo, index) => {
    const next = undoing[index + 1]?.state ?? 'closingMedium'
    return [undo.state, undoState(undo, next, next === 'closingMedium' ? instead(undo) : [])] as const
  })
  return {
    draining: {
      description: 'Draining: nothing more is taken, everything taken is answered (S26).',
      entry: [drain],
      on: on({ ...whileDraining, ...retried, 'queue.drained': drained, 'queue.crashed': died }),
    },
    abandoning: {
      description: 'Nothing more is taken or answered; the I/O in flight is awaited.',
      entry: ['abandonQueue'] as const,
      on: on({
        'queue.drained': drained,
        'queue.crashed': {
          target: 'unbindingChannel',
          description: 'The queue died meanwhile: nobody waited for an answer, and it needs no detaching.',
        },
      }),
    },
    ...Object.fromEntries(undoStates),
    closingMedium: {
      description: 'Lock and descriptor of the medium are given back.',
      entry: ['closeMedium'] as const,
      on: on({ 'medium.closed': end }),
    },
  }
}

/** A guest that was suspended and resumes, or was started over: its disk need not be closed for that. */
function startingOver({ forget }: Undo): readonly Edge[] {
  return [{
    guard: 'onlyStartsOver', target: '#device.Initialising.publishing', actions: [forget, 'startOver'],
    description: 'The front end only starts over: a new handshake begins on the medium that is open.',
  }]
}

export const closing = {
  description: 'The connection ends: the front end is told, the queue is brought to rest, everything is unmade.',
  initial: 'serving',
  on: on(patientEdges(restless)),
  states: {
    serving: {
      description: 'Closing is said; the queue serves on, until the front end says Closed or patience ends.',
      exit: ['stopPatience'] as const,
      on: on({
        ...frontend({
          Unknown: { target: 'abandoning', actions: ['endAbandoning'], description: 'It vanished instead.' },
          Initialising: { target: 'abandoning', actions: ['endForRestart'], description: 'It started over instead.' },
          InitWait: { description: 'No state of a front end in this dance: ignored.' },
          Initialised: { description: 'It has not seen our Closing yet.' },
          Connected: { description: 'It has not seen our Closing yet.' },
          Closing: { description: 'It is on the way; it may still have requests.' },
          Closed: { target: 'draining', description: 'It is done with the ring.' },
          Reconfiguring: { description: 'Means nothing to a disk.' },
          Reconfigured: { description: 'Means nothing to a disk.' },
        }),
        ...retried,
        'clock.elapsed': {
          target: 'draining', actions: ['endForTime'], description: 'It was asked long ago: closed without it.',
        },
        'medium.gone': { actions: ['noteEvent'], description: 'Requests are answered with errors until it closes.' },
        'queue.ringBroke': {
          target: 'abandoning', actions: ['endForRing', 'reportError'],
          description: 'The producer lied on the way out.',
        },
        'queue.crashed': [
          rejoined,
          {
            target: 'unbindingChannel', actions: ['endCrashed', 'reportError'],
            description: 'The queue threw and was ended: the rest is unmade.',
          },
        ],
        'xenstore.directoryVanished': {
          target: 'abandoning', actions: ['rememberGone', 'endAbandoning'], description: 'The device was taken away.',
        },
        'xenstore.domainGone': {
          target: 'abandoning', actions: ['rememberOrphaned', 'endOrphaned'], description: 'Its guest is dead.',
        },
        ...leavers({
          target: '#device.Parking.choosing', actions: ['rememberParking'],
          description: 'The successor finds it closing, and goes on.',
        }),
        ...closers({ actions: ['endQuietly', 'startPatience'] }),
      }),
    },
    waiting: {
      description: 'The front end said Closing without a connection, and was answered; it will say Closed.',
      on: on({
        ...frontend({
          Unknown: { target: 'closingMedium', description: 'It vanished instead.' },
          Initialising: { target: 'closingMedium', description: 'It started over instead.' },
          InitWait: { description: 'No state of a front end in this dance: ignored.' },
          Initialised: { target: '#device.Connecting', description: 'It changed its mind: its ring is published.' },
          Connected: { target: '#device.Connecting', description: 'It changed its mind: its ring is published.' },
          Closing: { description: 'It is on the way.' },
          Closed: { target: 'closingMedium', description: 'As it should: Closed is answered with Closed.' },
          Reconfiguring: { description: 'Means nothing to a disk.' },
          Reconfigured: { description: 'Means nothing to a disk.' },
        }),
        'medium.gone': { target: 'closingMedium', actions: ['endForMedium'], description: 'Nothing to wait for.' },
        'xenstore.directoryVanished': {
          target: 'closingMedium', actions: ['rememberGone'], description: 'The device was taken away.',
        },
        'xenstore.domainGone': {
          target: 'closingMedium', actions: ['rememberOrphaned'], description: 'Its guest is dead.',
        },
        ...leavers({
          target: '#device.Parking.closingMedium', actions: ['rememberParking'],
          description: 'Only the medium is held.',
        }),
        ...closers({ target: 'closingMedium', actions: ['endQuietly'] }),
      }),
    },
    ...lettingGo({ target: '#device.Closed', description: 'Nothing is held any more.' }, 'drainQueue', startingOver),
  },
}

const parkingQueue = lettingGo({
  target: '#device.Parked',
  description: 'Nothing is held any more; the front end has not noticed.',
}, 'drainQueuePatiently')

export const parking = {
  description: 'The process is going to end: the queue is brought to rest, all is let go, XenStore is left alone.',
  initial: 'choosing',
  on: on(patientEdges(restless)),
  states: {
    choosing: {
      description: 'When does the next process go on?',
      always: always(
        { guard: 'isYielding', target: 'yielding', description: 'Now: it waits for us.' },
        { target: 'draining', description: 'Some day: nothing is left for it to do.' },
      ),
    },
    ...parkingQueue,
    yielding: {
      description: 'Nothing more is taken or begun; I/O in flight is awaited, the rest stands in the journal.',
      entry: ['yieldQueue'] as const,
      on: on({
        'queue.yielded': {
          target: 'unbindingChannel', description: 'It has given everything back: it needs no detaching.',
        },
        'queue.drained': { target: 'detachingQueue', description: 'It was coming to rest by itself.' },
        'queue.crashed': {
          target: 'unbindingChannel', actions: ['endCrashed'],
          description: 'The queue threw, or its Worker died; its successor goes on from the journal all the same.',
        },
      }),
    },
  },
}
