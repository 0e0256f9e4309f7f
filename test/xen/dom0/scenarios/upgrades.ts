/**
 * @packageDocumentation
 * The daemon is changed to the program that is installed, three times in the middle of verified load: another process
 * goes on, the one before it ends with 0, and to the guest that is a pause. What an upgrade refuses, and how it goes on
 * when somebody dies on the way, is shown on the pocket host.
 */
import { startLoad } from '../loads.js'
import { scenario } from '../scenario.js'
import { awaitLoad, backendOf, DEVID, expectNoTrace, frontendOf, isLocked } from '../traces.js'

const UPGRADES = 3

scenario('the daemon is upgraded under load', { boot: 'restarts', timeout: 300 }, async (t) => {
  await t.daemon.start()
  const image = t.image('load', 16 << 20)
  const guest = await t.guest({ fio: true, disks: [t.disk('xvdb', image)] })
  const { domid } = guest
  await t.daemon.connected(domid, 'xvdb')
  const before = await guest.dmesg()
  const directories = [backendOf(domid, DEVID.xvdb), frontendOf(domid, DEVID.xvdb)]
  const nodes = async () => (await t.sh(directories.map((path) => `xenstore-ls -p ${path}`).join(';'))).stdout
  const connected = await nodes()
  const load = await startLoad(guest, '/dev/xvdb', { depth: 32 })

  for (let upgrade = 0; upgrade < UPGRADES; upgrade++) {
    await awaitLoad(t, domid, 'xvdb')
    const old = t.daemon.pid
    const began = performance.now()
    const { from, to, devices, left } = await t.daemon.upgrade()
    const pause = devices[0]?.pauseMs
    t.log(`upgraded in ${Math.round(performance.now() - began)} ms; the disk paused ${pause?.toFixed(0) ?? '?'} ms`)
    expect({ from: from.pid, to: to.pid }).toEqual({ from: old, to: t.daemon.pid })
    // I/O that does not come back in half a second, on a machine that is slow enough, is awaited by the new process.
    const named = left.length === 0 ? devices : left
    expect(named).toMatchObject([{ name: `vbd/${domid}/${DEVID.xvdb}` }])
    expect(t.daemon.pid).not.toBe(old)
    await load.stillRuns()
  }
  await awaitLoad(t, domid, 'xvdb')
  t.log(`${await load.stop()} verified passes`)
  expect(await guest.saidSince(before)).toEqual([])
  expect(await guest.sha256('/dev/xvdb')).toBe(await t.sha256(image))
  expect(await nodes()).toBe(connected)
  expect(await t.mappedOf(domid)).toHaveLength(1)
  await guest.shutdown()
  await expectNoTrace(t, domid)
  expect(isLocked(image)).toBe(false)
})
