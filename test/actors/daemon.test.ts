/**
 * @packageDocumentation
 * Whole lives of devices: daemon, supervisor, shells and charts over the real XenStore protocol, against a guest that
 * writes its own nodes. What is checked is what guest, toolstack and operator see, and that nothing stays held.
 */
import { deviceMachine } from '../../src/machines/device.machine.js'
import { replayActor } from '../../src/machines/fold.js'
import type { DeviceEvent } from '../../src/machines/device/types.js'
import { LEVEL_BROKEN, LEVEL_MEDIUM_FULL, LEVEL_MEDIUM_GONE, LEVEL_SHORTAGE } from '../../src/ports/queues.js'
import { ControlPlane } from '../support/control-plane.js'
import { input } from '../support/device-chart.js'

const NOTHING = { rings: 0, channels: 0, grants: 0 }
const QUEUE = 'vbd/5/51712/q0'
let plane: ControlPlane

beforeEach(async () => {
  plane = new ControlPlane()
  await plane.daemon.start()
})

afterEach(async () => {
  plane.queues.drainsAtOnce = true
  plane.host.release()
  plane.daemon.abandonStop()
  plane.xenstore.client.close()
  await Promise.resolve()
})

test('S1: devices that stood already and devices that come later are served, each by one actor', async () => {
  const first = await plane.attached(5)
  await plane.daemon.stop('park')
  await plane.domain(6)
  await plane.restart()
  await plane.daemon.attach({ domid: 6, vdev: 'xvda', target: 'disk6', mode: 'r' })
  await plane.until(() => plane.stateOf(5) === 'InitWait.waiting' && plane.stateOf(6) === 'InitWait.waiting')
  expect(await first.backendState()).toBe('InitWait')
  expect(plane.daemon.list().map(({ name, mode }) => [name, mode])).toEqual([['vbd/5/51712', 'w'], ['vbd/6/51712', 'r']])
})

test('S6, S10, S11, S12: attach, connect, and what the front end reads on the way', async () => {
  const guest = await plane.attached(5)
  expect(await guest.node('hotplug-status')).toBe('connected')
  await guest.connects()
  expect([await guest.node('sectors'), await guest.node('sector-size'), await guest.node('info')]).toEqual(['2048', '512', '0'])
  expect(plane.host.log).toEqual(['openGrants', 'mapRing', 'bindChannel'])
  expect(plane.queues.attachments.get(QUEUE)?.settings).toMatchObject({ readOnly: false, maxSegments: 11 })
  await guest.says('Initialised')
  await guest.says('Connected')
  await plane.until(() => plane.daemon.list()[0].frontendState === 'Connected')
  expect(plane.host.log).toHaveLength(3)
})

test('attach is idempotent, and a different one is refused in a sentence', async () => {
  await plane.attached(5)
  const spec = { domid: 5, vdev: 'xvda', target: 'disk5', mode: 'w' } as const
  expect((await plane.daemon.attach(spec)).created).toBe(false)
  await expect(plane.daemon.attach({ ...spec, target: 'other' })).rejects.toThrow(/detach it first/)
  await expect(plane.daemon.attach({ ...spec, domid: 77 })).rejects.toThrow(/domain 77 does not exist/)
})

test('S4, B32: an attach that fails says why, touches no other device, and stays visible', async () => {
  await plane.connected(6)
  const guest = await plane.domain(5)
  plane.media.errors.set('nowhere', { code: 'missing', sentence: 'nowhere does not exist: make it first' })
  const attach = plane.daemon.attach({ domid: 5, vdev: 'xvda', target: 'nowhere', mode: 'w' })
  await expect(attach).rejects.toThrow('nowhere does not exist: make it first')
  expect(await guest.node('hotplug-status')).toBe('error')
  expect(await guest.node('hotplug-error')).toMatch(/make it first/)
  expect(await guest.node('online')).toBe('0')
  const error = '/local/domain/0/error/backend/vbd/5/51712/error'
  expect(await plane.xenstore.client.read(error)).toMatch(/make it first/)
  expect(plane.stateOf(5)).toBe('Failed')
  expect(plane.stateOf(6)).toMatch(/^Connected/)
  expect(await plane.daemon.detach({ domid: 5, vdev: 'xvda' })).toEqual({ existed: true, removed: true })
  expect(plane.stateOf(5)).toBeUndefined()
})

