/**
 * @packageDocumentation
 * Media that let a guest down. Sectors that cannot be read for a while cost the requests that touch them and nothing
 * else. A device that goes away altogether costs the disk: the guest is asked to close it, `xbbd list` says why, and an
 * operator who has mended it attaches it again. The device is null_blk, which keeps bytes in memory and can be told, in
 * configfs, which sectors are bad.
 */
import { chmodSync } from 'node:fs'
import type { Guest } from '../guest.js'
import { startLoad } from '../loads.js'
import { giveToDaemon } from '../privileges.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'
import { awaitLoad } from '../traces.js'

const MIB = 1 << 20
const SECTORS_PER_MIB = MIB / 512
const CONFIG = '/sys/kernel/config'

/** A null_blk device of 64 MiB with a memory. */
class NullBlk {
  readonly path: string
  readonly #t: Toolbox
  readonly #directory: string

  private constructor(t: Toolbox, name: string) {
    this.path = `/dev/${name}`
    this.#t = t
    this.#directory = `${CONFIG}/nullb/${name}`
  }

  static async make(t: Toolbox, name: string): Promise<NullBlk> {
    const device = new NullBlk(t, name)
    await device.#must(`modprobe null_blk nr_devices=0; mountpoint -q ${CONFIG} || mount -t configfs none ${CONFIG}`)
    await device.#must(`mkdir ${device.#directory}`)
    t.cleanup(() => t.sh(`echo 0 >${device.#directory}/power; rmdir ${device.#directory}`))
    for (const [key, value] of [['size', 64], ['memory_backed', 1]]) await device.set(`${key}`, `${value}`)
    await device.power(true)
    return device
  }

  async power(on: boolean): Promise<void> {
    await this.set('power', on ? '1' : '0')
    if (!on) return
    await this.#t.until(`${this.path} is there`, async () => (await this.#t.sh(`test -b ${this.path}`)).status === 0)
    giveToDaemon(this.path)
    chmodSync(this.path, 0o600)
  }

  /** Makes sectors bad (`+`) or good again (`-`): 1 MiB from `mib` on. */
  badMiB(sign: '+' | '-', mib: number): Promise<void> {
    return this.set('badblocks', `${sign}${mib * SECTORS_PER_MIB}-${(mib + 1) * SECTORS_PER_MIB - 1}`)
  }

  async set(key: string, value: string): Promise<void> {
    await this.#must(`echo ${value} >${this.#directory}/${key}`)
  }

  async #must(command: string): Promise<void> {
    const { status, stderr } = await this.#t.sh(command)
    if (status !== 0) throw new Error(`\`${command}\` ended with ${status}: ${stderr}`)
  }
}

/** One pass over `mib` MiB from `at` on, what is written is verified. @returns fio's errno. */
async function pass(guest: Guest, rw: 'read' | 'write', at: number, mib: number): Promise<string> {
  const verified = rw === 'write' ? '--verify=crc32c --verify_fatal=1' : ''
  const { output } = await guest.run(
    `fio --name=pass --filename=/dev/xvdb --rw=${rw} --bs=64k --direct=1 --ioengine=libaio --iodepth=8 ` +
    `--offset=${at}M --size=${mib}M ${verified} 2>&1`,
  )
  return /err=\s*(\d+)/.exec(output)?.[1] ?? output
}

const EIO = '5'

scenario('some sectors fail, and come back', { boot: 'media', timeout: 180 }, async (t) => {
  const medium = await NullBlk.make(t, 'nullbad')
  await t.daemon.start()
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', medium.path)] })
  await t.daemon.connected(guest.domid, 'xvdb')
  expect(await pass(guest, 'write', 30, 4)).toBe('0')
  const load = await startLoad(guest, '/dev/xvdb')
  await awaitLoad(t, guest.domid, 'xvdb')

  await medium.badMiB('+', 32)
  expect(await pass(guest, 'read', 32, 1)).toBe(EIO)
  expect(await pass(guest, 'write', 32, 1)).toBe(EIO)
  for (const at of [31, 33]) expect(await pass(guest, 'read', at, 1)).toBe('0')
  await load.stillRuns()
  const statistics = await t.daemon.statistics(guest.domid, 'xvdb')
  expect(statistics.counters.mediumErrors).toBeGreaterThan(0)
  expect(await t.daemon.device(guest.domid, 'xvdb')).toMatchObject({ backendState: 'Connected', connections: 1 })

  await medium.badMiB('-', 32)
  const { answeredError } = (await t.daemon.statistics(guest.domid, 'xvdb')).counters
  expect(await pass(guest, 'read', 32, 1)).toBe('0')
  expect(await pass(guest, 'write', 32, 1)).toBe('0')
  t.log(`${await load.stop()} verified passes beside it, ${statistics.counters.mediumErrors} errors of the medium`)
  expect((await t.daemon.statistics(guest.domid, 'xvdb')).counters.answeredError).toBe(answeredError)
  expect(await guest.sha256('/dev/xvdb')).toBe(await t.sha256(medium.path))
  await guest.shutdown()
})

