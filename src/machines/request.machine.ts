/**
 * @packageDocumentation
 * The life of one request, from the moment its ring entry was copied to the moment its answer stands in the ring.
 * One slot of the queue's pool is one such actor; what runs is this chart's compilation (generated/request.ts), one
 * byte of state per slot, and the exhaustive test proves the two equal.
 *
 *   Free ─ Taken ─┬─ Rejected ──────────────────────────────────────────────────┬─ Answered ─ Free
 *                 └─ (Held) ─ (Waiting) ─ (Granted) ─ I/O ─ (Filled) ─ Copied ──┘
 *   I/O = Submitted, Syncing, or both: a flush with data syncs before it writes, a barrier after it
 *   Submitted ⇄ Stalled: the medium was full, and is tried again until there is space
 *   and from everywhere, when the front end is gone: (Orphaned, while I/O is in flight) ─ Abandoned ─ Free
 *   and from wherever its queue died: Taken (nothing that was begun counts; what was answered was answered)
 *
 * The context is finite and small, because the compiler enumerates it: `kind` is written by the intake before `taken`,
 * `parts` by the gate before `admitted`, `outstanding` and `failed` belong to the chart. What must never happen: an
 * edge to Answered that does not come from Copied or Rejected; one to Free that does not come from Answered or
 * Abandoned.
 *
 * Source of the operations: xen/include/public/io/blkif.h, BLKIF_OP_*.
 */
import { assign, setup } from 'xstate'

/** What a request needs done, as the validated operation and the presence of data decide it. */
export const REQUEST_KINDS = ['read', 'write', 'flush', 'flushWrite', 'barrier', 'barrierWrite', 'discard'] as const
export type RequestKind = (typeof REQUEST_KINDS)[number]

export interface RequestContext {
  readonly kind: RequestKind
  /** How many I/Os the request's data takes. */
  readonly parts: number
  /** I/Os submitted and not yet completed. */
  readonly outstanding: number
  /** Whether anything about it has failed; the answer is then BLKIF_RSP_ERROR. */
  readonly failed: boolean
  /** An I/O found the medium full while others of this request were still in flight. */
  readonly full: boolean
}

export type RequestEventType =
  | 'taken' | 'rejected' | 'held' | 'waited' | 'admitted' | 'copied' | 'copyFailed'
  | 'completed' | 'failed' | 'full' | 'retried' | 'gaveUp' | 'answered' | 'abandoned' | 'freed' | 'redone'

const brings: readonly RequestKind[] = ['write', 'flushWrite', 'barrierWrite']
const syncsFirst: readonly RequestKind[] = ['flush', 'flushWrite', 'barrier']