test('S26, S28, B22: a clean close; another device closing at the same time is not in its way', async () => {
  const [one, two] = [await plane.connected(5), await plane.connected(6)]
  plane.queues.drainsAtOnce = false
  await one.says('Closing')
  await two.says('Closing')
  await plane.until(async () => (await one.backendState()) === 'Closing' && (await two.backendState()) === 'Closing')
  await one.says('Closed')
  await two.says('Closed')
  await plane.until(() => plane.stateOf(5) === 'Closing.draining' && plane.stateOf(6) === 'Closing.draining')
  plane.queues.finish('vbd/6/51712/q0')
  await plane.until(async () => (await two.backendState()) === 'Closed')
  expect(await one.backendState()).toBe('Closing')
  plane.queues.finish(QUEUE)
  await plane.until(async () => (await one.backendState()) === 'Closed')
  expect([plane.host.held(), plane.media.held]).toEqual([NOTHING, []])
})

test('B23: a boot loader hands over to a kernel six times', async () => {
  const guest = await plane.connected(5)
  for (let hop = 0; hop < 6; hop++) {
    await guest.says('Closing')
    await plane.until(async () => (await guest.backendState()) === 'Closing')
    await guest.says('Closed')
    await plane.until(async () => (await guest.backendState()) === 'Closed')
    await guest.says('Initialising', { 'ring-ref': '', 'event-channel': '' })
    await plane.until(async () => (await guest.backendState()) === 'InitWait')
    await guest.connects()
  }
  expect(plane.daemon.list()[0].connections).toBe(7)
  expect(plane.host.held()).toEqual({ rings: 1, channels: 1, grants: 1 })
})

test('a disk of another back end under the same name is neither overwritten by attach nor taken by detach', async () => {
  const guest = await plane.domain(5)
  const { client } = plane.xenstore
  const other = '/local/domain/0/backend/qdisk/5/51712'
  await client.write(`${other}/state`, '4')
  await client.write(`${guest.frontend}/backend`, other)
  const spec = { domid: 5, vdev: 'xvda', target: 'disk5', mode: 'w' } as const
  await expect(plane.daemon.attach(spec)).rejects.toThrow(/is served by .*qdisk\/5\/51712: detach it there/)
  expect(await plane.daemon.detach({ domid: 5, vdev: 'xvda' })).toEqual({ existed: false, removed: true })
  expect(await client.read(`${guest.frontend}/backend`)).toBe(other)
  // Once that back end's directory is gone, what it left is no reason to refuse.
  await client.remove(other)
  expect(await plane.daemon.attach(spec)).toMatchObject({ created: true })
})

test('what is left of a device, one half of it, is removed by detach; twice is no error', async () => {
  const guest = await plane.attached(5)
  const { client } = plane.xenstore
  await client.remove(guest.backend)
  await plane.until(() => plane.stateOf(5) === undefined)
  for (let time = 0; time < 2; time++)
    expect(await plane.daemon.detach({ domid: 5, vdev: 'xvda' })).toEqual({ existed: false, removed: true })
  expect(await client.list(guest.frontend)).toBeUndefined()
  await client.mkdir(guest.backend) // made, and never filled
  await plane.daemon.detach({ domid: 5, vdev: 'xvda' })
  expect(await client.list(guest.backend)).toBeUndefined()
})

test('S27: detached half-way through connecting, everything is undone', async () => {
  const guest = await plane.attached(5)
  plane.host.hold('mapRing')
  await guest.says('Initialised', { 'ring-ref': '8', 'event-channel': '9' })
  await plane.until(() => plane.host.holding === 'mapRing')
  const detached = plane.daemon.detach({ domid: 5, vdev: 'xvda' })
  await plane.until(async () => (await guest.backendState()) === 'Closing')
  plane.host.release()
  expect(await detached).toEqual({ existed: true, removed: true })
  expect([plane.host.held(), plane.media.held, plane.daemon.list()]).toEqual([NOTHING, [], []])
  expect(await plane.xenstore.client.list(guest.backend)).toBeUndefined()
  expect(await plane.xenstore.client.list(guest.frontend)).toBeUndefined()
})

