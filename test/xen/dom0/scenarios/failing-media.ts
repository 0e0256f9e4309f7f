/**
 * @packageDocumentation
 * Media that let a guest down. Sectors that cannot be read for a while cost the requests that touch them and nothing
 * else. A device that goes away altogether costs the disk: the guest is asked to close it, `xbbd list` says why, and an
 * operator who has mended it attaches it again. The device is null_blk, which keeps bytes in memory and can be told, in
 * configfs, which sectors are bad.
 */
import type { Guest } from '../guest.js'
import { startLoad } from '../loads.js'
import { NullBlk } from '../null-blk.js'
import { giveToDaemon } from '../privileges.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'
import { awaitLoad, expectBalanced } from '../traces.js'

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

const FAILING = '/tmp/failing'

/** Verified passes until told to stop, whatever becomes of each. @returns how many went well, and how many did not. */
async function passesWhatever(guest: Guest): Promise<{ so: () => Promise<[number, number]>; stop: () => Promise<void> }> {
  const fio =
    'fio --name=load --filename=/dev/xvdb --size=8M --rw=randrw --bsrange=4k-64k --ioengine=libaio --iodepth=16 ' +
    '--direct=1 --verify=crc32c --verify_fatal=1 --randseed=$((well + ill))'
  const job = await guest.job(
    `well=0; ill=0; while [ ! -e ${FAILING}.stop ]; do if ${fio} >${FAILING}.out 2>&1; then well=$((well + 1)); ` +
    `else ill=$((ill + 1)); sleep 0.2; fi; echo $well $ill >${FAILING}.so; done`,
  )
  return {
    so: async () => {
      const [well, ill] = (await guest.succeed(`cat ${FAILING}.so || echo 0 0`)).trim().split('\n').at(-1)?.split(' ') ?? []
      return [Number(well), Number(ill)]
    },
    stop: async () => {
      await guest.succeed(`touch ${FAILING}.stop`)
      expect(await job.wait()).toMatchObject({ status: 0 })
    },
  }
}

scenario('all of a medium fails under load, and comes back', { boot: 'media', timeout: 180 }, async (t) => {
  const medium = await NullBlk.make(t, 'nullill')
  await t.daemon.start()
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', medium.path)] })
  await t.daemon.connected(guest.domid, 'xvdb')
  const load = await passesWhatever(guest)
  await t.until('a pass went well', async () => (await load.so())[0] > 0, 60_000, 500)
  for (let outage = 0; outage < 2; outage++) {
    await medium.badMiB('+', 0, 8)
    const [, before] = await load.so()
    await t.until('passes fail', async () => (await load.so())[1] > before + 2, 60_000, 500)
    await medium.badMiB('-', 0, 8)
    const [well] = await load.so()
    await t.until('passes go well again', async () => (await load.so())[0] > well + 1, 60_000, 500)
  }
  const [well, ill] = await load.so()
  await load.stop()
  const { counters } = await t.daemon.statistics(guest.domid, 'xvdb')
  t.log(`${well} passes went well, ${ill} did not: ${counters.mediumErrors} errors of the medium`)
  expect(counters.mediumErrors).toBeGreaterThan(0)
  expectBalanced(await t.daemon.statistics(guest.domid, 'xvdb'))
  expect(await t.daemon.device(guest.domid, 'xvdb')).toMatchObject({ backendState: 'Connected', connections: 1, restarts: 0 })
  expect(await pass(guest, 'write', 0, 8)).toBe('0')
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
