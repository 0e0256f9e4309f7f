/**
 * @packageDocumentation
 * Generated from chart queue by `npm run charts`: not to be edited, but to be read.
 * 8 states, 10 events, 0 guards, 5 actions.
 */

/** Identity of the chart this was generated from; compared at start. */
export const queueChartHash = '3a57d31a76bfe3e8'

/** Numbers of the product states, as the state column holds them. */
export const QueueState = {
  Detached: 0,
  Running: 1,
  Shortage: 2,
  Draining: 3,
  Abandoning: 4,
  Broken: 5,
  Drained: 6,
  Yielded: 7,
} as const
export const queueStateNames: readonly string[] = [
  'Detached',
  'Running',
  'Shortage',
  'Draining',
  'Abandoning',
  'Broken',
  'Drained',
  'Yielded',
]

/** Numbers of the events. */
export const QueueEvent = {
  attached: 0,
  short: 1,
  drainAsked: 2,
  frontEndGone: 3,
  ringBroken: 4,
  recovered: 5,
  yielded: 6,
  relieved: 7,
  emptied: 8,
  detached: 9,
} as const
export const queueEventNames: readonly string[] = [
  'attached',
  'short',
  'drainAsked',
  'frontEndGone',
  'ringBroken',
  'recovered',
  'yielded',
  'relieved',
  'emptied',
  'detached',
]

/** What chart queue asks of whoever holds its slots. Guards change nothing; actions do not step. */
export interface QueueHost {
  /** One product state per slot; zero is the initial one. */
  readonly state: Uint8Array
  /** Every transition taken is mixed into it (see compile/digest.ts). */
  digest: number
  announceShortage(slot: number): void
  abandonAll(slot: number): void
  announceBroken(slot: number): void
  announceRelief(slot: number): void
  announceDrained(slot: number): void
}

/**
 * One event for one slot. The state column is written after the actions.
 * @returns the new state, or -1 when the chart has no edge for this event in this state (nothing changed).
 */
export function stepQueue(host: QueueHost, slot: number, event: number): number {
  let next: number
  switch (host.state[slot]) {
    case 0: // Detached
      switch (event) {
        case 0: // attached
          next = 1 // Running
          break
        default:
          return -1
      }
      break
    case 1: // Running
      switch (event) {
        case 1: // short
          host.announceShortage(slot)
          next = 2 // Shortage
          break
        case 2: // drainAsked
          next = 3 // Draining
          break
        case 3: // frontEndGone
          host.abandonAll(slot)
          next = 4 // Abandoning
          break
        case 4: // ringBroken
          host.announceBroken(slot)
          host.abandonAll(slot)
          next = 5 // Broken
          break
        case 5: // recovered
          next = 1 // Running
          break
        case 6: // yielded
          next = 7 // Yielded
          break
        default:
          return -1
      }
      break
    case 2: // Shortage
      switch (event) {
        case 1: // short
          host.announceShortage(slot)
          next = 2 // Shortage
          break
        case 2: // drainAsked
          host.announceRelief(slot)
          next = 3 // Draining
          break
        case 3: // frontEndGone
          host.announceRelief(slot)
          host.abandonAll(slot)
          next = 4 // Abandoning
          break
        case 5: // recovered
        case 7: // relieved
          host.announceRelief(slot)
          next = 1 // Running
          break
        case 6: // yielded
          host.announceRelief(slot)
          next = 7 // Yielded
          break
        default:
          return -1
      }
      break
    case 3: // Draining
      switch (event) {
        case 2: // drainAsked
          next = 3 // Draining
          break
        case 3: // frontEndGone
          host.abandonAll(slot)
          next = 4 // Abandoning
          break
        case 5: // recovered
          next = 1 // Running
          break
        case 6: // yielded
          next = 7 // Yielded
          break
        case 8: // emptied
          host.announceDrained(slot)
          next = 6 // Drained
          break
        default:
          return -1
      }
      break
    case 4: // Abandoning
      switch (event) {
        case 2: // drainAsked
        case 3: // frontEndGone
        case 6: // yielded
          next = 4 // Abandoning
          break
        case 8: // emptied
          host.announceDrained(slot)
          next = 6 // Drained
          break
        default:
          return -1
      }
      break
    case 5: // Broken
      switch (event) {
        case 2: // drainAsked
        case 3: // frontEndGone
        case 6: // yielded
          next = 5 // Broken
          break
        case 8: // emptied
          host.announceDrained(slot)
          next = 6 // Drained
          break
        default:
          return -1
      }
      break
    case 6: // Drained
      switch (event) {
        case 2: // drainAsked
        case 3: // frontEndGone
        case 6: // yielded
          next = 6 // Drained
          break
        case 5: // recovered
          next = 1 // Running
          break
        case 9: // detached
          next = 0 // Detached
          break
        default:
          return -1
      }
      break
    case 7: // Yielded
      switch (event) {
        case 5: // recovered
          next = 1 // Running
          break
        case 6: // yielded
          next = 7 // Yielded
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
