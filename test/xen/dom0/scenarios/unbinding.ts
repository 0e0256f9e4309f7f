/**
 * @packageDocumentation
 * The guest takes the driver off its disk. blkfront closes in good order, and Linux 6.1 does not come back when the
 * driver is bound again: the back end must have reached Closed with everything unmapped and the image free, so that
 * detach and attach are all that an operator needs to do.
 */
import { scenario } from '../scenario.js'
import { backendOf, DEVID, isLocked, expectForgotten } from '../traces.js'

const DRIVER = '/sys/bus/xen/drivers/vbd'
const DEVICE = `vbd-${DEVID.xvdb}`

scenario('the guest unbinds its driver from the disk', { boot: 'lives', timeout: 120 }, async (t) => {
  await t.daemon.start()
  const image = t.image('unbound', 8 << 20)
  const disk = t.disk('xvdb', image)
  const guest = await t.guest({ disks: [disk] })
  await t.daemon.connected(guest.domid, 'xvdb')
  await guest.succeed('dd if=/dev/urandom of=/dev/xvdb bs=64k count=16 conv=fsync 2>&1')
  const written = await guest.sha256('/dev/xvdb')
  expect(isLocked(image)).toBe(true)

  const state = () => t.store.read(`${backendOf(guest.domid, DEVID.xvdb)}/state`)
  await guest.succeed(`echo ${DEVICE} >${DRIVER}/unbind`)
  await t.until('the back end is Closed', async () => (await state()) === '6')
  expect(await t.mappedOf(guest.domid)).toEqual([])
  expect(isLocked(image)).toBe(false)
  expect((await t.daemon.device(guest.domid, 'xvdb'))?.connection).toBeUndefined()

  // Bound again, blkfront stays silent: it still holds the device for Closed. Nothing is offered to it in vain.
  await guest.run(`echo ${DEVICE} >${DRIVER}/bind`)
  await t.pause(1_000)
  expect({ state: await state(), mapped: await t.mappedOf(guest.domid) }).toEqual({ state: '6', mapped: [] })

  await t.xl('block-detach', guest.name, 'xvdb')
  await expectForgotten(t)
  await t.xl('block-attach', guest.name, disk)
  await t.daemon.connected(guest.domid, 'xvdb')
  await guest.succeed('i=0; until [ -b /dev/xvdb ] || [ $i = 50 ]; do usleep 100000; i=$((i + 1)); done')
  expect(await guest.sha256('/dev/xvdb')).toBe(written)
  expect(await t.sha256(image)).toBe(written)
})
