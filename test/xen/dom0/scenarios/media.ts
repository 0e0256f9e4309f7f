/**
 * @packageDocumentation
 * What a disk may lie on: a thin image in memory, a file on ext4, a loop device, a block device with a driver of its own;
 * and who may move its bytes: io_uring, threads, the Worker itself. Each pair needs other system calls, and the daemon
 * has no others than its unit allows (toolbox.ts fails a scenario in which one was refused).
 */
import type { Guest } from '../guest.js'
import { NullBlk } from '../null-blk.js'
import { giveToDaemon } from '../privileges.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'

const MIB = 1 << 20
const SIZE_MIB = 32
/** What the unit gives the daemon for images (StateDirectory=); here it lies on dom0's ext4. */
const STATE_DIRECTORY = '/var/lib/xbbd'
const ENGINES = ['auto', 'io_uring', 'threads', 'inline'] as const

async function fileOnDisk(t: Toolbox): Promise<string> {
  const image = `${STATE_DIRECTORY}/image`
  t.cleanup(() => t.sh(`rm -rf ${STATE_DIRECTORY}`))
  const made = await t.sh(`mkdir -p -m 750 ${STATE_DIRECTORY} && truncate -s ${SIZE_MIB}M ${image} && chmod 600 ${image}`)
  expect(made).toMatchObject({ status: 0 })
  for (const path of [STATE_DIRECTORY, image]) giveToDaemon(path)
  return image
}

async function loopDevice(t: Toolbox): Promise<string> {
  const { stdout } = await t.sh(`losetup --find --show ${t.image('behind-loop', SIZE_MIB * MIB)}`)
  const device = stdout.trim()
  expect(device).toMatch(/^\/dev\/loop\d+$/)
  t.cleanup(() => t.sh(`losetup --detach ${device}`))
  giveToDaemon(device)
  return device
}

/** Writes that are verified, a flush, and a discard of what was written; then both ends must be the same. */
async function exercise(t: Toolbox, guest: Guest, vdev: string, target: string, seed: number): Promise<void> {
  const fio =
    `fio --name=work --filename=/dev/${vdev} --size=4M --rw=randrw --bsrange=4k-64k --ioengine=libaio --iodepth=16 ` +
    `--direct=1 --fdatasync=16 --verify=crc32c --verify_fatal=1 --randseed=${seed} 2>&1`
  const { status, output } = await guest.run(fio)
  expect({ status, output }).toMatchObject({ status: 0 })
  await guest.succeed(`blkdiscard -o ${MIB} -l ${MIB} /dev/${vdev}`)
  expect((await guest.succeed(`dd if=/dev/${vdev} bs=1M skip=1 count=1 2>/dev/null | tr -d '\\0' | wc -c`)).trim()).toBe('0')
  const seen = await guest.sha256(`/dev/${vdev}`)
  // A block device has a cache of its own in dom0.
  await t.sh(`blockdev --flushbufs ${target}`)
  expect(await t.sha256(target)).toBe(seen)
}

scenario('every kind of medium, by every engine', { boot: 'media', timeout: 400 }, async (t) => {
  const targets = {
    xvdb: t.image('thin', SIZE_MIB * MIB),
    xvdc: await fileOnDisk(t),
    xvdd: await loopDevice(t),
    xvde: (await NullBlk.make(t, 'nullplain')).path,
  }
  await t.daemon.start()
  const guest = await t.guest({ fio: true, disks: Object.entries(targets).map(([vdev, target]) => t.disk(vdev, target)) })
  for (const [index, engine] of ENGINES.entries()) {
    const began = performance.now()
    if (index > 0) {
      // What is open is opened anew by the next process.
      expect(await t.daemon.stop()).toBe(0)
      t.daemon.configure({ 'medium.engine': engine })
      await t.daemon.start()
    }
    for (const [vdev, target] of Object.entries(targets)) {
      const { notes } = await t.daemon.connected(guest.domid, vdev)
      expect(notes.filter((note) => /cannot be used/.test(note))).toEqual([])
      await exercise(t, guest, vdev, target, index)
    }
    t.log(`${engine}: ${Math.round(performance.now() - began)} ms`)
  }
  expect(await guest.diskTrouble()).toEqual([])
  await guest.shutdown()
})
