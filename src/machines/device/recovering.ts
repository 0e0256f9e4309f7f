/**
 * @packageDocumentation
 * Going on where another left off: a process that died or parked, or a Worker of this one. What it left stands in
 * XenStore (our state is still Connected, or Closing) and in the queue's journal; neither is written to on the way,
 * but for the answer to a front end that closes.
 *
 *   readingJournal ► openingMedium ► negotiating ► openingGrants ► mappingRing ► bindingChannel ► attachingQueue
 *   (a Worker died, everything is still held)    rejudging ► reattaching                               └► Connected
 *
 * The lock on the medium is the fence: it is waited for as long as it takes, because the dead one's writes hold it. The
 * channel is bound before anything of the ring is believed. Whoever asks for the end meanwhile is served first: what
 * was taken is answered, and then the end begins; only a front end that is gone or has started over, or a process that
 * must end, turns round at once. One that closed while nobody served it still waits: Linux holds its disk, and all it
 * would hear of XenStore, until every request was answered. What must never happen: a guess; a word in XenStore that
 * the front end could take for an end.
 */
import { undoingFrom } from './connecting.js'
import { closers, frontend, leavers, on, type Edge, type Edges } from './edges.js'
import { steps, type Step } from './steps.js'

const letGo = '#device.Closing.closingMedium'
const told = ['reportError', 'switchToClosing'] as const

/** The queue works: where to? */
const attached: readonly Edge[] = [
  {
    guard: 'isParking', target: '#device.Parking.choosing',
    description: 'It goes on; but the process is going to end.',
  },
  {
    guard: 'mustAbandon', target: '#device.Closing.abandoning',
    description: 'It goes on; but the front end is gone: nothing may be written to its ring.',
  },
  {
    guard: 'frontendHasLeft', target: '#device.Closing.draining',
    description: 'It goes on; but the front end has closed: what it has in the ring is answered.',
  },
  {
    guard: 'resumedWhileClosing', target: '#device.Closing.serving', actions: ['switchToClosing', 'startPatience'],
    description: 'Taken over in the middle of its closing, which goes on: it is served until it says Closed.',
  },
  {
    guard: 'foundOtherSize', target: '#device.Connected.medium.Resizing', actions: ['countConnection'],
    description: 'Taken over, and the medium has another size than was published: the guest is told now.',
  },
  {
    target: '#device.Connected', actions: ['countConnection'],
    description: 'Taken over: XenStore says Connected all the while.',
  },
]

const lost: Edge = {
  target: '#device.Closing.unbindingChannel', actions: ['endCrashed', ...told],
  description: 'It cannot be gone on with: the rest is unmade.',
}
const parkedWithoutQueue: Edge = {
  guard: 'isParking', target: '#device.Parking.unbindingChannel',
  description: 'The process is going to end: the next one goes on from the journal.',
}

/** A queue that dies while it takes over is gone on with once more. */
const diedAgain: readonly Edge[] = [
  {
    guard: 'mayRejoin', target: 'rejudging', actions: ['countRejoin'],
    description: 'Its Worker died meanwhile: once more, from the same journal.',
  },
  lost,
]

function outcome(index: number, step: Step): Edges {
  const last = step.state === 'attachingQueue'
  const turnedBack: Edge[] = [
    {
      guard: 'isParking', target: undoingFrom(index + 1, 'Parking'), actions: [step.remember],
      description: 'Done, but the process is going to end: undone, and left to the next one.',
    },
    {
      guard: 'mustAbandon', target: undoingFrom(index + 1, 'Closing'), actions: [step.remember],
      description: 'Done, but the front end is gone: undone again.',
    },
    {
      target: steps[index + 1].state, actions: [step.remember],
      description: `Done: on to ${steps[index + 1].state}.`,
    },
  ]
  const refusal: Edge[] = [
    {
      guard: 'isParking', target: undoingFrom(index, 'Parking'), actions: ['endRefused'],
      description: 'Refused, and the process is going to end: what was done is undone, and left to the next one.',
    },
    {
      guard: 'frontendHasLeft', target: undoingFrom(index, 'Closing'), actions: ['endQuietly'],
      description: 'Refused: the front end has closed, and has taken its ring back.',
    },
    {
      target: undoingFrom(index, 'Closing'), actions: ['endRefused', ...told],
      description: 'Refused: it cannot be gone on with, and the front end is asked to close and come again.',
    },
  ]
  if (last) return { [step.done]: attached, 'queue.refused': refusal, 'queue.crashed': diedAgain }
  if (step.refused !== null) return { [step.done]: turnedBack, [step.refused]: refusal }
  const [parked, ...others] = turnedBack
  const startedOver: Edge = {
    guard: 'ringIsOther', target: undoingFrom(index, 'Closing'), actions: ['endForRestart'],
    description: 'It was suspended and resumed meanwhile: it has another ring, and is to be served on that.',
  }
  const refused: Edge = { ...refusal[2], guard: 'connectionRefused' }
  return { [step.done]: [parked, startedOver, refused, ...others] }
}

/** Everything but publishing: what is published stands. */
const stepStates = Object.fromEntries(
  steps.flatMap((step, index) => {
    if (step.state === 'publishing') return []
    const { state, description, effect } = step
    return [[state, { description, entry: [effect] as const, on: on(outcome(index, step)) }]]
  }),
)