test('S10, B29: a ring that cannot be mapped: told, closed, nothing held, and the guest may try again', async () => {
  const guest = await plane.attached(5)
  plane.host.refuse('mapRing')
  await guest.says('Initialised', { 'ring-ref': '8', 'event-channel': '9' })
  await plane.until(async () => (await guest.backendState()) === 'Closed')
  expect(plane.daemon.list()[0].error).toMatch(/revoked.*EINVAL/)
  expect(plane.host.held()).toEqual(NOTHING)
  await guest.says('Closed')
  await guest.says('Initialising')
  await plane.until(async () => (await guest.backendState()) === 'InitWait')
  await guest.connects()
})

test('S28: the front end’s directory vanishes: abandoned, let go', async () => {
  const guest = await plane.connected(5)
  await plane.xenstore.client.remove(guest.frontend)
  await plane.until(() => plane.stateOf(5) === 'Closed.waiting')
  expect(plane.queues.log).toContain(`abandon ${QUEUE}`)
  expect(plane.host.held()).toEqual(NOTHING)
})

test('domains die without their toolstack: let go at once, said in the list, one look for all, and detach cleans up', async () => {
  const [guest, other] = [await plane.connected(5), await plane.connected(6)]
  await plane.attached(7)
  const asked: number[] = []
  const { client } = plane.xenstore
  const ask = client.isDomainIntroduced.bind(client)
  client.isDomainIntroduced = (domid) => {
    asked.push(domid)
    return ask(domid)
  }
  plane.xenstore.server.release(5)
  plane.xenstore.server.release(7)
  await plane.until(() => plane.stateOf(5) === 'Closed.orphaned' && plane.stateOf(7) === 'Closed.orphaned')
  expect(asked.length).toBeLessThanOrEqual(6)
  expect(plane.queues.log).toContain(`abandon ${QUEUE}`)
  expect([plane.host.held(), plane.media.held]).toEqual([{ rings: 1, channels: 1, grants: 1 }, ['disk6']])
  await plane.until(async () => (await guest.backendState()) === 'Closed')
  expect(plane.daemon.list()[0].error).toBe(
    'domain 5 is gone, its directories in XenStore are not: `xbbd detach --domain 5 --vdev xvda` removes them',
  )
  expect(await other.backendState()).toBe('Connected')
  // What is left of the front end means nothing any more.
  await client.write(`${guest.frontend}/state`, '1')
  expect(await plane.daemon.detach({ domid: 5, vdev: 'xvda' })).toEqual({ existed: true, removed: true })
  expect([plane.stateOf(5), await client.list(guest.backend)]).toEqual([undefined, undefined])
})

test.each([['before it', true], ['while no daemon ran', false]])('a domain that dies %s: the next daemon neither opens nor maps anything of it', async (_when, early) => {
  const guest = await plane.connected(5)
  if (early) {
    plane.xenstore.server.release(5)
    await plane.until(() => plane.stateOf(5) === 'Closed.orphaned')
  }
  await plane.daemon.stop('park')
  if (!early) plane.xenstore.server.release(5)
  await plane.restart()
  await plane.until(async () => plane.stateOf(5) === 'Closed.orphaned' && (await guest.backendState()) === 'Closed')
  expect([plane.host.held(), plane.media.held]).toEqual([NOTHING, []])
})

test('a device that comes before its domain is introduced is served, and watched from then on', async () => {
  const guest = await plane.domain(5)
  plane.xenstore.server.release(5)
  await plane.daemon.attach({ domid: 5, vdev: 'xvda', target: 'disk5', mode: 'w' })
  plane.xenstore.server.introduce(5)
  await plane.attached(6)
  await guest.connects()
  plane.xenstore.server.release(5)
  await plane.until(() => plane.stateOf(5) === 'Closed.orphaned')
  expect(plane.stateOf(6)).toBe('InitWait.waiting')
})

test('a device whose actor crashes while its domain dies learns it in its next life', async () => {
  await plane.connected(5)
  plane.plants.add('vbd/5/51712 queue.ranShort')
  plane.queues.levels(QUEUE, LEVEL_SHORTAGE)
  await plane.until(() => plane.stateOf(5) === 'BackingOff')
  plane.xenstore.server.release(5)
  await new Promise((resolve) => setImmediate(resolve))
  plane.clock.advance(100)
  await plane.until(() => plane.stateOf(5) === 'Closed.orphaned')
  expect([plane.host.held(), plane.media.held]).toEqual([NOTHING, []])
})

