/**
 * @packageDocumentation
 * The pocket host's domains and ports, whoever uses them. What one connection holds of them stands in session.ts.
 *
 *   Hypervisor ── domid ──► Domain (memory, grants, ports)          local ports of domain 0: lowest free number
 *
 * A domid is never given again: one that is gone stays gone.
 */
import { Domain } from './domain.js'
import type { DomainInfo } from './wire.js'

export interface HypervisorLimits {
  readonly domains: number
  readonly pagesPerDomain: number
  readonly grantEntries: number
  /** Mappings, bindings and open grants of one session, each. */
  readonly perSession: number
}

export const DEFAULT_HYPERVISOR_LIMITS: HypervisorLimits = {
  domains: 256,
  pagesPerDomain: 262_144,
  grantEntries: 1 << 20,
  perSession: 4096,
}

/** Told when domains come and go; resolves when XenStore knows. */
export interface DomainListener {
  created(domain: DomainInfo): Promise<void>
  destroyed(domain: DomainInfo): Promise<void>
}

export class Hypervisor {
  readonly limits: HypervisorLimits
  readonly #listener: DomainListener
  readonly #domains = new Map<number, Domain>()
  readonly #localPorts = new Set<number>()
  #lastDomid = 0

  constructor(listener: DomainListener, limits: Partial<HypervisorLimits> = {}) {
    this.#listener = listener
    this.limits = { ...DEFAULT_HYPERVISOR_LIMITS, ...limits }
  }

  domain(domid: number): Domain | undefined {
    return this.#domains.get(domid)
  }

  get domains(): DomainInfo[] {
    return [...this.#domains.values()].map(({ domid, name }) => ({ domid, name }))
  }

  /** Undefined when there are too many. */
  async create(name: string, pages: number, grantEntries: number): Promise<Domain | undefined> {
    if (this.#domains.size >= this.limits.domains) return undefined
    const domain = new Domain(++this.#lastDomid, name, pages, grantEntries)
    this.#domains.set(domain.domid, domain)
    await this.#listener.created({ domid: domain.domid, name })
    return domain
  }

  /** @returns whether there was such a domain. */
  async destroy(domid: number): Promise<boolean> {
    const domain = this.#domains.get(domid)
    if (!domain) return false
    this.#domains.delete(domid)
    domain.destroy()
    await this.#listener.destroyed({ domid, name: domain.name })
    return true
  }

  /** The lowest free port of domain 0. */
  claimLocalPort(): number {
    let port = 1
    while (this.#localPorts.has(port)) port++
    this.#localPorts.add(port)
    return port
  }

  releaseLocalPort(port: number): void {
    this.#localPorts.delete(port)
  }

  async close(): Promise<void> {
    for (const domid of [...this.#domains.keys()]) await this.destroy(domid)
  }
}
