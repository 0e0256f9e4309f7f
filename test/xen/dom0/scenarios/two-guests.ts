/**
 * @packageDocumentation
 * Guests share a daemon and nothing else: one is destroyed in the middle of load on both of its disks, and the other,
 * under verified load, does not notice. And a daemon that runs for years sees disks come and go: fifty rounds leave
 * neither descriptor nor mapping behind.
 */
import { startLoad } from '../loads.js'
import { scenario } from '../scenario.js'
import { awaitLoad, backendOf, DEVID, expectDescriptors, expectNoTrace } from '../traces.js'

const MIB = 1 << 20
const ROUNDS = 50

scenario('one of two guests is destroyed under load', { boot: 'lives', timeout: 300 }, async (t) => {
  await t.daemon.start()
  const disks = (guest: string) => ['xvdb', 'xvdc'].map((vdev) => t.disk(vdev, t.image(`${guest}-${vdev}`, 16 * MIB)))
  const survivor = await t.guest({ fio: true, disks: disks('survivor') })
  for (const vdev of ['xvdb', 'xvdc']) await t.daemon.connected(survivor.domid, vdev)
  const before = await survivor.dmesg()
  const settled = await t.daemon.settledDescriptors()

  const victim = await t.guest({ fio: true, disks: disks('victim') })
  const loads = []
  for (const guest of [survivor, victim])
    for (const vdev of ['xvdb', 'xvdc']) {
      await t.daemon.connected(guest.domid, vdev)
      const load = await startLoad(guest, `/dev/${vdev}`, { sizeMiB: 4 })
      if (guest === survivor) loads.push(load)
    }
  for (const guest of [survivor, victim]) for (const vdev of ['xvdb', 'xvdc']) await awaitLoad(t, guest.domid, vdev, 50)
  expect((await t.mappedOf(victim.domid)).length).toBeGreaterThanOrEqual(2)

  const began = performance.now()
  await victim.destroy()
  t.log(`gone ${Math.round(performance.now() - began)} ms after xl destroy began`)
  await expectNoTrace(t, victim.domid)
  await expectDescriptors(t, settled)

  for (const vdev of ['xvdb', 'xvdc']) await awaitLoad(t, survivor.domid, vdev, 50)
  for (const load of loads) await load.stop()
  expect(await survivor.saidSince(before)).toEqual([])
  for (const vdev of ['xvdb', 'xvdc'])
    expect(await survivor.sha256(`/dev/${vdev}`)).toBe(await t.sha256(`/tmp/images/survivor-${vdev}`))
})

scenario('disks come and go fifty times', { boot: 'lives', timeout: 300 }, async (t) => {
  await t.daemon.start()
  const guest = await t.guest()
  const image = t.image('often', 4 * MIB)
  let settled: string[] = []
  await guest.succeed('dmesg -c >/dev/null')
  for (let round = 0; round < ROUNDS; round++) {
    await t.daemon.call('attach', { domid: guest.domid, vdev: 'xvdc', target: image, mode: 'w' })
    await t.daemon.connected(guest.domid, 'xvdc')
    await guest.succeed(
      'i=0; until [ -b /dev/xvdc ] || [ $i = 50 ]; do usleep 100000; i=$((i + 1)); done; ' +
      `echo round ${round} | dd of=/dev/xvdc bs=512 conv=sync,fsync 2>&1`,
    )
    const outcome = await t.daemon.call('detach', { domid: guest.domid, vdev: 'xvdc' })
    expect(outcome).toEqual({ existed: true, removed: true })
    await guest.succeed('i=0; while [ -b /dev/xvdc ] && [ $i != 50 ]; do usleep 100000; i=$((i + 1)); done')
    if (round === 0) settled = await t.daemon.settledDescriptors()
    if (round % 10 === 9) expect(await t.mappedOf(guest.domid)).toEqual([])
  }
  await expectDescriptors(t, settled)
  expect((await t.store.list(backendOf(guest.domid, DEVID.xvdc))) ?? []).toEqual([])
  expect((await t.sh(`head -c 8 ${image}`)).stdout).toBe(`round ${ROUNDS - 1}`)
  const said = (await guest.dmesg()).split('\n').filter((line) => /error|fail|warn|BUG|dead|invalid/i.test(line))
  expect(said).toEqual([])
  // A mapping that the guest's Xen table still had would keep its domain: the clean-up would find a zombie.
  await guest.shutdown()
})
