/**
 * @packageDocumentation
 * The ways in which a guest dies: it crashes, it powers off in the middle of its work, it is ended while no toolstack
 * looks. Xen frees a domain's memory only when nobody maps a page of it any more, so in each case the back end has to
 * let go at once, by itself in the last one: `@releaseDomain` is all that it hears then.
 */
import type { Guest } from '../guest.js'
import { startLoad } from '../loads.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'
import { destroyInXenAlone, withoutToolstack } from '../toolstack.js'
import { awaitLoad, backendOf, DEVID, expectDescriptors, expectNoTrace, isLocked } from '../traces.js'

const MIB = 1 << 20

interface Stage {
  readonly guest: Guest
  readonly image: string
  readonly settled: readonly string[]
}

/** A daemon that has served before, and a guest under load. */
async function guestUnderLoad(t: Toolbox): Promise<Stage> {
  await t.daemon.start()
  const image = t.image('load', 16 * MIB)
  const settled = await t.daemon.settledDescriptors()
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', image)] })
  await t.daemon.connected(guest.domid, 'xvdb')
  await startLoad(guest, '/dev/xvdb')
  await awaitLoad(t, guest.domid, 'xvdb')
  expect(await t.mappedOf(guest.domid)).not.toEqual([])
  expect(isLocked(image)).toBe(true)
  return { guest, image, settled }
}

async function expectAllReturned(t: Toolbox, { guest, image, settled }: Stage): Promise<void> {
  await expectNoTrace(t, guest.domid)
  expect(isLocked(image)).toBe(false)
  await expectDescriptors(t, settled)
}

scenario('a guest crashes under load', { boot: 'lives', timeout: 120 }, async (t) => {
  const stage = await guestUnderLoad(t)
  void stage.guest.console.run('echo c >/proc/sysrq-trigger').catch(() => undefined)
  await stage.guest.waitGone()
  await expectAllReturned(t, stage)
})

scenario('a guest powers off under load', { boot: 'lives', timeout: 120 }, async (t) => {
  const stage = await guestUnderLoad(t)
  await stage.guest.shutdown()
  await expectAllReturned(t, stage)
})

scenario('a guest dies without its toolstack', { boot: 'lives', timeout: 120 }, async (t) => {
  const { guest, image, settled } = await guestUnderLoad(t)
  const { domid } = guest
  await withoutToolstack(t, guest)
  const began = performance.now()
  await destroyInXenAlone(t, domid)
  await guest.waitGone(10_000)
  t.log(`Xen had freed it ${Math.round(performance.now() - began)} ms after the order`)
  expect(await t.mappedOf(domid)).toEqual([])
  expect(isLocked(image)).toBe(false)

  const device = await t.daemon.device(domid, 'xvdb')
  expect(device).toMatchObject({ backendState: 'Closed', state: 'Closed.orphaned' })
  expect(device?.connection).toBeUndefined()
  const { stdout } = await t.daemon.xbbd('list')
  t.log(stdout.split('\n').find((line) => line.startsWith(`vbd/${domid}/`) && line.includes(': ')) ?? '(no sentence)')
  expect(stdout).toMatch(new RegExp(`^vbd/${domid}/${DEVID.xvdb}: .*(dead|died|gone)`, 'm'))
  expect(await t.store.read(`${backendOf(domid, DEVID.xvdb)}/state`)).toBe('6')

  expect(await t.daemon.xbbd('detach', '--domain', `${domid}`, '--vdev', 'xvdb')).toMatchObject({ status: 0 })
  expect(await t.store.list(backendOf(domid, DEVID.xvdb))).toBeUndefined()
  expect(await t.daemon.list()).toEqual([])
  await expectDescriptors(t, settled)
})
