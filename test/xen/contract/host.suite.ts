/** Real Xen keeps what crash recovery rests on: the contract of hosts, with a domU in front. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { takeEvent } from '../../../src/io/native/evtchn.js'
import { owned, view } from '../../../src/io/native/owners.js'
import { XenHost } from '../../../src/io/xen/xen-host.js'
import { hostContract, type ContractWorld, type Words } from '../../contract/host.js'
import type { GuestPeer } from '../dom0/guest-peer.js'
import { GuestWorld, NEVER_GRANTED } from './guest-world.js'

/** An event of another processor's is on its way for a moment. */
const EVENT_UNDER_WAY_MS = 50

let guests: GuestWorld
beforeAll(async () => {
  guests = await GuestWorld.open()
})
afterAll(() => guests.close())

/** The words of pages in a row, each asked of the guest: nothing is mapped to see them. */
function wordsOf(peer: GuestPeer, grefs: readonly number[]): Words {
  const place = (key: string | symbol): [number, number] => [grefs[Number(key) >> 10], Number(key) & 1023]
  return new Proxy<Words>({}, {
    get: (_, key) => peer.peek(...place(key)),
    set: (_, key, value: number) => {
      peer.poke(...place(key), value)
      return true
    },
  })
}

function pending(handle: number): boolean {
  const end = performance.now() + EVENT_UNDER_WAY_MS
  do if (takeEvent(handle) !== 0) return true
  while (performance.now() < end)
  return false
}

async function killedBackend(domid: number, port: number, grefs: readonly number[]): Promise<void> {
  const script = fileURLToPath(new URL('./host-child.js', import.meta.url))
  const child = spawn(process.execPath, [script, ...[domid, port, ...grefs].map(String)])
  child.stderr.pipe(process.stderr)
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  expect(String(said)).toBe('ready\n')
  child.kill('SIGKILL')
  await once(child, 'close')
}

async function xenWorld(): Promise<ContractWorld> {
  const peer = await guests.living()
  const before = owned().length
  const hosts: XenHost[] = []
  const ports: number[] = []
  let granted: number[] = []
  let destroyed = false
  return {
    domid: peer.domid,
    neverGranted: NEVER_GRANTED,
    openHost() {
      const host = new XenHost({ domainKnown: (domid) => guests.store.isDomainIntroduced(domid) })
      hosts.push(host)
      return Promise.resolve(host)
    },
    grantPages(count) {
      const grefs = guests.grant(peer, count)
      granted.push(...grefs)
      const revoke = () => {
        const taken = guests.revoke(peer, grefs)
        if (taken) granted = granted.filter((gref) => !grefs.includes(gref))
        return taken
      }
      return { grefs, words: wordsOf(peer, grefs), revoke }
    },
    offerPort() {
      const port = peer.offer()
      ports.push(port)
      return Promise.resolve({ port, notify: () => peer.notify(port) })
    },
    ringWords: (plan) => new Int32Array(view(plan.ringHandle)),
    pending: (plan) => pending(plan.eventHandle),
    runAndKillBackend: (grefs, port) => killedBackend(peer.domid, port, grefs),
    readNode: () => guests.store.read('/contract'),
    destroyGuest() {
      destroyed = true
      return guests.destroy()
    },
    async close() {
      for (const host of hosts) await host.close()
      expect(owned().length).toBe(before - (destroyed ? 1 : 0))
      if (destroyed) return
      for (const port of ports) peer.retract(port)
      expect(guests.revoke(peer, granted)).toBe(true)
    },
  }
}

hostContract('xen', xenWorld)
