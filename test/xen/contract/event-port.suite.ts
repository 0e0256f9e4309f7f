/** Event channels of real Xen keep the contract, with a guest on another processor that kicks as fast as it can. */
import { owned, unmap, view } from '../../../src/io/native/owners.js'
import { mapRingPages } from '../../../src/io/native/gntdev.js'
import { xenDataPath } from '../../../src/io/xen/data-path.js'
import { XenHost } from '../../../src/io/xen/xen-host.js'
import { eventPortContract } from '../../contract/event-port.js'
import { GuestWorld } from './guest-world.js'

let guests: GuestWorld
beforeAll(async () => {
  guests = await GuestWorld.open()
})
afterAll(() => guests.close())

eventPortContract('xen', async () => {
  const peer = await guests.living()
  const before = owned().length
  const remote = peer.offer()
  const [gref] = guests.grant(peer, 1)
  const host = new XenHost({ domainKnown: (domid) => guests.store.isDomainIntroduced(domid) })
  const bound = await host.bindChannel(peer.domid, remote)
  if (!bound.ok) throw new Error(bound.sentence)
  const page = mapRingPages(peer.domid, [gref])
  return {
    port: xenDataPath().openChannel(bound.plan),
    words: new Int32Array(view(page)),
    kick: (times) => peer.notify(remote, times),
    storm: (kicks, pauseUs, seed) => peer.storm({ port: remote, gref, kicks, pauseUs, seed }),
    heard: () => peer.heard(remote) > 0,
    async close() {
      await host.close()
      unmap(page)
      expect(owned().length).toBe(before)
      peer.retract(remote)
      expect(guests.revoke(peer, [gref])).toBe(true)
    },
  }
})
