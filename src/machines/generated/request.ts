/**
 * @packageDocumentation
 * Generated from chart request by `npm run charts`: not to be edited, but to be read.
 * 14 states, 16 events, 8 guards, 12 actions.
 */

/** Identity of the chart this was generated from; compared at start. */
export const requestChartHash = 'b62d4184b45ae07e'

/** Numbers of the product states, as the state column holds them. */
export const RequestState = {
  Free: 0,
  Taken: 1,
  Rejected: 2,
  Held: 3,
  Waiting: 4,
  Granted: 5,
  Syncing: 6,
  Submitted: 7,
  Filled: 8,
  Copied: 9,
  Answered: 10,
  Orphaned: 11,
  Abandoned: 12,
  Stalled: 13,
} as const
export const requestStateNames: readonly string[] = [
  'Free',
  'Taken',
  'Rejected',
  'Held',
  'Waiting',
  'Granted',
  'Syncing',
  'Submitted',
  'Filled',
  'Copied',
  'Answered',
  'Orphaned',
  'Abandoned',
  'Stalled',
]

/** Numbers of the events. */
export const RequestEvent = {
  taken: 0,
  rejected: 1,
  held: 2,
  waited: 3,
  admitted: 4,
  abandoned: 5,
  answered: 6,
  redone: 7,
  copied: 8,
  copyFailed: 9,
  completed: 10,
  failed: 11,
  full: 12,
  freed: 13,
  retried: 14,
  gaveUp: 15,
} as const
export const requestEventNames: readonly string[] = [
  'taken',
  'rejected',
  'held',
  'waited',
  'admitted',
  'abandoned',
  'answered',
  'redone',
  'copied',
  'copyFailed',
  'completed',
  'failed',
  'full',
  'freed',
  'retried',
  'gaveUp',
]

/** What chart request asks of whoever holds its slots. Guards change nothing; actions do not step. */
export interface RequestHost {
  /** One product state per slot; zero is the initial one. */
  readonly state: Uint8Array
  /** Every transition taken is mixed into it (see compile/digest.ts). */
  digest: number
  bringsData(slot: number): boolean
  syncsFirst(slot: number): boolean
  writesAfterSync(slot: number): boolean
  moreOutstanding(slot: number): boolean
  hasFailed(slot: number): boolean
  metFull(slot: number): boolean
  syncsAfter(slot: number): boolean
  returnsData(slot: number): boolean
  begin(slot: number): void
  queueAnswer(slot: number): void
  queueCopyFromGuest(slot: number): void
  queueSync(slot: number): void
  queueIo(slot: number): void
  countAbandoned(slot: number): void
  markFailed(slot: number): void
  countDown(slot: number): void
  queueCopyToGuest(slot: number): void
  markFull(slot: number): void
  release(slot: number): void
  forgetFull(slot: number): void
}

/**
 * One event for one slot. The state column is written after the actions.
 * @returns the new state, or -1 when the chart has no edge for this event in this state (nothing changed).
 */
