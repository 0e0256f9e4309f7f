/**
 * @packageDocumentation
 * What crash recovery rests on, as tests that every world runs: the pocket host on any machine, real Xen in the rig.
 * The world gives a guest that can grant pages and offer ports, and back ends, some of them in processes that are
 * killed.
 */
import { readdirSync } from 'node:fs'
import { owned } from '../../src/io/native/owners.js'
import type { ChannelPlan, Host, RingPlan } from '../../src/ports/host.js'

export interface ContractPort {
  readonly port: number
  notify(): void
}

/** A page's words: an Int32Array, or something that asks the guest for each. */
export interface Words {
  [index: number]: number
}

export interface ContractWorld {
  readonly domid: number
  /** A further back end, with connections of its own; closed by the world at the latest. */
  openHost(): Promise<Host>
  /** Pages in the guest, granted to the back end's domain; their words, and taking the permission back. */
  grantPages(count: number): { grefs: number[]; words: Words; revoke(): boolean }
  offerPort(): Promise<ContractPort>
  /** A reference that permits nothing. */
  readonly neverGranted: number
  /** How the back end sees the ring's first words. */
  ringWords(plan: RingPlan): Int32Array
  /** Whether a notification waits; taken by looking. */
  pending(plan: ChannelPlan): boolean
  /** A back end in a process of its own that maps and binds, then writes a node; killed with SIGKILL. */
  runAndKillBackend(grefs: readonly number[], port: number): Promise<void>
  readNode(): Promise<string | undefined>
  destroyGuest(): Promise<void>
  close(): Promise<void>
}

type Outcome<Plan> = { ok: true; plan: Plan } | { ok: false; code: string; sentence: string }

