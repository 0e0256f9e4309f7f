/**
 * @packageDocumentation
 * The daemon dies by SIGKILL in the middle of verified load, again and again, and whoever supervises it starts it again.
 * To the guest that is a pause: no error, no byte that is not as it was written; XenStore is not touched, and when the
 * guest has gone nothing of any of those processes is left (docs/recovery.md).
 */
import { startLoad } from '../loads.js'
import { scenario } from '../scenario.js'
import { awaitLoad, backendOf, DEVID, expectDescriptors, expectNoTrace, frontendOf, isLocked } from '../traces.js'

const KILLS = 10
const KILLS_SHORT = 2

scenario('the daemon is killed under load, again and again', { boot: 'restarts', short: true, timeout: 400 }, async (t) => {
  await t.daemon.start()
  const image = t.image('load', 16 << 20)
  const settled = await t.daemon.settledDescriptors()
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', image)] })
  const { domid } = guest
  await t.daemon.connected(domid, 'xvdb')
  const before = await guest.dmesg()
  const directories = [backendOf(domid, DEVID.xvdb), frontendOf(domid, DEVID.xvdb)]
  const nodes = async () => (await t.sh(directories.map((path) => `xenstore-ls -p ${path}`).join(';'))).stdout
  const connected = await nodes()
  const load = await startLoad(guest, '/dev/xvdb', { depth: 32 })
  // A process that has not taken over yet has counted nothing.
  const answered = async () => (await t.daemon.statistics(domid, 'xvdb')).counters.answeredOkay ?? 0

  for (let kill = 0; kill < (t.short ? KILLS_SHORT : KILLS); kill++) {
    await awaitLoad(t, domid, 'xvdb')
    const began = performance.now()
    expect(await t.daemon.kill()).toBe('SIGKILL')
    await t.daemon.start()
    const started = performance.now()
    await t.until('it answers', async () => (await answered()) > 0, 30_000, 10)
    const serving = performance.now()
    t.log(`killed, ready ${Math.round(started - began)} ms later, answering after ${Math.round(serving - began)} ms`)
    expect(await t.daemon.device(domid, 'xvdb')).toMatchObject({ backendState: 'Connected', frontendState: 'Connected' })
    await load.stillRuns()
  }
  t.log(`${await load.stop()} verified passes`)
  expect(await guest.saidSince(before)).toEqual([])
  expect(await guest.sha256('/dev/xvdb')).toBe(await t.sha256(image))
  expect(await nodes()).toBe(connected)
  // One ring, however many processes mapped it.
  expect(await t.mappedOf(domid)).toHaveLength(1)
  await guest.shutdown()
  await expectNoTrace(t, domid)
  await expectDescriptors(t, settled)
  expect(isLocked(image)).toBe(false)
})
