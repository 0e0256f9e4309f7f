/**
 * @packageDocumentation
 * The operator's path without libxl: `xbbd attach` and `xbbd detach` may be said twice, give the guest the rights in
 * XenStore that its driver needs, and a disk that is attached for reading is not written to, which is looked for at
 * the image and not at the guest's good behaviour.
 */
import { chmodSync } from 'node:fs'
import type { Executed } from '../execute.js'
import type { Guest } from '../guest.js'
import { scenario } from '../scenario.js'
import { backendOf, DEVID, frontendOf } from '../traces.js'

const MIB = 1 << 20

/** Waits in the guest until a disk is there. */
const appears = (vdev: string) =>
  `i=0; until [ -b /dev/${vdev} ] || [ $i = 100 ]; do usleep 100000; i=$((i + 1)); done; [ -b /dev/${vdev} ]`

/** What a command ended with, and said on either stream. */
function expectSaid({ status, stdout, stderr }: Executed, expected: number, words: RegExp): void {
  expect({ status, said: stdout + stderr }).toMatchObject({ status: expected })
  expect(stdout + stderr).toMatch(words)
}

const place = (guest: Guest, vdev: string) => ['--domain', `${guest.domid}`, '--vdev', vdev]

scenario('xbbd attach and detach, each said twice', { boot: 'lives', timeout: 120 }, async (t) => {
  await t.daemon.start()
  const guest = await t.guest()
  const images = ['xvdb', 'xvdc', 'xvdd'].map((vdev, index) => ({ vdev, image: t.image(vdev, (index + 2) * MIB) }))
  for (const { vdev, image } of images) {
    const attach = ['attach', ...place(guest, vdev), '--target', image]
    expectSaid(await t.daemon.xbbd(...attach), 0, /attached: /)
    expectSaid(await t.daemon.xbbd(...attach), 0, /stood already/)
  }
  const other = await t.daemon.xbbd('attach', ...place(guest, 'xvdb'), '--target', images[1].image)
  expectSaid(other, 73, /detach it first/)

  const { domid } = guest
  const permissions = (path: string) => t.store.getPermissions(path)
  expect(await permissions(backendOf(domid, DEVID.xvdb))).toEqual([{ access: 'n', domid: 0 }, { access: 'r', domid }])
  expect(await permissions(frontendOf(domid, DEVID.xvdb))).toEqual([{ access: 'n', domid }, { access: 'r', domid: 0 }])

  for (const [index, { vdev }] of images.entries()) {
    await t.daemon.connected(domid, vdev)
    await guest.succeed(appears(vdev))
    expect(Number(await guest.succeed(`cat /sys/block/${vdev}/size`))).toBe(((index + 2) * MIB) / 512)
    await guest.succeed(`echo this is ${vdev} | dd of=/dev/${vdev} bs=512 conv=sync,fsync 2>&1`)
  }
  for (const { vdev, image } of images) expect((await t.sh(`head -c 12 ${image}`)).stdout).toBe(`this is ${vdev}`)

  for (const { vdev } of images) {
    const detach = ['detach', ...place(guest, vdev)]
    expectSaid(await t.daemon.xbbd(...detach), 0, /detached/)
    expectSaid(await t.daemon.xbbd(...detach), 0, /not attached/)
  }
  expect(await t.daemon.list()).toEqual([])
  expect(await t.mappedOf(domid)).toEqual([])
  expect(await guest.diskTrouble()).toEqual([])
})

scenario('a disk that is attached for reading is not written to', { boot: 'lives', timeout: 120 }, async (t) => {
  await t.daemon.start()
  const image = t.image('read-only', 8 * MIB)
  await t.sh(`dd if=/dev/urandom of=${image} bs=1M count=8 conv=notrunc && mke2fs -q -F -t ext4 ${image}`)
  const before = await t.sha256(image)
  // Not even the daemon could.
  chmodSync(image, 0o400)
  const guest = await t.guest()
  const attached = await t.daemon.xbbd('attach', ...place(guest, 'xvdb'), '--target', image, '--mode', 'r')
  expectSaid(attached, 0, /read-only/)
  await t.daemon.connected(guest.domid, 'xvdb')
  await guest.succeed(appears('xvdb'))
  expect((await guest.succeed('cat /sys/block/xvdb/ro')).trim()).toBe('1')
  expect((await guest.run('dd if=/dev/zero of=/dev/xvdb bs=4k count=16 conv=fsync 2>&1')).status).not.toBe(0)
  await guest.succeed('mkdir -p /mnt && mount -t ext4 -o ro /dev/xvdb /mnt && ls /mnt && umount /mnt')
  expect((await guest.run('mount -t ext4 -o rw /dev/xvdb /mnt && touch /mnt/file')).status).not.toBe(0)
  // Mounted or not by then: what is mounted keeps its superblock in memory, as it would like to have it.
  await guest.run('umount /mnt')
  expect(await t.sha256(image)).toBe(before)
  expect(await guest.sha256('/dev/xvdb')).toBe(before)
  const { counters } = await t.daemon.statistics(guest.domid, 'xvdb')
  expect({ writes: counters.writes, discards: counters.discards }).toEqual({ writes: 0, discards: 0 })
  expect(counters.reads).toBeGreaterThan(0)
  await guest.shutdown()
  expect(await t.sha256(image)).toBe(before)
})