function planOf<Plan>(outcome: Outcome<Plan>): Plan {
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.sentence}`)
  return outcome.plan
}

/** What this process holds: descriptors by their number of them, owners by what they are. */
const holdings = () => ({
  descriptors: readdirSync('/proc/self/fd').length,
  owned: owned().map(({ kind, label, borrows }) => `${kind} ${label} ${borrows}`).sort(),
})

/** A reference of which no grant table has an entry. */
const BEYOND_ANY_TABLE = 0x7fffffff

export function hostContract(name: string, make: () => Promise<ContractWorld>): void {
  describe(`host contract: ${name}`, () => {
    let world: ContractWorld
    beforeEach(async () => {
      world = await make()
    })
    afterEach(() => world.close())
    const map = (host: Host, grefs: number[]) => host.mapRing({ domid: world.domid, grefs, abi: 'x86_64' })

    test('a kick on an unbound port is dropped, and binding sets the port pending', async () => {
      const host = await world.openHost()
      const port = await world.offerPort()
      for (let kick = 0; kick < 3; kick++) port.notify()
      const plan = planOf(await host.bindChannel(world.domid, port.port))
      expect(world.pending(plan)).toBe(true)
      expect(world.pending(plan)).toBe(false)
      port.notify()
      expect(world.pending(plan)).toBe(true)
      await host.unbindChannel(plan)
    })

    test('a bound port is refused with EINVAL to others, and free again after unbinding', async () => {
      const [first, second] = [await world.openHost(), await world.openHost()]
      const { port } = await world.offerPort()
      const plan = planOf(await first.bindChannel(world.domid, port))
      expect(await second.bindChannel(world.domid, port)).toMatchObject({ ok: false, code: 'EINVAL' })
      await first.unbindChannel(plan)
      const again = planOf(await second.bindChannel(world.domid, port))
      expect(world.pending(again)).toBe(true)
      expect(await first.bindChannel(world.domid, port + 100)).toMatchObject({ ok: false, code: 'EINVAL' })
      await second.unbindChannel(again)
    })

    test('granted pages are seen in a row, are not revoked while mapped, and map again after unmapping', async () => {
      const host = await world.openHost()
      const { grefs, words, revoke } = world.grantPages(4)
      for (let round = 0; round < 2; round++) {
        const plan = planOf(await map(host, [...grefs].reverse()))
        words[0] = 11 + round
        words[3 * 1024] = 44
        expect(world.ringWords(plan)[3 * 1024]).toBe(11 + round)
        expect(world.ringWords(plan)[0]).toBe(44)
        world.ringWords(plan)[1] = 7
        expect(words[3 * 1024 + 1]).toBe(7)
        expect(host.held()).toEqual({ rings: 1, channels: 0, grants: 0 })
        expect(revoke()).toBe(false)
        await host.unmapRing(plan)
      }
      expect(revoke()).toBe(true)
      expect(await map(host, grefs)).toMatchObject({ ok: false, code: 'EACCES' })
      expect(host.held()).toEqual({ rings: 0, channels: 0, grants: 0 })
    })

    test('one reference that was never granted refuses the whole ring, and pins nothing', async () => {
      const host = await world.openHost()
      const { grefs, revoke } = world.grantPages(2)
      expect(await map(host, [...grefs, world.neverGranted])).toMatchObject({ ok: false, code: 'EACCES' })
      expect(await map(host, [BEYOND_ANY_TABLE])).toMatchObject({ ok: false, code: 'EACCES' })
      expect(revoke()).toBe(true)
    })

    test('fifty rounds of everything and its undo, failures among them, leave nothing behind', async () => {
      const host = await world.openHost()
      const { grefs, revoke } = world.grantPages(3)
      const { port } = await world.offerPort()
      const round = async () => {
        const grants = planOf(await host.openGrants(world.domid, 'copy'))
        const ring = planOf(await map(host, grefs))
        const channel = planOf(await host.bindChannel(world.domid, port))
        expect(await map(host, [grefs[0], grefs[1], world.neverGranted])).toMatchObject({ ok: false, code: 'EACCES' })
        expect(await host.bindChannel(world.domid, port)).toMatchObject({ ok: false, code: 'EINVAL' })
        expect(host.held()).toEqual({ rings: 1, channels: 1, grants: 1 })
        await host.unbindChannel(channel)
        await host.unmapRing(ring)
        await host.closeGrants(grants)
        expect(host.held()).toEqual({ rings: 0, channels: 0, grants: 0 })
      }
      await round()
      const before = holdings()
      for (let count = 0; count < 50; count++) await round()
      expect(holdings()).toEqual(before)
      expect(revoke()).toBe(true)
    })

    test('a back end that closes with all of it open lets go of all of it', async () => {
      const before = holdings().owned
      const host = await world.openHost()
      const opened = holdings().owned
      const { grefs, revoke } = world.grantPages(2)
      const { port } = await world.offerPort()
      const held = holdings().owned.length
      planOf(await host.openGrants(world.domid, 'copy'))
      planOf(await map(host, grefs))
      planOf(await host.bindChannel(world.domid, port))
      expect(holdings().owned.length).toBeGreaterThan(held)
      await host.close()
      expect(holdings().owned.length).toBe(held - (opened.length - before.length))
      const next = await world.openHost()
      await next.unbindChannel(planOf(await next.bindChannel(world.domid, port)))
      expect(revoke()).toBe(true)
    })

    test('a back end that is killed leaves ports unbound, pages free and XenStore as it was', async () => {
      const host = await world.openHost()
      const { grefs, words, revoke } = world.grantPages(2)
      const { port } = await world.offerPort()
      await world.runAndKillBackend(grefs, port)
      expect(await world.readNode()).toBe('written by one who is dead')
      const channel = planOf(await host.bindChannel(world.domid, port))
      expect(world.pending(channel)).toBe(true)
      const ring = planOf(await map(host, grefs))
      expect(words[1]).toBe(0x0dead)
      await host.unmapRing(ring)
      await host.unbindChannel(channel)
      expect(revoke()).toBe(true)
    })

    test('a domain that is gone gives nothing any more; what is mapped of it stays readable', async () => {
      const host = await world.openHost()
      const { grefs, words } = world.grantPages(1)
      const { port } = await world.offerPort()
      const plan = planOf(await map(host, grefs))
      words[0] = 4711
      await world.destroyGuest()
      expect(await map(host, grefs)).toMatchObject({ ok: false, code: 'ENOENT' })
      expect(await host.bindChannel(world.domid, port)).toMatchObject({ ok: false, code: 'ENOENT' })
      expect(await host.openGrants(world.domid, 'copy')).toMatchObject({ ok: false, code: 'ENOENT' })
      expect(world.ringWords(plan)[0]).toBe(4711)
      await host.unmapRing(plan)
    })
  })
}
