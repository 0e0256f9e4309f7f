/**
 * @packageDocumentation
 * What one connection to the pocket host holds, and the requests that it may make. When it ends it gives up all of it:
 * a back end that is killed leaves its ports unbound, its mappings forgotten and its pages free, as Xen and Linux
 * together see to it; a guest that is killed takes its domain along.
 *
 *   domain 0   mappings: domid, grefs · bindings: local port ► port of a domain · open grants: domid
 *   a guest    its domain, made once; its ports are the domain's
 */
import type { Domain, Port } from './domain.js'
import type { Hypervisor } from './hypervisor.js'
import { refused, type HostAnswer, type HostOutcome, type HostRequest } from './wire.js'

/** The most pages that one ring can have here. */
const MAX_RING_PAGES = 32

const done = (answer: HostAnswer = {}, handles: readonly number[] = []): HostOutcome => ({ ok: true, answer, handles })
const noDomain = (domid: number) => refused('ENOENT', `there is no domain ${domid}`)
const tooMany = refused('ENOSPC', 'this connection holds too much already')

export class Session {
  readonly #hypervisor: Hypervisor
  /** The guest that this session is; undefined for domain 0. */
  #own: Domain | undefined
  readonly #mappings = new Map<number, { domain: Domain; grefs: readonly number[] }>()
  readonly #bindings = new Map<number, Port>()
  readonly #grants = new Map<number, Domain>()
  #last = 0
  #ended = false

  constructor(hypervisor: Hypervisor) {
    this.#hypervisor = hypervisor
  }

  /** Executes one request, whatever stands in it. The handles of the outcome stay the domain's. */
  async execute(request: HostRequest): Promise<HostOutcome> {
    switch (request.op) {
      case 'createDomain':
        return this.#create(request.name, request.pages, request.grantEntries)
      case 'allocatePort':
        return this.#allocatePort(request.remoteDomid)
      case 'closePort':
        return this.#own?.closePort(request.port) ? done() : refused('EINVAL', `there is no port ${request.port} here`)
      case 'domains':
        return done({ domains: this.#hypervisor.domains })
      default:
        return this.#own ? refused('EPERM', 'only domain 0 may ask for that') : this.#executeAsDomain0(request)
    }
  }

  /** Gives up everything. Idempotent. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    for (const { domain, grefs } of this.#mappings.values()) domain.unpin(grefs)
    this.#mappings.clear()
    for (const port of [...this.#bindings.keys()]) this.#unbind(port)
    this.#grants.clear()
    if (this.#own) await this.#hypervisor.destroy(this.#own.domid)
  }

  async #executeAsDomain0(request: HostRequest): Promise<HostOutcome> {
    switch (request.op) {
      case 'mapRing':
        return this.#mapRing(request.domid, request.grefs)
      case 'unmapRing': {
        const mapping = this.#mappings.get(request.mapping)
        if (!mapping) return refused('EINVAL', `there is no mapping ${request.mapping} here`)
        mapping.domain.unpin(mapping.grefs)
        this.#mappings.delete(request.mapping)
        return done()
      }
      case 'bindChannel':
        return this.#bind(request.domid, request.port)
      case 'unbindChannel':
        return this.#unbind(request.port) ? done() : refused('EINVAL', `port ${request.port} is not bound here`)
      case 'openGrants':
        return this.#openGrants(request.domid)
      case 'closeGrants':
        return this.#grants.delete(request.grants) ? done() : refused('EINVAL', 'these grants are not open here')
      case 'destroyDomain':
        return (await this.#hypervisor.destroy(request.domid)) ? done() : noDomain(request.domid)
      default:
        return refused('ENOSYS', 'there is no such operation')
    }
  }

  async #create(name: string, pages: number, grantEntries: number): Promise<HostOutcome> {
    const { limits } = this.#hypervisor
    const fits = (value: number, min: number, max: number) => Number.isInteger(value) && value >= min && value <= max
    if (this.#own) return refused('EEXIST', 'this connection is a domain already')
    if (typeof name !== 'string' || !/^[\w.+-]{1,64}$/.test(name))
      return refused('EINVAL', 'a domain needs a name of 1 to 64 letters, digits or . _ + -')
    if (!fits(pages, 1, limits.pagesPerDomain) || !fits(grantEntries, 512, limits.grantEntries))
      return refused('EINVAL', `a domain has 1 to ${limits.pagesPerDomain} pages, 512 to ${limits.grantEntries} grants`)
    const domain = await this.#hypervisor.create(name, pages, grantEntries)
    if (!domain) return refused('ENOSPC', `there are ${limits.domains} domains already`)
    this.#own = domain
    if (!this.#ended) return done({ domid: domain.domid }, [domain.memory, domain.table])
    await this.#hypervisor.destroy(domain.domid)
    return refused('ESHUTDOWN', 'the connection ended meanwhile')
  }

  #allocatePort(remoteDomid: number): HostOutcome {
    if (!this.#own?.alive) return refused('EPERM', 'only a domain can allocate a port')
    const port = this.#own.allocatePort(remoteDomid)
    if (!port) return refused('ENOSPC', 'the domain has no port left')
    return done({ port: port.port }, [port.toFront, port.toBack])
  }

  #mapRing(domid: number, grefs: readonly number[]): HostOutcome {
    const domain = this.#hypervisor.domain(domid)
    if (!domain) return noDomain(domid)
    if (!Array.isArray(grefs) || grefs.length === 0 || grefs.length > MAX_RING_PAGES)
      return refused('EINVAL', `a ring has 1 to ${MAX_RING_PAGES} pages`)
    if (this.#mappings.size >= this.#hypervisor.limits.perSession) return tooMany
    const pinned = domain.pin(grefs, 0)
    if ('bad' in pinned)
      return refused('EACCES', `domain ${domid} has not granted reference ${pinned.bad} for reading and writing`)
    this.#mappings.set(++this.#last, { domain, grefs })
    return done({ mapping: this.#last, frames: pinned.frames }, [domain.memory])
  }

  #openGrants(domid: number): HostOutcome {
    const domain = this.#hypervisor.domain(domid)
    if (!domain) return noDomain(domid)
    if (this.#grants.size >= this.#hypervisor.limits.perSession) return tooMany
    this.#grants.set(++this.#last, domain)
    return done({ grants: this.#last }, [domain.memory, domain.table])
  }

  #bind(domid: number, number: number): HostOutcome {
    const domain = this.#hypervisor.domain(domid)
    if (!domain) return noDomain(domid)
    const port = domain.port(number)
    if (!port || port.remoteDomid !== 0) return refused('EINVAL', `domain ${domid} offers us no port ${number}`)
    if (port.bound) return refused('EINVAL', `port ${number} of domain ${domid} is bound already`)
    if (this.#bindings.size >= this.#hypervisor.limits.perSession) return tooMany
    domain.bind(port)
    const local = this.#hypervisor.claimLocalPort()
    this.#bindings.set(local, port)
    return done({ port: local }, [port.toBack, port.toFront])
  }

  #unbind(local: number): boolean {
    const port = this.#bindings.get(local)
    if (!port) return false
    port.bound = false
    this.#bindings.delete(local)
    this.#hypervisor.releaseLocalPort(local)
    return true
  }
}