test('our directory vanishes, and no write makes it anew; made anew, it is a new device', async () => {
  const guest = await plane.connected(5)
  await plane.xenstore.client.remove(guest.backend)
  await plane.until(() => plane.daemon.list().length === 0)
  expect(await plane.xenstore.client.list(guest.backend)).toBeUndefined()
  expect([plane.host.held(), plane.media.held]).toEqual([NOTHING, []])
  await plane.attached(5)
  expect(plane.stateOf(5)).toBe('InitWait.waiting')
})

test('detach --force does not wait for a guest that does not answer, only for the medium', async () => {
  const guest = await plane.connected(5)
  expect(await plane.daemon.detach({ domid: 5, vdev: 'xvda', waitMs: 0 })).toEqual({ existed: true, removed: false })
  await plane.until(async () => (await guest.backendState()) === 'Closing')
  // No time passes.
  expect(await plane.daemon.detach({ domid: 5, vdev: 'xvda', force: true })).toEqual({ existed: true, removed: true })
  expect([plane.daemon.list(), plane.host.held(), plane.media.held]).toEqual([[], NOTHING, []])
})

test('libxl detaches a device that never connected: online=0 and state=5 are answered with 6', async () => {
  const guest = await plane.attached(5)
  await plane.xenstore.client.transaction(async (ops) => {
    await ops.write(`${guest.backend}/online`, '0')
    await ops.write(`${guest.backend}/state`, '5')
  })
  await plane.until(async () => (await guest.backendState()) === 'Closed')
  expect(plane.stateOf(5)).toBe('Closed.offline')
})

test('SIGTERM parks: state stays 4, nothing is held, and the next start serves the same front end', async () => {
  const guest = await plane.connected(5)
  plane.queues.drainsAtOnce = false
  const stopped = plane.daemon.stop('park')
  expect(plane.daemon.pending().map(({ state }) => state)).toEqual(['Parking.draining'])
  plane.queues.finish(QUEUE)
  expect(await stopped).toEqual({ mode: 'park', devices: 1, left: [], held: NOTHING })
  expect([await guest.backendState(), plane.media.held]).toEqual(['Connected', []])
  await plane.restart()
  await plane.until(() => plane.stateOf(5)?.startsWith('Connected') === true)
  expect(await guest.backendState()).toBe('Connected')
  expect(plane.queues.attachments.has(QUEUE)).toBe(true)
})

/** What a device hears from the moment on at which it is told to go. */
const PARKING = ['operator.parked', 'queue.drained', 'queue.detached', 'host.channelUnbound', 'host.ringUnmapped', 'host.grantsClosed']

test.each(PARKING)('its actor crashes at %s, while the daemon parks: nothing is held, and it is not started again', async (event) => {
  const guest = await plane.connected(5)
  plane.queues.answersLater = true
  plane.plants.add(`vbd/5/51712 ${event}`)
  expect(await plane.daemon.stop('park')).toEqual({ mode: 'park', devices: 1, left: [], held: NOTHING })
  expect([plane.plants.size, plane.media.held, await guest.backendState()]).toEqual([0, [], 'Connected'])
  expect(plane.stateOf(5)).toBe('Ended')
})

test('stop --close brings every device to Closed; a second signal ends the wait for a medium that hangs', async () => {
  const guest = await plane.connected(5)
  plane.queues.drainsAtOnce = false
  const stopped = plane.daemon.stop('close')
  await plane.until(async () => (await guest.backendState()) === 'Closing')
  await guest.says('Closed')
  await plane.until(() => plane.stateOf(5) === 'Closing.draining')
  plane.daemon.abandonStop()
  expect((await stopped).left).toEqual([{ name: 'vbd/5/51712', state: 'Closing.draining', inFlight: 0 }])
})

test('S24: a medium that is gone closes its device alone', async () => {
  const [guest, other] = [await plane.connected(5), await plane.connected(6)]
  plane.queues.levels(QUEUE, LEVEL_MEDIUM_GONE)
  await plane.until(async () => (await guest.backendState()) === 'Closing')
  await guest.says('Closed')
  await plane.until(async () => (await guest.backendState()) === 'Closed')
  expect(plane.daemon.list().find(({ domid }) => domid === 5)?.error).toMatch(/gone/)
  expect(await other.backendState()).toBe('Connected')
})

