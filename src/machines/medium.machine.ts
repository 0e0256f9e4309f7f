/**
 * @packageDocumentation
 * The medium behind one device: opened, locked, watched, given back. It is a child of the device; each of its ends is
 * an event in the device's chart.
 *
 *   Closed ─► Opening ⇄ WaitingForLock ─► Closed        Opening ─► Open ─► Gone        Open ⇄ Away ─► Gone
 *                                                                   └──► Closed ◄┘
 *
 * The lock is the fence of crash recovery: a killed process is gone long before its writes are, and only the lock
 * waits for them. So a lock that is held is waited for and never stolen: a bounded number of times by a device that is
 * new, as long as it takes by one that recovers. After a while the wait is said aloud.
 *
 * Away is a medium behind a server that cannot be reached for the moment: requests are held, and nobody is told.
 */
import { setup } from 'xstate'
import type { MediumError, MediumPlan, MediumSpec } from '../ports/medium.js'

export interface MediumInput {
  /** Pause between two looks at a lock that another holds. */
  readonly retryMs: number
  /** Looks before the medium is refused. */
  readonly attempts: number
  /** After how many looks the wait is said aloud. */
  readonly sayAfter: number
}

export interface MediumContext {
  readonly input: MediumInput
  readonly spec: MediumSpec | null
  /** The lock is waited for without end: a dead process's writes hold it, and nothing may be redone before them. */
  readonly patient: boolean
  readonly attempt: number
}

export type MediumEvent =
  | { readonly type: 'device.openRequested'; readonly spec: MediumSpec; readonly patient?: boolean }
  | { readonly type: 'device.closeRequested' }
  | { readonly type: 'opener.opened'; readonly plan: MediumPlan; readonly notes: readonly string[] }
  | { readonly type: 'opener.refused'; readonly code: MediumError['code']; readonly sentence: string }
  | { readonly type: 'medium.sizeChanged'; readonly sectorCount: number }
  /** The server behind it cannot be reached, or can again (connection.machine.ts). */
  | { readonly type: 'connection.lost'; readonly sentence: string }
  | { readonly type: 'connection.back' }
  /** The queue met ENXIO or its like, the descriptor has no size any more, or its server was waited for in vain. */
  | { readonly type: 'medium.lost'; readonly sentence: string }
  | { readonly type: 'clock.elapsed'; readonly timer: 'lock' }

export type MediumEffect =
  | { readonly type: 'tryOpen'; readonly spec: MediumSpec }
  | { readonly type: 'letGo' }
  | { readonly type: 'startTimer'; readonly timer: 'lock'; readonly milliseconds: number }
  | { readonly type: 'stopTimer'; readonly timer: 'lock' }
  | { readonly type: 'tellOpened'; readonly plan: MediumPlan; readonly notes: readonly string[] }
  | { readonly type: 'tellRefused'; readonly sentence: string }
  | { readonly type: 'tellWaited'; readonly sentence: string }
  | { readonly type: 'tellResized'; readonly sectorCount: number }
  | { readonly type: 'tellGone'; readonly sentence: string }
  | { readonly type: 'tellClosed' }

/** Whoever recovers looks often at first: the writes of the dead end within milliseconds on a disk that is well. */
function pauseMs({ input: { retryMs }, patient, attempt }: MediumContext): number {
  return patient && attempt <= PATIENT_LOOKS ? Math.min(retryMs, PATIENT_MS) : retryMs
}

/** Looks that a patient wait makes in quick succession, and the pause between them. */
const PATIENT_LOOKS = 25
const PATIENT_MS = 20

function mayWait({ input: { attempts }, patient, attempt }: MediumContext): boolean {
  return patient || attempt + 1 < attempts
}

/** How many looks come before the one at which the wait is said aloud. */
function saidAfter({ input: { sayAfter, retryMs }, patient }: MediumContext): number {
  const quick = patient ? PATIENT_LOOKS - Math.floor((PATIENT_LOOKS * Math.min(retryMs, PATIENT_MS)) / retryMs) : 0
  return sayAfter + quick
}

const base = setup({
  types: {
    context: {} as MediumContext, events: {} as MediumEvent, emitted: {} as MediumEffect, input: {} as MediumInput,
  },
})
const { assign, emit } = base

const sentence = (event: MediumEvent): string => ('sentence' in event ? event.sentence : '')
const nothing: MediumSpec = { target: '', readOnly: true }

const medium = base.extend({
  actions: {
    rememberSpec: assign(({ event }) =>
      event.type === 'device.openRequested' ? { spec: event.spec, attempt: 0, patient: event.patient ?? false } : {},
    ),
    countAttempt: assign({ attempt: ({ context }) => context.attempt + 1 }),
    tryOpen: emit(({ context }) => ({ type: 'tryOpen', spec: context.spec ?? nothing })),
    letGo: emit({ type: 'letGo' }),
    startTimer: emit(({ context }) => ({ type: 'startTimer', timer: 'lock', milliseconds: pauseMs(context) })),
    stopTimer: emit({ type: 'stopTimer', timer: 'lock' }),
    tellOpened: emit(({ event }) =>
      event.type === 'opener.opened'
        ? { type: 'tellOpened', plan: event.plan, notes: event.notes }
        : { type: 'tellRefused', sentence: `opened by ${event.type}` },
    ),
    tellRefused: emit(({ event }) => ({ type: 'tellRefused', sentence: sentence(event) })),
    tellWaited: emit(({ event }) => ({ type: 'tellWaited', sentence: `waiting for the lock: ${sentence(event)}` })),
    tellResized: emit(({ event }) => ({
      type: 'tellResized', sectorCount: event.type === 'medium.sizeChanged' ? event.sectorCount : 0,
    })),
    tellGone: emit(({ event }) => ({ type: 'tellGone', sentence: sentence(event) })),
    tellClosed: emit({ type: 'tellClosed' }),
  },
  guards: {
    lockHeld: ({ context, event }) =>
      event.type === 'opener.refused' && event.code === 'locked' && mayWait(context),
    timeToSay: ({ context, event }) =>
      event.type === 'opener.refused' && event.code === 'locked' && mayWait(context) &&
      context.attempt + 1 === saidAfter(context),
  },
})

