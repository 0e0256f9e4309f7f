/**
 * @packageDocumentation
 * Disks that are taken away at a bad moment: before anyone used them, in the middle of load, from a guest that does not
 * answer. Linux takes a disk for dead as soon as the back end says Closing, so under load its errors are expected; owed
 * is that everything taken was answered before Closed, that nothing stays mapped, and that the guest lives.
 */
import type { Guest } from '../guest.js'
import { startLoad } from '../loads.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'
import { awaitLoad, DEVID, backendOf, expectBalanced, frontendOf, isLocked, expectForgotten } from '../traces.js'

const MIB = 1 << 20

scenario('a disk that nobody connected to is detached', { boot: 'lives', timeout: 150 }, async (t) => {
  await t.daemon.start()
  const image = t.image('unused', 8 * MIB)
  const detach = async (guest: Guest) => {
    const began = performance.now()
    await t.xl('block-detach', guest.name, 'xvdb')
    t.log(`xl block-detach took ${Math.round(performance.now() - began)} ms`)
    await expectForgotten(t)
    expect((await t.store.list(backendOf(guest.domid, DEVID.xvdb))) ?? []).toEqual([])
    expect(isLocked(image)).toBe(false)
  }
  // A guest that has not run one instruction.
  const paused = await t.guest({ paused: true })
  await t.xl('block-attach', paused.name, t.disk('xvdb', image))
  expect(await t.daemon.device(paused.domid, 'xvdb')).toMatchObject({ backendState: 'InitWait' })
  await detach(paused)
  await paused.destroy()

  // A guest that runs without the driver, and loads it afterwards: then it finds no disk, and later another.
  const guest = await t.guest({ lateBlkfront: true })
  await t.xl('block-attach', guest.name, t.disk('xvdb', image))
  await detach(guest)
  await guest.succeed('modprobe xen-blkfront')
  expect((await guest.run('test -b /dev/xvdb')).status).toBe(1)
  await t.xl('block-attach', guest.name, t.disk('xvdb', image))
  await t.daemon.connected(guest.domid, 'xvdb')
  await guest.succeed('dd if=/dev/xvdb of=/dev/null bs=1M 2>&1')
})

interface Stage {
  readonly guest: Guest
  readonly image: string
}

async function underLoad(t: Toolbox): Promise<Stage> {
  await t.daemon.start()
  const image = t.image('load', 16 * MIB)
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', image)] })
  await t.daemon.connected(guest.domid, 'xvdb')
  await startLoad(guest, '/dev/xvdb', { depth: 32 })
  await awaitLoad(t, guest.domid, 'xvdb')
  return { guest, image }
}

async function expectGuestLives(t: Toolbox, { guest, image }: Stage): Promise<void> {
  expect(await t.mappedOf(guest.domid)).toEqual([])
  expect(isLocked(image)).toBe(false)
  expect(await guest.dmesg()).not.toMatch(/BUG:|Oops|hung_task|blocked for more than|still in use/)
  await t.xl('block-attach', guest.name, t.disk('xvdc', image))
  await t.daemon.connected(guest.domid, 'xvdc')
  await guest.succeed('i=0; until [ -b /dev/xvdc ] || [ $i = 50 ]; do usleep 100000; i=$((i + 1)); done')
  expect(await guest.sha256('/dev/xvdc')).toBe(await t.sha256(image))
}

scenario('a disk is detached by xl under load', { boot: 'lives', timeout: 150 }, async (t) => {
  const stage = await underLoad(t)
  await t.xl('block-detach', stage.guest.name, 'xvdb')
  await expectForgotten(t)
  await expectGuestLives(t, stage)
})

scenario('a disk is detached by xbbd under load', { boot: 'lives', timeout: 150 }, async (t) => {
  const stage = await underLoad(t)
  const { domid } = stage.guest
  const place = ['--domain', `${domid}`, '--vdev', 'xvdb']
  // Without waiting: the device stays to be looked at when it has closed.
  expect(await t.daemon.xbbd('detach', ...place, '--wait', '0')).toMatchObject({ status: 0 })
  await t.until('it is Closed', async () => (await t.daemon.device(domid, 'xvdb'))?.backendState === 'Closed')
  const statistics = await t.daemon.statistics(domid, 'xvdb')
  expectBalanced(statistics)
  t.log(`${statistics.counters.taken} taken, all answered before Closed`)
  expect(await t.daemon.xbbd('detach', ...place)).toMatchObject({ status: 0 })
  expect(await t.daemon.list()).toEqual([])
  await expectGuestLives(t, stage)
})

scenario('a disk is taken by force from a guest that does not answer', { boot: 'lives', timeout: 150 }, async (t) => {
  const stage = await underLoad(t)
  const { guest, image } = stage
  const place = ['--domain', `${guest.domid}`, '--vdev', 'xvdb', '--wait', '2s']
  await t.xl('pause', guest.name)
  const refused = await t.daemon.xbbd('detach', ...place)
  expect(refused).toMatchObject({ status: 75 })
  expect(refused.stderr).toMatch(/--force/)
  expect(await t.mappedOf(guest.domid)).not.toEqual([])
  expect(await t.daemon.xbbd('detach', ...place, '--force')).toMatchObject({ status: 0 })
  expect(await t.daemon.list()).toEqual([])
  for (const path of [backendOf(guest.domid, DEVID.xvdb), frontendOf(guest.domid, DEVID.xvdb)])
    expect(await t.store.list(path)).toBeUndefined()
  expect(await t.mappedOf(guest.domid)).toEqual([])
  expect(isLocked(image)).toBe(false)
  await t.xl('unpause', guest.name)
  await expectGuestLives(t, stage)
})
