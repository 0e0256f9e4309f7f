/**
 * @packageDocumentation
 * Stopping is not closing: SIGTERM parks the disks, and the next daemon goes on at the same place of the ring. To the
 * guest, in the middle of verified load, that is a pause and nothing else.
 */
import { startLoad } from '../loads.js'
import { scenario } from '../scenario.js'

const STOPS = 4
const STOPS_SHORT = 2

scenario('the daemon is stopped and started under load', { boot: 'restarts', timeout: 240 }, async (t) => {
  await t.daemon.start()
  const image = t.image('load', 16 << 20)
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', image)] })
  await t.daemon.connected(guest.domid, 'xvdb')
  const before = await guest.dmesg()
  const load = await startLoad(guest, '/dev/xvdb')
  const answered = async () => (await t.daemon.statistics(guest.domid, 'xvdb')).counters.answeredOkay
  for (let stop = 0; stop < (t.short ? STOPS_SHORT : STOPS); stop++) {
    const already = await answered()
    await t.until('there is load', async () => (await answered()) > already + 100, 60_000, 250)
    const began = performance.now()
    expect(await t.daemon.stop()).toBe(0)
    const stopped = performance.now()
    await t.daemon.start()
    await t.daemon.connected(guest.domid, 'xvdb')
    t.log(`parked in ${Math.round(stopped - began)} ms, serving again ${Math.round(performance.now() - stopped)} ms later`)
    await load.stillRuns()
  }
  t.log(`${await load.stop()} verified passes`)
  expect(await guest.saidSince(before)).toEqual([])
  expect(await guest.sha256('/dev/xvdb')).toBe(await t.sha256(image))
})
