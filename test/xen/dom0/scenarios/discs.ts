/**
 * @packageDocumentation
 * Discs come and go while the guest keeps its drive. libxl exchanges them for guests with a device model alone, so its
 * refusal is shown, then its very writes are made by hand, then ours: `xbbd eject` and `xbbd insert`. Owed each time: the
 * guest reads the disc that is in, all of it and nothing else; an empty drive has no sector; what is out is not locked.
 *
 *   disc ─ eject ─► empty ─ insert ─► other disc        Linux's front end takes the size and keeps the drive
 */
import type { Guest } from '../guest.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'
import { backendOf, DEVID, isLocked, expectForgotten } from '../traces.js'

const MIB = 1 << 20
const VDEV = 'xvdc'

/** A disc of some MiB that is like no other. */
async function disc(t: Toolbox, name: string, mib: number): Promise<string> {
  const image = t.image(name, mib * MIB)
  expect(await t.sh(`dd if=/dev/urandom of=${image} bs=1M count=${mib} conv=notrunc`)).toMatchObject({ status: 0 })
  return image
}

/** A disc with a file system, and in it one file that is larger than what a mount reads. */
async function discWithFiles(t: Toolbox, name: string): Promise<string> {
  const tree = `/tmp/tree-${name}`
  t.cleanup(() => t.sh(`rm -rf ${tree}`))
  const image = t.image(name, 16 * MIB)
  const made = `mkdir -p ${tree} && dd if=/dev/urandom of=${tree}/file bs=1M count=8 && mke2fs -q -F -t ext4 -d ${tree} ${image}`
  expect(await t.sh(made)).toMatchObject({ status: 0 })
  return image
}

const sectorsSeenBy = async (guest: Guest) => Number(await guest.succeed(`cat /sys/block/${VDEV}/size`))

/** The guest has been told of a disc of that size, and reads its bytes. */
async function expectDisc(t: Toolbox, guest: Guest, image: string, mib: number): Promise<void> {
  await t.until(`the guest sees ${mib} MiB`, async () => (await sectorsSeenBy(guest)) === (mib * MIB) / 512)
  expect(await guest.sha256(`/dev/${VDEV}`)).toBe(await t.sha256(image))
  expect(isLocked(image)).toBe(true)
}

/** Linux shows a drive without a disc as a disk without a sector: a read ends before its first byte. */
async function expectEmpty(t: Toolbox, guest: Guest, before: string): Promise<void> {
  await t.until('the guest sees an empty drive', async () => (await sectorsSeenBy(guest)) === 0)
  expect((await guest.succeed(`dd if=/dev/${VDEV} bs=2048 count=1 2>/dev/null | wc -c`)).trim()).toBe('0')
  expect(isLocked(before)).toBe(false)
  expect(await t.daemon.device(guest.domid, VDEV)).toMatchObject({ backendState: 'Connected', sectorCount: 0 })
}

const appears = (vdev: string) =>
  `i=0; until [ -b /dev/${vdev} ] || [ $i = 100 ]; do usleep 100000; i=$((i + 1)); done; [ -b /dev/${vdev} ]`

scenario('a CD-ROM, and what xl says to exchanging it', { boot: 'lives', timeout: 120 }, async (t) => {
  await t.daemon.start()
  const image = await disc(t, 'cd', 4)
  const guest = await t.guest({ disks: [t.disk(VDEV, image, 'access=ro,devtype=cdrom')] })
  const device = await t.daemon.connected(guest.domid, VDEV)
  expect(device.mode).toBe('r')
  await guest.succeed(appears(VDEV))
  const sys = `/sys/block/${VDEV}`
  expect((await guest.succeed(`cat ${sys}/ro ${sys}/removable`)).split('\n').slice(0, 2)).toEqual(['1', '1'])

  // It must not harm either.
  for (const command of [['cd-eject', guest.name, VDEV], ['cd-insert', guest.name, VDEV, image]]) {
    const { status, stderr } = await t.execute('xl', command)
    expect({ status, stderr }).toMatchObject({ stderr: expect.stringContaining('cdrom-insert requires an HVM domain') as unknown })
    expect(status).not.toBe(0)
  }
  expect(await t.daemon.device(guest.domid, VDEV)).toMatchObject({ backendState: 'Connected', frontendState: 'Connected' })
  await expectDisc(t, guest, image, 4)
  expect(await guest.diskTrouble()).toEqual([])
})

/**
 * What libxl 4.17 writes for a guest with a device model (libxl_disk.c, libxl_cdrom_insert), there and in its own copy:
 * first an empty `params`, then, unless it was an eject, the disc, each with `type` and in a transaction of its own.
 * `type` is what stood there: by another one libxl would look for the back end elsewhere from then on.
 */
