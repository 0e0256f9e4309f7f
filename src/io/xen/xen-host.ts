/**
 * @packageDocumentation
 * The daemon's {@link Host} on real Xen, over the kernel's device nodes and nothing else. Whatever is opened here is
 * entered in the table of owners; Workers open it from the plans (data-path.ts).
 *
 *   mapRing      gntdev: all pages in a row, with a descriptor of their own      unmapRing     munmap, then out of Xen
 *   bindChannel  evtchn: a descriptor per channel, restricted to the domid       unbindChannel unbind, close
 *   openGrants   gntdev: the descriptor through which segments are copied        closeGrants   close
 *
 * Xen says EINVAL for a reference that a guest did not grant and for a guest that is gone alike, and a page of a dead
 * guest that somebody still has mapped it even lets us map again. XenStore knows better: a domain that died is not
 * introduced any more. So it is asked before, and after a failure once more.
 *
 * What must never happen: a failure of a guest's that throws, or a mapping that keeps a dead guest's memory from Xen.
 */
import { bindInterdomain, openEvtchn, unbindEvtchn } from '../native/evtchn.js'
import { mapRingPages, openGntdev } from '../native/gntdev.js'
import { closeDescriptor, unmap } from '../native/owners.js'
import { RingLooks } from '../native/ring-looks.js'
import type { ChannelPlan, GrantMode, GrantPlan, Host, HostFailure, RingPlan, RingRequest } from '../../ports/host.js'
import { assert, codeOf, sentenceOf } from '../../protocol/errors.js'

type Obtained<Plan> = { ok: true; plan: Plan } | HostFailure

export interface XenHostOptions {
  /** Whether XenStore knows the domain: `isDomainIntroduced`. */
  readonly domainKnown: (domid: number) => Promise<boolean>
}

export class XenHost implements Host {
  readonly world = 'xen'
  readonly #options: XenHostOptions
  readonly #rings = new Set<RingPlan>()
  readonly #looks = new RingLooks()
  readonly #channels = new Set<ChannelPlan>()
  readonly #grants = new Set<GrantPlan>()

  constructor(options: XenHostOptions) {
    this.#options = options
  }

  mapRing({ domid, grefs, abi }: RingRequest): Promise<Obtained<RingPlan>> {
    const refused = () => failure('EACCES', notGranted(domid, grefs))
    return this.#obtain(domid, this.#rings, refused, () => {
      const plan: RingPlan = { world: 'xen', domid, abi, pages: grefs.length, ringHandle: mapRingPages(domid, grefs) }
      return this.#looks.remember(plan, grefs)
    })
  }

  unmapRing(plan: RingPlan): Promise<void> {
    assert(this.#rings.has(plan), 'a ring is unmapped that was not mapped here')
    unmap(plan.ringHandle)
    this.#rings.delete(plan)
    return Promise.resolve()
  }

  bindChannel(domid: number, remotePort: number): Promise<Obtained<ChannelPlan>> {
    const sentence = `port ${remotePort} of domain ${domid} is not offered to us, or another process has bound it`
    return this.#obtain(domid, this.#channels, (code) => failure(code, sentence), () => {
      const handle = openEvtchn(domid)
      try {
        const port = bindInterdomain(handle, domid, remotePort)
        return { world: 'xen', domid, port, eventHandle: handle, notifyHandle: handle }
      } catch (error) {
        closeDescriptor(handle)
        throw error
      }
    })
  }

  unbindChannel(plan: ChannelPlan): Promise<void> {
    assert(this.#channels.has(plan), 'a channel is unbound that was not bound here')
    unbindEvtchn(plan.eventHandle, plan.port)
    closeDescriptor(plan.eventHandle)
    this.#channels.delete(plan)
    return Promise.resolve()
  }

  openGrants(domid: number, mode: GrantMode): Promise<Obtained<GrantPlan>> {
    const sentence = `the way to the pages of domain ${domid} cannot be opened`
    return this.#obtain(domid, this.#grants, (code) => failure(code, sentence), () => {
      return { world: 'xen', domid, mode, memoryHandle: openGntdev(), tableHandle: 0 }
    })
  }

  closeGrants(plan: GrantPlan): Promise<void> {
    assert(this.#grants.has(plan), 'grants are closed that were not opened here')
    closeDescriptor(plan.memoryHandle)
    this.#grants.delete(plan)
    return Promise.resolve()
  }

  held() {
    return { rings: this.#rings.size, channels: this.#channels.size, grants: this.#grants.size }
  }

  rings() {
    return this.#looks.of(this.#rings)
  }

  /** Lets go of what is still held. */
  async close(): Promise<void> {
    for (const plan of this.#channels) await this.unbindChannel(plan)
    for (const plan of this.#rings) await this.unmapRing(plan)
    for (const plan of this.#grants) await this.closeGrants(plan)
  }

  /** What this machine lacks, a guest that is gone, a guest that refuses: told apart here. */
  async #obtain<Plan>(
    domid: number, held: Set<Plan>, refused: (code: string) => HostFailure, open: () => Plan,
  ): Promise<Obtained<Plan>> {
    if (!(await this.#options.domainKnown(domid))) return gone(domid)
    try {
      const plan = open()
      held.add(plan)
      return { ok: true, plan }
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined) throw error
      if (OURS.has(code)) return failure(code, `${sentenceOf(error)}: \`xbbd doctor\` says what this machine lacks`)
      return (await this.#options.domainKnown(domid)) ? refused(code) : gone(domid)
    }
  }
}

/** Codes of a machine that is at fault, and not the guest: no device, no right to it, no descriptor, no memory. */
const OURS: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'EMFILE', 'ENFILE', 'ENOMEM'])

function failure(code: string, sentence: string): HostFailure {
  return { ok: false, code, sentence }
}

function gone(domid: number): HostFailure {
  return failure('ENOENT', `there is no domain ${domid} any more`)
}

function notGranted(domid: number, grefs: readonly number[]): string {
  return `domain ${domid} has not granted its ring (references ${grefs.join(', ')}) for reading and writing`
}
