/**
 * @packageDocumentation
 * Connecting, generated from the table of steps. While a step is under way nothing else may begin, so whatever asks
 * for the end meanwhile is remembered, and the step's outcome turns round: done, it is the first to be undone;
 * refused, the one before it is. So no partial connection is left, whenever it ends (S10, S27, B28, B29).
 */
import { closers, frontend, leavers, on, type Edge, type Edges } from './edges.js'
import { steps, undoBefore, type Step } from './steps.js'

/** Where unmaking begins after `index` steps were done; an attached queue is drained before it is detached. */
export function undoingFrom(index: number, within: 'Closing' | 'Parking'): string {
  const undo = undoBefore(index)
  if (undo === null) return `#device.${within}.closingMedium`
  if (undo.state !== 'detachingQueue') return `#device.${within}.${undo.state}`
  return within === 'Parking' ? '#device.Parking.choosing' : '#device.Closing.draining'
}

function turnedBack(index: number, step: Step): Edge[] {
  const attached = undoingFrom(index + 1, 'Closing').endsWith('.draining')
  const abandoning: Edge = {
    guard: 'mustAbandon', target: '#device.Closing.abandoning', actions: [step.remember],
    description: 'Done, but the front end is gone: nothing may be written to its ring.',
  }
  return [
    {
      guard: 'isParking', target: undoingFrom(index + 1, 'Parking'), actions: [step.remember],
      description: 'Done, but the process is going to end: undone again.',
    },
    ...(attached ? [abandoning] : []),
    {
      guard: 'isEnding', target: undoingFrom(index + 1, 'Closing'), actions: [step.remember],
      description: 'Done, but the connection is not wanted any more: undone again.',
    },
  ]
}

function outcome(index: number, step: Step): Edges {
  const last = index === steps.length - 1
  const next: Edge = last
    ? {
        target: '#device.Connected', actions: ['switchToConnected', 'countConnection', 'clearError'],
        description: 'Everything stands: Connected (S12).',
      }
    : {
        target: steps[index + 1].state, actions: [step.remember],
        description: `Done: on to ${steps[index + 1].state}.`,
      }
  const refusal: Edge[] = [
    {
      guard: 'isParking', target: undoingFrom(index, 'Parking'), actions: ['endRefused'],
      description: 'Refused, and the process is going to end: what was done is undone.',
    },
    {
      target: undoingFrom(index, 'Closing'), actions: ['endRefused', 'reportError', 'switchToClosing'],
      description: 'Refused: what was done before is undone in reverse.',
    },
  ]
  const accepted = [...turnedBack(index, step), next]
  if (step.refused !== null) return { [step.done]: accepted, [step.refused]: refusal }
  // Judged in the chart itself: the same event is acceptance or refusal.
  const [parked, ...others] = accepted
  return { [step.done]: [parked, { ...refusal[1], guard: 'connectionRefused' }, ...others] }
}

const crashed: readonly Edge[] = [
  {
    guard: 'isParking', target: '#device.Parking.unbindingChannel',
    description: 'It gave everything back, and the process is going to end: the rest is unmade.',
  },
  {
    target: '#device.Closing.unbindingChannel', actions: ['endCrashed', 'reportError', 'switchToClosing'],
    description: 'The queue ended by itself and gave everything back; the rest is unmade.',
  },
]

const reattached: Edge = {
  guard: 'mayReattach', actions: ['countReattach'],
  description: 'Its Worker died, perhaps by a neighbour: ring and channel are held, another queue takes them.',
}

/** A queue that dies before the front end was told anything is attached anew. */
function afterCrash(step: Step): Edges {
  if (step.state === 'attachingQueue')
    return { 'queue.crashed': [{ ...reattached, actions: ['countReattach', 'attachQueue'] }, ...crashed] }
  if (step.state === 'publishing')
    return { 'queue.crashed': [{ ...reattached, target: 'attachingQueue' }, ...crashed] }
  return {}
}

function state(step: Step, index: number) {
  return {
    description: step.description, entry: [step.effect] as const,
    on: on({ ...outcome(index, step), ...afterCrash(step) }),
  }
}

export const connecting = {
  description: 'Makes the connection, one step after the other, each with its undo.',
  initial: steps[0].state,
  entry: ['beginConnection'] as const,
  on: on({
    ...frontend({
      Unknown: { actions: ['endAbandoning'], description: 'It vanished half-way: turned back after this step.' },
      Initialising: { actions: ['endForRestart'], description: 'It started over: turned back after this step.' },
      InitWait: { description: 'No state of a front end in this dance: ignored.' },
      Initialised: { description: 'Said again: a second connect is ignored (S12).' },
      Connected: { description: 'It is ahead of us (OVMF): we are on the way.' },
      Closing: {
        actions: ['endQuietly', 'switchToClosing'], description: 'Answered at once; turned back after this step.',
      },
      Closed: { actions: ['endQuietly'], description: 'It gave up: turned back after this step.' },
      Reconfiguring: { description: 'Means nothing to a disk.' },
      Reconfigured: { description: 'Means nothing to a disk.' },
    }),
    'medium.gone': {
      actions: ['endForMedium', 'reportError', 'switchToClosing'], description: 'Turned back after this step.',
    },
    'queue.ringBroke': {
      actions: ['endForRing', 'reportError', 'switchToClosing'], description: 'Turned back after this step.',
    },
    'queue.crashed': crashed,
    'xenstore.directoryVanished': {
      actions: ['rememberGone', 'endAbandoning'],
      description: 'The device was taken away: turned back after this step.',
    },
    'xenstore.domainGone': {
      actions: ['rememberOrphaned', 'endOrphaned'],
      description: 'Its guest is dead: turned back after this step.',
    },
    ...leavers({ actions: ['rememberParking'], description: 'Turned back after this step, without closing.' }),
    ...closers({ actions: ['endQuietly', 'switchToClosing'] }),
  }),
  states: Object.fromEntries(steps.map((step, index) => [step.state, state(step, index)])),
}
