/**
 * @packageDocumentation
 * What a guest, or one disk of it, leaves behind when it is gone: nothing. Asked of those who cannot be talked round:
 * Xen for mappings and zombies, XenStore for directories, the kernel for descriptors and locks. Beside it the
 * bookkeeping that every disk owes: what was taken was answered, or is counted as abandoned.
 */
import { readFileSync, statSync } from 'node:fs'
import type { DeviceStatistics } from '../../../src/ports/daemon-api.js'
import { noZombies } from './guest.js'
import type { Toolbox } from './toolbox.js'

/** Directory of a device as its back end has it. */
export const backendOf = (domid: number, devid: number) => `/local/domain/0/backend/vbd/${domid}/${devid}`
/** Directory of a device as its front end has it. */
export const frontendOf = (domid: number, devid: number) => `/local/domain/${domid}/device/vbd/${devid}`

/** Device numbers of the names that scenarios use (xen/include/public/io/blkif.h, xen-vbd-interface(7)). */
export const DEVID = { xvda: 51712, xvdb: 51728, xvdc: 51744, xvdd: 51760 } as const

/** Fails unless Xen, XenStore and the daemon have no trace of a domain that has ended. */
export async function expectNoTrace(t: Toolbox, domid: number): Promise<void> {
  await t.until(`no device of domain ${domid} is left`, async () => {
    return (await t.daemon.list()).every((device) => device.domid !== domid)
  })
  expect((await t.store.list(`/local/domain/0/backend/vbd/${domid}`)) ?? []).toEqual([])
  expect(await t.mappedOf(domid)).toEqual([])
  await noZombies()
}

/** The daemon hears of what xl removes by a watch, a moment after xl has ended; then it knows no disk any more. */
export async function expectForgotten(t: Toolbox): Promise<void> {
  await t.until('the daemon has forgotten every disk', async () => (await t.daemon.list()).length === 0)
}

/** Waits until the daemon has as many descriptors as it had, and fails with both lists when it does not come to that. */
export async function expectDescriptors(t: Toolbox, before: readonly string[]): Promise<void> {
  const same = () => t.daemon.descriptors().length === before.length
  await t.until('the daemon has closed what it opened', same, 5_000).catch(() => undefined)
  expect(t.daemon.descriptors()).toHaveLength(before.length)
}

/** Everything taken was answered, once; `abandoned` is what nobody was left to answer. */
export function expectBalanced({ counters }: DeviceStatistics, abandoned = 0): void {
  const { answeredOkay, answeredError, answeredUnsupported } = counters
  const answered = answeredOkay + answeredError + answeredUnsupported
  expect({ answered, abandoned: counters.abandoned, inFlight: counters.inFlight }).toEqual({
    answered: counters.taken - abandoned, abandoned, inFlight: 0,
  })
}

/** Whether somebody holds a lock on an image, which is the daemon's way to own it; asked of the kernel's table. */
export function isLocked(image: string): boolean {
  const inode = statSync(image).ino
  return readFileSync('/proc/locks', 'utf8').split('\n').some((line) => line.includes(`:${inode} `))
}

/** Waits until a device has been asked for `count` more requests than now: there is load. */
export async function awaitLoad(t: Toolbox, domid: number, vdev: string, count = 100): Promise<void> {
  const taken = async () => (await t.daemon.statistics(domid, vdev)).counters.taken
  const already = await taken()
  await t.until(`${vdev} of domain ${domid} is under load`, async () => (await taken()) > already + count, 60_000, 250)
}
