/**
 * @packageDocumentation
 * A disk at work in front of an unmodified Linux guest: a file system on it, verified load over it, the same bytes at
 * both ends afterwards; with the smallest ring and with the largest that the guest takes.
 */
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'

const MIB = 1 << 20

/** Random reads and writes, checked by fio as it reads them back: buffered with fsyncs, then direct. */
const fio = (sizeMiB: number) =>
  [
    'fio --name=global --directory=/mnt --rw=randrw --verify=crc32c --verify_fatal=1 --randseed=7',
    `--size=${sizeMiB}M --name=buffered --bsrange=4k-64k --ioengine=psync --fsync=16`,
    '--name=direct --stonewall --bsrange=4k-128k --ioengine=libaio --iodepth=32 --direct=1 --fdatasync=32',
  ].join(' ')

async function fileSystemUnderLoad(t: Toolbox, ringPageOrder: number): Promise<void> {
  await t.daemon.start()
  const image = t.image('ext4', 96 * MIB)
  const guest = await t.guest({
    fio: true,
    paused: true,
    append: `xen_blkfront.max_ring_page_order=${ringPageOrder}`,
  })
  await t.daemon.call('attach', { domid: guest.domid, vdev: 'xvdb', target: image, mode: 'w' })
  await guest.unpause()
  await guest.ready()
  const device = await t.daemon.connected(guest.domid, 'xvdb')
  expect(device.connection?.ringPages).toBe(1 << ringPageOrder)

  await guest.succeed('mkfs.ext4 -q /dev/xvdb && mkdir -p /mnt && mount -t ext4 /dev/xvdb /mnt')
  const { output, status } = await guest.run(fio(t.short ? 8 : 24), 240_000)
  expect({ status, errors: /err=\s*[1-9]/.exec(output)?.[0] }).toEqual({ status: 0, errors: undefined })
  await guest.succeed('umount /mnt')
  const seen = await guest.sha256('/dev/xvdb')
  expect(await guest.diskTrouble()).toEqual([])
  const { counters } = await t.daemon.statistics(guest.domid, 'xvdb')
  expect(counters.flushes).toBeGreaterThan(0)
  expect(counters.answeredOkay).toBe(counters.taken)
  t.log(`${counters.taken} requests in ${counters.batches} batches, ${counters.notifications} notifications`)
  await guest.shutdown()

  expect(await t.sha256(image)).toBe(seen)
  const check = await t.sh(`e2fsck -fn ${image}`)
  expect({ status: check.status, said: check.stdout }).toMatchObject({ status: 0 })
}

for (const [ring, order] of [['one page', 0], ['sixteen pages', 4]] as const)
  scenario(`ext4 under verified load over a ring of ${ring}`, { boot: 'disks', short: true, timeout: 300 }, (t) =>
    fileSystemUnderLoad(t, order))
