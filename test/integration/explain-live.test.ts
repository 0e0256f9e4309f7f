/**
 * `xbbd explain` of a daemon that runs, asked over its control socket: a medium that takes for ever, a front end that
 * does not take its answers, a device that waits for the lock of another process before it goes on.
 */
import { mediumOpener } from '../../src/io/media/open-medium.js'
import { backendNode, RealWorld, until, type DaemonProcess, type GuestHere } from '../support/processes.js'
import { xbbd } from '../support/xbbd-process.js'

interface Explained {
  readonly verdict: string
  readonly sentences: readonly string[]
  readonly oldest?: { readonly state: string; readonly what: string; readonly waitsFor: string; readonly ageNs: number }
}

let world: RealWorld
beforeEach(async () => void (world = await RealWorld.start()))
afterEach(() => world.close())

async function explained(daemon: DaemonProcess, device: string): Promise<{ text: string } & Explained> {
  const { status, stdout, stderr } = await xbbd('explain', device, '--socket', daemon.socket, '--json')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  const [one] = JSON.parse(stdout) as Explained[]
  return { ...one, text: one.sentences.join(' ') }
}

const nameOf = (guest: GuestHere) => `vbd/${guest.domid}/51712`

test('a medium that takes for ever: the oldest request, and that it is the medium that it waits for', async () => {
  const daemon = await world.daemon({ runDir: 'stuck', plant: 'delay=600000' })
  const guest = await world.guest()
  await daemon.attach({ domid: guest.domid, target: world.image(1 << 20) })
  const front = await guest.connect()
  expect(await explained(daemon, nameOf(guest))).toMatchObject({ verdict: 'idle' })
  const reads = [0, 1, 2].map((block) => front.read(block * 4096, 4096))
  void Promise.allSettled(reads)
  await until('the requests stand for a second', async () => {
    const { verdict } = await explained(daemon, nameOf(guest))
    return verdict === 'waiting'
  })
  const { oldest, text } = await explained(daemon, 'xvda')
  expect(oldest).toMatchObject({ what: 'read', state: 'Submitted', waitsFor: 'the medium (1 I/O)' })
  expect(oldest?.ageNs).toBeGreaterThan(1e9)
  expect(text).toMatch(/^The oldest of 3 requests in flight is a read at sector 0 \(slot \d+, id \d+\), taken [\d.]+ s ago\./)
  expect(text).toContain('It waits for the medium (1 I/O). 2 more wait for the same.')
  expect(text).toContain('the front end has consumed all of them')
  expect(text).toContain('In XenStore the front end says Connected, the back end Connected.')
  const words = await xbbd('explain', nameOf(guest), '--socket', daemon.socket)
  expect(words.stdout).toMatch(new RegExp(`^${nameOf(guest)}: waiting\\. The oldest of 3 requests`))
  expect(words.stdout.match(/the medium \(1 I\/O\)$/gm)).toHaveLength(3)
  // The daemon is killed: its I/O will not come back in this test.
  daemon.signal('SIGKILL')
  await daemon.ended
}, 120_000)

test('a front end that has stopped: its answers are published, and it has not consumed them', async () => {
  const daemon = await world.daemon({ runDir: 'deaf', plant: 'delay=20' })
  const front = world.started({}, 'test/support/verifying-front.js', world.hostDir, '4096')
  const domid = Number(/domid (\d+)/.exec(await front.line(/^domid/))?.[1])
  const name = `vbd/${domid}/51712`
  await daemon.attach({ domid, target: world.image(16 << 20) })
  await front.line(/^connected/)
  await until('requests are in flight', async () => (await explained(daemon, name)).oldest !== undefined)
  front.child.kill('SIGSTOP')
  await until('all are answered', async () => (await explained(daemon, name)).verdict === 'idle')
  const { text } = await explained(daemon, name)
  expect(text).toContain('No request is in flight.')
  expect(text).toMatch(/rsp_prod \d+; the last( \d+ have| one has) not been consumed by the front end, which last asked to be woken/)
  front.child.kill('SIGCONT')
  await until('it takes them', async () => !(await explained(daemon, name)).text.includes('not been consumed'))
  front.child.kill('SIGKILL')
}, 120_000)

test('a device that waits for a lock before it goes on says so, and whose requests it will do again', async () => {
  const first = await world.daemon({ runDir: 'heir', plant: 'delay=600000' })
  const guest = await world.guest()
  const target = world.image(1 << 20)
  await first.attach({ domid: guest.domid, target })
  const front = await guest.connect()
  const read = front.read(8192, 4096)
  void read.catch(() => undefined)
  await until('it is in flight', async () => (await explained(first, nameOf(guest))).oldest !== undefined)
  first.signal('SIGKILL')
  await first.ended
  let lock = mediumOpener.open({ target, readOnly: false })
  await until('the dead one’s lock is gone', () => lock.ok || (lock = mediumOpener.open({ target, readOnly: false })).ok)
  if (!lock.ok) throw new Error(lock.error.sentence)

  const heir = await world.daemon({ runDir: 'heir' })
  const { verdict, text, oldest } = await explained(heir, nameOf(guest))
  expect(verdict).toBe('recovering')
  expect(text).toMatch(/^Process \d+ served vbd\/\d+\/51712\/q0 and is gone; process \d+ is to go on from its journal/)
  expect(text).toContain('is in Recovering.openingMedium for')
  expect(text).toContain('The lock is waited for as long as it takes')
  expect(oldest).toMatchObject({ what: 'read', state: 'Submitted' })
  await until('it is said who has it', async () => (await explained(heir, nameOf(guest))).text.includes('is in use by'))
  lock.medium.close()
  await read
  await until('it serves', async () => (await explained(heir, nameOf(guest))).verdict === 'idle')
  expect(await backendNode(world, guest.domid, 'state')).toBe('4')
  await front.close()
}, 120_000)
