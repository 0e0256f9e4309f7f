/**
 * @packageDocumentation
 * The guest of the contract suites: a real domU with the peer in it. One serves many tests, since a boot takes seconds;
 * after a test that destroyed it the next one gets another. What Xen's own grant table says is asked within a call.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { connectXenStore, type XenStoreClient } from '../../../src/io/xenstore/client.js'
import { until } from '../dom0/execute.js'
import { parseGrantDump } from '../dom0/grants.js'
import { Guest, noZombies } from '../dom0/guest.js'
import { GuestPeer } from '../dom0/guest-peer.js'

const XENSTORED = '/run/xenstored/socket'

/** A reference that Linux in a small guest does not get to: its table has 512 entries, and few are used. */
export const NEVER_GRANTED = 500

function xl(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('xl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`xl ${args.join(' ')} ended with ${status}: ${stderr}`)
  return stdout
}

export class GuestWorld {
  readonly store: XenStoreClient
  #living: { guest: Guest; peer: GuestPeer } | undefined
  #count = 0

  private constructor(store: XenStoreClient) {
    this.store = store
  }

  static async open(): Promise<GuestWorld> {
    return new GuestWorld(await connectXenStore(XENSTORED))
  }

  /** A guest that is alive, and its peer. */
  async living(): Promise<GuestPeer> {
    if (!this.#living) {
      const name = `contract-${++this.#count}`
      const guest = await (await Guest.start(this.store, name)).ready()
      this.#living = { guest, peer: await GuestPeer.start(guest) }
    }
    return this.#living.peer
  }

  /** Fresh pages. Throws when the guest has come to references that the suites believe unused. */
  grant(peer: GuestPeer, count: number, writable = true): number[] {
    const grefs = peer.grant(count, writable)
    if (grefs.some((gref) => gref >= NEVER_GRANTED)) throw new Error(`the guest granted ${grefs.join(', ')}`)
    return grefs
  }

  /** Those of the references that somebody has mapped, by Xen's own word. */
  mapped(peer: GuestPeer, grefs: readonly number[]): number[] {
    xl('dmesg', '-c')
    xl('debug-keys', 'g')
    const active = parseGrantDump(xl('dmesg')).filter(({ owner }) => owner === peer.domid)
    // Its own two pages are mapped all the time: a dump without them was not understood.
    if (!peer.own.every((gref) => active.some((entry) => entry.gref === gref)))
      throw new Error('Xen did not say which grants are active')
    return grefs.filter((gref) => active.some((entry) => entry.gref === gref))
  }

  /** Takes pages back. @returns false, with nothing changed, while one of them is mapped. */
  revoke(peer: GuestPeer, grefs: readonly number[]): boolean {
    if (this.mapped(peer, grefs).length > 0) return false
    peer.revoke(grefs)
    return true
  }

  /** `xl destroy`; resolves when XenStore has forgotten the domain. What others mapped of it keeps a zombie. */
  async destroy(): Promise<void> {
    if (!this.#living) return
    const { peer, guest } = this.#living
    this.#living = undefined
    peer.close()
    xl('destroy', String(peer.domid))
    guest.forget()
    const gone = async () => !(await this.store.isDomainIntroduced(peer.domid))
    await until(`XenStore has forgotten domain ${peer.domid}`, gone, 20_000, 20)
  }

  /** The guest is destroyed, and nobody may hold a page of any that there was. */
  async close(): Promise<void> {
    await this.destroy()
    this.store.close()
    await until('every domain is wholly gone', () => noZombies().then(() => true, () => false), 10_000, 200)
  }
}

/** How many descriptors this process has open. */
export const descriptors = (): number => readdirSync('/proc/self/fd').length