const closed = { target: 'Closed', actions: ['letGo', 'tellClosed'] } as const

export const mediumMachine = medium.createMachine({
  id: 'medium',
  description: 'The medium behind one device.',
  initial: 'Closed',
  context: ({ input }) => ({ input, spec: null, patient: false, attempt: 0 }),
  states: {
    Closed: {
      description: 'Neither opened nor locked.',
      on: {
        'device.openRequested': { target: 'Opening', actions: ['rememberSpec'], description: 'The device wants it.' },
        'device.closeRequested': { actions: ['tellClosed'], description: 'There is nothing to give back.' },
        'opener.opened': { actions: ['letGo'], description: 'It came after the device had lost interest: given back.' },
        'opener.refused': { description: 'Of no interest any more.' },
        'medium.lost': { description: 'Of no interest any more.' },
        'medium.sizeChanged': { description: 'Of no interest any more.' },
        'connection.lost': { description: 'Of no interest any more.' },
        'connection.back': { description: 'Of no interest any more.' },
        'clock.elapsed': { description: 'Of no interest any more.' },
      },
    },
    Opening: {
      description: 'Being opened: kind, size, abilities and lock are found out.',
      entry: ['tryOpen'],
      on: {
        'opener.opened': { target: 'Open', actions: ['tellOpened'], description: 'Open and locked.' },
        'opener.refused': [
          {
            guard: 'timeToSay', target: 'WaitingForLock', actions: ['tellWaited', 'countAttempt'],
            description: 'Another holds the lock, and has for a while: said aloud.',
          },
          {
            guard: 'lockHeld', target: 'WaitingForLock', actions: ['countAttempt'],
            description: 'Another holds the lock, perhaps a dead process whose writes go on: waited for.',
          },
          { target: 'Closed', actions: ['tellRefused'], description: 'It cannot be opened; the sentence says why.' },
        ],
        'device.openRequested': { description: 'It is on the way.' },
        'device.closeRequested': { ...closed, description: 'The device does not want it any more.' },
        'medium.lost': { description: 'The attempt under way will say it.' },
        'medium.sizeChanged': { description: 'The attempt under way reads the size.' },
        'connection.lost': { description: 'Of a queue that is gone.' },
        'connection.back': { description: 'Of a queue that is gone.' },
        'clock.elapsed': { description: 'Too late to matter.' },
      },
    },
    WaitingForLock: {
      description: 'Another holds the lock; it is tried again after a pause.',
      entry: ['startTimer'],
      exit: ['stopTimer'],
      on: {
        'connection.lost': { description: 'It is not open.' },
        'connection.back': { description: 'It is not open.' },
        'clock.elapsed': { target: 'Opening', description: 'Tried again.' },
        'device.openRequested': { description: 'It is on the way.' },
        'device.closeRequested': { ...closed, description: 'The device does not want it any more.' },
        'opener.opened': { actions: ['letGo'], description: 'Nobody asked: given back.' },
        'opener.refused': { description: 'Known.' },
        'medium.lost': { description: 'It is not open.' },
        'medium.sizeChanged': { description: 'It is not open.' },
      },
    },
    Open: {
      description: 'Open and locked.',
      on: {
        'medium.sizeChanged': { actions: ['tellResized'], description: 'It grew or shrank.' },
        'medium.lost': { target: 'Gone', actions: ['tellGone'], description: 'It is not there any more (S24).' },
        'device.closeRequested': { ...closed, description: 'Given back.' },
        'device.openRequested': { description: 'It is open.' },
        'opener.opened': { description: 'Known.' },
        'opener.refused': { description: 'Known to be otherwise.' },
        'connection.lost': { target: 'Away', description: 'Its server cannot be reached: requests are held.' },
        'connection.back': { description: 'Known.' },
        'clock.elapsed': { description: 'Too late to matter.' },
      },
    },
    Away: {
      description: 'Open, but its server cannot be reached: requests are held until it is back, or the time is up.',
      on: {
        'connection.back': { target: 'Open', description: 'Requests go on; the guest saw a pause.' },
        'connection.lost': { description: 'Known.' },
        'medium.lost': { target: 'Gone', actions: ['tellGone'], description: 'It was waited for in vain.' },
        'medium.sizeChanged': { actions: ['tellResized'], description: 'It grew or shrank.' },
        'device.closeRequested': { ...closed, description: 'Given back.' },
        'device.openRequested': { description: 'It is open.' },
        'opener.opened': { description: 'Known.' },
        'opener.refused': { description: 'Known to be otherwise.' },
        'clock.elapsed': { description: 'Too late to matter.' },
      },
    },
    Gone: {
      description: 'Open, but of no use: every request fails until it is closed and opened anew.',
      on: {
        'device.closeRequested': { ...closed, description: 'Descriptor and lock are given back.' },
        'device.openRequested': { description: 'It must be closed first.' },
        'medium.lost': { description: 'Known.' },
        'medium.sizeChanged': { description: 'Of no use.' },
        'opener.opened': { description: 'Known.' },
        'opener.refused': { description: 'Known.' },
        'connection.lost': { description: 'Known.' },
        'connection.back': { description: 'Requests have failed: it must be closed first.' },
        'clock.elapsed': { description: 'Too late to matter.' },
      },
    },
  },
})
