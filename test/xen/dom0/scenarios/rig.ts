/**
 * @packageDocumentation
 * The rig itself, before anything of ours is trusted in it: the package is installed and starts, a guest can be talked
 * to, its disk works with the kernel's own back end, and a fault in a disk is seen by what the other scenarios look at.
 */
import { readFileSync } from 'node:fs'
import { startLoad } from '../loads.js'
import { scenario } from '../scenario.js'

scenario('the package is installed and its program starts', { boot: 'rig', short: true, timeout: 60 }, async (t) => {
  const { status, stdout, stderr } = await t.execute('xbbd', ['--version'])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const manifest = JSON.parse(readFileSync('/usr/lib/xbbd/package.json', 'utf8')) as { version: string }
  expect(stdout.trim()).toBe(manifest.version)
})

scenario('a guest answers over its console', { boot: 'rig', short: true, timeout: 120 }, async (t) => {
  const guest = await t.guest({ append: 'loglevel=7' })
  expect(await guest.run('echo out; echo err >&2; exit 3')).toEqual({ output: 'out\nerr\n', status: 3 })
  // More than the console carries at once, while the kernel speaks in between.
  await guest.succeed('dmesg -n 8')
  const noise = await guest.job('for i in $(seq 200); do echo "noise $i" >/dev/kmsg; done')
  const long = await guest.run('seq 1 5000')
  expect(long.output.split('\n')).toHaveLength(5001)
  expect((await noise.wait()).status).toBe(0)
  await guest.succeed('dmesg -n 1')
  await guest.shutdown()
  await expect(guest.run('true')).rejects.toThrow('has ended')
})

scenario('the load notices bytes that were changed behind its back', { boot: 'rig', timeout: 120 }, async (t) => {
  await t.daemon.start()
  const image = t.image('spoilt', 8 << 20)
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', image)] })
  const load = await startLoad(guest, '/dev/xvdb')
  await t.until('there is load', async () => {
    const { counters } = await t.daemon.statistics(guest.domid, 'xvdb')
    return counters.writes > 50
  })
  const spoil = () => t.sh(`dd if=/dev/urandom of=${image} bs=64k count=128 conv=notrunc`)
  await t.until('the load has failed', async () => {
    await spoil()
    return load.stillRuns().then(() => false, () => true)
  }, 60_000, 500)
  await expect(load.stop()).rejects.toThrow(/verify/)
})