test('a broken ring is abandoned; shortage is entered and left', async () => {
  const guest = await plane.connected(5)
  plane.queues.levels(QUEUE, LEVEL_SHORTAGE)
  expect(plane.stateOf(5)).toBe('Connected.intake.Shortage Connected.medium.Present')
  plane.queues.levels(QUEUE, 0)
  expect(plane.stateOf(5)).toBe('Connected.intake.Running Connected.medium.Present')
  plane.queues.levels(QUEUE, LEVEL_BROKEN)
  await plane.until(async () => (await guest.backendState()) === 'Closed')
  expect(plane.host.held()).toEqual(NOTHING)
})

test('S24: a medium that comes back is opened anew with its front end; one that does not must be attached anew', async () => {
  const guest = await plane.connected(5)
  const lose = async () => {
    plane.queues.levels(QUEUE, LEVEL_MEDIUM_GONE)
    await plane.until(async () => (await guest.backendState()) === 'Closing')
    await guest.says('Closed')
    await plane.until(async () => (await guest.backendState()) === 'Closed')
    expect([plane.host.held(), plane.media.held]).toEqual([NOTHING, []])
    expect(plane.daemon.list()[0].error).toMatch(/the medium is gone/)
  }
  await lose()
  await guest.says('Initialising')
  await plane.until(async () => (await guest.backendState()) === 'InitWait')
  expect(plane.media.held).toEqual(['disk5'])
  await guest.connects()
  expect(plane.daemon.list()[0]).toMatchObject({ connections: 2, error: undefined })
  await lose()
  plane.media.errors.set('disk5', { code: 'missing', sentence: 'disk5 does not exist' })
  await guest.says('Initialising')
  await plane.until(() => plane.stateOf(5) === 'Failed')
  plane.media.errors.clear()
  expect(await plane.daemon.detach({ domid: 5, vdev: 'xvda' })).toMatchObject({ removed: true })
  await plane.attached(5)
  expect(plane.stateOf(5)).toBe('InitWait.waiting')
})

test('S15: a full medium is a state, a sentence in the list, and what a stop waits for; a reload tries at once', async () => {
  await plane.connected(5)
  plane.queues.levels(QUEUE, LEVEL_SHORTAGE | LEVEL_MEDIUM_FULL)
  expect(plane.stateOf(5)).toBe('Connected.intake.Full Connected.medium.Present')
  const [{ notes, connection }] = plane.daemon.list()
  expect(notes[0]).toMatch(/^the medium is full: \d+ requests? waits? for space since \d{4}-/)
  expect(connection?.queues[0].mediumFull).toBe(true)
  plane.daemon.apply(() => input.settings)
  expect(plane.queues.log.at(-1)).toBe(`retry ${QUEUE}`)
  plane.queues.drainsAtOnce = false
  const stopped = plane.daemon.stop('park')
  expect(plane.queues.log.at(-1)).toBe(`drain patiently ${QUEUE}`)
  expect(plane.daemon.pending()[0].sentence).toBe(notes[0])
  plane.daemon.abandonStop()
  expect((await stopped).left[0].sentence).toBe(notes[0])
})

test('S15: what it is short of changes: every change is a state; a queue that crashes is short of nothing', async () => {
  await plane.connected(5)
  const intake = () => plane.stateOf(5)?.split(' ')[0]
  const seen = [LEVEL_SHORTAGE, LEVEL_SHORTAGE | LEVEL_MEDIUM_FULL, LEVEL_SHORTAGE, 0].map((levels) => {
    plane.queues.levels(QUEUE, levels)
    return intake()
  })
  expect(seen).toEqual(['Shortage', 'Full', 'Shortage', 'Running'].map((state) => `Connected.intake.${state}`))
  plane.queues.levels(QUEUE, LEVEL_SHORTAGE | LEVEL_MEDIUM_FULL)
  plane.queues.crash(QUEUE, 'planted')
  await plane.until(() => plane.stateOf(5) === 'Failed')
  expect(plane.daemon.list()[0].notes.filter((note) => note.includes('full'))).toEqual([])
})