scenario('a medium goes away under load, and is attached again', { boot: 'media', timeout: 240 }, async (t) => {
  t.expectComplaints()
  const medium = await NullBlk.make(t, 'nullgone')
  await t.daemon.start()
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', medium.path)] })
  await t.daemon.connected(guest.domid, 'xvdb')
  await startLoad(guest, '/dev/xvdb')
  await awaitLoad(t, guest.domid, 'xvdb')

  await medium.power(false)
  // A busy guest meets it at once; an idle one when the daemon next asks the medium for its size, or is told to.
  t.daemon.signal('SIGHUP')
  const closed = await t.until('the disk is closed', async () => {
    const device = await t.daemon.device(guest.domid, 'xvdb')
    return device?.backendState === 'Closed' && device
  }, 60_000)
  t.log(`${closed.state}: ${closed.error ?? ''}`)
  expect(closed.error).toMatch(/medium/)
  expect((await t.daemon.xbbd('list')).stdout).toContain(closed.error)
  expect(await t.mappedOf(guest.domid)).toEqual([])

  await t.xl('block-detach', guest.name, 'xvdb')
  await medium.power(true)
  await t.xl('block-attach', guest.name, t.disk('xvdb', medium.path))
  await t.daemon.connected(guest.domid, 'xvdb')
  await guest.succeed('i=0; until [ -b /dev/xvdb ] || [ $i = 100 ]; do usleep 100000; i=$((i + 1)); done')
  expect(await pass(guest, 'write', 0, 8)).toBe('0')
  expect(await guest.dmesg()).not.toMatch(/BUG:|Oops|hung_task|blocked for more than/)
  await guest.shutdown()
})

/** A file system of 24 MiB with a sparse image of 64 MiB on it, and a filler that leaves room for a part of it. */
async function thinImage(t: Toolbox): Promise<{ image: string; makeSpace: () => Promise<void> }> {
  const home = '/tmp/thin'
  const made = await t.sh(`mkdir -p ${home} && mount -t tmpfs -o size=24m,mode=755 thin ${home}`)
  expect(made).toMatchObject({ status: 0 })
  t.cleanup(() => t.sh(`umount -l ${home}; rmdir ${home}`))
  const image = `${home}/image`
  await t.sh(`truncate -s 64M ${image} && chmod 600 ${image} && fallocate -l 18M ${home}/filler`)
  giveToDaemon(image)
  return { image, makeSpace: async () => void (await t.sh(`rm ${home}/filler`)) }
}

scenario('a thin image is full: errors, until there is space', { boot: 'media', timeout: 150 }, async (t) => {
  const { image, makeSpace } = await thinImage(t)
  await t.daemon.start()
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', image)] })
  await t.daemon.connected(guest.domid, 'xvdb')
  expect(await pass(guest, 'write', 0, 4)).toBe('0')
  expect(await pass(guest, 'write', 16, 8)).toBe(EIO)
  expect(await t.daemon.device(guest.domid, 'xvdb')).toMatchObject({ backendState: 'Connected', connections: 1 })
  expect(await pass(guest, 'read', 0, 4)).toBe('0')
  await makeSpace()
  expect(await pass(guest, 'write', 16, 8)).toBe('0')
  expect(await guest.sha256('/dev/xvdb')).toBe(await t.sha256(image))
  await guest.shutdown()
})

scenario('a thin image is full: held, until there is space', { boot: 'media', timeout: 150 }, async (t) => {
  const { image, makeSpace } = await thinImage(t)
  t.daemon.configure({ 'medium.on-enospc': 'wait' })
  await t.daemon.start()
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', image)] })
  await t.daemon.connected(guest.domid, 'xvdb')
  await guest.succeed('dmesg -c >/dev/null')
  const job = await guest.job(
    'fio --name=held --filename=/dev/xvdb --rw=randwrite --bsrange=4k-64k --direct=1 --ioengine=libaio --iodepth=8 ' +
    '--size=16M --verify=crc32c --verify_fatal=1 --randseed=5 2>&1',
  )
  const full = async () => /Full/.test((await t.daemon.device(guest.domid, 'xvdb'))?.state ?? '')
  await t.until('the queue waits for space', full, 60_000)
  await t.pause(2_000)
  expect(await full()).toBe(true)
  expect((await t.daemon.xbbd('list')).stdout).toMatch(/Full/)
  expect(await job.ended()).toBeUndefined()

  await makeSpace()
  const { status, output } = await job.wait(60_000)
  expect({ status, output }).toMatchObject({ status: 0 })
  expect(await guest.saidSince('')).toEqual([])
  const { counters } = await t.daemon.statistics(guest.domid, 'xvdb')
  expect({ answeredError: counters.answeredError, full: await full() }).toEqual({ answeredError: 0, full: false })
  expect(await guest.sha256('/dev/xvdb')).toBe(await t.sha256(image))
  await guest.shutdown()
})
