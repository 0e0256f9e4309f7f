/**
 * @packageDocumentation
 * The queue chart's single slot: a host for its generated step that forwards the chart's orders to the core.
 */
import type { QueueHost } from '../machines/generated/queue.js'

/** What the queue chart orders. */
export interface QueueOrders {
  abandonAll(): void
  announceBroken(): void
  announceShortage(): void
  announceThrottle(): void
  announceRelief(): void
}

export function queueLife(orders: QueueOrders): QueueHost {
  return {
    state: new Uint8Array(1),
    digest: 0,
    abandonAll: () => orders.abandonAll(),
    announceBroken: () => orders.announceBroken(),
    announceShortage: () => orders.announceShortage(),
    announceThrottle: () => orders.announceThrottle(),
    announceRelief: () => orders.announceRelief(),
    announceDrained: () => undefined,
  }
}