test('a broken ring that comes to rest before it is told to is let go all the same', async () => {
  const guest = await plane.connected(5)
  plane.queues.finish(QUEUE)
  plane.queues.levels(QUEUE, LEVEL_BROKEN)
  await plane.until(async () => (await guest.backendState()) === 'Closed')
  expect(plane.queues.log).not.toContain(`abandon ${QUEUE}`)
  expect(plane.host.held()).toEqual(NOTHING)
})

test('a queue that throws: Failed, a clean close for its front end, no other device touched', async () => {
  const [guest, other] = [await plane.connected(5), await plane.connected(6)]
  plane.queues.crash(QUEUE, 'planted')
  await plane.until(async () => (await guest.backendState()) === 'Closed')
  expect(plane.stateOf(5)).toBe('Failed')
  expect(plane.host.held()).toEqual({ rings: 1, channels: 1, grants: 1 })
  expect(await other.backendState()).toBe('Connected')
})

test('a device actor that throws is salvaged and started again; its front end sees only a pause', async () => {
  const [guest, other] = [await plane.connected(5), await plane.connected(6)]
  plane.plants.add('vbd/5/51712 queue.ranShort')
  plane.queues.levels(QUEUE, LEVEL_SHORTAGE)
  await plane.until(() => plane.stateOf(5) === 'BackingOff')
  expect(plane.host.held()).toEqual({ rings: 1, channels: 1, grants: 1 })
  plane.clock.advance(100)
  await plane.until(() => plane.stateOf(5)?.startsWith('Connected') === true)
  expect(plane.daemon.list().find(({ domid }) => domid === 5)).toMatchObject({ restarts: 1, gaveUp: false })
  expect([await guest.backendState(), await other.backendState()]).toEqual(['Connected', 'Connected'])
})

test('one that crashes again and again is given up, said so, and can still be detached', async () => {
  const guest = await plane.connected(5)
  for (let crash = 0; crash < 3; crash++) {
    plane.plants.add('vbd/5/51712 queue.ranShort')
    plane.queues.levels(QUEUE, LEVEL_SHORTAGE)
    await plane.until(() => plane.stateOf(5) === (crash < 2 ? 'BackingOff' : 'GaveUp'))
    plane.clock.advance(1000)
    if (crash < 2) await plane.until(() => plane.stateOf(5)?.startsWith('Connected') === true)
  }
  expect(plane.daemon.list()[0]).toMatchObject({ gaveUp: true, error: expect.stringMatching(/given up after 3/) as string })
  expect(plane.host.held()).toEqual(NOTHING)
  expect(await plane.daemon.detach({ domid: 5, vdev: 'xvda' })).toEqual({ existed: true, removed: true })
  expect(await plane.xenstore.client.list(guest.backend)).toBeUndefined()
})

test('resize: the guest is told by sectors and a rewritten state', async () => {
  const guest = await plane.connected(5)
  plane.media.sizes.set('disk5', 4096)
  plane.clock.advance(60_000)
  await plane.until(async () => (await guest.node('sectors')) === '4096')
  expect(await guest.backendState()).toBe('Connected')
  expect(plane.queues.log).toContain(`medium ${QUEUE} 4096`)
})

