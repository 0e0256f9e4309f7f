/**
 * @packageDocumentation
 * The hypervisor's books: domains with their memory, what they granted, and their event channels, as far as a back end
 * can tell (DESIGN: recovery rests on these):
 *
 *   kick on a port that nobody bound     dropped
 *   bind                                 refused unless the port is there and unbound; then it is pending at once
 *   whoever bound is gone                unbound again, and can be bound anew
 *   a domain dies                        its grants and ports with it; what was mapped stays readable until unmapped
 */
import type { SimRing } from '../sim-ring.js'
import { SimGuest } from '../sim-guest.js'
import type { Kernel } from './kernel.js'
import type { Life } from './life.js'

/** A page of a ring, as it was granted. */
export interface RingPage {
  readonly ring: SimRing
  readonly page: number
  readonly pages: number
}

/** The back end's end of a channel: an event is told once, and the next one after `unmask`. */
export class BoundEnd {
  readonly life: Life
  readonly port: GuestPort
  readonly #kernel: Kernel
  #pending = true
  #masked = true
  #listener: (() => void) | undefined
  closed = false

  constructor(kernel: Kernel, life: Life, port: GuestPort) {
    this.#kernel = kernel
    this.life = life
    this.port = port
  }

  listen(listener: (() => void) | undefined): void {
    this.#listener = listener
    this.unmask()
  }

  kicked(): void {
    this.#pending = true
    this.#deliver()
  }

  unmask(): void {
    this.#masked = false
    this.#deliver()
  }

  #deliver(): void {
    if (!this.#pending || this.#masked || this.#listener === undefined) return
    this.#pending = false
    this.#masked = true
    this.#kernel.after(2000, () => {
      if (this.life.alive && !this.closed) this.#listener?.()
    })
  }
}

/** A channel's end in the guest. */
export class GuestPort {
  bound: BoundEnd | undefined
  /** What the guest does when it is notified. */
  onEvent: () => void = () => undefined
}

export class SimDomain {
  readonly domid: number
  alive = true
  readonly guest: SimGuest
  readonly ringPages = new Map<number, RingPage>()
  readonly ports = new Map<number, GuestPort>()
  #nextRing = 100_000
  #nextPort = 1

  constructor(domid: number, pages: number) {
    this.domid = domid
    this.guest = new SimGuest(pages, pages)
  }

  /** Grants the pages of a ring. @returns their references. */
  grantRing(ring: SimRing, pages: number): number[] {
    return Array.from({ length: pages }, (_, page) => {
      this.ringPages.set(this.#nextRing, { ring, page, pages })
      return this.#nextRing++
    })
  }

  newPort(onEvent: () => void): number {
    const port = new GuestPort()
    port.onEvent = onEvent
    this.ports.set(this.#nextPort, port)
    return this.#nextPort++
  }

  /** The guest kicks the back end. */
  notify(port: number): void {
    this.ports.get(port)?.bound?.kicked()
  }
}

export class Hypervisor {
  readonly kernel: Kernel
  readonly domains = new Map<number, SimDomain>()

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  create(domid: number, pages: number): SimDomain {
    const domain = new SimDomain(domid, pages)
    this.domains.set(domid, domain)
    return domain
  }

  destroy(domid: number): void {
    const domain = this.domains.get(domid)
    if (domain === undefined) return
    domain.alive = false
    domain.guest.revokeAll()
    domain.ringPages.clear()
    domain.ports.clear()
    this.domains.delete(domid)
  }
}