export function stepRequest(host: RequestHost, slot: number, event: number): number {
  let next: number
  switch (host.state[slot]) {
    case 0: // Free
      switch (event) {
        case 0: // taken
          host.begin(slot)
          next = 1 // Taken
          break
        default:
          return -1
      }
      break
    case 1: // Taken
      switch (event) {
        case 1: // rejected
          host.queueAnswer(slot)
          next = 2 // Rejected
          break
        case 2: // held
          next = 3 // Held
          break
        case 3: // waited
          next = 4 // Waiting
          break
        case 4: // admitted
          if (host.bringsData(slot)) {
            host.queueCopyFromGuest(slot)
            next = 5 // Granted
          } else if (host.syncsFirst(slot)) {
            host.queueSync(slot)
            next = 6 // Syncing
          } else {
            host.queueIo(slot)
            next = 7 // Submitted
          }
          break
        case 5: // abandoned
          host.countAbandoned(slot)
          next = 12 // Abandoned
          break
        default:
          return -1
      }
      break
    case 2: // Rejected
      switch (event) {
        case 5: // abandoned
          host.countAbandoned(slot)
          next = 12 // Abandoned
          break
        case 6: // answered
          next = 10 // Answered
          break
        default:
          return -1
      }
      break
    case 3: // Held
      switch (event) {
        case 1: // rejected
          host.queueAnswer(slot)
          next = 2 // Rejected
          break
        case 3: // waited
          next = 4 // Waiting
          break
        case 4: // admitted
          if (host.bringsData(slot)) {
            host.queueCopyFromGuest(slot)
            next = 5 // Granted
          } else if (host.syncsFirst(slot)) {
            host.queueSync(slot)
            next = 6 // Syncing
          } else {
            host.queueIo(slot)
            next = 7 // Submitted
          }
          break
        case 5: // abandoned
          host.countAbandoned(slot)
          next = 12 // Abandoned
          break
        case 7: // redone
          host.begin(slot)
          next = 1 // Taken
          break
        default:
          return -1
      }
      break
    case 4: // Waiting
      switch (event) {
        case 1: // rejected
          host.queueAnswer(slot)
          next = 2 // Rejected
          break
        case 4: // admitted
          if (host.bringsData(slot)) {
            host.queueCopyFromGuest(slot)
            next = 5 // Granted
          } else if (host.syncsFirst(slot)) {
            host.queueSync(slot)
            next = 6 // Syncing
          } else {
            host.queueIo(slot)
            next = 7 // Submitted
          }
          break
        case 5: // abandoned
          host.countAbandoned(slot)
          next = 12 // Abandoned
          break
        case 7: // redone
          host.begin(slot)
          next = 1 // Taken
          break
        default:
          return -1
      }
      break
    case 5: // Granted
      switch (event) {
        case 5: // abandoned
          host.countAbandoned(slot)
          next = 12 // Abandoned
          break
        case 8: // copied
          if (host.syncsFirst(slot)) {
            host.queueSync(slot)
            next = 6 // Syncing
          } else {
            host.queueIo(slot)
            next = 7 // Submitted
          }
          break
        case 9: // copyFailed
          host.markFailed(slot)
          host.queueAnswer(slot)
          next = 2 // Rejected
          break
        default:
          return -1
      }
      break
    case 6: // Syncing
      switch (event) {
        case 5: // abandoned
          next = 11 // Orphaned
          break
        case 7: // redone
          host.begin(slot)
          next = 1 // Taken
          break
        case 10: // completed
          if (host.writesAfterSync(slot)) {
            host.queueIo(slot)
            next = 7 // Submitted
          } else {
            host.queueAnswer(slot)
            next = 9 // Copied
          }
          break
        case 11: // failed
          host.markFailed(slot)
          host.queueAnswer(slot)
          next = 9 // Copied
          break
        default:
          return -1
      }
      break
    case 7: // Submitted
      switch (event) {
        case 5: // abandoned
          next = 11 // Orphaned
          break
        case 7: // redone
          host.begin(slot)
          next = 1 // Taken
          break
        case 10: // completed
          if (host.moreOutstanding(slot)) {
            host.countDown(slot)
            next = 7 // Submitted
          } else if (host.hasFailed(slot)) {
            host.queueAnswer(slot)
            next = 9 // Copied
          } else if (host.metFull(slot)) {
            next = 13 // Stalled
          } else if (host.syncsAfter(slot)) {
            host.queueSync(slot)
            next = 6 // Syncing
          } else if (host.returnsData(slot)) {
            host.queueCopyToGuest(slot)
            next = 8 // Filled
          } else {
            host.queueAnswer(slot)
            next = 9 // Copied
          }
          break
        case 11: // failed
          if (host.moreOutstanding(slot)) {
            host.countDown(slot)
            host.markFailed(slot)
            next = 7 // Submitted
          } else {
            host.markFailed(slot)
            host.queueAnswer(slot)
            next = 9 // Copied
          }
          break
        case 12: // full
          if (host.moreOutstanding(slot)) {
            host.countDown(slot)
            host.markFull(slot)
            next = 7 // Submitted
          } else if (host.hasFailed(slot)) {
            host.queueAnswer(slot)
            next = 9 // Copied
          } else {
            next = 13 // Stalled
          }
          break
        default:
          return -1
      }
      break
    case 8: // Filled
      switch (event) {
        case 5: // abandoned
          host.countAbandoned(slot)
          next = 12 // Abandoned
          break
        case 8: // copied
          host.queueAnswer(slot)
          next = 9 // Copied
          break
        case 9: // copyFailed
          host.markFailed(slot)
          host.queueAnswer(slot)
          next = 9 // Copied
          break
        default:
          return -1
      }
      break
    case 9: // Copied
      switch (event) {
        case 5: // abandoned
          host.countAbandoned(slot)
          next = 12 // Abandoned
          break
        case 6: // answered
          next = 10 // Answered
          break
        default:
          return -1
      }
      break
    case 10: // Answered
      switch (event) {
        case 13: // freed
          host.release(slot)
          next = 0 // Free
          break
        default:
          return -1
      }
      break
    case 11: // Orphaned
      switch (event) {
        case 10: // completed
        case 11: // failed
          if (host.moreOutstanding(slot)) {
            host.countDown(slot)
            next = 11 // Orphaned
          } else {
            host.countAbandoned(slot)
            next = 12 // Abandoned
          }
          break
        default:
          return -1
      }
      break
    case 12: // Abandoned
      switch (event) {
        case 13: // freed
          host.release(slot)
          next = 0 // Free
          break
        default:
          return -1
      }
      break
    case 13: // Stalled
      switch (event) {
        case 5: // abandoned
          host.countAbandoned(slot)
          next = 12 // Abandoned
          break
        case 7: // redone
          host.begin(slot)
          next = 1 // Taken
          break
        case 14: // retried
          host.forgetFull(slot)
          host.queueIo(slot)
          next = 7 // Submitted
          break
        case 15: // gaveUp
          host.markFailed(slot)
          host.queueAnswer(slot)
          next = 9 // Copied
          break
        default:
          return -1
      }
      break
    default:
      return -1 // no such state
  }
  host.state[slot] = next
  const mixed = Math.imul(host.digest ^ ((slot << 16) | (event << 8) | next), 0x9e3779b1)
  host.digest = (((mixed << 13) | (mixed >>> 19)) + 0x6d2b79f5) | 0
  return next
}
