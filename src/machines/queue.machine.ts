/**
 * @packageDocumentation
 * One ring of one device, as its Worker sees it. Events come at most a few times per batch; the chart says whether the
 * ring is being consumed, and why not.
 *
 *   Detached ─ Running ⇄ Shortage ⇄ Throttled ⇄ Running
 *                 └──┬──────┴───────────┘
 *        Draining · Abandoning · Broken ─ Drained ─ Detached       (Draining, Drained ─ recovered ─► Running)
 *        Yielded ─ recovered ─► Running                            (in the journal of whoever takes over)
 *
 * Entering and leaving every state is written to the journal. What must never happen: consuming a ring entry in any
 * state but Running; reaching Drained with a request that is not Free.
 */
import { setup } from 'xstate'

export type QueueEventType =
  | 'attached' | 'short' | 'relieved' | 'drainAsked' | 'frontEndGone' | 'ringBroken' | 'emptied' | 'detached'
  | 'recovered' | 'yielded' | 'throttled'

export const queueMachine = setup({
  types: { context: {}, events: {} as { type: QueueEventType } },
  actions: {
    /** Every request that is not in flight ends now; those in flight are awaited. */
    abandonAll: () => undefined,
    /** Tell the device, by a level, that the ring's producer lies. */
    announceBroken: () => undefined,
    announceShortage: () => undefined,
    announceThrottle: () => undefined,
    announceRelief: () => undefined,
    announceDrained: () => undefined,
  },
}).createMachine({
  id: 'queue',
  description: 'One ring of one device: whether it is consumed, and why not',
  context: {},
  initial: 'Detached',
  states: {
    Detached: {
      description: 'No ring is mapped',
      on: { attached: { target: 'Running', description: 'ring, channel, grants, medium and journal are there' } },
    },
    Running: {
      description: 'The ring is consumed as fast as it is filled',
      on: {
        short: {
          target: 'Shortage', actions: ['announceShortage'],
          description: 'no slot, no buffer, or no space on the medium',
        },
        throttled: {
          target: 'Throttled', actions: ['announceThrottle'], description: 'the rate limit of its device is used up',
        },
        drainAsked: { target: 'Draining', description: 'the device closes or parks' },
        frontEndGone: { target: 'Abandoning', actions: ['abandonAll'], description: 'nobody is left to answer' },
        ringBroken: {
          target: 'Broken',
          actions: ['announceBroken', 'abandonAll'],
          description: 'the producer index lies',
        },
        recovered: { description: 'a successor goes on from the journal' },
        yielded: { target: 'Yielded', description: 'another process takes over' },
      },
    },
    Shortage: {
      description: 'Consumption has stopped for want of a slot, of buffers, or of space on the medium',
      on: {
        relieved: { target: 'Running', actions: ['announceRelief'], description: 'what was wanting is there again' },
        short: { actions: ['announceShortage'], description: 'it is short of something else now' },
        throttled: {
          target: 'Throttled', actions: ['announceThrottle'],
          description: 'it is the rate limit that it waits for now',
        },
        recovered: {
          target: 'Running', actions: ['announceRelief'],
          description: 'a successor goes on from the journal, and finds out itself what it is short of',
        },
        drainAsked: { target: 'Draining', actions: ['announceRelief'], description: 'the device closes or parks' },
        frontEndGone: {
          target: 'Abandoning',
          actions: ['announceRelief', 'abandonAll'],
          description: 'nobody is left to answer',
        },
        yielded: { target: 'Yielded', actions: ['announceRelief'], description: 'another process takes over' },
      },
    },
    Throttled: {
      description: 'The rate limit of its device is used up: what was taken waits for its turn, nothing more is taken',
      on: {
        relieved: {
          target: 'Running', actions: ['announceRelief'], description: 'all that was taken has had its turn',
        },
        short: {
          target: 'Shortage', actions: ['announceShortage'],
          description: 'what may go now lacks buffers, or found no space on the medium',
        },
        recovered: {
          target: 'Running', actions: ['announceRelief'],
          description: 'a successor goes on from the journal, under the limit that it finds',
        },
        drainAsked: {
          target: 'Draining', actions: ['announceRelief'],
          description: 'the device closes or parks: its last requests go at once, and count',
        },
        frontEndGone: {
          target: 'Abandoning',
          actions: ['announceRelief', 'abandonAll'],
          description: 'nobody is left to answer',
        },
        yielded: { target: 'Yielded', actions: ['announceRelief'], description: 'another process takes over' },
      },
    },
    Draining: {
      description: 'Nothing more is taken; everything taken is answered',
      on: {
        emptied: { target: 'Drained', actions: ['announceDrained'], description: 'every request was answered' },
        drainAsked: { description: 'it is on its way there' },
        recovered: { target: 'Running', description: 'who wanted it at rest has died; a successor goes on' },
        frontEndGone: { target: 'Abandoning', actions: ['abandonAll'], description: 'nobody is left to answer' },
        yielded: { target: 'Yielded', description: 'another process takes over' },
      },
    },
    Abandoning: {
      description: 'The front end is gone; only I/O in flight is awaited',
      on: {
        emptied: { target: 'Drained', actions: ['announceDrained'], description: 'the last I/O has ended' },
        drainAsked: { description: 'it is on its way there' },
        frontEndGone: { description: 'it is known' },
        yielded: { description: 'there is nothing to go on with' },
      },
    },
    Broken: {
      description: 'The producer lied; the ring is not touched any more, I/O in flight is awaited',
      on: {
        emptied: { target: 'Drained', actions: ['announceDrained'], description: 'the last I/O has ended' },
        drainAsked: { description: 'it is on its way there' },
        frontEndGone: { description: 'it is treated so already' },
        yielded: { description: 'there is nothing to go on with' },
      },
    },
    Drained: {
      description: 'Nothing is in flight, everything answered was published',
      on: {
        detached: { target: 'Detached', description: 'ring, channel and grants may be let go' },
        drainAsked: { description: 'it is done' },
        recovered: { target: 'Running', description: 'who wanted it at rest has died; a successor goes on' },
        frontEndGone: { description: 'nothing is left to abandon' },
        yielded: { description: 'nothing is left to be gone on with' },
      },
    },
    Yielded: {
      description: 'Another process takes over: nothing more is taken or begun, I/O in flight is awaited and answered',
      on: {
        recovered: { target: 'Running', description: 'it goes on from the journal' },
        yielded: { description: 'it is known' },
      },
    },
  },
})

/** The chart has no context. */
export const queueContextDomain = {} as const