async function asLibxl(t: Toolbox, domid: number, image: string): Promise<void> {
  const places = [backendOf(domid, DEVID[VDEV]), `/libxl/${domid}/device/vbd/${DEVID[VDEV]}`]
  const type = (await t.store.read(`${places[0]}/type`)) ?? ''
  expect(type).not.toBe('')
  const write = (params: string) =>
    t.store.transaction(async (ops) => {
      for (const place of places) {
        await ops.write(`${place}/type`, type)
        await ops.write(`${place}/params`, params)
      }
    })
  await write('')
  await write(image === '' ? '' : `aio:${image}`)
}

scenario('a disc is exchanged by the writes of libxl', { boot: 'lives', timeout: 150 }, async (t) => {
  await t.daemon.start()
  const [first, second] = [await disc(t, 'first', 4), await disc(t, 'second', 9)]
  const guest = await t.guest({ disks: [t.disk(VDEV, first, 'access=ro,devtype=cdrom')] })
  await t.daemon.connected(guest.domid, VDEV)
  await guest.succeed(appears(VDEV))
  await expectDisc(t, guest, first, 4)

  await asLibxl(t, guest.domid, '')
  await expectEmpty(t, guest, first)
  await asLibxl(t, guest.domid, second)
  await expectDisc(t, guest, second, 9)
  // From disc to disc, which libxl does by way of an empty drive, too.
  await asLibxl(t, guest.domid, first)
  await expectDisc(t, guest, first, 4)
  expect(isLocked(second)).toBe(false)
  expect(await guest.diskTrouble()).toEqual([])
  expect(await t.daemon.device(guest.domid, VDEV)).toMatchObject({ connections: 1, restarts: 0 })
  await t.xl('block-detach', guest.name, VDEV)
  await expectForgotten(t)
})

scenario('xbbd insert and eject, while the guest reads', { boot: 'lives', timeout: 150 }, async (t) => {
  await t.daemon.start()
  const guest = await t.guest()
  const place = ['--domain', `${guest.domid}`, '--vdev', VDEV]
  const xbbd = async (status: number, ...args: string[]) => {
    const outcome = await t.daemon.xbbd(...args)
    expect(outcome).toMatchObject({ status })
    return outcome.stdout + outcome.stderr
  }
  const files = await discWithFiles(t, 'files')
  await xbbd(0, 'attach', ...place, '--device-type', 'cdrom', '--mode', 'r', '--target', '')
  await t.daemon.connected(guest.domid, VDEV)
  await guest.succeed(appears(VDEV))
  await expectEmpty(t, guest, files)

  expect(await xbbd(0, 'insert', ...place, '--target', files)).toMatch(/files, 16 MiB/)
  await expectDisc(t, guest, files, 16)
  await guest.succeed(`mkdir -p /mnt && mount -t ext4 -o ro /dev/${VDEV} /mnt && sha256sum /mnt/file`)
  expect(await xbbd(0, 'eject', ...place)).toMatch(/empty/)
  await expectEmpty(t, guest, files)
  // Who still has it mounted reads what the kernel kept, and errors beyond.
  const read = await guest.run('echo 3 >/proc/sys/vm/drop_caches; sha256sum /mnt/file')
  expect(read).toMatchObject({ status: 1, output: expect.stringContaining('Input/output error') as unknown })
  await guest.succeed('umount /mnt')

  const other = await disc(t, 'other', 5)
  expect(await xbbd(0, 'insert', ...place, '--target', other)).toMatch(/other, 5 MiB/)
  await expectDisc(t, guest, other, 5)
  // A disc that the daemon's user may not read leaves the drive empty, and says so.
  const secret = await disc(t, 'secret', 4)
  await t.sh(`chown root ${secret} && chmod 600 ${secret}`)
  const refusal = await xbbd(66, 'insert', ...place, '--target', secret)
  t.log(refusal.trim())
  expect(refusal).toContain(secret)
  await expectEmpty(t, guest, other)
  expect(await xbbd(0, 'list')).toContain('the drive is empty')
  expect(await xbbd(0, 'insert', ...place, '--target', other)).toMatch(/other, 5 MiB/)

  // The drive outlives its daemon, with the disc that is in.
  await t.daemon.kill()
  await t.daemon.start()
  await t.daemon.connected(guest.domid, VDEV)
  await expectDisc(t, guest, other, 5)
  await xbbd(0, 'detach', ...place)
  expect(isLocked(other)).toBe(false)
})
