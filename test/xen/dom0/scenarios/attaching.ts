/**
 * @packageDocumentation
 * The operator's path through xl: a disk comes to a guest that runs, is used, lies idle, and goes; again and again, and
 * nobody's log complains. Afterwards Xen's own grant table, XenStore and the daemon's descriptors know nothing of it.
 */
import { scenario } from '../scenario.js'
import { expectDescriptors, expectForgotten } from '../traces.js'

const ROUNDS = 10
const ROUNDS_SHORT = 3

scenario('xl block-attach and block-detach of an idle disk', { boot: 'disks', short: true, timeout: 180 }, async (t) => {
  await t.daemon.start()
  const guest = await t.guest()
  const image = t.image('idle', 16 << 20)
  const backend = `/local/domain/0/backend/vbd/${guest.domid}`
  await guest.succeed('dmesg -c >/dev/null')
  let settled: readonly string[] = []
  const rounds = t.short ? ROUNDS_SHORT : ROUNDS
  for (let round = 0; round < rounds; round++) {
    await t.xl('block-attach', guest.name, t.disk('xvdc', image))
    await t.daemon.connected(guest.domid, 'xvdc')
    await guest.succeed('i=0; until [ -b /dev/xvdc ] || [ $i = 50 ]; do usleep 100000; i=$((i + 1)); done')
    await guest.succeed(`echo round ${round} | dd of=/dev/xvdc bs=512 conv=sync,fsync 2>&1`)
    expect(await t.mappedOf(guest.domid)).toHaveLength(1)
    const asXl = await t.daemon.xbbd('list', '--xl', `${guest.domid}`)
    expect(asXl.stdout.trim()).toBe((await t.xl('block-list', guest.name)).trim())
    await t.xl('block-detach', guest.name, 'xvdc')
    await t.until('the guest has lost its disk', async () => (await guest.run('test -b /dev/xvdc')).status === 1)
    await expectForgotten(t)
    expect((await t.store.list(backend)) ?? []).toEqual([])
    expect(await t.mappedOf(guest.domid)).toEqual([])
    // What the first round opens for good (a Worker's wake-up, say) stays; nothing may come with later rounds.
    if (round === 0) settled = await t.daemon.settledDescriptors()
    else await expectDescriptors(t, settled)
  }
  const said = (await guest.dmesg()).split('\n').filter((line) => /error|fail|warn|BUG|xvdc.*(dead|invalid)/i.test(line))
  expect(said).toEqual([])
  expect((await t.sh(`head -c 7 ${image}`)).stdout).toBe(`round ${rounds - 1}`)
})
