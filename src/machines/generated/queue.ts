/**
 * @packageDocumentation
 * Generated from chart queue by `npm run charts`: not to be edited, but to be read.
 * 9 states, 11 events, 0 guards, 6 actions.
 */

/** Identity of the chart this was generated from; compared at start. */
export const queueChartHash = '2ac7b289364819df'

/** Numbers of the product states, as the state column holds them. */
export const QueueState = {
  Detached: 0,
  Running: 1,
  Shortage: 2,
  Throttled: 3,
  Draining: 4,
  Abandoning: 5,
  Broken: 6,
  Drained: 7,
  Yielded: 8,
} as const
export const queueStateNames: readonly string[] = [
  'Detached',
  'Running',
  'Shortage',
  'Throttled',
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
  throttled: 2,
  drainAsked: 3,
  frontEndGone: 4,
  ringBroken: 5,
  recovered: 6,
  yielded: 7,
  relieved: 8,
  emptied: 9,
  detached: 10,
} as const
export const queueEventNames: readonly string[] = [
  'attached',
  'short',
  'throttled',
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
  announceThrottle(slot: number): void
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
        case 2: // throttled
          host.announceThrottle(slot)
          next = 3 // Throttled
          break
        case 3: // drainAsked
          next = 4 // Draining
          break
        case 4: // frontEndGone
          host.abandonAll(slot)
          next = 5 // Abandoning
          break
        case 5: // ringBroken
          host.announceBroken(slot)
          host.abandonAll(slot)
          next = 6 // Broken
          break
        case 6: // recovered
          next = 1 // Running
          break
        case 7: // yielded
          next = 8 // Yielded
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
        case 2: // throttled
          host.announceThrottle(slot)
          next = 3 // Throttled
          break
        case 3: // drainAsked
          host.announceRelief(slot)
          next = 4 // Draining
          break
        case 4: // frontEndGone
          host.announceRelief(slot)
          host.abandonAll(slot)
          next = 5 // Abandoning
          break
        case 6: // recovered
        case 8: // relieved
          host.announceRelief(slot)
          next = 1 // Running
          break
        case 7: // yielded
          host.announceRelief(slot)
          next = 8 // Yielded
          break
        default:
          return -1
      }
      break
    case 3: // Throttled
      switch (event) {
        case 1: // short
          host.announceShortage(slot)
          next = 2 // Shortage
          break
        case 3: // drainAsked
          host.announceRelief(slot)
          next = 4 // Draining
          break
        case 4: // frontEndGone
          host.announceRelief(slot)
          host.abandonAll(slot)
          next = 5 // Abandoning
          break
        case 6: // recovered
        case 8: // relieved
          host.announceRelief(slot)
          next = 1 // Running
          break
        case 7: // yielded
          host.announceRelief(slot)
          next = 8 // Yielded
          break
        default:
          return -1
      }
      break
    case 4: // Draining
      switch (event) {
        case 3: // drainAsked
          next = 4 // Draining
          break
        case 4: // frontEndGone
          host.abandonAll(slot)
          next = 5 // Abandoning
          break
        case 6: // recovered
          next = 1 // Running
          break
        case 7: // yielded
          next = 8 // Yielded
          break
        case 9: // emptied
          host.announceDrained(slot)
          next = 7 // Drained
          break
        default:
          return -1
      }
      break
    case 5: // Abandoning
      switch (event) {
        case 3: // drainAsked
        case 4: // frontEndGone
        case 7: // yielded
          next = 5 // Abandoning
          break
        case 9: // emptied
          host.announceDrained(slot)
          next = 7 // Drained
          break
        default:
          return -1
      }
      break
    case 6: // Broken
      switch (event) {
        case 3: // drainAsked
        case 4: // frontEndGone
        case 7: // yielded
          next = 6 // Broken
          break
        case 9: // emptied
          host.announceDrained(slot)
          next = 7 // Drained
          break
        default:
          return -1
      }
      break
    case 7: // Drained
      switch (event) {
        case 3: // drainAsked
        case 4: // frontEndGone
        case 7: // yielded
          next = 7 // Drained
          break
        case 6: // recovered
          next = 1 // Running
          break
        case 10: // detached
          next = 0 // Detached
          break
        default:
          return -1
      }
      break
    case 8: // Yielded
      switch (event) {
        case 6: // recovered
          next = 1 // Running
          break
        case 7: // yielded
          next = 8 // Yielded
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
