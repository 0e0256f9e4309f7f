/**
 * @packageDocumentation
 * What happens while no daemon runs is heard by nobody: watches die with their process. So the next one reads how things
 * stand: a guest that was destroyed, with its toolstack or without, a disk that is to be detached and whose guest has
 * closed it already. libxl waits ten seconds for a back end and then gives up, leaving the directories.
 */
import type { Guest } from '../guest.js'
import { startLoad } from '../loads.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'
import { destroyInXenAlone, withoutToolstack } from '../toolstack.js'
import { awaitLoad, backendOf, DEVID, expectForgotten, expectNoTrace, isLocked } from '../traces.js'

const MIB = 1 << 20
/** LIBXL_DESTROY_TIMEOUT. */
const LIBXL_PATIENCE_MS = 10_000

/** A guest under load on its disks, and then no daemon. */
async function orphan(t: Toolbox, ...vdevs: string[]): Promise<Guest> {
  await t.daemon.start()
  const disks = vdevs.map((vdev) => t.disk(vdev, t.image(vdev, 16 * MIB)))
  const guest = await t.guest({ fio: true, disks })
  for (const vdev of vdevs) {
    await t.daemon.connected(guest.domid, vdev)
    await startLoad(guest, `/dev/${vdev}`)
    await awaitLoad(t, guest.domid, vdev)
  }
  await t.daemon.kill()
  return guest
}

const IMAGE = '/tmp/images/xvdb'

scenario('a guest is destroyed while the daemon is dead', { boot: 'restarts', timeout: 150 }, async (t) => {
  const guest = await orphan(t, 'xvdb')
  await guest.destroy()
  await t.daemon.start()
  await expectNoTrace(t, guest.domid)
  expect(isLocked(IMAGE)).toBe(false)
  // Nothing of it stands in the way of the next one.
  const next = await t.guest({ disks: [t.disk('xvdb', IMAGE)] })
  await t.daemon.connected(next.domid, 'xvdb')
  expect(await next.sha256('/dev/xvdb')).toBe(await t.sha256(IMAGE))
})

scenario('a guest dies without its toolstack while the daemon is dead', { boot: 'restarts', timeout: 150 }, async (t) => {
  const guest = await orphan(t, 'xvdb')
  const { domid } = guest
  await withoutToolstack(t, guest)
  await destroyInXenAlone(t, domid)
  await guest.waitGone(10_000)
  await t.daemon.start()
  const dead = await t.until('the daemon knows that it is dead', async () => {
    const device = await t.daemon.device(domid, 'xvdb')
    return device?.backendState === 'Closed' && device
  })
  t.log(`${dead.state}: ${dead.error ?? ''}`)
  expect(dead.connection).toBeUndefined()
  expect(isLocked(IMAGE)).toBe(false)
  expect(await t.daemon.xbbd('detach', '--domain', `${domid}`, '--vdev', 'xvdb')).toMatchObject({ status: 0 })
  await expectNoTrace(t, domid)
})

scenario('disks are detached while the daemon is dead', { boot: 'restarts', timeout: 200 }, async (t) => {
  const guest = await orphan(t, 'xvdb', 'xvdc')
  const { domid } = guest
  const detach = (vdev: string) => t.execute('xl', ['block-detach', guest.name, vdev], 60_000)
  const state = (vdev: 'xvdb' | 'xvdc') => t.store.read(`${backendOf(domid, DEVID[vdev])}/state`)

  // libxl gives up before the daemon is back: closed all the same, and the second order finds nothing to wait for. The
  // guest has closed, and waits for what it was not answered: until then it would not hear of its other disk.
  expect(await t.daemon.xbbd('detach', '--domain', `${domid}`, '--vdev', 'xvdb')).toMatchObject({ status: 69 })
  expect((await detach('xvdb')).status).not.toBe(0)
  expect(await state('xvdb')).toBe('5')
  await t.daemon.start()
  await t.until('the disk is closed', async () => (await state('xvdb')) === '6')
  expect(isLocked(IMAGE)).toBe(false)
  await t.daemon.connected(domid, 'xvdc')
  expect(await detach('xvdb')).toMatchObject({ status: 0 })

  // The daemon is back while libxl still waits, which never knows.
  await awaitLoad(t, domid, 'xvdc')
  await t.daemon.kill()
  const began = performance.now()
  const detaching = detach('xvdc')
  await t.until('the order stands', async () => (await state('xvdc')) === '5')
  await t.daemon.start()
  const { status } = await detaching
  const took = Math.round(performance.now() - began)
  t.log(`xl block-detach ended with ${status} after ${took} ms, the start of a daemon among them`)
  if (status !== 0) {
    // A machine on which a daemon starts so slowly that libxl gave up once more.
    expect(took).toBeGreaterThan(LIBXL_PATIENCE_MS)
    await t.until('the disk is closed', async () => (await state('xvdc')) === '6')
    expect(await detach('xvdc')).toMatchObject({ status: 0 })
  }

  await expectForgotten(t)
  expect((await t.store.list(`/local/domain/0/backend/vbd/${domid}`)) ?? []).toEqual([])
  expect(await t.mappedOf(domid)).toEqual([])
  expect(await guest.dmesg()).not.toMatch(/BUG:|Oops|hung_task|blocked for more than|still in use/)
  await t.xl('block-attach', guest.name, t.disk('xvdd', IMAGE))
  await t.daemon.connected(domid, 'xvdd')
  await guest.succeed('i=0; until [ -b /dev/xvdd ] || [ $i = 50 ]; do usleep 100000; i=$((i + 1)); done')
  expect(await guest.sha256('/dev/xvdd')).toBe(await t.sha256(IMAGE))
})
