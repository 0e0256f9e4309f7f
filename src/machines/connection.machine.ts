/**
 * @packageDocumentation
 * The connection of one queue to the server behind its medium (NBD). While it is away the port holds what it was given;
 * the chart says when another attempt is made, when what is held may be sent again, and when it is given up.
 *
 *   Connecting ⇄ Pausing          Connecting ─► Connected          lost: Connected, Fencing ─► Connecting
 *        └► Fencing ─► Connected                                   time is up: anywhere but Connected ─► GivenUp
 *
 * Fencing: the server may still be at work for a connection that it did not close itself, or for a daemon that died. A
 * write sent again, answered, and followed by another to the same place must not be overtaken by its older self; so
 * nothing is sent for a while. A connection that the server closed needs no such pause.
 */
import { setup } from 'xstate'
import type { ConnectionOrder, ConnectionReport } from '../ports/data-path.js'

export interface ConnectionInput {
  /** How long requests are held, milliseconds. */
  readonly reconnectMs: number
  /** How long nothing is sent where an older connection may still be served. */
  readonly fenceMs: number
  /** Pause before the second attempt; it doubles, up to the other. */
  readonly firstPauseMs: number
  readonly maxPauseMs: number
  /** A dead process may have left requests at the server. */
  readonly inherited: boolean
}

export interface ConnectionContext {
  readonly input: ConnectionInput
  /** Attempts of this absence that failed. */
  readonly attempts: number
  /** Requests of an older connection may still be at work. */
  readonly unfenced: boolean
  /** Why it is away. */
  readonly reason: string
}

export type ConnectionTimer = 'attempt' | 'fence' | 'patience'

export type ConnectionEvent = ConnectionReport
  | { readonly type: 'clock.elapsed'; readonly timer: ConnectionTimer }
  /** The queue is gone, and with it the port. */
  | { readonly type: 'queue.ended' }

export type ConnectionEffect =
  | { readonly type: 'orderPort'; readonly order: ConnectionOrder }
  | { readonly type: 'startTimer'; readonly timer: ConnectionTimer; readonly milliseconds: number }
  | { readonly type: 'stopTimer'; readonly timer: ConnectionTimer }
  | { readonly type: 'tellAway'; readonly sentence: string }
  | { readonly type: 'tellBack' }
  | { readonly type: 'tellGone'; readonly sentence: string }

/** The pause before the next attempt doubles with each that failed. */
function pauseMs({ input: { firstPauseMs, maxPauseMs }, attempts }: ConnectionContext): number {
  return Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(attempts - 1, 20))
}

const base = setup({
  types: {
    context: {} as ConnectionContext, events: {} as ConnectionEvent, emitted: {} as ConnectionEffect,
    input: {} as ConnectionInput,
  },
})
const { assign, emit } = base

const sentence = (event: ConnectionEvent): string => ('sentence' in event ? event.sentence : '')
const elapsed = (timer: ConnectionTimer) => ({ event }: { event: ConnectionEvent }) =>
  event.type === 'clock.elapsed' && event.timer === timer

const connection = base.extend({
  actions: {
    connect: emit({ type: 'orderPort', order: 'connect' }),
    resume: emit({ type: 'orderPort', order: 'resume' }),
    fail: emit({ type: 'orderPort', order: 'fail' }),
    startPause: emit(({ context }) => ({ type: 'startTimer', timer: 'attempt', milliseconds: pauseMs(context) })),
    stopPause: emit({ type: 'stopTimer', timer: 'attempt' }),
    startFence: emit(({ context }) => ({ type: 'startTimer', timer: 'fence', milliseconds: context.input.fenceMs })),
    stopFence: emit({ type: 'stopTimer', timer: 'fence' }),
    startPatience: emit(({ context }) => ({
      type: 'startTimer', timer: 'patience', milliseconds: context.input.reconnectMs,
    })),
    stopPatience: emit({ type: 'stopTimer', timer: 'patience' }),
    noteLoss: assign(({ context, event }) => ({
      attempts: 0, reason: sentence(event),
      unfenced: context.unfenced || (event.type === 'port.lost' && !event.ended),
    })),
    noteRefusal: assign(({ context, event }) => ({ attempts: context.attempts + 1, reason: sentence(event) })),
    noteFenced: assign({ unfenced: false, attempts: 0 }),
    tellAway: emit(({ context }) => ({ type: 'tellAway', sentence: context.reason })),
    tellBack: emit({ type: 'tellBack' }),
    tellGone: emit(({ context }) => ({ type: 'tellGone', sentence: context.reason })),
  },
  guards: {
    isUnfenced: ({ context }) => context.unfenced,
    isFinal: ({ event }) => event.type === 'port.refused' && event.final,
    isAttempt: elapsed('attempt'),
    isFence: elapsed('fence'),
    isPatience: elapsed('patience'),
  },
})

