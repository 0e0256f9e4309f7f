/**
 * Thin images on a file system that is really full: a small tmpfs of its own. The guest sees errors, or a wait that ends
 * as soon as there is space. Mounting needs the rights of root; without them this says so and fails.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Blkfront } from '../../src/embedded/blkfront/blkfront.js'
import { statesEntered, timesOf } from '../support/queue-journal.js'
import { RealWorld, until, type DaemonProcess, type GuestHere } from '../support/processes.js'
import { xbbd } from '../support/xbbd-process.js'

const MiB = 1 << 20
const FULL = /^the medium is full: \d+ requests? waits? for space since \d{4}-\d\d-\d\dT/
let world: RealWorld
let small: string
let guest: GuestHere

beforeAll(async () => {
  world = await RealWorld.start()
  small = join(world.dir, 'small')
  mkdirSync(small)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', small], { stdio: 'pipe' })
  } catch (cause) {
    throw new Error('a full file system cannot be made here: mounting a tmpfs needs root (CAP_SYS_ADMIN)', { cause })
  }
  guest = await world.guest()
})
afterAll(async () => {
  execFileSync('umount', ['-l', small])
  await world.close()
})

let images = 0
/** A thin image of 64 MiB; what fills the rest of the file system beside it can be removed. */
function thin(): { image: string; makeSpace: () => void } {
  const image = join(small, `thin-${images++}`)
  writeFileSync(image, '')
  truncateSync(image, 64 * MiB)
  const filler = join(small, 'filler')
  writeFileSync(filler, Buffer.alloc(6 * MiB))
  return { image, makeSpace: () => rmSync(filler, { force: true }) }
}

const block = (index: number) => Buffer.alloc(64 << 10, index + 1)
const listed = (daemon: DaemonProcess) => daemon.device(guest.domid)

async function connected(daemon: DaemonProcess, image: string) {
  await daemon.attach({ domid: guest.domid, target: image })
  return guest.connect({ ringPages: 4, timeoutMs: 5000 })
}

async function over(daemon: DaemonProcess, front: Blkfront): Promise<void> {
  await front.close()
  expect(front.grantsHeldTooLong).toBe(0)
  expect(await daemon.detach({ domid: guest.domid })).toMatchObject({ removed: true })
  expect(await daemon.stop('close')).toMatchObject({ left: [] })
  await daemon.ended
}

test('S15: medium.on-enospc = error: the guest gets EIO, and its disk stays', async () => {
  const daemon = await world.daemon({ runDir: 'error' })
  const { image, makeSpace } = thin()
  const front = await connected(daemon, image)
  const outcomes = await Promise.allSettled(Array.from({ length: 64 }, (_, index) => front.write(index * (64 << 10), block(index))))
  const failed = outcomes.filter(({ status }) => status === 'rejected')
  expect(failed.length).toBeGreaterThan(20)
  expect(failed.length).toBeLessThan(64)
  makeSpace()
  await front.write(0, block(9))
  expect(await front.read(0, 64 << 10)).toEqual(block(9))
  await over(daemon, front)
  rmSync(image)
})

test.each([['io_uring'], ['threads']])('S15: medium.on-enospc = wait, %s: every write ends well once there is space; the list says why it waits', async (engine) => {
  const daemon = await world.daemon({ flags: ['--medium-on-enospc', 'wait', '--medium-engine', engine], runDir: `wait-${engine}` })
  const { image, makeSpace } = thin()
  const front = await connected(daemon, image)
  const writes = Array.from({ length: 48 }, (_, index) => front.write(index * (64 << 10), block(index)))
  const all = Promise.all(writes)
  await until('it is full', async () => FULL.test((await listed(daemon))?.notes[0] ?? ''))
  const { state, connection } = (await listed(daemon))!
  expect([state.split(' ')[0], connection?.queues[0].mediumFull]).toEqual(['Connected.intake.Full', true])
  const { stdout } = await xbbd('list', '--socket', daemon.socket)
  expect(stdout).toMatch(/the medium is full: /)
  // It stays so over several tries.
  const { counters } = await daemon.statistics(guest.domid)
  await until('it was tried again', async () => (await daemon.statistics(guest.domid)).counters['stalls'] > 2 * counters['spaceWanted'])
  expect((await daemon.statistics(guest.domid)).counters).toMatchObject({ answeredError: 0 })
  makeSpace()
  daemon.signal('SIGHUP')
  await all
  for (let index = 0; index < 48; index += 7) expect(await front.read(index * (64 << 10), 64 << 10)).toEqual(block(index))
  expect((await listed(daemon))?.state).toBe('Connected.intake.Running Connected.medium.Present')
  expect((await listed(daemon))?.notes.some((note) => FULL.test(note))).toBe(false)
  expect(front.counters).toMatchObject({ violations: 0, errors: 0 })
  await over(daemon, front)
  expect(timesOf(statesEntered(daemon.runDir, `vbd/${guest.domid}/51712/q0`), 'Shortage → Running')).toBeGreaterThan(0)
  const replayed = await xbbd('replay', join(daemon.runDir, 'journal'))
  expect({ status: replayed.status, stdout: replayed.stdout }).toMatchObject({ status: 0 })
  rmSync(image)
}, 60_000)

test('S15: stopping while requests wait for space: parking waits, then says what is left and why', async () => {
  const daemon = await world.daemon({ flags: ['--medium-on-enospc', 'wait', '--park-timeout', '1s'], runDir: 'stop' })
  // A guest that may be left with requests that nobody answers any more.
  const child = world.started({}, 'test/support/front-process.js', world.hostDir)
  const domid = Number(/domid (\d+)/.exec(await child.line(/^domid/))?.[1])
  await daemon.attach({ domid, target: thin().image })
  await until('it is full', async () => FULL.test((await daemon.device(domid))?.notes[0] ?? ''))
  daemon.signal('SIGTERM')
  const { status, stderr } = await daemon.ended
  expect({ status, stderr }).toEqual({ status: 75, stderr: expect.stringMatching(/the medium is full: \d+ request/) as unknown })
  // It had not said Closing to anyone: to the guest this is a pause.
  expect(await world.store.read(`/local/domain/0/backend/vbd/${domid}/51712/state`)).toBe('4')
})
