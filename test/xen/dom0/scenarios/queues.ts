/**
 * @packageDocumentation
 * A disk with several queues in front of Linux, which takes one for each of its processors: its own view, verified data
 * through all of them, and a daemon that is killed, and another that parks, with requests in flight on each.
 */
import { startLoad } from '../loads.js'
import { NullBlk } from '../null-blk.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'

async function severalQueues(t: Toolbox): Promise<void> {
  t.daemon.configure({ workers: '2', 'ring.max-queues': '4' })
  await t.daemon.start()
  // Not a file on dom0's tmpfs: what goes through the page cache is offered one queue.
  const medium = await NullBlk.make(t, 'nullqueues')
  const guest = await t.guest({ fio: true, vcpus: 2, disks: [t.disk('xvdb', medium.path)] })
  expect(await guest.succeed('ls /sys/block/xvdb/mq')).toMatch(/^0\s+1\s*$/)
  const device = await t.daemon.connected(guest.domid, 'xvdb')
  expect(device.connection?.queues.length).toBe(2)
  const load = await startLoad(guest, '/dev/xvdb', { depth: 32, more: '--numjobs=1' })
  await t.daemon.kill()
  await t.daemon.start()
  await t.until('both go on', async () => (await t.daemon.statistics(guest.domid, 'xvdb')).counters.taken > 50)
  expect(await t.daemon.stop()).toBe(0)
  await t.daemon.start()
  await load.stillRuns()
  expect(await load.stop()).toBeGreaterThan(0)
  expect(await guest.diskTrouble()).toEqual([])
  expect((await t.daemon.connected(guest.domid, 'xvdb')).connection?.queues.length).toBe(2)
  await guest.shutdown()
}

scenario('several queues, one for each processor of the guest', { boot: 'restarts', timeout: 300 }, severalQueues)
