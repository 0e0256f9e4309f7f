/**
 * @packageDocumentation
 * How one child (a device's actor) is kept alive. XState has no restart strategies and does not stop the children of a
 * crashed parent, so both stand here: a crashed child is salvaged first (everything it held is given back), then
 * started again after a pause that doubles, and given up after a bounded number of crashes in a period.
 *
 *   Running ─► Salvaging ─► BackingOff ─► Running …        Salvaging ─► GaveUp        Running ─► Ended
 *      └─► Leaving ─► Stopping ─► Ended        once the daemon stops, nothing is started again
 *
 * What must never happen: a restart before the salvage has ended (two actors for one ring); a restart without a pause
 * or without a bound. Time is an input: each crash says when it was.
 */
import { setup } from 'xstate'

export interface SupervisorInput {
  /** `vbd/5/51712` */
  readonly child: string
  /** More crashes than this within the period, and it is given up. */
  readonly maxRestarts: number
  readonly periodMs: number
  readonly firstPauseMs: number
  readonly maxPauseMs: number
}

export interface SupervisorContext {
  readonly input: SupervisorInput
  /** When it crashed, within the period; never more than maxRestarts + 1. */
  readonly crashes: readonly number[]
  readonly restarts: number
  readonly sentence: string | null
}

export type SupervisorEvent =
  | { readonly type: 'child.crashed'; readonly atMs: number; readonly sentence: string }
  /** Everything that the crashed child held is given back. */
  | { readonly type: 'child.salvaged' }
  /** It came to an end of its own: removed, parked. */
  | { readonly type: 'child.ended' }
  | { readonly type: 'operator.retried' }
  | { readonly type: 'operator.stopped' }
  | { readonly type: 'clock.elapsed'; readonly timer: 'pause' }

export type SupervisorEffect =
  | { readonly type: 'startChild' }
  | { readonly type: 'salvageChild' }
  | { readonly type: 'startTimer'; readonly timer: 'pause'; readonly milliseconds: number }
  | { readonly type: 'stopTimer'; readonly timer: 'pause' }
  /** In list, XenStore and journal. */
  | { readonly type: 'announceGivingUp'; readonly sentence: string }
  | { readonly type: 'announceEnd' }

const base = setup({
  types: {
    context: {} as SupervisorContext, events: {} as SupervisorEvent, emitted: {} as SupervisorEffect,
    input: {} as SupervisorInput,
  },
})
const { assign, emit } = base

const supervisor = base.extend({
  actions: {
    rememberCrash: assign(({ context, event }) => {
      if (event.type !== 'child.crashed') return {}
      const recent = context.crashes.filter((at) => event.atMs - at < context.input.periodMs)
      return { crashes: [...recent, event.atMs].slice(-context.input.maxRestarts - 1), sentence: event.sentence }
    }),
    countRestart: assign({ restarts: ({ context }) => context.restarts + 1 }),
    forgive: assign({ crashes: [], sentence: null }),
    startChild: emit({ type: 'startChild' }),
    salvageChild: emit({ type: 'salvageChild' }),
    startPause: emit(({ context }) => {
      const { firstPauseMs, maxPauseMs } = context.input
      const doubled = firstPauseMs * 2 ** Math.max(0, context.crashes.length - 1)
      return { type: 'startTimer', timer: 'pause', milliseconds: Math.min(doubled, maxPauseMs) }
    }),
    stopPause: emit({ type: 'stopTimer', timer: 'pause' }),
    announceGivingUp: emit(({ context }) => ({
      type: 'announceGivingUp',
      sentence: `given up after ${context.crashes.length} crashes: ${context.sentence ?? 'no reason was given'}`,
    })),
    announceEnd: emit({ type: 'announceEnd' }),
  },
  guards: {
    tooManyCrashes: ({ context }) => context.crashes.length > context.input.maxRestarts,
  },
})