export const requestMachine = setup({
  types: { context: {} as RequestContext, events: {} as { type: RequestEventType } },
  guards: {
    /** The guest's data must be copied in before anything goes to the disk. */
    bringsData: ({ context }) => brings.includes(context.kind),
    /** The medium must be synced before (or instead of) any write of this request. */
    syncsFirst: ({ context }) => syncsFirst.includes(context.kind),
    /** After the sync there is data to be written (a flush with segments). */
    writesAfterSync: ({ context }) => context.kind === 'flushWrite',
    /** The medium must be synced after the data was written (a barrier with segments). */
    syncsAfter: ({ context }) => context.kind === 'barrierWrite',
    /** What the disk gave must be copied to the guest. */
    returnsData: ({ context }) => context.kind === 'read',
    /** Other I/Os of this request are still in flight. */
    moreOutstanding: ({ context }) => context.outstanding > 1,
    /** An earlier I/O of this request has failed. */
    hasFailed: ({ context }) => context.failed,
    /** An earlier I/O of this request found the medium full. */
    metFull: ({ context }) => context.full,
  },
  actions: {
    /** A new life of the slot: nothing outstanding, nothing failed. */
    begin: assign({ outstanding: 0, failed: false, full: false }),
    /** Submit the data's I/Os. */
    queueIo: assign({ outstanding: ({ context }) => context.parts }),
    /** Submit one sync of the medium. */
    queueSync: assign({ outstanding: 1 }),
    countDown: assign({ outstanding: ({ context }) => context.outstanding - 1 }),
    markFailed: assign({ failed: true }),
    markFull: assign({ full: true }),
    forgetFull: assign({ full: false }),
    queueCopyFromGuest: () => undefined,
    queueCopyToGuest: () => undefined,
    /** Nothing is left to be done but to answer. */
    queueAnswer: () => undefined,
    /** It will get no answer; nothing of it is in flight any more. */
    countAbandoned: () => undefined,
    /** The slot gives back its buffers and its place in the pool. */
    release: () => undefined,
  },
}).createMachine({
  id: 'request',
  description: 'One request of a front end, from its ring entry to its answer',
  context: { kind: 'read', parts: 1, outstanding: 0, failed: false, full: false },
  initial: 'Free',
  states: {
    Free: {
      description: 'The slot carries no request',
      on: { taken: { target: 'Taken', actions: ['begin'], description: 'a ring entry was copied into the slot' } },
    },
    Taken: {
      description: 'The entry is copied and journalled; it is being judged',
      on: {
        rejected: {
          target: 'Rejected',
          actions: ['queueAnswer'],
          description: 'nonsense, or an operation not offered',
        },
        held: {
          target: 'Held',
          description: 'a barrier stands before it, or it is a barrier and others are before it',
        },
        waited: { target: 'Waiting', description: 'there are no buffers for its data, or its device has a rate limit' },
        admitted: [
          { guard: 'bringsData', target: 'Granted', actions: ['queueCopyFromGuest'], description: 'its data comes in' },
          {
            guard: 'syncsFirst', target: 'Syncing', actions: ['queueSync'],
            description: 'nothing to copy, a sync is due',
          },
          { target: 'Submitted', actions: ['queueIo'], description: 'nothing to copy in; to the disk' },
        ],
        abandoned: { target: 'Abandoned', actions: ['countAbandoned'], description: 'the front end is gone' },
      },
    },
    Rejected: {
      description: 'It will be answered with an error and has touched nothing',
      on: {
        answered: { target: 'Answered', description: 'its answer is committed to the journal' },
        abandoned: { target: 'Abandoned', actions: ['countAbandoned'], description: 'the front end is gone' },
      },
    },
    Held: {
      description: 'It waits for its turn: order with a barrier',
      on: {
        waited: { target: 'Waiting', description: 'its turn has come, but not its buffers or the rate limit’s word' },
        admitted: [
          { guard: 'bringsData', target: 'Granted', actions: ['queueCopyFromGuest'], description: 'its data comes in' },
          {
            guard: 'syncsFirst', target: 'Syncing', actions: ['queueSync'],
            description: 'nothing to copy, a sync is due',
          },
          { target: 'Submitted', actions: ['queueIo'], description: 'nothing to copy in; to the disk' },
        ],
        rejected: { target: 'Rejected', actions: ['queueAnswer'], description: 'an earlier sync was lost meanwhile' },
        redone: { target: 'Taken', actions: ['begin'], description: 'its queue died; it begins anew, from its entry' },
        abandoned: { target: 'Abandoned', actions: ['countAbandoned'], description: 'the front end is gone' },
      },
    },
    Waiting: {
      description: 'It waits for buffers, or for its device’s rate limit',
      on: {
        admitted: [
          { guard: 'bringsData', target: 'Granted', actions: ['queueCopyFromGuest'], description: 'its data comes in' },
          {
            guard: 'syncsFirst', target: 'Syncing', actions: ['queueSync'],
            description: 'nothing to copy, a sync is due',
          },
          { target: 'Submitted', actions: ['queueIo'], description: 'nothing to copy in; to the disk' },
        ],
        rejected: { target: 'Rejected', actions: ['queueAnswer'], description: 'an earlier sync was lost meanwhile' },
        redone: { target: 'Taken', actions: ['begin'], description: 'its queue died; it begins anew, from its entry' },
        abandoned: { target: 'Abandoned', actions: ['countAbandoned'], description: 'the front end is gone' },
      },
    },
    Granted: {
      description: 'It has buffers, and the grant copy brings its data in',
      on: {
        copied: [
          {
            guard: 'syncsFirst', target: 'Syncing', actions: ['queueSync'],
            description: 'the sync comes before the data',
          },
          { target: 'Submitted', actions: ['queueIo'], description: 'its data is here; to the disk' },
        ],
        copyFailed: {
          target: 'Rejected',
          actions: ['markFailed', 'queueAnswer'],
          description: 'a grant was bad; the disk was not touched',
        },
        abandoned: { target: 'Abandoned', actions: ['countAbandoned'], description: 'the front end is gone' },
      },
    },
    Syncing: {
      description: 'A sync of the medium is in flight',
      on: {
        completed: [
          { guard: 'writesAfterSync', target: 'Submitted', actions: ['queueIo'], description: 'now its own data' },
          { target: 'Copied', actions: ['queueAnswer'], description: 'all before it is durable' },
        ],
        failed: { target: 'Copied', actions: ['markFailed', 'queueAnswer'], description: 'the medium could not sync' },
        redone: { target: 'Taken', actions: ['begin'], description: 'its queue died; it begins anew, from its entry' },
        abandoned: { target: 'Orphaned', description: 'the front end is gone, the sync is not' },
      },
    },
    Submitted: {
      description: 'Its I/Os are in flight',
      on: {
        completed: [
          { guard: 'moreOutstanding', actions: ['countDown'], description: 'one of several I/Os is done' },
          {
            guard: 'hasFailed', target: 'Copied', actions: ['queueAnswer'],
            description: 'the last is done, another had failed',
          },
          { guard: 'metFull', target: 'Stalled', description: 'the last is done, another had found no space' },
          {
            guard: 'syncsAfter', target: 'Syncing', actions: ['queueSync'],
            description: 'a barrier makes its data durable',
          },
          {
            guard: 'returnsData', target: 'Filled', actions: ['queueCopyToGuest'],
            description: 'the disk filled the buffer',
          },
          { target: 'Copied', actions: ['queueAnswer'], description: 'the disk took all of it' },
        ],
        failed: [
          { guard: 'moreOutstanding', actions: ['countDown', 'markFailed'], description: 'one of several I/Os failed' },
          { target: 'Copied', actions: ['markFailed', 'queueAnswer'], description: 'the last I/O failed' },
        ],
        full: [
          { guard: 'moreOutstanding', actions: ['countDown', 'markFull'], description: 'one of several had no space' },
          { guard: 'hasFailed', target: 'Copied', actions: ['queueAnswer'], description: 'another had failed anyway' },
          { target: 'Stalled', description: 'the medium is full, and the operator wants it to wait for space' },
        ],
        redone: { target: 'Taken', actions: ['begin'], description: 'its queue died; it begins anew, from its entry' },
        abandoned: { target: 'Orphaned', description: 'the front end is gone, the I/O is not' },
      },
    },
    Filled: {
      description: 'Its own read filled the buffer, and the grant copy takes it to the guest',
      on: {
        copied: { target: 'Copied', actions: ['queueAnswer'], description: 'the guest has its data' },
        copyFailed: { target: 'Copied', actions: ['markFailed', 'queueAnswer'], description: 'a grant was bad' },
        abandoned: { target: 'Abandoned', actions: ['countAbandoned'], description: 'the front end is gone' },
      },
    },
    Copied: {
      description: 'All is done; it is to be answered',
      on: {
        answered: { target: 'Answered', description: 'its answer is committed to the journal' },
        abandoned: { target: 'Abandoned', actions: ['countAbandoned'], description: 'the front end is gone' },
      },
    },
    Answered: {
      description: 'Its answer is in the journal and goes to the ring; the slot rests until that has happened',
      on: { freed: { target: 'Free', actions: ['release'], description: 'the answer was published' } },
    },
    Orphaned: {
      description: 'The front end is gone; I/O that is in flight is awaited',
      on: {
        completed: [
          { guard: 'moreOutstanding', actions: ['countDown'], description: 'one of several I/Os is done' },
          { target: 'Abandoned', actions: ['countAbandoned'], description: 'the last I/O is done' },
        ],
        failed: [
          { guard: 'moreOutstanding', actions: ['countDown'], description: 'one of several I/Os failed' },
          { target: 'Abandoned', actions: ['countAbandoned'], description: 'the last I/O failed' },
        ],
      },
    },
    Abandoned: {
      description: 'It ended without an answer, because nobody is there to read it; it is counted',
      on: { freed: { target: 'Free', actions: ['release'], description: 'the slot is given back' } },
    },
    Stalled: {
      description: 'The medium was full: it keeps slot and buffer, unanswered, and waits to be tried again',
      on: {
        retried: {
          target: 'Submitted', actions: ['forgetFull', 'queueIo'],
          description: 'all of it goes to the disk again: what was written of it already is written once more',
        },
        gaveUp: {
          target: 'Copied', actions: ['markFailed', 'queueAnswer'],
          description: 'the device closes: nobody will wait for space any more',
        },
        redone: { target: 'Taken', actions: ['begin'], description: 'its queue died; it begins anew, from its entry' },
        abandoned: { target: 'Abandoned', actions: ['countAbandoned'], description: 'the front end is gone' },
      },
    },
  },
})

/** The finite values of each context key, for the exhaustive agreement test. */
export const requestContextDomain: { readonly [Key in keyof RequestContext]: readonly RequestContext[Key][] } = {
  kind: REQUEST_KINDS,
  parts: [1, 2, 3],
  outstanding: [0, 1, 2, 3],
  failed: [false, true],
  full: [false, true],
}
