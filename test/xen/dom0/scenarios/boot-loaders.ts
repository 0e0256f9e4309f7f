/**
 * @packageDocumentation
 * A second, independent front end: GRUB's PV driver, which polls its ring, writes through it, and closes it to hand the
 * same disk over. The back end says Closed and InitWait again each time, without a new directory: one that takes 6 for
 * the end cannot boot Linux from GRUB.
 *
 *   GRUB ─► 6, 2 ─► GRUB ─► … ─► 6, 2 ─► Linux
 *        "x" in grubenv  "xx"
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { GRUB, LINUX, initramfs, type Guest } from '../guest.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'
import { DEVID, backendOf } from '../traces.js'

const TREE = '/tmp/boot-tree'

/** Each GRUB counts itself in grubenv, on the disk, and starts the next; the last one starts Linux. */
const menu = (hops: number) => `
load_env --file ($root)/boot/grub/grubenv hop
if [ "$hop" = "${'x'.repeat(hops)}" ]; then
  linux /boot/vmlinux console=hvc0 quiet mitigations=off nokaslr
  initrd /boot/initrd
else
  set hop="\${hop}x"
  save_env --file ($root)/boot/grub/grubenv hop
  linux /boot/grub.bin
fi
boot
`

async function bootDisk(t: Toolbox, hops: number): Promise<string> {
  t.cleanup(() => t.sh(`rm -rf ${TREE}`))
  mkdirSync(`${TREE}/boot/grub`, { recursive: true })
  for (const [from, to] of [[LINUX, 'vmlinux'], [initramfs(false), 'initrd'], [GRUB, 'grub.bin']])
    cpSync(from, `${TREE}/boot/${to}`)
  writeFileSync(`${TREE}/boot/grub/grub.cfg`, menu(hops))
  const image = t.image('boot', 160 << 20)
  const made = await t.sh(`grub-editenv ${TREE}/boot/grub/grubenv create && mke2fs -q -t ext4 -d ${TREE} ${image}`)
  expect(made).toMatchObject({ status: 0, stderr: '' })
  return image
}

/** States that the back end published, in their order. */
async function followStates(t: Toolbox, guest: Guest): Promise<string[]> {
  const path = `${backendOf(guest.domid, DEVID.xvda)}/state`
  const seen: string[] = []
  const remove = await t.store.watch(path, () => {
    void t.store.read(path).then((state) => state !== undefined && state !== seen.at(-1) && seen.push(state))
  })
  t.cleanup(remove)
  return seen
}

async function bootThrough(t: Toolbox, hops: number): Promise<void> {
  await t.daemon.start()
  const image = await bootDisk(t, hops)
  const guest = await t.guest({ kernel: GRUB, disks: [t.disk('xvda', image)], mem: 320, paused: true })
  const states = await followStates(t, guest)
  const began = performance.now()
  await guest.unpause()
  await guest.ready(200_000)
  t.log(`${hops} hand-overs from GRUB to GRUB, then Linux: ${((performance.now() - began) / 1000).toFixed(1)} s`)

  const device = await t.daemon.connected(guest.domid, 'xvda')
  expect({ connections: device.connections, restarts: device.restarts }).toEqual({ connections: hops + 2, restarts: 0 })
  const rounds = states.join('').split('6').length - 1
  expect({ rounds, now: states.at(-1) }).toEqual({ rounds: hops + 1, now: '4' })

  await guest.succeed('mkdir -p /mnt && mount -t ext4 /dev/xvda /mnt')
  const counted = (await guest.succeed('cat /mnt/boot/grub/grubenv')).split('\n').find((line) => line.startsWith('hop='))
  expect(counted).toBe(hops === 0 ? undefined : `hop=${'x'.repeat(hops)}`)
  await guest.succeed('cp /mnt/boot/grub.bin /mnt/copy && sync && umount /mnt')
  expect(await guest.diskTrouble()).toEqual([])
  const seen = await guest.sha256('/dev/xvda')
  await guest.shutdown()
  expect(await t.sha256(image)).toBe(seen)
  expect(await t.sh(`e2fsck -fn ${image}`)).toMatchObject({ status: 0 })
}

scenario('GRUB boots Linux from our disk, and Linux takes it over', { boot: 'lives', timeout: 150 }, (t) =>
  bootThrough(t, 0))

scenario('GRUB starts GRUB six times over on one disk, then Linux', { boot: 'lives', timeout: 300 }, (t) =>
  bootThrough(t, 6))