/** Nothing is held but perhaps the medium: a front end that leaves, or a process that ends, need not wait. */
const leaving: Edges = {
  ...frontend({
    Unknown: { target: letGo, actions: ['endAbandoning'], description: 'It vanished: nobody waits for an answer.' },
    Initialising: { target: letGo, actions: ['endForRestart'], description: 'It started over.' },
    InitWait: { description: 'No state of a front end in this dance: ignored.' },
    Initialised: { description: 'It holds its ring.' },
    Connected: { description: 'It waits, and knows of nothing.' },
    Closing: { description: 'Remembered: what it asked for is answered first.' },
    Closed: { actions: ['endQuietly'], description: 'Remembered: what it has in the ring is answered first.' },
    Reconfiguring: { description: 'Means nothing to a disk.' },
    Reconfigured: { description: 'Means nothing to a disk.' },
  }),
  'xenstore.directoryVanished': { target: letGo, actions: ['rememberGone'], description: 'The device was taken away.' },
  'xenstore.domainGone': {
    target: letGo, actions: ['rememberOrphaned', 'endOrphaned'], description: 'Its guest is dead: nobody waits.',
  },
  ...leavers({
    target: '#device.Parking.closingMedium', actions: ['rememberParking'],
    description: 'Left to the next process as it is.',
  }),
}

export const recovering = {
  description: 'Goes on where a process or a Worker left off, and XenStore is not touched: the guest sees a pause.',
  initial: 'readingJournal',
  on: on({
    ...frontend({
      Unknown: { actions: ['endAbandoning'], description: 'It vanished half-way: turned back after this step.' },
      Initialising: { actions: ['endForRestart'], description: 'It started over: turned back after this step.' },
      InitWait: { description: 'No state of a front end in this dance: ignored.' },
      Initialised: { description: 'It holds its ring.' },
      Connected: { description: 'It waits, and knows of nothing.' },
      Closing: { description: 'Remembered: what it asked for is answered first.' },
      Closed: { actions: ['endQuietly'], description: 'Remembered: what it has in the ring is answered first.' },
      Reconfiguring: { description: 'Means nothing to a disk.' },
      Reconfigured: { description: 'Means nothing to a disk.' },
    }),
    'medium.gone': { actions: ['endForMedium'], description: 'Remembered: requests are answered with errors first.' },
    'queue.ringBroke': { actions: ['endForRing'], description: 'Turned back after this step.' },
    'queue.crashed': lost,
    'xenstore.directoryVanished': {
      actions: ['rememberGone', 'endAbandoning'],
      description: 'The device was taken away: turned back after this step.',
    },
    'xenstore.domainGone': {
      actions: ['rememberOrphaned', 'endOrphaned'], description: 'Its guest is dead: turned back after this step.',
    },
    ...leavers({ actions: ['rememberParking'], description: 'Turned back after this step, without closing.' }),
    ...closers({ actions: ['endQuietly'] }),
  }),
  states: {
    readingJournal: {
      description: 'What the queue that served this ring left behind is looked up.',
      entry: ['readJournal'] as const,
      on: on({
        ...leaving,
        'queue.legacyRead': [
          {
            guard: 'closedForGood', target: letGo, actions: ['rememberLegacy', 'endQuietly'],
            description: 'The front end has closed, and there is nothing to answer from.',
          },
          {
            guard: 'legacyRefused', target: letGo, actions: ['rememberLegacy', 'endRefused', ...told],
            description: 'Its journal must not be gone on from: the front end is asked to close and come again.',
          },
          {
            guard: 'legacyHopeless', target: letGo, actions: ['rememberLegacy', 'endFailed', ...told],
            description: 'Its journal killed one successor after the other: the device fails.',
          },
          { target: 'openingMedium', actions: ['rememberLegacy'], description: 'Known: on to openingMedium.' },
        ],
      }),
    },
    openingMedium: {
      description: 'The lock is waited for as long as it takes: the writes of the dead hold it, and are to end first.',
      entry: ['rememberInserted', 'openMediumPatiently'] as const,
      on: on({
        ...leaving,
        'medium.opened': {
          target: 'negotiating', actions: ['rememberMedium'], description: 'No write of the dead is left.',
        },
        'medium.refused': [
          {
            guard: 'frontendHasLeft', target: letGo, actions: ['endQuietly'],
            description: 'No medium to answer from, and the front end has closed.',
          },
          {
            guard: 'isDrive', target: 'negotiating', actions: ['noteUnreadable'],
            description: 'No disc that could be read: the drive is empty, and says why.',
          },
          {
            target: letGo, actions: ['endFailed', 'reportAttachFailure', 'switchToClosing'],
            description: 'No medium, no device: it fails.',
          },
        ],
      }),
    },
    ...stepStates,
    rejudging: {
      description: 'The queue died with its Worker or threw; its I/O has ended; its journal is looked up.',
      entry: ['readJournal'] as const,
      on: on({
        'queue.legacyRead': [
          parkedWithoutQueue,
          {
            guard: 'mustAbandon', target: '#device.Closing.unbindingChannel',
            description: 'The front end is gone: no answer is waited for, the rest is unmade.',
          },
          {
            guard: 'legacyRecoverable', target: 'reattaching', actions: ['rememberLegacy'],
            description: 'It can be gone on with: ring, channel, grants and medium are still held.',
          },
          { ...lost, actions: ['rememberLegacy', 'endCrashed', ...told] },
        ],
      }),
    },
    reattaching: {
      description: 'Another queue goes on from the journal, on the ring that is held.',
      entry: ['attachQueue'] as const,
      on: on({ 'queue.attached': attached, 'queue.refused': [parkedWithoutQueue, lost], 'queue.crashed': diedAgain }),
    },
  },
}
