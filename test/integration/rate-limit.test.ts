/**
 * A rate limit as an operator and a toolstack set it, with real processes: shown everywhere while it holds back a guest
 * on four queues of two Workers, changed and lifted under load, kept in XenStore across a killed daemon. How exact it
 * is, the simulated world proves.
 */
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { backendNode, RealWorld, until } from '../support/processes.js'
import { xbbd } from '../support/xbbd-process.js'

const MiB = 1 << 20
let world: RealWorld
beforeAll(async () => {
  world = await RealWorld.start()
})
afterAll(() => world.close())

test('a limit is shown, changed and lifted under load: nothing is lost, and a killed daemon’s successor keeps it', async () => {
  const flags = ['--workers', '2', '--ring-max-queues', '4', '--journal-size', '32M', '--limit-iops', '700']
  const guest = await world.guest({ pages: 40_000 })
  let daemon = await world.daemon({ runDir: 'limited', flags })
  const { domid } = guest
  await daemon.attach({ domid, target: world.image(8 * MiB) })
  const limit = async (...options: string[]) => {
    const args = ['limit', '--socket', daemon.socket, '-d', `${domid}`, '-v', 'xvda', ...options]
    const { status, stdout, stderr } = await xbbd(...args)
    expect([status, stderr]).toEqual([0, ''])
    return stdout.trim()
  }
  expect(await limit()).toBe(`vbd/${domid}/51712 (xvda): 700 requests/s (70 at once)`)
  const front = await guest.connect({ queues: 4, ringPages: 1 })
  const enough = new AbortController()
  const running = (async () => {
    for (let seed = 1; !enough.signal.aborted; seed++) {
      const report = await runWorkload({
        device: front, clock: systemClock, seed, count: 100, depth: 48, maxBytes: 65_536, spanBytes: 8 * MiB,
        mix: { read: 45, write: 47, flush: 8, trim: 0 },
      })
      expect(report).toMatchObject({ ok: true, errors: 0 })
    }
  })()
  const state = async () => (await daemon.device(domid))?.state ?? ''
  await until('it is at its limit', async () => (await state()).includes('Connected.intake.Throttled'))
  expect(await limit('--iops', '300', '--iops-burst', '9', '--bps', '64M')).toMatch(
    /: 300 requests\/s \(9 at once\), 64 MiB\/s \(6.40 MiB at once\)$/,
  )
  expect(await backendNode(world, domid, 'limit-iops')).toBe('300')
  await until('requests wait', async () => ((await daemon.statistics(domid)).counters['tokensWanted'] ?? 0) > 0)
  daemon.signal('SIGKILL')
  await daemon.ended
  daemon = await world.daemon({ runDir: 'limited', flags })
  await until('the successor serves it', async () => (await state()).includes('Throttled'))
  expect(await limit()).toMatch(/: 300 requests\/s \(9 at once\), 64 MiB\/s/)
  expect(await limit('--iops', '0', '--bps', '0')).toMatch(/: no limit$/)
  await until('it is not held back any more', async () => (await state()).includes('Connected.intake.Running'))
  enough.abort()
  await running
  expect(await limit('--default')).toMatch(/: 700 requests\/s \(70 at once\)$/)
  expect(await backendNode(world, domid, 'limit-iops')).toBeUndefined()
  await front.close()
  expect([front.grantsHeldTooLong, front.counters.violations]).toEqual([0, 0])
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
  guest.close()
}, 120_000)
