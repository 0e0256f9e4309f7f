/**
 * @packageDocumentation
 * A disk outlives its guests: one reboots, and what stood on the disk is there for the next one, of another domain
 * number, over a new ring. That is the reconnect that the rig can show; suspend, resume and migration need a toolstack
 * that moves the guest's memory, which the emulator's PV guests do not survive: they are shown on the pocket host.
 */
import { scenario } from '../scenario.js'
import { expectDescriptors, expectNoTrace, isLocked } from '../traces.js'

scenario('a guest reboots, and finds its disk as it left it', { boot: 'lives', timeout: 180 }, async (t) => {
  await t.daemon.start()
  const image = t.image('rebooted', 32 << 20)
  const disks = [t.disk('xvdb', image)]
  const settled = await t.daemon.settledDescriptors()
  const mount = 'mkdir -p /mnt && mount -t ext4 /dev/xvdb /mnt'

  const first = await t.guest({ disks })
  await first.succeed(`mkfs.ext4 -q /dev/xvdb && ${mount} && dd if=/dev/urandom of=/mnt/data bs=64k count=64 2>&1`)
  const written = (await first.succeed('sha256sum </mnt/data && umount /mnt')).slice(0, 64)
  const ended = first.run('reboot -f').catch(() => undefined)
  await first.waitGone()
  await ended
  await expectNoTrace(t, first.domid)
  await expectDescriptors(t, settled)
  expect(isLocked(image)).toBe(false)

  const second = await t.guest({ disks })
  expect(second.domid).not.toBe(first.domid)
  await t.daemon.connected(second.domid, 'xvdb')
  expect((await second.succeed(`${mount} && sha256sum </mnt/data`)).slice(0, 64)).toBe(written)
  await second.succeed('echo more >/mnt/more && umount /mnt')
  expect(await second.diskTrouble()).toEqual([])
  await second.shutdown()
  expect(await t.sh(`e2fsck -fn ${image}`)).toMatchObject({ status: 0 })
})
