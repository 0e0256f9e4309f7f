/**
 * @packageDocumentation
 * What Linux makes of features that change a disk beneath it: space that it gives back, and a size that changes while
 * its file system is mounted. Judged by the guest's own view in `/sys/block` and by the bytes at both ends.
 *
 *   image  64 MiB ─ truncate ─► 96 MiB ─ SIGHUP ─► sectors, state again ─► the guest's kernel: 96 MiB
 */
import type { Guest } from '../guest.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'

const MIB = 1 << 20
const VDEV = 'xvdb'

const sysfs = async (guest: Guest, name: string) => (await guest.succeed(`cat /sys/block/${VDEV}/${name}`)).trim()

/** Space that the image takes from dom0's file system, MiB. */
async function used(t: Toolbox, image: string): Promise<number> {
  const { stdout } = await t.sh(`du -m ${image}`)
  return Number.parseInt(stdout, 10)
}

scenario('space that the guest discards is given back, and reads as zeros', { boot: 'media', timeout: 150 }, async (t) => {
  await t.daemon.start()
  const image = t.image('discards', 64 * MIB)
  const guest = await t.guest({ disks: [t.disk(VDEV, image)] })
  expect([await sysfs(guest, 'queue/discard_granularity'), await sysfs(guest, 'queue/discard_max_bytes')]).not.toContain('0')
  await guest.succeed(`dd if=/dev/urandom of=/dev/${VDEV} bs=1M count=32 oflag=direct 2>/dev/null`)
  expect(await used(t, image)).toBeGreaterThanOrEqual(32)
  await guest.succeed(`blkdiscard -o ${8 * MIB} -l ${16 * MIB} /dev/${VDEV}`)
  const { counters } = await t.daemon.statistics(guest.domid, VDEV)
  t.log(`${counters.discards} discards of ${counters.discardedBytes / MIB} MiB; ${await used(t, image)} MiB are left`)
  expect([counters.discardedBytes, await used(t, image)]).toEqual([16 * MIB, 16])
  const zeros = `dd if=/dev/${VDEV} bs=1M skip=8 count=16 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c`
  expect((await guest.succeed(zeros)).trim()).toBe('0')
  const seen = await guest.sha256(`/dev/${VDEV}`)
  await guest.shutdown()
  expect(await t.sha256(image)).toBe(seen)
})

scenario('a disk grows while it is mounted, and shrinks again', { boot: 'media', timeout: 200 }, async (t) => {
  await t.daemon.start()
  const image = t.image('resized', 64 * MIB)
  const guest = await t.guest({ disks: [t.disk(VDEV, image)] })
  const resize = async (mib: number) => {
    await t.sh(`truncate -s ${mib}M ${image}`)
    t.daemon.signal('SIGHUP')
    await t.until(`the guest sees ${mib} MiB`, async () => (await sysfs(guest, 'size')) === String((mib * MIB) / 512))
    expect((await t.daemon.connected(guest.domid, VDEV)).sectorCount).toBe((mib * MIB) / 512)
  }
  await guest.succeed(`mkfs.ext4 -q /dev/${VDEV} && mkdir -p /mnt && mount -t ext4 /dev/${VDEV} /mnt`)
  await guest.succeed('dd if=/dev/urandom of=/mnt/file bs=1M count=8 2>/dev/null; sync; sha256sum /mnt/file >/tmp/before')
  await resize(96)
  await guest.succeed(`dd if=/mnt/file of=/dev/${VDEV} bs=1M seek=80 count=8 oflag=direct 2>/dev/null`)
  const beyond = `dd if=/dev/${VDEV} bs=1M skip=80 count=8 iflag=direct 2>/dev/null | cmp - /mnt/file`
  await guest.succeed(`${beyond} && echo 3 >/proc/sys/vm/drop_caches && sha256sum -c /tmp/before`)
  await resize(64)
  // What is gone is an error, what is left is as it was.
  expect((await guest.run(`dd if=/dev/${VDEV} bs=1M skip=80 count=1 iflag=direct 2>/dev/null | wc -c`)).output.trim()).toBe('0')
  await guest.succeed('echo 3 >/proc/sys/vm/drop_caches && sha256sum -c /tmp/before && umount /mnt')
  await guest.succeed(`e2fsck -fn /dev/${VDEV}`)
  expect(await guest.diskTrouble()).toEqual([])
  expect(await t.daemon.device(guest.domid, VDEV)).toMatchObject({ connections: 1, restarts: 0 })
  const seen = await guest.sha256(`/dev/${VDEV}`)
  await guest.shutdown()
  expect(await t.sha256(image)).toBe(seen)
})