const noMore = {
  target: 'GivenUp', actions: ['stopPatience', 'fail', 'tellGone'],
} as const
const ended = { target: 'Ended', actions: ['stopPatience'], description: 'The queue needs it no more.' } as const

export const connectionMachine = connection.createMachine({
  id: 'connection',
  description: 'The connection of one queue to the server behind its medium.',
  initial: 'Connecting',
  context: ({ input }) => ({ input, attempts: 0, unfenced: input.inherited, reason: 'not connected yet' }),
  entry: ['startPatience'],
  states: {
    Connecting: {
      description: 'An attempt is under way; what the queue gives is held.',
      entry: ['connect'],
      on: {
        'port.connected': [
          {
            guard: 'isUnfenced', target: 'Fencing',
            description: 'Connected; requests of an older connection may still be at work there.',
          },
          {
            target: 'Connected', actions: ['stopPatience', 'noteFenced', 'resume', 'tellBack'],
            description: 'Connected; nothing older is at work.',
          },
        ],
        'port.refused': [
          {
            guard: 'isFinal', ...noMore, actions: ['noteRefusal', ...noMore.actions],
            description: 'No other attempt would help.',
          },
          {
            target: 'Pausing', actions: ['noteRefusal', 'tellAway'],
            description: 'Nobody there; tried again after a pause.',
          },
        ],
        'port.lost': { description: 'Known: it is being connected anew.' },
        'clock.elapsed': [
          { guard: 'isPatience', ...noMore, description: 'Requests have been held long enough.' },
          { description: 'Too late to matter.' },
        ],
        'queue.ended': ended,
      },
    },
    Pausing: {
      description: 'The last attempt failed; the next one comes after a pause.',
      entry: ['startPause'],
      exit: ['stopPause'],
      on: {
        'clock.elapsed': [
          { guard: 'isAttempt', target: 'Connecting', description: 'Tried again.' },
          { guard: 'isPatience', ...noMore, description: 'Requests have been held long enough.' },
          { description: 'Too late to matter.' },
        ],
        'port.connected': { description: 'Nobody asked for it.' },
        'port.refused': { description: 'Known.' },
        'port.lost': { description: 'Known.' },
        'queue.ended': ended,
      },
    },
    Fencing: {
      description: 'Connected, and silent: until nothing of an older connection can be at work at the server.',
      entry: ['startFence'],
      exit: ['stopFence'],
      on: {
        'clock.elapsed': [
          {
            guard: 'isFence', target: 'Connected', actions: ['stopPatience', 'noteFenced', 'resume', 'tellBack'],
            description: 'Long enough: what is held is sent.',
          },
          { guard: 'isPatience', description: 'It is there, and about to go on: not given up.' },
          { description: 'Too late to matter.' },
        ],
        'port.lost': {
          target: 'Connecting', actions: ['noteLoss', 'startPatience', 'tellAway'], description: 'Lost again.',
        },
        'port.connected': { description: 'Known.' },
        'port.refused': { description: 'Of an attempt that is over.' },
        'queue.ended': ended,
      },
    },
    Connected: {
      description: 'Requests go to the server and answers come back.',
      on: {
        'port.lost': {
          target: 'Connecting', actions: ['noteLoss', 'startPatience', 'tellAway'],
          description: 'Lost: what was under way is held, and another attempt is made at once.',
        },
        'port.connected': { description: 'Known.' },
        'port.refused': { description: 'Of an attempt that is over.' },
        'clock.elapsed': { description: 'Too late to matter.' },
        'queue.ended': ended,
      },
    },
    GivenUp: {
      description: 'What was held was answered with errors, and so is whatever comes, until the medium is opened anew.',
      on: {
        'port.lost': { description: 'Known.' },
        'port.connected': { description: 'Too late.' },
        'port.refused': { description: 'Known.' },
        'clock.elapsed': { description: 'Too late to matter.' },
        'queue.ended': ended,
      },
    },
    Ended: { type: 'final', description: 'The queue is gone.' },
  },
})