describe('S3, S5: discs', () => {
  const drive = async (target: string) => {
    const guest = await plane.domain(5)
    await plane.daemon.attach({ domid: 5, vdev: 'xvda', target, mode: 'r', deviceType: 'cdrom' })
    await guest.connects()
    return guest
  }

  test('an empty drive is connected, gets a disc, loses it, and meets one that cannot be read', async () => {
    const guest = await drive('')
    expect([await guest.node('sectors'), await guest.node('info')]).toEqual(['0', '7'])
    expect(await plane.daemon.changeDisc({ domid: 5, vdev: 'xvda', target: 'disc1' })).toMatchObject({ target: 'disc1', sectorCount: 2048 })
    expect([await guest.node('sectors'), plane.media.held]).toEqual(['2048', ['disc1']])
    await plane.daemon.changeDisc({ domid: 5, vdev: 'xvda', target: '' })
    expect([await guest.node('sectors'), plane.media.held]).toEqual(['0', []])
    plane.media.errors.set('bad', { code: 'missing', sentence: 'bad does not exist' })
    await expect(plane.daemon.changeDisc({ domid: 5, vdev: 'xvda', target: 'bad' })).rejects.toThrow('the drive is empty: bad does not exist')
    expect(await guest.backendState()).toBe('Connected')
  })

  /**
   * What libxl 4.17 writes (libxl_disk.c, libxl_cdrom_insert): for HVM guests alone (`cdrom-insert requires an HVM
   * domain`), in the back end's directory and in its own copy: first `type` and an empty `params`, in one transaction;
   * then, in a second one, `type` and `params` = `aio:PATH` for a raw image, or empty when it was an eject.
   */
  test('the writes of xl cd-insert and cd-eject change the disc', async () => {
    const guest = await drive('disc1')
    const { client } = plane.xenstore
    const write = (params: string) => client.transaction(async (ops) => {
      await ops.write(`${guest.backend}/type`, 'qdisk')
      await ops.write(`${guest.backend}/params`, params)
    })
    await write('')
    await write('aio:disc2')
    await plane.until(async () => plane.media.held.includes('disc2') && (await guest.node('sectors')) === '2048')
    await write('')
    await write('')
    await plane.until(async () => (await guest.node('sectors')) === '0')
    expect(plane.media.held).toEqual([])
    expect(plane.stateOf(5)).toMatch(/^Connected/)
  })

  /** Another process goes on from what the first left, as after its death. */
  const succeed = async () => {
    await plane.daemon.stop('park')
    plane.queues.legacies.set(QUEUE, { kind: 'recoverable', connection: { grefs: [8], evtchn: 9, abi: 'x86_64' } })
    plane.queues.log.length = 0
    await plane.restart()
  }

  test('a successor goes on with the disc that is in: no drive is empty on the way', async () => {
    const guest = await drive('disc1')
    await succeed()
    await plane.until(() => plane.stateOf(5) === 'Connected.intake.Running Connected.medium.Present')
    await plane.daemon.stop('park')
    expect(plane.queues.log).toEqual([`attach ${QUEUE}`, `drain patiently ${QUEUE}`, `detach ${QUEUE}`])
    expect(await guest.node('sectors')).toBe('2048')
  })

  test('a successor finds the disc unreadable: the drive is empty, and says why', async () => {
    const guest = await drive('disc1')
    plane.media.errors.set('disc1', { code: 'missing', sentence: 'disc1 does not exist' })
    await succeed()
    await plane.until(async () => (await guest.node('sectors')) === '0')
    expect([plane.stateOf(5), await guest.backendState()]).toEqual([expect.stringMatching(/^Connected/), 'Connected'])
    expect(plane.daemon.list()[0].notes.join()).toMatch(/the drive is empty: disc1 does not exist/)
  })

  test('what is no drive says so', async () => {
    await plane.connected(6)
    await expect(plane.daemon.changeDisc({ domid: 6, vdev: 'xvda', target: 'x' })).rejects.toThrow(/is no CD-ROM/)
    await expect(plane.daemon.changeDisc({ domid: 9, vdev: 'xvda', target: 'x' })).rejects.toThrow(/is not attached/)
  })
})

test('S7: nonsense from the guest is noted, and ends nothing but its own connection', async () => {
  const guest = await plane.attached(5)
  const store = plane.xenstore.connectAs(5)
  await store.write(`${guest.frontend}/state`, 'banana')
  await plane.until(() => plane.daemon.list()[0].notes.some((note) => note.includes('banana')))
  expect(plane.stateOf(5)).toBe('InitWait.waiting')
  await guest.says('Initialised', { 'ring-ref': '-1', 'event-channel': '9' })
  await plane.until(async () => (await guest.backendState()) === 'Closed')
  expect(plane.daemon.list()[0].error).toMatch(/ring-ref/)
})

test('a live run and the replay of its journal agree', async () => {
  const guest = await plane.connected(5)
  await guest.says('Closed')
  await plane.until(() => plane.stateOf(5) === 'Closed.waiting')
  const [started, ...events] = plane.journals.get('vbd/5/51712') ?? []
  expect(started).toEqual({ type: '@started', input })
  const history = replayActor(deviceMachine, input, events as DeviceEvent[])
  expect(history.at(-1)?.state).toBe('Closed.waiting')
  expect(history.flatMap(({ effects }) => effects).filter(({ type }) => type === 'mapRing')).toHaveLength(1)
})