export const supervisorMachine = supervisor.createMachine({
  id: 'supervisor',
  description: 'Keeps one device actor alive, within bounds.',
  initial: 'Running',
  context: ({ input }) => ({ input, crashes: [], restarts: 0, sentence: null }),
  states: {
    Running: {
      description: 'The child lives.',
      entry: ['startChild'],
      on: {
        'child.crashed': { target: 'Salvaging', actions: ['rememberCrash'], description: 'It threw: our own fault.' },
        'child.ended': { target: 'Ended', description: 'It has nothing left to do.' },
        'child.salvaged': { description: 'Of an earlier life.' },
        'operator.retried': { description: 'It runs.' },
        'operator.stopped': { target: 'Leaving', description: 'The daemon stops; the child was told itself.' },
        'clock.elapsed': { description: 'Of an earlier life.' },
      },
    },
    Leaving: {
      description: 'The daemon stops: the child lets go of its own accord.',
      on: {
        'child.crashed': {
          target: 'Stopping', actions: ['rememberCrash', 'salvageChild'],
          description: 'It cannot let go itself any more; a next life would not know that the daemon stops.',
        },
        'child.ended': { target: 'Ended', description: 'It has nothing left to do.' },
        'child.salvaged': { description: 'Of an earlier life.' },
        'operator.retried': { description: 'Too late: the daemon stops.' },
        'operator.stopped': { description: 'It is known.' },
        'clock.elapsed': { description: 'Of an earlier life.' },
      },
    },
    Salvaging: {
      description: 'What the crashed child held is brought to rest and given back; the front end sees a pause.',
      entry: ['salvageChild'],
      on: {
        'child.salvaged': [
          { guard: 'tooManyCrashes', target: 'GaveUp', description: 'Too many crashes in the period.' },
          { target: 'BackingOff', description: 'Nothing is held: it may be started again.' },
        ],
        'child.crashed': { description: 'It is known.' },
        'child.ended': { description: 'It is being salvaged.' },
        'operator.retried': { description: 'It will be started again anyway.' },
        'operator.stopped': { target: 'Stopping', description: 'It will not be started again.' },
        'clock.elapsed': { description: 'Of an earlier life.' },
      },
    },
    Stopping: {
      description: 'The daemon stops while a crashed child is being salvaged: it is not started again.',
      on: {
        'child.salvaged': { target: 'Ended', description: 'Nothing is held.' },
        'child.crashed': { description: 'It is known.' },
        'child.ended': { description: 'It is being salvaged.' },
        'operator.retried': { description: 'Too late: the daemon stops.' },
        'operator.stopped': { description: 'It is known.' },
        'clock.elapsed': { description: 'Of an earlier life.' },
      },
    },
    BackingOff: {
      description: 'A pause before the next life, doubled with every crash in the period.',
      entry: ['startPause'],
      exit: ['stopPause'],
      on: {
        'clock.elapsed': { target: 'Running', actions: ['countRestart'], description: 'The pause is over.' },
        'operator.retried': {
          target: 'Running', actions: ['countRestart'],
          description: 'The operator does not wait.',
        },
        'operator.stopped': { target: 'Ended', description: 'It holds nothing.' },
        'child.ended': { target: 'Ended', description: 'Its node is gone.' },
        'child.crashed': { description: 'It does not live.' },
        'child.salvaged': { description: 'It is known.' },
      },
    },
    GaveUp: {
      description: 'It crashed too often; it stays down until the operator retries or detaches it.',
      entry: ['announceGivingUp'],
      on: {
        'operator.retried': {
          target: 'Running', actions: ['forgive', 'countRestart'], description: 'The operator wants another try.',
        },
        'operator.stopped': { target: 'Ended', description: 'It holds nothing.' },
        'child.ended': { target: 'Ended', description: 'Its node is gone.' },
        'child.crashed': { description: 'It does not live.' },
        'child.salvaged': { description: 'It is known.' },
        'clock.elapsed': { description: 'Of an earlier life.' },
      },
    },
    Ended: { description: 'Nothing is left to supervise.', type: 'final', entry: ['announceEnd'] },
  },
})
